"""Readers' names and texts on a line with other words: characters that move or hide these words become visible."""

import json
import re
from collections.abc import Mapping
from typing import Any

_DIRECTION = "\u202a-\u202e\u2066-\u2069"
_HARMFUL = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029{_DIRECTION}\ud800-\udfff]")
"""Embeddings, overrides and isolates of the bidirectional algorithm, control characters, lone surrogates."""
_IN_JSON = re.compile(f"[\x7f-\x9f\u2028\u2029{_DIRECTION}\ud800-\udfff]")

CELL_CHARS = 32_000
"""Excel accepts 32,767 characters in a cell and moves the rest of a longer one to further rows."""
_CUT = " […]"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def visible(text: str) -> str:
    """``text`` with each character that moves or hides other text in the form "[U+202E]"; tabs and line ends stay."""
    return _HARMFUL.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def on_one_line(text: object, most: int = 80) -> str:
    """``visible`` with single spaces in place of line ends and tabs, and at most ``most`` characters."""
    words = visible(" ".join(str(text).split()))
    return words if len(words) <= most else words[: most - 1] + "…"


def cell(value: object, longest: int | None = CELL_CHARS) -> object:
    """The cell of a CSV file: ``visible``, cut after ``longest`` characters, and an apostrophe before a formula."""
    if not isinstance(value, str):
        return value
    text = visible(value.replace("\x00", "\ufffd"))
    if text.lstrip(" ").startswith(_FORMULA):
        text = "'" + text
    return text if longest is None or len(text) <= longest else text[: longest - len(_CUT)] + _CUT


def json_line(row: Mapping[str, Any], indent: int | None = None) -> bytes:
    """``row`` as JSON in UTF-8 and a line end, with these characters escaped: the values stay exact."""
    line = json.dumps(row, ensure_ascii=False, indent=indent)
    return _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", line).encode() + b"\n"
