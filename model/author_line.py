"""A comment's author name and website as a short text for the network, because much spam sells in these alone."""

import re

_NOT_WORD = re.compile(r"[\W_]+")
_SCHEME = re.compile(r"^\w+:/*|^//")
_LONGEST = 200


def author_line(author: str | None, url: str | None) -> str | None:
    """Return ``by NAME, site WORDS``, or None if both are blank.

    WORDS are the words of the website's host and path: ``https://www.cheap-watches.example/men`` gives
    ``cheap watches example men``. Each part is cut after 200 characters.
    """
    name = " ".join((author or "").split())[:_LONGEST]
    address = _SCHEME.sub("", (url or "").strip()).removeprefix("www.")
    words = " ".join(_NOT_WORD.split(address[:_LONGEST])).strip()
    parts = (f"by {name}" if name else "", f"site {words}" if words else "")
    return ", ".join(filter(None, parts)) or None
