"""Maps the columns of tables with one comment a row to fields."""

import csv
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from belowline.data.comment import ReadError

_COLUMNS = {
    "text": """
        text comment_text comment comment_content body content message comment_body comment_message
        text_original raw post_text text_display body_text comment_html html cooked markdown content_html
        body_html
    """,
    "id": "id comment_id _id cid disqus_id comment_hex object_id uuid guid",
    "author": """
        author_name author comment_author commenter_name commenter username display_name author_display_name
        nickname nick name user by posted_by created_by from account actor attributed_to
    """,
    "author_url": "author_url comment_author_url website author_website commenter_link",
    "time": """
        time timestamp created_at created comment_date_gmt date_gmt published published_at created_utc
        created_on create_time creation_date posted_at posted submitted_at datetime comment_time time_parsed
    """,
    "date": "date comment_date date_created",
    "parent": """
        parent parent_id reply_to in_reply_to comment_parent parent_comment_id pid rid in_reply_to_id
        reply_to_id parent_comment parent_hex replied_to
    """,
    "thread": """
        thread thread_id article_id post post_id comment_post_id story_id story topic_id page_id page_key
        asset_id link_id video_id conversation_id locator
    """,
    "title": "title article_title thread_title post_title page_title story_title headline",
    "url": "url article_url thread_url link page_url post_url story_url",
    "article": "article article_text",
    "verdict": """
        verdict status comment_approved moderation_status comment_status approved is_approved state
    """,
    "permalink": "permalink comment_url comment_link",
}
FIELDS = {field: tuple(names.split()) for field, names in _COLUMNS.items()}
"""Each field and its possible column names, the preferred one first; case, spaces, ``_`` and ``-`` are ignored."""

Mapped = tuple[tuple[str, str], ...]
"""Fields and the columns that the caller assigned to them; they take precedence over ``FIELDS``."""

COLUMN_OPTION = "belowline audit FILE --out DIR --column text=NAME"
NAME_THE_TEXT = f"name one of them 'text', or say which holds the comments: {COLUMN_OPTION}"
_SHOWN_NAMES = 20


def mapped_columns(columns: Mapping[str, str] | None) -> Mapped:
    """The caller's mapping of fields to columns; raises ReadError for an unknown field."""
    for field in columns or ():
        if field not in FIELDS:
            raise ReadError(f"unknown field {field!r}; use one of {', '.join(FIELDS)}")
    return tuple((columns or {}).items())


@lru_cache(maxsize=1024)
def columns_of(present: tuple[str, ...], mapped: Mapped) -> Mapping[str, str]:
    """Field to its column, for the fields that a table has."""
    known = {plain_name(column): column for column in reversed(present)}
    given = dict(mapped)
    found = ((field, next(filter(known.__contains__, names), None)) for field, names in _PLAIN.items())
    guessed = {field: known[name] for field, name in found if name is not None and field not in given}
    cased = {column.strip().casefold(): column for column in reversed(present)}
    named = {
        field: column if column in present else cased.get(column.strip().casefold())
        for field, column in given.items()
    }
    return guessed | {field: column for field, column in named.items() if column is not None}


def filled_columns(record: Mapping[str, object], mapped: Mapped = ()) -> Mapping[str, str]:
    """Field to its column in a record; of several possible columns the first that is not blank."""
    columns = columns_of(tuple(record), mapped)
    if not any(is_blank(record[column]) for column in columns.values()):
        return columns
    return {
        **columns,
        **columns_of(tuple(name for name, value in record.items() if not is_blank(value)), mapped),
    }


def is_blank(value: object) -> bool:
    """True for None, an empty list or object, and text without a visible character."""
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())


def plain_name(name: str) -> str:
    """A name without case, spaces and punctuation: ``Comment Text`` and ``commentText`` are ``commenttext``."""
    return "".join(filter(str.isalnum, name.casefold()))


_PLAIN = {field: tuple(dict.fromkeys(map(plain_name, names))) for field, names in FIELDS.items()}


def check_columns(present: Iterable[str], mapped: Mapped) -> None:
    """Raises ReadError if a table lacks a mapped column or a text column."""
    names = tuple(present)
    found = columns_of(names, mapped)
    missing = {field: column for field, column in mapped if field not in found}
    if missing:
        raise ReadError(f"no {columns_for(missing)}; {shown(names)}")
    if "text" not in found:
        raise ReadError(f"no text column; {shown(names)}; {NAME_THE_TEXT}")


def with_option(reason: str, option: str) -> str:
    """``reason`` with the ``option`` of another command in place of that of ``belowline audit``."""
    return reason.replace(NAME_THE_TEXT, f"name the one with the text with {option}")


def columns_for(mapped: Mapping[str, str]) -> str:
    """Columns and their fields, for an error message: ``column 'words' for the field 'text'``."""
    columns, fields = (", ".join(map(repr, part)) for part in (mapped.values(), mapped))
    many = "s" if len(mapped) > 1 else ""
    return f"column{many} {columns} for the field{many} {fields}"


def csv_columns(header: str, mapped: Mapped = ()) -> tuple[str, list[str]]:
    """Delimiter and column names of a CSV header; the best delimiter gives a text column, then most columns."""
    options = [(delimiter, names_of(header, delimiter)) for delimiter in ",;\t|"]
    return max(options, key=lambda option: (has_text_column(option[1], mapped), len(option[1])))


def excel_delimiter(line: str) -> str | None:
    """The delimiter that a first line such as ``sep=;`` declares to Excel; None for other lines."""
    match = re.fullmatch(r"\s*\"?sep=(.)\"?[,;\t|\s]*", line, re.IGNORECASE)
    return match and match[1]


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


def names_of(header: str, delimiter: str) -> list[str]:
    """The column names of a CSV header with this delimiter."""
    try:
        return [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
    except csv.Error:
        return []
