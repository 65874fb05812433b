"""Outlier channels moved into the weights: same function, smaller loss in int8."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from belowline.model.labels import DEFINITIONS
from belowline.training.export.onnx_export import export_fp32, quantise
from belowline.training.export.smoothing import Smoothed, smoothed
from belowline.training.fit.network import CommentModel, load_base
from belowline.training.fit.onnx_import import read_weights
from tests.support.tiny_training import write_base

TEXTS = [torch.tensor([[2, *range(10 + n, 30 + n), 3]]) for n in range(8)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CommentModel:
    """A model with one channel of each feed-forward block far larger than the others."""
    torch.manual_seed(3)
    model = CommentModel(load_base(str(write_base(tmp_path_factory.mktemp("base"))))[0], tuple(DEFINITIONS))
    with torch.no_grad():
        # No two are equal, as after a training: the exporter would merge equal ones.
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
        for name, module in model.encoder.named_modules():
            if name.endswith("intermediate.dense"):
                module.bias[5] = 30.0
    return model.eval()


def outputs(model: CommentModel, ids: Tensor) -> Tensor:
    with torch.inference_mode():
        given = model(ids, torch.ones_like(ids))
    return torch.cat([given.logits.flatten(), given.evidence.flatten(), given.embedding.flatten()])


def changed(model: CommentModel) -> dict[str, Smoothed]:
    return {name: part for name, part in model.encoder.named_modules() if isinstance(part, Smoothed)}


def test_the_function_stays(model: CommentModel) -> None:
    other = smoothed(model, TEXTS)
    for ids in (*TEXTS, torch.tensor([[2, 7, 3]])):
        torch.testing.assert_close(outputs(other, ids), outputs(model, ids), atol=1e-4, rtol=1e-3)


def test_the_outlier_is_found_and_the_model_given_is_left_alone(model: CommentModel) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    parts = changed(smoothed(model, TEXTS))
    contracting = [f"encoder.layer.{n}.output.dense" for n in range(model.encoder.config.num_hidden_layers)]
    assert all(parts[name].shrink.argmin() == 5 and parts[name].shrink.max() <= 1 for name in contracting)
    assert not changed(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_no_outlier_no_change(model: CommentModel) -> None:
    assert not changed(smoothed(model, []))  # nothing was read, so no channel is known to be large


@pytest.mark.slow
def test_a_training_that_goes_on_gets_the_weights_as_they_were(model: CommentModel, tmp_path: Path) -> None:
    export_fp32(smoothed(model, TEXTS), tmp_path / "fp32.onnx")
    quantise(tmp_path / "fp32.onnx", tmp_path / "int8.onnx")
    for file, tolerance in (("fp32.onnx", 1e-5), ("int8.onnx", 0.05)):
        found = read_weights(tmp_path / file)
        assert found.keys() >= model.state_dict().keys()
        for name, value in model.state_dict().items():
            torch.testing.assert_close(found[name], value, atol=tolerance * float(value.abs().max()), rtol=0)


def test_eight_bits_hold_more_of_it() -> None:
    torch.manual_seed(0)
    inputs, linear = torch.randn(50, 64), nn.Linear(64, 16)
    inputs[:, 9] *= 40
    shrink = torch.ones(64)
    shrink[9] = 1 / 40
    part = Smoothed(linear, shrink)

    def lost(values: Tensor, weight: Tensor) -> float:
        step = (values.max() - values.min()) / 255
        rounded = (values / step).round() * step
        return float(((rounded - values) @ weight.T).square().mean())

    with torch.inference_mode():
        torch.testing.assert_close(part(inputs), linear(inputs), atol=1e-4, rtol=1e-4)
        assert lost(inputs * shrink, part.weight) < 0.2 * lost(inputs, linear.weight)
