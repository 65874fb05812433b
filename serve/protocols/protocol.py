"""What a wire protocol of another service is here: its routes, and the shape of its errors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from belowline.serve.http.errors import PROBLEMS, Problem, invalid_fields
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


def takes_json(message: type[BaseModel]) -> dict[str, Any]:
    """What OpenAPI says of a route that reads its body with ``read_json``, as its ``openapi_extra``."""
    schema = message.model_json_schema()
    written_out = _written_out(schema, schema.pop("$defs", {}))
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": written_out}}}}


def _written_out(schema: Any, definitions: dict[str, Any]) -> Any:
    """``schema`` with each reference replaced by what it refers to: its definitions are nowhere in the app's document."""
    if isinstance(schema, list):
        return [_written_out(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        schema = {**definitions[schema["$ref"].rsplit("/", 1)[-1]], **schema}
        del schema["$ref"]
    return {name: _written_out(value, definitions) for name, value in schema.items()}


def documented(
    schema: Mapping[str, Any], status_of: Callable[[str], int], *statuses: int
) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of errors with these statuses, which all have ``schema``, as ``responses`` of a route; ``status_of`` gives the
    status of a kind of problem."""
    content = {"application/json": {"schema": dict(schema)}}
    titles: dict[int, list[str]] = {status: [] for status in statuses}
    for kind, (_, title) in PROBLEMS.items():
        titles.get(status_of(kind), []).append(title)
    return {status: {"description": "; ".join(one), "content": content} for status, one in titles.items()}
