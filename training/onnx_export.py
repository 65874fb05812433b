"""From trained weights to the ONNX files that serve: fp32, then int8."""

import tempfile
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from belowline.training.network import CommentModel

_LAYERS_KEPT = slice(0, 3)


class _Graph(nn.Module):
    """The outputs that serve: logits of labels, strengths of evidence in 0..1, embedding."""

    def __init__(self, model: CommentModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        outputs = self.model(input_ids, attention_mask)
        return outputs.logits, torch.sigmoid(outputs.evidence), outputs.embedding


def export_fp32(model: CommentModel, path: Path) -> None:
    """Write ``model`` as ONNX with free batch and length; inputs ``input_ids``, ``attention_mask`` [B, T] int64."""
    ids = torch.ones(2, 16, dtype=torch.int64)
    free = {0: torch.export.Dim("batch", min=1, max=4096), 1: torch.export.Dim("tokens", min=2, max=512)}
    torch.onnx.export(
        _Graph(model).eval(),
        (ids, torch.ones_like(ids)),
        str(path),
        input_names=["input_ids", "attention_mask"],
        output_names=["label_logits", "token_evidence", "text_embedding"],
        dynamic_shapes=(free, free),
        dynamo=True,
        external_data=False,
        optimize=True,
        verbose=False,
    )


def quantise(fp32: Path, int8: Path) -> None:
    """Dynamic int8 quantisation: weights per channel, activations per call; the embedding table too.

    The contracting products of three layers stay fp32: what the activation function hands them has outliers that eight bits
    cannot hold beside the rest. They account for most of what int8 loses (figures in ``training/LOG.md``).
    """
    # Here, when belowline.model has been imported and so has switched onnxruntime's telemetry off.
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(fp32), str(prepared), skip_symbolic_shape=True)
        quantize_dynamic(
            str(prepared),
            str(int8),
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_exclude=_contracting(onnx.load(str(prepared)))[_LAYERS_KEPT],
        )
    onnx.checker.check_model(str(int8))


def _contracting(model: onnx.ModelProto) -> list[str]:
    """Names of the products with a weight [wide, narrow], in the order of the layers: the second half of each feed-forward block."""
    shapes = {weight.name: tuple(weight.dims) for weight in model.graph.initializer}
    weights = {
        node.name: shapes.get(node.input[1], ()) for node in model.graph.node if node.op_type == "MatMul"
    }
    return [name for name, shape in weights.items() if len(shape) == 2 and shape[0] >= 2 * shape[1] > 64]
