"""Costs of reading a line of a saved page as an author's name."""

import math
import re

from belowline.data.archives.saved_page.lines import IMAGE, words

LONGEST_NAME = 60
"""Limit of a name's length in characters."""

_NOT_IN_NAMES = re.compile(r"[,;:!?\"“”«»„<>=…\[\]{}$%€£/\\\n]|\.\.|\.\w")
_FINAL_DOT = re.compile(r"(?:^|[\s.])(?:\w|[JjSsDd]r)\.$")
_COMMON = words("common_words")


def name_costs(text: str) -> tuple[float, float]:
    """The costs of reading a block as an author line (infinite: it cannot be one) and as comment text."""
    words = text.split()
    if (
        len(text) > LONGEST_NAME
        or len(words) > 6
        or text.casefold() == IMAGE
        or not any(map(str.isalpha, text))
    ):
        return math.inf, 0.0
    if _NOT_IN_NAMES.search(text) or (text.endswith(".") and not _FINAL_DOT.search(text)):
        return math.inf, 0.0
    common = sum(_COMMON.fullmatch(word.replace("’", "'")) is not None for word in words)
    lower = sum(word[0].islower() for word in words)
    if common:
        return 0.3 + 1.5 * common + 0.6 * lower, 0.3 if common > 1 or lower else 0.8
    if len(words) == 1:
        return (1.0, 0.7) if lower else (0.5, 1.2)
    if lower == len(words):
        return 0.7 + 0.15 * lower, 2.0
    return 0.3 + 0.6 * lower + 0.4 * max(0, len(words) - 4), 2.0 if lower < 2 else 0.5
