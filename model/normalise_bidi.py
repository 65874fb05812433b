"""Restores the displayed order of text under a right-to-left override."""

import re
import unicodedata

_OPENS = "\u202a\u202b\u202d\u202e\u2066-\u2068"
_CLOSES = "\u202c\u2069"
_PLAIN = f"[^{_OPENS}{_CLOSES}\n\r\x85\u2028\u2029]"

OVERRIDDEN = (
    f"\u202e(?:{_PLAIN}|[{_OPENS}]{_PLAIN}*(?:[{_CLOSES}]|(?=[\n\r\x85\u2028\u2029]|\\Z)))*[{_CLOSES}]?"
)
"""Text under a right-to-left override, up to its end or the paragraph's; one nested control is allowed."""
_LEFT_TO_RIGHT = "\u202a\u202d\u2066\u2068"
_PART = re.compile(
    f"[{_LEFT_TO_RIGHT}](?P<kept>{_PLAIN}*)[{_CLOSES}]?|(?P<turned>{_PLAIN}[\u0300-\u036f\u200d\ufe0f]*)"
)
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")


def as_displayed(match: re.Match[str]) -> str:
    """The text in reverse order with mirrored brackets; text after a left-to-right control keeps its order.

    Text with Hebrew or Arabic letters is unchanged: it is read from the right anyway."""
    text = match.group()
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in text):
        return text
    parts = [
        part["kept"] if part["kept"] is not None else part["turned"].translate(_MIRRORED)
        for part in _PART.finditer(text)
    ]
    return "".join(reversed(parts))
