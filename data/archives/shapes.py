"""Finds the records of comments in JSON of any depth, by the shapes of known hosts or by the names of fields."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from belowline.data.archives.columns import FIELDS, Mapped, columns_of, filled_columns, plain_name
from belowline.data.archives.side_fields import FLAGS
from belowline.data.archives.values import as_text, value_at
from belowline.data.comment import PriorStatus

_WHERE = ("kind", "type")
_OF_AN_ARTICLE = frozenset({"comments", "posts", "discussion", "entries", "threads", "articles"})
_ANSWERS = frozenset({"replies", "reply", "children", "answers", "responses", "kids"})
_ANSWERS |= {"comments", "subcomments", "childcomments"}
_WRAPPERS = frozenset({"data", "items", "nodes", "edges", "node", "list", "results"})
"""Plain names: of lists below an article, of lists of answers below a comment, and of what may stand around either."""
_KINDS = frozenset({"type", "commenttype"})
_NAMES = (
    frozenset(plain_name(name) for names in FIELDS.values() for name in names) | _OF_AN_ARTICLE | _ANSWERS
)
"""Names of one thing each, which are no keys of records."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The paths of one kind of record; see ``shapes.toml``."""

    host: str
    kind: str
    keys: frozenset[str]
    where: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    link: str = ""
    strip: str = ""
    prefix: str = ""
    parent_of_id: str = ""
    left_out: str = ""
    flags: Mapping[str, PriorStatus] = field(default_factory=dict)

    def first(self, record: object, field: str) -> Any:
        """The first value of the field's paths that is not empty, or None."""
        for path in self.paths.get(field, ()):
            if (value := value_at(record, path)) not in (None, ""):
                return value
        return None

    def text(self, record: object, field: str) -> str | None:
        """The first value of the field's paths as text, or None."""
        return as_text(self.first(record, field), field)

    def address(self, record: object) -> str | None:
        """The address of the record's thread, or None if a part of it is missing."""
        if not self.link or (url := self.text(record, "url")):
            return self.text(record, "url")
        parts = {path: as_text(value_at(record, path), "id") for path in re.findall(r"{([^{}]+)}", self.link)}
        return re.sub(r"{([^{}]+)}", lambda m: parts[m[1]] or "", self.link) if all(parts.values()) else url


@dataclass(frozen=True, slots=True)
class Found:
    """A record of a comment or of what is left out, with what the records around it say.

    Attributes:
        record: The record.
        shape: Its shape, None for a record that is known by the names of its fields.
        parent: Record of the comment that it stands in, or None.
        around: Fields of the thread that it stands in: thread, title, url, article.
        key: Name under which an object of records holds it, or None.
    """

    record: Mapping[str, Any]
    shape: Shape | None
    parent: Mapping[str, Any] | None
    around: Mapping[str, str | None]
    key: str | None = None


_Place = tuple[object, bool, Found]
"""A value to look into, whether a list holds it, and what stands around it."""


@cache
def shapes() -> tuple[Shape, ...]:
    """The shapes of ``shapes.toml``."""
    tables = tomllib.loads((Path(__file__).parent / "shapes.toml").read_text("utf-8"))["shape"]
    return tuple(_shape(table) for table in tables)


def hosts() -> tuple[str, ...]:
    """The names of the hosts whose records are known."""
    return tuple(dict.fromkeys(shape.host for shape in shapes()))


def shape_of(record: Mapping[str, Any], host: str | None = None) -> Shape | None:
    """The first shape that fits a record, only of ``host`` if it is given."""
    where = tuple(value if isinstance(value := record.get(name), str) else None for name in _WHERE)
    return _fitting(tuple(record), where, host)


