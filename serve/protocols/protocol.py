"""What a wire protocol of another service is here: its routes, and the shape of its errors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from belowline.serve.http.errors import Problem, invalid_fields
from belowline.serve.json_body import repaired

Message = TypeVar("Message", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Protocol:
    """Routes, their addresses (what ends with a slash stands for all below it), and how a problem is told to who calls one of them.

    ``answers_when_full`` says that its routes see to it themselves when no more comments can wait: they keep them without scores.
    """

    router: APIRouter
    paths: tuple[str, ...]
    problem: Callable[[Request, Problem], Response]
    answers_when_full: bool = False


async def read_json(request: Request, message: type[Message]) -> Message:
    """The body as a ``message``, whatever media type the client gives it; raises Problem (malformed-body, invalid-request).

    Lone surrogates become U+FFFD.
    """
    body = repaired(await request.body())
    try:
        return message.model_validate_json(body)
    except ValidationError as error:
        raise unread(error) from None


def unread(error: ValidationError) -> Problem:
    """The problem of a body that is no JSON, or does not fit its message."""
    found = error.errors(include_url=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return Problem("malformed-body", "the body is not a JSON object in UTF-8")
    return invalid_fields([{**one, "loc": ("body", *one["loc"])} for one in found])


def or_else(says: str) -> WrapValidator:
    """Annotates a union, whose every alternative pydantic would name in its error, with what is said instead."""

    def check(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise ValueError(says) from None

    return WrapValidator(check)
