"""The base class of belowline's errors, and the problems of a pydantic validation error."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError


class BelowlineError(Exception):
    """Base class of belowline's errors. The message is one line (FetchError: a line for each file) and holds no
    comment text.

    ::

        BelowlineError
        ├── ModelError        a model directory cannot be used
        ├── PolicyError       a policy cannot be used
        ├── ReadError         an archive, or a record of one, cannot be read
        │   └── Damaged       a record of a WARC file is damaged
        ├── CorpusError       a corpus is missing or malformed
        └── FetchError        files of corpora cannot be fetched

    ``serve`` and ``training`` derive their own errors from it.
    """


_EXPECTED = {
    "missing": "is missing",
    "extra_forbidden": "is not a known field",
    "string_type": "must be a string",
    "model_": "must be an object",
    "dict_type": "must be an object",
    "mapping_type": "must be an object",
    "dataclass_": "must be an object",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "int_": "must be a whole number",
    "float_": "must be a number",
    "bool_": "must be true or false",
    "none_required": "must be null",
    "datetime_": "must be a time such as 2026-11-25T12:00:00Z",
    "timezone_": "must be a time with a zone, such as 2026-11-25T12:00:00Z",
}
"""The beginnings of pydantic's types of errors, and their words in place of pydantic's own, which are Python's."""


class FieldProblem(NamedTuple):
    """A problem of a ValidationError.

    Attributes:
        field: Path of the field with dots, in printable characters; ``(all)`` for the whole object.
        message: What is wrong, without the value.
        kind: pydantic's type of the error, such as ``missing``.
        location: Path of the field in parts.
    """

    field: str
    message: str
    kind: str
    location: tuple[str | int, ...]


def all_problems(error: ValidationError) -> list[FieldProblem]:
    """The problems of ``error``, at least one."""
    return [_problem(one) for one in error.errors(include_input=False, include_url=False)]


def first_problem(error: ValidationError) -> FieldProblem:
    """The first problem of ``error``."""
    return all_problems(error)[0]


def message_of(error: Mapping[str, Any]) -> str:
    """An error of pydantic in plain words that follow the name of a field: ``must be a list``."""
    kind = str(error["type"])
    known = next((words for part, words in _EXPECTED.items() if kind.startswith(part)), None)
    if known:
        return known
    message = str(error["msg"]).removeprefix("Value error, ").replace(" after validation", "")
    return re.sub(r"^(?:Input|Value|String|List|Dictionary|Tuple|Set|Data) should ", "must ", message)


def _problem(found: Mapping[str, Any]) -> FieldProblem:
    parts = [part if part.isprintable() else ascii(part) for part in map(str, found["loc"])]
    return FieldProblem(".".join(parts) or "(all)", message_of(found), found["type"], found["loc"])