def walk(value: object, host: str | None = None) -> Iterator[Found]:
    """The records of known shapes in a JSON value, at any depth, in their order."""
    stack: list[tuple[object, Mapping[str, Any] | None, Mapping[str, str | None]]] = [(value, None, {})]
    while stack:
        current, parent, around = stack.pop()
        if isinstance(current, list):
            stack.extend((child, parent, around) for child in _nested(current))
        elif isinstance(current, dict):
            shape = shape_of(current, host)
            if shape is not None:
                yield Found(current, shape, parent, around)
                if shape.kind == "thread":
                    around = described(shape, current)
                elif shape.kind == "comment":
                    parent = current
            stack.extend((child, parent, around) for child in _nested(current.values()))


def _nested(values: Iterable[object]) -> Sequence[object]:
    """The objects and lists among values, the last one first, as a stack takes them."""
    return [value for value in values if isinstance(value, dict | list)][::-1]


def described(shape: Shape, record: Mapping[str, Any]) -> dict[str, str | None]:
    """Thread, title, url and article of a record of a thread."""
    id = shape.text(record, "id")
    return {
        "thread": id and shape.prefix + id.removeprefix(shape.prefix),
        "title": shape.text(record, "title"),
        "url": shape.address(record),
        "article": shape.text(record, "article"),
    }


def walk_named(value: Mapping[str, Any], mapped: Mapped = ()) -> Iterator[Found]:
    """The records of comments in a JSON object, known by the names of their fields.

    A comment is a record in a list, or the object itself, that has a text, or had one; its answers are in lists with
    names such as ``replies``. Another object describes the thread of the comments in it. If nothing is a comment, the
    object itself is given, except an article without comments.
    """
    empty = not any(plain_name(name) in _OF_AN_ARTICLE for name in value)
    start = Found({}, None, None, {})
    stack: list[_Place] = list(_keyed(value, start)) if _holds_keyed(value) else [(value, True, start)]
    while stack:
        current, listed, found = stack.pop()
        if isinstance(current, list):
            stack.extend((child, True, found) for child in _nested(current))
        elif isinstance(current, dict):
            below = {
                name: child for name, child in current.items() if isinstance(child, dict | list) and child
            }
            if listed and _is_comment(current, below, mapped, top=current is value):
                empty = False
                yield Found(current, None, found.parent, found.around, found.key)
                below = {name: child for name, child in below.items() if plain_name(name) in _ANSWERS}
                found = Found({}, None, current, found.around)
            elif below and found.parent is None:
                found = Found({}, None, None, {**found.around, **_thread(current, mapped)})
            for name, child in reversed(below.items()):
                stack.extend(_below(name, child, found, listed and current is not value))
    if empty:
        yield Found(value, None, None, {})


def _below(key: str, child: Any, found: Found, listed: bool) -> list[_Place]:
    """A list, an object, or the records of an object that holds one under each key.

    An object in a wrapper of a list, such as ``edges[].node``, is in that list.
    """
    name = plain_name(key)
    if name == "comments" and isinstance(child, list):
        # Texts have spaces; ids have none.
        plain = any(isinstance(one, str) and " " in one.strip() for one in child)
        child = [{"text": one} if plain and isinstance(one, str) else one for one in child]
    if name in _OF_AN_ARTICLE | _ANSWERS:
        keyed = isinstance(child, dict) and all(isinstance(one, dict) for one in child.values())
        if keyed and not _WRAPPERS & set(map(plain_name, child)):
            return list(_keyed(child, found))
    elif _holds_keyed(child):
        return list(_keyed(child, found if name in _WRAPPERS else _in_thread(key, found)))
    return [(child, listed and name in _WRAPPERS, found)]


def _keyed(records: Mapping[str, Any], found: Found) -> Iterator[_Place]:
    """The records that an object holds under their keys, or under those of their threads; the last one first."""
    for key, record in reversed(list(records.items())):
        if _holds_keyed(record):
            yield from _keyed(record, _in_thread(key, found))
        else:
            yield record, True, Found({}, None, found.parent, found.around, key)


def _in_thread(name: str, found: Found) -> Found:
    return Found({}, None, found.parent, {"thread": name, **found.around})


def _holds_keyed(value: Any) -> bool:
    """True for an object that holds a record of a comment under each of its keys, as Firebase exports them."""
    if not isinstance(value, dict) or not all(isinstance(one, dict) for one in value.values()):
        return False
    return bool(value) and _NAMES.isdisjoint(map(plain_name, value)) and all(map(_is_signed, value.values()))


