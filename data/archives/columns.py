"""Maps the columns of tables with one comment a row to fields."""

import csv
from collections.abc import Iterable, Mapping
from functools import lru_cache

from belowline.data.comment import ReadError

FIELDS: Mapping[str, tuple[str, ...]] = {
    "text": ("text", "comment_text", "comment", "body", "content", "message"),
    "id": ("id", "comment_id"),
    "author": ("author", "user", "username"),
    "author_url": ("author_url", "comment_author_url", "website"),
    "time": ("time", "timestamp", "created_at", "created", "published", "date"),
    "parent": ("parent", "parent_id", "reply_to", "in_reply_to"),
    "thread": ("thread", "thread_id", "article_id"),
    "title": ("title", "article_title", "thread_title"),
    "url": ("url", "article_url", "thread_url", "link"),
    "article": ("article", "article_text"),
    "verdict": ("verdict",),
    "permalink": ("permalink", "comment_url", "comment_link"),
}
"""Each field and its possible column names, the preferred one first; case is ignored."""

Mapped = tuple[tuple[str, str], ...]
"""Fields and the columns that the caller assigned to them; they take precedence over ``FIELDS``."""

_SHOWN_NAMES = 20


def mapped_columns(columns: Mapping[str, str] | None) -> Mapped:
    """The caller's mapping of fields to columns; raises ReadError for an unknown field."""
    for field in columns or ():
        if field not in FIELDS:
            raise ReadError(f"unknown field {field!r}; use one of {', '.join(FIELDS)}")
    return tuple((columns or {}).items())


@lru_cache(maxsize=256)
def columns_of(present: tuple[str, ...], mapped: Mapped) -> Mapping[str, str]:
    """Field to its column, for the fields that a table has."""
    known = {column.strip().casefold(): column for column in reversed(present)}
    given = dict(mapped)
    found = ((field, next(filter(known.__contains__, names), None)) for field, names in FIELDS.items())
    guessed = {field: known[name] for field, name in found if name is not None and field not in given}
    named = {
        field: column if column in present else known.get(column.strip().casefold())
        for field, column in given.items()
    }
    return guessed | {field: column for field, column in named.items() if column is not None}


def check_columns(present: Iterable[str], mapped: Mapped) -> None:
    """Raises ReadError if a table lacks a mapped column or a text column."""
    names = tuple(present)
    found = columns_of(names, mapped)
    for field, column in mapped:
        if field not in found:
            raise ReadError(f"no column {column!r} for the field {field!r}; {shown(names)}")
    if "text" not in found:
        raise ReadError(f"no text column; {shown(names)}; name one of them 'text'")


def csv_columns(header: str, mapped: Mapped = ()) -> tuple[str, list[str]]:
    """Delimiter and column names of a CSV header; the best delimiter gives a text column, then most columns."""
    options = [(delimiter, _split(header, delimiter)) for delimiter in ",;\t"]
    return max(options, key=lambda option: (has_text_column(option[1], mapped), len(option[1])))


def has_text_column(columns: Iterable[str], mapped: Mapped = ()) -> bool:
    """True if one of the columns holds the comment's text."""
    return "text" in columns_of(tuple(columns), mapped)


def distinct(columns: Iterable[str]) -> list[str]:
    """Column names of which none is empty or repeated: ``column_3`` for the third without a name, ``text_2``."""
    names: dict[str, None] = {}
    uses: dict[str, int] = {}
    for position, column in enumerate(columns, 1):
        name = column = column or f"column_{position}"
        while name in names:
            uses[column] = uses.get(column, 1) + 1
            name = f"{column}_{uses[column]}"
        names[name] = None
    return list(names)


def shown(columns: Iterable[str]) -> str:
    """The existing columns, for an error message."""
    names = [column if len(column) <= 30 else column[:29] + "…" for column in columns]
    listed = ", ".join(map(repr, names[:_SHOWN_NAMES])) + (", …" if len(names) > _SHOWN_NAMES else "")
    return f"the columns are {listed}" if names else "there are no columns"


def _split(header: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
    except csv.Error:
        return []
