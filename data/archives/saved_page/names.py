"""Costs of reading a line of a saved page as an author's name."""

import math
import re

from belowline.data.archives.saved_page.lines import IMAGE

LONGEST_NAME = 60
"""Limit of a name's length in characters."""

_NOT_IN_NAMES = re.compile(r"[,;:!?\"“”«»„<>=…\[\]{}$%€£/\\\n]|\.\.|\.\w")
_FINAL_DOT = re.compile(r"(?:^|[\s.])(?:\w|[JjSsDd]r)\.$")
_NOT_A_NAME = re.compile(
    r"a|about|actually|again|agree|agreed|all|already|also|always|am|an|and|any|are|as|at|awesome|back"
    r"|bad|be|because|been|before|being|best|better|but|by|can|can't|cant|come|could|did|didn't|do|does"
    r"|doesn't|don't|dont|even|ever|every|exactly|false|for|from|fully|get|go|going|good|got|great|had"
    r"|haha|has|have|he|her|here|him|his|hope|how|i|i'm|if|in|indeed|into|is|isn't|it|it's|its|just|know"
    r"|let's|lets|like|lol|love|made|make|many|may|me|more|most|much|must|my|need|never|nice|no|none|not"
    r"|nothing|now|of|off|oh|ok|on|one|only|or|other|our|out|over|please|really|right|same|say|says|see"
    r"|she|should|so|some|still|such|sure|than|thank|thanks|that|that's|the|their|them|then|there|these"
    r"|they|thing|think|this|those|time|to|too|totally|true|up|very|was|we|well|were|what|when|where"
    r"|which|while|who|whole|why|will|with|without|won't|would|wow|wrong|yeah|yep|yes|yet|you|your",
    re.IGNORECASE,
)


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
    common = sum(_NOT_A_NAME.fullmatch(word.replace("’", "'")) is not None for word in words)
    lower = sum(word[0].islower() for word in words)
    if common:
        return 0.3 + 1.5 * common + 0.6 * lower, 0.3 if common > 1 or lower else 0.8
    if len(words) == 1:
        return (1.0, 0.7) if lower else (0.5, 1.2)
    if lower == len(words):
        return 0.7 + 0.15 * lower, 2.0
    return 0.3 + 0.6 * lower + 0.4 * max(0, len(words) - 4), 2.0 if lower < 2 else 0.5
