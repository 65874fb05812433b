"""Overlapping windows of texts that are longer than the model's input."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from belowline.model.directory import Window


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one text.

    ``ids[w]`` are the token ids of window w with its special tokens. ``offsets[w][t]`` is the (start, end) of token
    t in the text, (0, 0) for a special token.
    """

    ids: list[list[int]]
    offsets: list[list[tuple[int, int]]]

    def strengths(self, values: Sequence[npt.NDArray[np.float32]]) -> dict[tuple[int, int], float]:
        """Strengths by token span; the maximum counts for a token in two windows."""
        strongest: dict[tuple[int, int], float] = {}
        for offsets, window in zip(self.offsets, values, strict=True):
            for span, value in zip(offsets, window, strict=True):
                if span[0] < span[1]:
                    strongest[span] = max(strongest.get(span, 0.0), float(value))
        return strongest


def windows_of(tokenizer: Any, text: str, window: Window) -> Windows:
    """The windows of ``text``: at most ``window.tokens`` tokens each, special ones included; one for an empty text."""
    whole = tokenizer.encode(text)
    ids, offsets = whole.ids, whole.offsets  # one access each: every access copies the list
    if len(ids) <= window.tokens:
        return Windows([ids], [offsets])
    # The special tokens at either end are repeated around each window of the rest.
    special = whole.special_tokens_mask
    begin, end = special.index(0), len(ids) - special[::-1].index(0)
    room = window.tokens - begin - (len(ids) - end)
    overlap = min(
        window.overlap, room - 1
    )  # each window must advance, even if the overlap is as large as the window
    parts = [
        (start, min(start + room, end))
        for start in range(begin, max(begin + 1, end - overlap), room - overlap)
    ]
    return Windows(
        [ids[:begin] + ids[start:stop] + ids[end:] for start, stop in parts],
        [offsets[:begin] + offsets[start:stop] + offsets[end:] for start, stop in parts],
    )
