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
    if len(whole.ids) <= window.tokens:
        return Windows([whole.ids], [whole.offsets])
    # The special tokens at either end are repeated around each window of the rest.
    begin, end = whole.special_tokens_mask.index(0), len(whole.ids) - whole.special_tokens_mask[::-1].index(0)
    room = window.tokens - begin - (len(whole.ids) - end)
    stride = max(1, room - window.overlap)
    ids, offsets = [], []
    for start in range(begin, max(begin + 1, end - window.overlap), stride):
        stop = min(start + room, end)
        ids.append(whole.ids[:begin] + whole.ids[start:stop] + whole.ids[end:])
        offsets.append(whole.offsets[:begin] + whole.offsets[start:stop] + whole.offsets[end:])
    return Windows(ids, offsets)