def _is_signed(record: Mapping[str, Any]) -> bool:
    fields = columns_of(tuple(record), ()).keys()
    return "text" in fields and not fields.isdisjoint(("author", "parent", "time", "date"))


def _is_comment(record: Mapping[str, Any], below: Mapping[str, Any], mapped: Mapped, *, top: bool) -> bool:
    columns = filled_columns(record, mapped)
    by_somebody = "author" in columns or "parent" in columns
    lists = {
        name: child
        for name, child in below.items()
        if name not in columns.values() and plain_name(name) not in FLAGS | _KINDS
    }
    names = set(map(plain_name, lists))
    if "text" not in columns or as_text(record[columns["text"]], "text") is None:
        return not top and "title" not in columns and _is_emptied(columns, names, below, by_somebody)
    if "title" in columns and is_article(record):
        return False
    if names & _OF_AN_ARTICLE:
        return by_somebody
    # The answer of an API may have a message beside its list of comments.
    return not top or by_somebody or bool(names & _ANSWERS) or not any(map(_holds_records, lists.values()))


def _is_emptied(
    columns: Mapping[str, str], names: set[str], below: Mapping[str, Any], by_somebody: bool
) -> bool:
    """True for a comment that lost its text: it keeps the name of its text, or its answers."""
    has_text_name = "text" in columns and not _holds_records(below.get(columns["text"], ()))
    if names & _OF_AN_ARTICLE:
        return has_text_name and by_somebody
    return (by_somebody or "id" in columns) and (has_text_name or bool(names & _ANSWERS))


def is_article(record: Mapping[str, Any]) -> bool:
    """True for a record with a place for comments, which may be empty."""
    return any(
        plain_name(name) in _OF_AN_ARTICLE
        for name, value in record.items()
        if value is None or isinstance(value, list | dict)
    )


def _holds_records(child: Any) -> bool:
    inner = child.values() if isinstance(child, dict) else child
    return any(isinstance(one, dict | list) for one in inner)


def _thread(record: Mapping[str, Any], mapped: Mapped) -> dict[str, str | None]:
    columns = columns_of(tuple(record), mapped)

    def text(field: str, column: str) -> str | None:
        return as_text(record[columns[column]], field) if column in columns else None

    named = {
        "thread": text("thread", "id") or text("thread", "thread"),
        "title": text("title", "title"),
        "url": text("url", "url"),
        "article": text("article", "article") or text("text", "text"),
    }
    named = {**thread_of(record, columns), **{name: value for name, value in named.items() if value}}
    shape = shape_of(record)
    known = described(shape, record) if shape and shape.kind == "thread" else {}
    return {name: value for name, value in (*named.items(), *known.items()) if value}


def thread_of(record: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, str | None]:
    """Title and url in the object that stands for a record's thread or article: ``thread: {id, title, url}``."""
    around: dict[str, str | None] = {}
    for place in ("article", "thread"):
        inner = record.get(columns.get(place, ""))
        if isinstance(inner, Mapping):
            names = columns_of(tuple(inner), ())
            around |= {
                field: as_text(inner[names[field]], field) for field in ("title", "url") if field in names
            }
    return around


def _shape(table: dict[str, Any]) -> Shape:
    lists = {name: tuple(paths) for name, paths in table.items() if isinstance(paths, list)}
    plain = {name: value for name, value in table.items() if not isinstance(value, list)}
    return Shape(keys=frozenset(lists.pop("keys")), paths=lists, **plain)


@lru_cache(maxsize=4096)
def _fitting(names: tuple[str, ...], where: tuple[str | None, ...], host: str | None) -> Shape | None:
    present, values = frozenset(names), dict(zip(_WHERE, where, strict=True))
    for shape in shapes():
        fits = shape.keys <= present and all(values[name] == value for name, value in shape.where.items())
        if fits and host in (None, shape.host):
            return shape
    return None
