"""The base class of belowline's errors, and the problems of a pydantic validation error."""

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


def _problem(found: Mapping[str, Any]) -> FieldProblem:
    parts = [part if part.isprintable() else ascii(part) for part in map(str, found["loc"])]
    message = found["msg"].removeprefix("Value error, ")
    return FieldProblem(".".join(parts) or "(all)", message, found["type"], found["loc"])
