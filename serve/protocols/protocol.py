"""A wire protocol of another service: its routes, the shape of its errors, and how its JSON is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from belowline.model import ScoreInput, Scores
from belowline.serve.http.errors import Problem, invalid_fields
from belowline.serve.http.service import Service
from belowline.serve.json_body import repaired
from belowline.serve.store.accounts import Actor


@dataclass(frozen=True, slots=True)
class Protocol:
    """Routes of one protocol.

    Attributes:
        router: The routes.
        paths: Their addresses; one that ends with a slash stands for all below it.
        problem: Turns a problem into an answer in the protocol's own shape.
        answers_when_full: True if the routes store comments without scores while the scoring queue is full.
    """

    router: APIRouter
    paths: tuple[str, ...]
    problem: Callable[[Request, Problem], Response]
    answers_when_full: bool = False


class Body(BaseModel):
    """A JSON body; unknown fields are ignored, and errors never quote what was sent."""

    model_config = ConfigDict(hide_input_in_errors=True)


BodyT = TypeVar("BodyT", bound=Body)


async def read_json(request: Request, body_type: type[BodyT], *, empty: bytes = b"") -> BodyT:
    """The body, whatever its media type, with U+FFFD for lone surrogates; raises Problem if it does not fit.

    An empty body is read as ``empty``: some clients test a key with it.
    """
    try:
        return body_type.model_validate_json(repaired(await request.body()) or empty)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
    if errors[0]["type"] == "json_invalid":
        raise Problem("malformed-body", "the body is not a JSON object in UTF-8")
    raise invalid_fields([{**one, "loc": ("body", *one["loc"])} for one in errors])


def or_else(message: str) -> WrapValidator:
    """A validator for a union that reports ``message``; pydantic would list an error for each alternative."""

    def check(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise ValueError(message) from None

    return WrapValidator(check)


async def scores_of(service: Service, inputs: Sequence[ScoreInput]) -> list[Scores]:
    """The scores of all texts; raises Problem if one of them could not be scored."""
    scores = [one for one in await service.scores(inputs) if one is not None]
    if len(scores) < len(inputs):
        raise not_scored()
    return scores


def not_scored() -> Problem:
    """The problem of a text that the model failed on."""
    return Problem("scoring-failed", "the text could not be scored; let a moderator read it")


def only_site(actor: Actor) -> str | None:
    """The site of a key that is for one site."""
    return actor.sites[0] if len(actor.sites) == 1 else None
