"""Test rows for tests."""

from collections.abc import Sequence

import numpy as np

from belowline.training.measure.rows import TestRows


def test_rows(
    texts: Sequence[str],
    targets: np.ndarray,
    sources: Sequence[str] | np.ndarray,
    slices: Sequence[str] | np.ndarray,
    labels: tuple[str, ...],
) -> TestRows:
    """Rows of weight 1, each in its own cluster."""
    size = len(texts)
    numbers = np.arange(size)
    return TestRows(
        list(texts),
        np.asarray(targets, dtype=np.float64),
        labels,
        np.array(sources, dtype=np.str_),
        np.array(slices, dtype=np.str_),
        numbers.astype(np.str_),
        numbers,
        np.ones(size),
    )


test_rows.__test__ = False  # type: ignore[attr-defined]
