"""The ONNX file computes the same as the network, with the fused operator where it is equivalent."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from belowline.model.labels import DEFINITIONS
from belowline.training.export import onnx_export
from belowline.training.export.onnx_export import export_fp32, quantise
from belowline.training.fit.network import CommentModel, load_base
from tests.support.tiny_training import write_base


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CommentModel:
    torch.manual_seed(2)
    return CommentModel(
        load_base(str(write_base(tmp_path_factory.mktemp("base"))))[0], tuple(DEFINITIONS)
    ).eval()


@pytest.fixture(scope="module")
def exported(model: CommentModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("exported") / "model.onnx"
    export_fp32(model, file)
    return file


def largest_gap(model: CommentModel, file: Path, tokens: int) -> float:
    ids = torch.randint(4, 40, (1, tokens))
    with torch.inference_mode():
        out = model(ids, torch.ones_like(ids))
    expected: tuple[Tensor, ...] = (out.logits, torch.sigmoid(out.evidence), out.embedding)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    found = session.run(["label_logits", "token_evidence", "text_embedding"], {"input_ids": ids.numpy()})
    return max(float(np.abs(there.numpy() - here).max()) for there, here in zip(expected, found, strict=True))


def operators(file: Path) -> set[str]:
    return {node.op_type for node in onnx.load(str(file)).graph.node}


@pytest.mark.parametrize("tokens", [2, 3, 17, 60])
@pytest.mark.slow
def test_one_text_of_any_length(model: CommentModel, exported: Path, tokens: int) -> None:
    assert largest_gap(model, exported, tokens) < 1e-4


@pytest.mark.slow
def test_attention_is_one_operator_in_the_file_only(model: CommentModel, exported: Path) -> None:
    assert "MultiHeadAttention" in operators(exported)
    before = model.encoder.config._attn_implementation
    assert before != onnx_export._FUSED  # the model itself still runs and trains


def test_int8_is_near_and_smaller(model: CommentModel, exported: Path, tmp_path: Path) -> None:
    quantise(exported, tmp_path / "int8.onnx")
    assert "MatMulInteger" in operators(tmp_path / "int8.onnx")
    assert largest_gap(model, tmp_path / "int8.onnx", 20) < 0.1
    assert (tmp_path / "int8.onnx").stat().st_size < exported.stat().st_size


def test_four_bits_are_near_and_only_heads_have_eight(
    model: CommentModel, exported: Path, tmp_path: Path
) -> None:
    quantise(exported, tmp_path / "int4.onnx", 4)
    blocks = [n for n in onnx.load(str(tmp_path / "int4.onnx")).graph.node if n.op_type == "MatMulNBits"]
    assert len(blocks) == 6 * model.encoder.config.num_hidden_layers
    assert "MatMulInteger" in operators(tmp_path / "int4.onnx")
    assert largest_gap(model, tmp_path / "int4.onnx", 20) < 0.5


@pytest.mark.slow
def test_attention_of_another_kind_is_exported_as_it_is(
    model: CommentModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An encoder with an attention parameter that the fused operator does not get: here, another scale."""
    fused = onnx_export._attention

    def otherwise(*args: Any, scaling: float, **kwargs: Any) -> tuple[Tensor, None]:
        return fused(*args, scaling=scaling * 50, **kwargs)

    monkeypatch.setattr(onnx_export, "_attention", otherwise)
    export_fp32(model, tmp_path / "model.onnx")
    assert "MultiHeadAttention" not in operators(tmp_path / "model.onnx")
    assert largest_gap(model, tmp_path / "model.onnx", 12) < 1e-4


@pytest.mark.slow
def test_an_encoder_with_its_attention_built_in(
    model: CommentModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(self: object, name: str) -> None:
        if name == onnx_export._FUSED:
            raise ValueError("does not support it")

    monkeypatch.setattr(type(model.encoder), "set_attn_implementation", refuses)
    export_fp32(model, tmp_path / "model.onnx")
    assert largest_gap(model, tmp_path / "model.onnx", 12) < 1e-4
