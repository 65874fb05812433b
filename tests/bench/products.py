"""Matrix products of a model, and the best rate of this machine for such products."""

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = tuple[int, int]
"""Rows and columns of a weight: the contracted dimension and the output dimension."""
ROWS = 512
_TOKENS = 24
_INTEGER = ("MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat")
_PLAIN = ("MatMul", "Gemm")


class Products(NamedTuple):
    """Number of uses of each weight shape per token, in int8 and in fp32."""

    int8: Counter[Shape]
    fp32: Counter[Shape]


def operations(shapes: Counter[Shape]) -> int:
    """Return the operations per token: one multiplication and one addition for each number of a weight."""
    return sum(2 * rows * columns * times for (rows, columns), times in shapes.items())


def products_of(file: Path) -> Products:
    """Return the products per token of ``model.onnx``.

    The graph is run on some tokens and rows are counted, which leaves out products that run once per text (the heads).
    """
    import onnxruntime

    model = onnx.load(str(file))
    shapes = {one.name: tuple(one.dims) for one in model.graph.initializer}
    weighted = [
        node
        for node in model.graph.node
        if node.op_type in _INTEGER + _PLAIN and len(shapes.get(node.input[1], ())) == 2
    ]
    del model.graph.output[:]
    for node in weighted:
        kind = TensorProto.INT32 if node.op_type == "MatMulInteger" else TensorProto.FLOAT
        model.graph.output.append(helper.make_tensor_value_info(node.output[0], kind, None))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    ones = np.ones((1, _TOKENS), np.int64)
    found = Products(Counter(), Counter())
    for node, output in zip(
        weighted, session.run(None, {one.name: ones for one in session.get_inputs()}), strict=True
    ):
        if output.size // output.shape[-1] == _TOKENS:
            (found.int8 if node.op_type in _INTEGER else found.fp32)[shapes[node.input[1]]] += 1
    return found


def product_session(shape: Shape) -> Any:
    """One product with an int8 weight, scales per channel, and dynamically quantised inputs.

    It is the same operation as in the Scorer's graph, in isolation.
    """
    import onnxruntime

    rng = np.random.default_rng(0)
    weight = rng.integers(-127, 128, shape, dtype=np.int8)
    scales, bias = np.full(shape[1], 0.001, np.float32), np.zeros(shape[1], np.float32)
    node = helper.make_node("DynamicQuantizeMatMul", ["x", "w", "s", "", "b"], ["y"], domain="com.microsoft")
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", shape[0]])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", shape[1]])
    constants = [
        numpy_helper.from_array(one, name) for name, one in (("w", weight), ("s", scales), ("b", bias))
    ]
    graph = helper.make_graph([node], "product", [given], [made], constants)
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        helper.make_model(graph, opset_imports=imports, ir_version=10).SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
    )


class Limit:
    """The int8 rate on a model's own shapes, in ``threads`` independent concurrent threads."""

    def __init__(self, shapes: Counter[Shape], threads: int, least_operations: float = 6e10) -> None:
        self._shapes, self._least = shapes, least_operations
        self.by_shape: dict[Shape, list[float]] = {shape: [] for shape in shapes}
        self._sessions = {shape: [product_session(shape) for _ in range(threads)] for shape in shapes}

    def rate(self) -> float:
        """Return operations per second over all shapes, weighted by uses per token; ``by_shape`` gets each rate."""
        took = 0.0
        for shape, times in self._shapes.items():
            found = self.rate_of(shape)
            self.by_shape[shape].append(found)
            took += operations(Counter({shape: times})) / found
        return operations(self._shapes) / took

    def rate_of(self, shape: Shape) -> float:
        """Operations per second of one shape, from the start of all threads until the last one ends."""
        sessions = self._sessions[shape]
        each = 2 * ROWS * shape[0] * shape[1]
        calls = max(2, round(self._least / each))
        ready = threading.Barrier(len(sessions) + 1)
        workers = [threading.Thread(target=_repeat, args=(one, shape, calls, ready)) for one in sessions]
        for worker in workers:
            worker.start()
        ready.wait()
        began = time.perf_counter()
        for worker in workers:
            worker.join()
        return each * calls * len(workers) / (time.perf_counter() - began)


def _repeat(session: Any, shape: Shape, calls: int, ready: threading.Barrier) -> None:
    given = {"x": np.random.default_rng(1).normal(size=(ROWS, shape[0])).astype(np.float32)}
    session.run(None, given)
    ready.wait()
    for _ in range(calls):
        session.run(None, given)
