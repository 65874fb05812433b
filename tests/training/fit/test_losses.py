"""Loss functions of training."""

import pytest
import torch
from torch import Tensor

from belowline.training.fit.losses import fill_missing_targets, masked_loss


def nan(*values: float | None) -> Tensor:
    return torch.tensor([float("nan") if value is None else value for value in values])


def test_the_loss_is_the_mean_over_what_is_known() -> None:
    logits = torch.tensor([0.0, 5.0, -2.0])
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(logits[[0, 2]], torch.tensor([1.0, 0.3]))
    assert masked_loss(logits, nan(1.0, None, 0.3)) == pytest.approx(float(wanted))
    assert masked_loss(torch.zeros(2), nan(1.0, 0.0)) == pytest.approx(0.693147)


def test_what_is_unknown_gives_no_gradient() -> None:
    logits = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
    masked_loss(logits, nan(None, 1.0, None)).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[[0, 2]].tolist() == [0.0, 0.0]
    assert logits.grad[1] < 0


def test_the_loss_is_zero_where_nothing_is_known() -> None:
    logits = torch.tensor([3.0, -3.0], requires_grad=True)
    loss = masked_loss(logits, nan(None, None))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss == 0
    assert logits.grad is not None
    assert logits.grad.tolist() == [0.0, 0.0]


def test_weights_count_texts_and_not_their_targets() -> None:
    logits, target = torch.zeros(2, 2), torch.tensor([[1.0, 1.0], [0.0, float("nan")]])
    even = masked_loss(logits, target, torch.ones(2))
    assert even == pytest.approx(0.693147)
    assert masked_loss(logits, target, torch.tensor([0.0, 3.0])) == pytest.approx(0.693147)
    assert masked_loss(logits, target, torch.tensor([3.0, 0.0])) == pytest.approx(2 * 0.693147)


def test_the_mean_over_shares_is_that_over_the_whole() -> None:
    torch.manual_seed(2)
    logits, target = torch.randn(5, 3), torch.rand(5, 3).round()
    target[0, 1] = target[3] = float("nan")
    known = [int((~torch.isnan(part)).sum()) for part in (target[:2], target[2:])]
    count = torch.tensor(sum(known) / 2)  # the count of each process, averaged over two processes
    parts = [masked_loss(logits[:2], target[:2], share=lambda _: count)]
    parts.append(masked_loss(logits[2:], target[2:], share=lambda _: count))
    assert float(sum(parts)) / 2 == pytest.approx(float(masked_loss(logits, target)))


def test_what_no_verdict_says_is_held_and_only_that() -> None:
    target = fill_missing_targets(nan(1.0, None, 0.0), torch.tensor([5.0, 0.0, 5.0]))
    assert torch.isnan(target).tolist() == [True, False, True]
    assert target[1] == 0.5
