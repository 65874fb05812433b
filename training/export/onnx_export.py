"""From trained weights to ONNX files: fp32, then int8."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import onnx
import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface

from belowline.training.fit.network import CommentModel

_FUSED = "belowline_onnxruntime"
_LONGEST = 512
_BLOCK = 64
_FEWEST_COLUMNS = 16
_SAME = 1e-3


class _Graph(nn.Module):
    """The outputs of the served model: label logits, evidence strengths in 0..1, embedding."""

    def __init__(self, model: CommentModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs = self.model(input_ids, torch.ones_like(input_ids))
        return outputs.logits, torch.sigmoid(outputs.evidence), outputs.embedding


def export_fp32(model: CommentModel, path: Path) -> None:
    """Write ``model`` as ONNX for one text of any length: input ``input_ids`` [1, T] int64, without padding and mask.

    Attention becomes one onnxruntime operator if that computes the same. An encoder with other attention
    (relative positions, sliding windows) is exported operator by operator.
    """
    try:
        with _fused_attention(model):
            _export(model, path)
        if _agrees(model, path):
            return
    except ValueError:  # this encoder does not let its attention be exchanged
        pass
    _export(model, path)


def _export(model: CommentModel, path: Path) -> None:
    torch.onnx.export(
        _Graph(model).eval(),
        (torch.ones(1, 16, dtype=torch.int64),),
        str(path),
        input_names=["input_ids"],
        output_names=["label_logits", "token_evidence", "text_embedding"],
        dynamic_shapes=({1: torch.export.Dim("tokens", min=2, max=_LONGEST)},),
        dynamo=True,
        external_data=False,
        optimize=True,
        verbose=False,
    )


@contextmanager
def _fused_attention(model: CommentModel) -> Iterator[None]:
    """Make ``model`` exportable, but not runnable, within the context; raises ValueError for built-in attention."""
    before = model.encoder.config._attn_implementation
    AttentionInterface.register(_FUSED, _attention)
    AttentionMaskInterface.register(_FUSED, lambda *_, **__: None)
    model.encoder.set_attn_implementation(_FUSED)
    try:
        yield
    finally:
        model.encoder.set_attn_implementation(before)


def _attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: None, scaling: float, **_: Any
) -> tuple[Tensor, None]:
    """Convert [B, heads, T, width], as ``transformers`` passes them, to [B, T, heads, width]."""
    batch, heads, tokens, width = query.shape
    flat = [states.transpose(1, 2).reshape(batch, tokens, heads * width) for states in (query, key, value)]
    joined = torch.onnx.ops.symbolic(
        "com.microsoft::MultiHeadAttention",
        flat,
        {"num_heads": heads, "scale": float(scaling)},
        dtype=query.dtype,
        shape=flat[0].shape,
        version=1,
    )
    return joined.reshape(batch, tokens, heads, width), None


def _agrees(model: CommentModel, path: Path) -> bool:
    """Return True if the file computes the same as ``model``, on a short and on a long text of random tokens."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    config, seeded = model.encoder.config, torch.Generator().manual_seed(0)
    for length in (7, min(_LONGEST, getattr(config, "max_position_embeddings", _LONGEST)) - 2):
        ids = torch.randint(config.vocab_size, (1, length), generator=seeded)
        with torch.inference_mode():
            expected = _Graph(model).eval()(ids)
        outputs = session.run(None, {"input_ids": ids.numpy()})
        if any((a - torch.from_numpy(b)).abs().max() > _SAME for a, b in zip(expected, outputs, strict=True)):
            return False
    return True


def quantise(fp32: Path, quantised: Path, bits: Literal[4, 8] = 8) -> None:
    """Quantise the weights: to int8 per channel with activations per call, or to 4 bits in blocks of 64.

    With 4 bits, the embedding table and products whose weights are too small for blocks have int8 weights.
    """
    # Here, when belowline.model has been imported and so has switched onnxruntime's telemetry off.
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(fp32), str(prepared), skip_symbolic_shape=True)
        if bits == 4:
            _in_blocks(prepared)
        quantize_dynamic(str(prepared), str(quantised), weight_type=QuantType.QInt8, per_channel=True)
    onnx.checker.check_model(str(quantised))


def _in_blocks(file: Path) -> None:
    """Replace the encoder's products in ``file`` by products with 4-bit weights in blocks."""
    from onnxruntime.quantization.matmul_nbits_quantizer import (
        DefaultWeightOnlyQuantConfig,
        MatMulNBitsQuantizer,
    )

    # Activations are int8 by block (accuracy level 4): a scale for each block of 64 holds outlying channels.
    config = DefaultWeightOnlyQuantConfig(block_size=_BLOCK, is_symmetric=True, accuracy_level=4, bits=4)
    model = onnx.load(str(file))
    columns = {weight.name: weight.dims[-1] for weight in model.graph.initializer if weight.dims}
    # The evidence head has few columns: 4 bits would save nothing there.
    heads = [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul" and columns.get(node.input[1], _BLOCK) < _FEWEST_COLUMNS
    ]
    quantizer = MatMulNBitsQuantizer(model, nodes_to_exclude=heads, algo_config=config)
    quantizer.process()
    quantizer.model.save_model_to_file(str(file))
