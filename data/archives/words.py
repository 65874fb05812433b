"""Words of pages, from ``words.toml``: patterns of whole lines, and the number of comments that a page states."""

import re
import tomllib
from importlib.resources import files

_WORDS = tomllib.loads(files(__package__).joinpath("words.toml").read_text("utf-8"))


def pattern_of(*lists: str) -> re.Pattern[str]:
    """A pattern of the lines, or of the words, in lists of ``words.toml``."""
    return re.compile("|".join(line for name in lists for line in _WORDS[name]), re.IGNORECASE)


_COUNT = pattern_of("count")
_LONGEST_COUNT = 300


def stated_count(line: str) -> int | None:
    """The number in "8 Comments", "8 thoughts on …", "COMMENTS (8)", "One comment" or "No comments", else None."""
    match = _COUNT.fullmatch(line) if len(line) <= _LONGEST_COUNT else None
    if not match:
        return None
    if match["no"]:
        return 0
    return int("".join(filter(str.isdecimal, match["n"] or match["m"] or "1")))
