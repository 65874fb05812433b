from collections.abc import Iterator

import numpy as np
import pytest

from belowline.serve.audit.review.estimate import Judged, recall, share, wilson

DRAWS = 200


@pytest.mark.parametrize(
    ("positive", "judged", "low", "high"),
    # Newcombe 1998, table I, method 4: Wilson's score interval with continuity correction.
    [(81, 263, 0.2535, 0.3682), (15, 148, 0.0598, 0.1644), (0, 20, 0.0, 0.2005), (1, 29, 0.0018, 0.1963)],
)
def test_the_interval_of_one_cell_is_wilsons(positive: int, judged: int, low: float, high: float) -> None:
    assert wilson(positive / judged, judged) == pytest.approx((low, high), abs=5e-5)


def test_nothing_judged_says_nothing() -> None:
    assert share([Judged(100, 0, 0)]) is None
    assert share([]) is None


def test_a_share_counts_cells_by_their_size() -> None:
    found = share([Judged(900, 30, 3), Judged(100, 30, 27)])
    assert found is not None
    assert found.value == pytest.approx(0.9 * 0.1 + 0.1 * 0.9)
    assert found.low < found.value < found.high
    assert (found.judged, found.positive) == (60, 30)


def test_an_archive_that_was_judged_whole_leaves_no_doubt() -> None:
    found = share([Judged(40, 40, 4), Judged(60, 60, 0)])
    assert found is not None
    assert (found.low, found.value, found.high) == (0.04, 0.04, 0.04)


def test_nothing_found_still_leaves_what_can_hide() -> None:
    found = share([Judged(10_000, 100, 0)])
    assert found is not None
    assert (found.low, found.value) == (0.0, 0.0)
    assert 0.036 < found.high < 0.05, "Clopper-Pearson says 0.036"


def test_a_cell_that_nobody_judged_widens_the_interval() -> None:
    known, hidden = Judged(800, 100, 10), Judged(200, 0, 0)
    alone, both = share([known]), share([known, hidden])
    assert alone is not None
    assert both is not None
    assert both.value == alone.value
    assert both.high == pytest.approx(0.8 * alone.high + 0.2, abs=0.01)
    assert both.low == pytest.approx(0.8 * alone.low, abs=0.01)


def test_recall_counts_what_was_missed_by_its_weight() -> None:
    found = recall([Judged(100, 50, 25)], [Judged(1000, 50, 1)])
    assert found is not None
    assert found.value == pytest.approx(50 / 70)
    assert 0 < found.low < found.value < found.high < 1


def test_recall_at_its_ends() -> None:
    assert recall([Judged(100, 50, 0)], [Judged(1000, 50, 0)]) is None
    assert recall([Judged(100, 0, 0)], [Judged(1000, 50, 1)]) is None
    all_found = recall([Judged(100, 50, 25)], [Judged(1000, 50, 0)])
    assert all_found is not None
    assert (all_found.value, all_found.high) == (1.0, 1.0)
    assert all_found.low < 0.7
    none_found = recall([], [Judged(1000, 50, 5)])
    assert none_found is not None
    assert (none_found.low, none_found.value, none_found.high) == (0.0, 0.0, 0.0)


def archives() -> Iterator[tuple[list[int], list[int]]]:
    """Sizes of cells and how many of each are positive: usual, rare harm alone, and the same everywhere."""
    sizes = [16_000, 2000, 800, 600, 600]
    for shares in ((0.002, 0.04, 0.25, 0.5, 0.9), (0.001, 0, 0, 0.01, 0), (0.05, 0.05, 0.05, 0.05, 0.05)):
        yield sizes, [round(size * one) for size, one in zip(sizes, shares, strict=True)]


@pytest.mark.parametrize(("sizes", "positive"), [*archives()])
def test_intervals_hold_the_truth_nineteen_times_in_twenty(sizes: list[int], positive: list[int]) -> None:
    rng = np.random.default_rng(8)
    judged = [100, 20, 30, 25, 25]
    truth = sum(positive) / sum(sizes)
    held = []
    for _ in range(DRAWS):
        found = [
            int(rng.hypergeometric(yes, size - yes, n))
            for size, yes, n in zip(sizes, positive, judged, strict=True)
        ]
        cells = [Judged(*one) for one in zip(sizes, judged, found, strict=True)]
        one = share(cells)
        assert one is not None
        held.append(one.low <= truth <= one.high)
    assert np.mean(held) >= 0.93
