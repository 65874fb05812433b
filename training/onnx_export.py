"""From trained weights to the ONNX files that serve: fp32, then int8."""

import tempfile
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from belowline.training.network import CommentModel


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
    """Dynamic int8 quantisation: weights per channel, activations per call; the embedding table too."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(fp32), str(prepared), skip_symbolic_shape=True)
        quantize_dynamic(str(prepared), str(int8), weight_type=QuantType.QInt8, per_channel=True)
    onnx.checker.check_model(str(int8))
