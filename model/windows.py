"""Texts longer than the model's input, read in overlapping windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from belowline.model.directory import Window


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one text.

    ``ids[w]`` are the token ids of window w with its special tokens; ``offsets[w][t]`` is the (start, end) in the text of token t, and
    (0, 0) for a special token.
    """

    ids: list[list[int]]
    offsets: list[list[tuple[int, int]]]

    def strengths(self, values: Sequence[npt.NDArray[np.float32]]) -> dict[tuple[int, int], float]:
        """Per-window token values by token span; a token in two windows keeps the higher."""
        strongest: dict[tuple[int, int], float] = {}
        for offsets, window in zip(self.offsets, values, strict=True):
            for span, value in zip(offsets, window, strict=True):
                if span[0] < span[1]:
                    strongest[span] = max(strongest.get(span, 0.0), float(value))
        return strongest


def windows_of(tokenizer: Any, text: str, window: Window) -> Windows:
    """``text`` as windows of at most ``window.tokens`` tokens, special ones included; at least one window, even for an empty text."""
    whole = tokenizer.encode(text)
    ids, offsets = whole.ids, whole.offsets  # read once: each access copies the whole list
    if len(ids) <= window.tokens:
        return Windows([ids], [offsets])
    # The special tokens at either end are repeated around each window of the rest.
    special = whole.special_tokens_mask
    begin, end = special.index(0), len(ids) - special[::-1].index(0)
    room = window.tokens - begin - (len(ids) - end)
    overlap = min(window.overlap, room - 1)  # a window that would overlap whole must still read on
    parts = [
        (start, min(start + room, end))
        for start in range(begin, max(begin + 1, end - overlap), room - overlap)
    ]
    return Windows(
        [ids[:begin] + ids[start:stop] + ids[end:] for start, stop in parts],
        [offsets[:begin] + offsets[start:stop] + offsets[end:] for start, stop in parts],
    )
