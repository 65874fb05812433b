"""Lists of comments in which an invalid comment does not refuse the others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from belowline.serve.http.errors import Problem, invalid_field, invalid_fields

Answer = TypeVar("Answer")
_LONGEST_ID = 200


class FieldProblem(BaseModel):
    """A field with an invalid value."""

    field: str = Field(description="The field, such as `comments[1].text`.")
    detail: str = Field(description="The fault and the remedy.")


class ItemProblem(BaseModel):
    """The problem of one comment, with the members of problem details (RFC 9457)."""

    code: str = Field(description="Code of the problem, such as `invalid-request`.")
    type: str = Field(description="Type of the problem, `urn:belowline:problem:` and the code.")
    title: str = Field(description="The problem in words.")
    status: int = Field(description="Status that a request with this comment alone gets.")
    detail: str = Field(description="The fault and the remedy; never quotes a comment.")
    errors: list[FieldProblem] = Field(description="The fields with invalid values.")


@dataclass(frozen=True, slots=True)
class InvalidItem:
    """An item that does not fit its model: its id, if it has one, and pydantic's errors."""

    id: str | None
    errors: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Refused:
    """A comment that is refused: its id and its problem."""

    id: str | None
    problem: Problem

    @property
    def error(self) -> ItemProblem:
        """The problem as it stands in the place of the comment's result."""
        return ItemProblem.model_validate({"code": self.problem.kind, "errors": []} | self.problem.body())


def _or_invalid(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    try:
        return validate(value)
    except ValidationError as error:
        sent = value.get("id") if isinstance(value, dict) else None
        known = isinstance(sent, str) and 0 < len(sent) <= _LONGEST_ID and sent.isprintable()
        return InvalidItem(sent if known else None, error.errors(include_url=False, include_input=False))


EachByItself = WrapValidator(_or_invalid)
"""Annotation of the items of a list: an invalid one becomes an ``InvalidItem``. ``check_each`` sorts them out."""


class HasId(Protocol):
    """An item of a list."""

    @property
    def id(self) -> str | None:
        """The client's id."""


Item = TypeVar("Item", bound=HasId)


def check_each(
    items: Sequence[Item], check: Callable[[str, Item], None]
) -> tuple[list[Item], dict[int, Refused]]:
    """The valid items, and the refused ones by their index; raises Problem if none is valid.

    Args:
        items: Items of the field ``comments`` of a request.
        check: Raises Problem for an invalid item; it gets the item's name, such as ``comments[1]``.
    """
    valid: list[Item] = []
    refused: dict[int, Refused] = {}
    for index, item in enumerate(items):
        try:
            if isinstance(item, InvalidItem):
                raise _problem_of(index, item)
            check(f"comments[{index}]", item)
            valid.append(item)
        except Problem as problem:
            refused[index] = Refused(item.id, problem)
    if not valid:
        problems = [one.problem for one in refused.values()]
        errors = [error for problem in problems for error in problem.errors]
        raise Problem(problems[0].kind, problems[0].detail, errors=errors)
    return valid, refused


def check_distinct(items: Sequence[HasId]) -> None:
    """Raise Problem if an id repeats: nothing tells which of the two comments is the right one."""
    seen: set[str] = set()
    for index, item in enumerate(items):
        if item.id in seen:
            raise invalid_field(f"comments[{index}].id", "repeats an earlier id; ids must be distinct")
        if item.id is not None:
            seen.add(item.id)


def in_place(answers: Sequence[Answer], refused: Mapping[int, Answer]) -> list[Answer]:
    """The answers to all items of a request in order: those of valid items, and those of refused items by index."""
    following = iter(answers)
    total = len(answers) + len(refused)
    return [refused[index] if index in refused else next(following) for index in range(total)]


def _problem_of(index: int, item: InvalidItem) -> Problem:
    return invalid_fields(
        [{**error, "loc": ("body", "comments", index, *error["loc"])} for error in item.errors]
    )
