"""Reads records of known hosts: comments of many threads in any order, at any depth."""

import html
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from belowline.data.archives.columns import filled_columns
from belowline.data.archives.posts import Gathering, Post, gathering, no_comments
from belowline.data.archives.shapes import Found, Shape, described, walk
from belowline.data.archives.side_fields import SideFields
from belowline.data.archives.values import as_text, plain_text, scalar
from belowline.data.comment import PriorStatus, ReadError, Report, Thread

_NO_TEXT = frozenset(
    {"[deleted]", "[removed]", "[ removed by reddit ]", "[deleted by user]", "[dead]", "[flagged]"}
)
_PEOPLE = ("commenters", "users", "authors")
_PERSON_KEYS = ("commenterHex", "id", "_id")
_PERSON_NAMES = ("username", "name", "displayName", "display_name")
_NO_SHAPE = Shape("", "comment", frozenset())

Records = Iterator[tuple[int | None, Mapping[str, Any] | ReadError]]


def read_host(
    path: Path,
    unit: Literal["line", "row"],
    records: Records,
    host: str | None,
    report: Report,
    side: SideFields,
) -> Iterator[Thread]:
    """The threads of the records, in the order of their first comment or description.

    Records of no known shape are read by the names of their fields if they have a text, else counted.
    """
    empty = True
    with gathering(path) as threads:
        people: dict[str, str] = {}
        for number, record in records:
            if isinstance(record, ReadError):
                report(record.at(path, number, unit))
                continue
            people |= _people(record)
            if not _take(threads, number or 0, record, host, people, side):
                _take_unknown(threads, number or 0, record, side)
        for thread in threads.threads(named_by_id=True):
            empty = False
            yield thread
    if empty:
        yield no_comments(path)


def _take(
    threads: Gathering,
    number: int,
    record: Mapping[str, Any],
    host: str | None,
    people: Mapping[str, str],
    side: SideFields,
) -> bool:
    """Add everything of known shape in a record; False if there is nothing."""
    some = False
    for found in walk(record, host):
        shape = found.shape
        if shape is None:
            continue
        some = True
        if shape.kind == "comment":
            _add(threads, number, found, shape, people, side)
        elif shape.kind == "thread":
            _describe(threads, number, described(shape, found.record))
        elif shape.left_out:
            side.count(shape.left_out)
    return some


def _add(
    threads: Gathering, number: int, found: Found, shape: Shape, people: Mapping[str, str], side: SideFields
) -> None:
    """Add a comment; a field that its shape leaves empty has the value of its named column."""
    record, around = found.record, found.around
    columns = filled_columns(record)
    named = {field: as_text(record[column], field) for field, column in columns.items()}
    thread = shape.text(record, "thread") or around.get("thread") or around.get("url")
    thread = thread or named.get("thread") or named.get("url") or named.get("title") or ""
    own = {"thread": thread, "title": shape.text(record, "title"), "url": shape.address(record)}
    _describe(threads, number, _filled(named) | _filled(around) | _filled(own))
    id = (shape.text(record, "id") or named.get("id") or "").removeprefix(shape.strip)
    threads.add_post(
        thread,
        Post(
            line=number,
            id=id,
            text=text_of(record, shape, named.get("text")),
            author=_author(record, shape, people, named.get("author")),
            time=side.time(*_time(record, shape, columns)),
            parent=_parent(found, shape, id, named.get("parent")),
            verdict=_verdict(record, shape, side, columns.get("verdict")),
            author_url=named.get("author_url"),
        ),
        by_time=False,
    )


def _filled(values: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name: value for name, value in values.items() if value}


def _describe(threads: Gathering, number: int, around: Mapping[str, str | None]) -> None:
    id = around.get("thread") or around.get("url")
    if id:
        threads.add_thread(id, number, around.get("title"), around.get("url"), around.get("article") or "")


def text_of(record: Mapping[str, Any], shape: Shape, named: str | None = None) -> str:
    """The plain text of a comment, from ``named`` if its shape leaves it empty; "" for a deleted one."""
    if (text := shape.text(record, "text")) is None:
        if (escaped := shape.text(record, "escaped")) is not None:
            text = html.unescape(escaped)
        else:
            text = plain_text(shape.text(record, "html") or named or "")
    return "" if text.strip().casefold() in _NO_TEXT else text


def _author(
    record: Mapping[str, Any], shape: Shape, people: Mapping[str, str], named: str | None
) -> str | None:
    person = shape.text(record, "person")
    author = shape.text(record, "author") or people.get(person or "") or named or person
    return None if author is None or author in ("[deleted]", "deleted") else html.unescape(author)


def _time(record: Mapping[str, Any], shape: Shape, columns: Mapping[str, str]) -> tuple[object, object]:
    own = scalar(shape.first(record, "time"), "time")
    time, date = (scalar(record.get(columns.get(field, "")), field) for field in ("time", "date"))
    return (time, date) if own is None else (own, None)


def _parent(found: Found, shape: Shape, id: str, named: str | None) -> str | None:
    parent = (
        id.rpartition(shape.parent_of_id)[0] if shape.parent_of_id else shape.text(found.record, "parent")
    )
    parent = parent or named or shape.text(found.parent, "id")
    return parent and parent.removeprefix(shape.strip)


def _verdict(
    record: Mapping[str, Any], shape: Shape, side: SideFields, column: str | None
) -> PriorStatus | None:
    for name, status in shape.flags.items():
        value = record.get(name)
        if value not in (None, False, "", 0) and str(value).casefold() not in ("false", "0", "no"):
            return status
    value = shape.first(record, "status")
    if value is None and column and column not in shape.flags:
        value = record[column]
    return side.status(scalar(value, "verdict"))


def _people(record: Mapping[str, Any]) -> dict[str, str]:
    """The names of the people that lists in a record describe, by their keys."""
    people = {}
    for name in _PEOPLE:
        entries = record.get(name)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, Mapping):
                key = next((as_text(entry[key], "id") for key in _PERSON_KEYS if key in entry), None)
                called = next(
                    (text for name in _PERSON_NAMES if (text := as_text(entry.get(name), "author"))), None
                )
                if key and called:
                    people[key] = called
    return people


def _take_unknown(threads: Gathering, number: int, record: Mapping[str, Any], side: SideFields) -> None:
    """Add a record of no known shape by the names of its fields."""
    if as_text(record.get(filled_columns(record).get("text", "")), "text") is None:
        side.count("records left out that are no comments")
    else:
        _add(threads, number, Found(record, None, None, {}), _NO_SHAPE, {}, side)
