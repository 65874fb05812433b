"""Weights of the network from a released ONNX file, so that a training can start from a released model.

int8 rounding remains; the first few hundred batches of a training undo its small cost.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import Tensor

from belowline.training.errors import RunError

_PREFIX = "model."
_QUANTISED = "_quantized"
_PASSED_THROUGH = ("Cast", "Mul")
"""Operators (scales) between an integer product and the addition of its bias."""

Floats = npt.NDArray[np.float32]


def read_weights(file: Path) -> dict[str, Tensor]:
    """Return parameter name to value, for ``CommentModel.load_state_dict``, from ``model.onnx`` of this package, fp32
    or int8.

    Raises RunError for other files.
    """
    try:
        graph = onnx.load(str(file)).graph
    except (OSError, DecodeError) as error:
        raise RunError(f"{file}: cannot be read as ONNX; name a model directory") from error
    values = _values(graph)
    parameters = {name: value for name, value in values.items() if name.startswith(_PREFIX)}
    parameters |= {
        bias.removesuffix(".bias") + ".weight": values[weight].T * shrink
        for bias, weight, shrink in _products(graph, values)
    }
    for name in [name for name in parameters if name.endswith("_Transposed")]:
        parameters[name.removesuffix("_Transposed")] = parameters.pop(name).T
    weights = {
        name.removeprefix(_PREFIX): torch.tensor(np.ascontiguousarray(value))
        for name, value in parameters.items()
        if value.dtype == np.float32 and not name.endswith(".shrink")
    }
    if "label_head.weight" not in weights:
        raise RunError(f"{file}: not a model that belowline-train exported; name one to start from")
    return weights


def _values(graph: onnx.GraphProto) -> dict[str, Floats]:
    """Return initializer name to value; quantised ones as floats, under their former name."""
    raw = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    values = {
        name: value
        for name, value in raw.items()
        if name.removesuffix("_scale").removesuffix("_zero_point") == name
    }
    for name in [name for name in raw if name.endswith(_QUANTISED)]:
        plain = name.removesuffix(_QUANTISED)
        shifted = raw[name].astype(np.float32) - raw[f"{plain}_zero_point"].astype(np.float32)
        values[plain] = shifted * raw[f"{plain}_scale"]
    return values


def _products(
    graph: onnx.GraphProto, values: Mapping[str, Floats]
) -> Iterator[tuple[str, str, Floats | float]]:
    """Yield names of bias and weight of each product with a constant, and the shrink factor of its inputs.

    The exporter names weights by numbers and biases by parameter.
    """
    readers = {name: node for node in graph.node for name in node.input}
    writers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type not in ("MatMul", "MatMulInteger"):
            continue
        weight = node.input[1].removesuffix(_QUANTISED)
        after = readers.get(node.output[0])
        while after is not None and after.op_type in _PASSED_THROUGH:
            after = readers.get(after.output[0])
        if weight in values and after is not None and after.op_type == "Add":
            shrink = _shrink(node, writers, values)
            yield from ((name, weight, shrink) for name in after.input if name.endswith(".bias"))


def _shrink(
    product: onnx.NodeProto, writers: Mapping[str, onnx.NodeProto], values: Mapping[str, Floats]
) -> Floats | float:
    """Return the shrink factor [in] of a ``Smoothed`` layer, 1 for others."""
    before = writers.get(product.input[0])
    if before is not None and before.op_type == "DynamicQuantizeLinear":
        before = writers.get(before.input[0])
    if before is None or before.op_type != "Mul":
        return 1.0
    return next((values[name] for name in before.input if name.endswith(".shrink")), 1.0)
