"""Outliers of activations moved into the weights before int8, after SmoothQuant (Xiao and others, 2023)."""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from belowline.training.fit.network import CommentModel

_USUAL = 0.7
"""Share of the 99th percentile of the channels' ranges up to which a channel is not shrunk."""
_WORTH_IT = 2.0
"""Excess of the widest channel from which a layer is smoothed; both numbers by trial (training/LOG.md)."""


class Smoothed(nn.Linear):
    """The same function as ``linear`` with inputs shrunk by channel and weights grown by the same factor.

    Eight bits share one scale over all channels of an activation: one channel with five times the range
    leaves the others a fifth of the steps. Weights have a scale per output, so the factor costs little there.
    """

    def __init__(self, linear: nn.Linear, shrink: Tensor) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=linear.bias is not None)
        self.shrink: Tensor
        self.register_buffer("shrink", shrink)
        with torch.no_grad():
            self.weight.copy_(linear.weight / shrink)
        self.bias = linear.bias

    def forward(self, input: Tensor) -> Tensor:
        """[..., in] → [..., out]."""
        return super().forward(input * self.shrink)


def smoothed(model: CommentModel, texts: Iterable[Tensor]) -> CommentModel:
    """Return a copy of ``model`` without outlying input channels on ``texts``, token ids [1, T] each."""
    model = copy.deepcopy(model).eval()
    layers = {name: module for name, module in model.encoder.named_modules() if isinstance(module, nn.Linear)}
    for name, reach in _reaches(model, layers, texts).items():
        grow = (reach / (torch.quantile(reach, 0.99) * _USUAL).clamp(min=1e-6)).clamp(min=1)
        if grow.max() >= _WORTH_IT:
            model.encoder.set_submodule(name, Smoothed(layers[name], 1 / grow))
    return model


def _reaches(model: CommentModel, layers: dict[str, nn.Linear], texts: Iterable[Tensor]) -> dict[str, Tensor]:
    """Return layer to the largest magnitude of each of its input channels [in]."""
    reach = {name: torch.zeros(layer.in_features) for name, layer in layers.items()}

    def note(name: str, inputs: Tensor) -> None:
        reach[name] = torch.maximum(reach[name], inputs.abs().flatten(0, -2).amax(0))

    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs, name=name: note(name, inputs[0]))
        for name, layer in layers.items()
    ]
    with torch.inference_mode():
        for ids in texts:
            model(ids, torch.ones_like(ids))
    for hook in hooks:
        hook.remove()
    return reach
