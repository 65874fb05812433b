"""Turns the values of records into text: objects, numbers, MongoDB's wrappers, and HTML."""

import html
import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

from belowline.data.archives.html.text import html_to_text
from belowline.data.archives.side_fields import is_missing, without_fraction
from belowline.data.comment import whole

_WRAPPERS = ("$oid", "$date", "$numberLong", "$numberInt", "$numberDouble")
_TIMES = "seconds _seconds iso date dateTime timestamp time value"
_LAST_NAMES = {"first_name": "last_name", "firstName": "lastName"}
_INNER = {
    "text": "rendered text raw body html markdown content value plain",
    "title": "rendered title name text value",
    "article": "rendered text raw body html content value",
    "author": """
        name display_name displayName username userName user_name screen_name full_name fullName nickname nick login
        handle preferredUsername first_name firstName profile user account actor id value
    """,
    "time": _TIMES,
    "date": _TIMES,
    "url": "url href link value",
    "author_url": "url href link value",
    "thread": "id _id url slug title name value",
}
_ANY = "id _id value name"
_DEPTH = 4
_KINDS: tuple[tuple[Any, str], ...] = (
    (bool, "true or false"),
    (int | float, "a number"),
    (str, "text"),
    (Mapping, "an object"),
    (list, "a list"),
)
_REFERENCES = frozenset({"id", "parent", "thread"})

_TAGS = (
    "a|abbr|b|big|blockquote|br|center|cite|code|del|details|div|em|font|h[1-6]|hr|i|iframe|img|ins|kbd|li|ol|p|pre|q|"
    "s|script|small|span|strike|strong|style|sub|summary|sup|table|tbody|td|th|tr|tt|u|ul|video"
)
_TAG = re.compile(rf"<(?P<end>/?)(?P<name>{_TAGS})(?:\s[^<>]*|/)?/?>", re.IGNORECASE)
_ALONE = frozenset({"br", "hr", "img", "li", "p"})
"""Tags that need no end tag."""
_ENTITY = re.compile(
    r"&(?:amp|lt|gt|quot|apos|nbsp|hellip|[lr][sd]quo|[nm]dash|#\d{2,6}|#[xX][0-9a-fA-F]{2,5});"
)


def value_at(record: object, path: str) -> Any:
    """The value at a path such as ``user.name`` or ``revisions.-1.body``; None where there is none."""
    if isinstance(record, Mapping) and path in record:
        return record[path]
    for name in path.split("."):
        if isinstance(record, Mapping):
            record = record.get(name)
        elif isinstance(record, list) and re.fullmatch(r"-?\d", name) and record:
            record = record[int(name)] if -len(record) <= int(name) < len(record) else None
        else:
            return None
    return record


def scalar(value: object, field: str) -> object:
    """The text, number or yes-or-no that stands for a value: the name in ``{"name": …}`` for an author."""
    names = (*_WRAPPERS, *_INNER.get(field, _ANY).split())
    for _ in range(_DEPTH):
        if isinstance(value, Mapping):
            value = next((_inner(value, name) for name in names if value.get(name) not in (None, "")), None)
        elif isinstance(value, list):
            value = _joined(value) if field == "text" else next(iter(value), None)
        else:
            break
    return None if isinstance(value, Mapping | list) else value


def as_text(value: object, field: str) -> str | None:
    """A value as text, None where it is missing, blank, yes-or-no or of another kind.

    A reader may write "null" as a text, but no other field holds such a word.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        value = scalar(value, field)
        if isinstance(value, bool):
            return None
        if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
            return str(int(value)) if abs(value) < 1e300 else None
        if isinstance(value, float):
            return str(value) if isfinite(value) else None
    if not isinstance(value, str) or not value.strip():
        return None
    if value == "\\N" if field == "text" else is_missing(value):
        return None
    return whole(without_fraction(value) if field in _REFERENCES else value)


def plain_text(text: str) -> str:
    """The text that readers saw: HTML is read, with the addresses of links; other text stays as it is.

    A start tag without its end tag, or the reverse, is no HTML: a reader typed it.
    """
    if _has_tags(text):
        return html_to_text(text, links=True)
    return html.unescape(text) if "&" in text and _ENTITY.search(text) else text


def _has_tags(text: str) -> bool:
    begun = set[str]()
    for tag in _TAG.finditer(text) if "<" in text else ():
        name = tag["name"].casefold()
        if name in (begun if tag["end"] else _ALONE):
            return True
        begun.add("" if tag["end"] else name)
    return False


def kind_of(value: object) -> str:
    """The kind of a JSON value in words, such as ``a list``."""
    return next((words for kind, words in _KINDS if isinstance(value, kind)), "null")


def one_line(markup: str | None) -> str | None:
    """The plain text of HTML on one line, or None if it is empty."""
    return " ".join(html_to_text(markup or "").split()) or None


def _inner(value: Mapping[str, Any], name: str) -> object:
    last = value.get(_LAST_NAMES.get(name, ""))
    return f"{value[name]} {last}" if isinstance(last, str) else value[name]


def _joined(values: list[object]) -> object:
    parts = [part for part in values if isinstance(part, str)]
    return "\n\n".join(parts) if len(parts) == len(values) and parts else next(iter(values), None)
