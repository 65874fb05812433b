"""Google Jigsaw's Perspective API (commentanalyzer v1alpha1): its clients work unchanged but for the address and the key."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from belowline.model import Policy, ScoreInput, Scores
from belowline.serve.http import auth as keys
from belowline.serve.http.errors import Problem, field_name
from belowline.serve.http.long_texts import score_within
from belowline.serve.http.schemas import ID_PATTERN
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.json_body import repaired
from belowline.serve.protocols.perspective import attributes
from belowline.serve.protocols.perspective.discovery import NAME, VERSION, document
from belowline.serve.protocols.perspective.errors import (
    problem,
    refused,
    refused_language,
    unreadable,
)
from belowline.serve.protocols.perspective.messages import (
    AnalyzeAnswer,
    AnalyzeRequest,
    AttributeParameters,
    AttributeScores,
    Score,
    SpanScore,
    SuggestAnswer,
    SuggestRequest,
)
from belowline.serve.protocols.perspective.texts import (
    article_and_parent,
    comment_text,
    is_long,
    sentences,
    texts_of,
    utf16,
)
from belowline.serve.protocols.protocol import Protocol
from belowline.serve.queue import feedback
from belowline.serve.queue.feedback import Feedback
from belowline.serve.scoring.fault_isolation import article_context
from belowline.serve.store.accounts import Actor

_LONGEST_ID = 200
_MOST_NAMED = 32
_LONG_S = 5.0
"""Seconds in which a text that is longer than Google accepts must be scored."""
_NOT_IN_HEADER = re.compile(r"[^\w.@-]", re.ASCII)
_SITE_PARTS = re.compile(r"[A-Za-z0-9._-]+")
router = APIRouter(include_in_schema=False)
Read = TypeVar("Read", AnalyzeRequest, SuggestRequest)


async def _caller(request: Request) -> Actor:
    """By the key where Google's clients put it, or else as in any other call."""
    key = request.query_params.get("key") or request.headers.get("x-goog-api-key", "")
    return await keys.authenticate(request, key, any_key=True)


Caller = Annotated[Actor, Depends(_caller)]


@router.post("/v1alpha1/comments:analyze", response_model_exclude_none=True)
async def analyze(request: Request, response: Response, service: ServiceDep, actor: Caller) -> AnalyzeAnswer:
    """Nothing of the comment is kept, whatever `doNotStore` says; sentences are told apart only with `spanAnnotations`.

    Attributes that no label serves are left out of the answer and named in the header `X-Belowline-Unserved-Attributes`.
    """
    actor.require("score")
    asked = await _read(request, AnalyzeRequest)
    text = comment_text(asked.comment)
    article, parent = article_and_parent(asked.context, service)
    policy = service.pipeline.policy
    known = attributes.served(policy, service.pipeline.scorer.labels)
    wanted = _wanted(asked.requested_attributes or {}, known, response)
    first = next(iter(wanted))
    requested = asked.languages or []
    _check_languages(first, requested, "requestedLanguages", policy)
    long = is_long(text, service)
    spans = sentences(text) if asked.span_annotations and not long else []
    texts = [text, *(text[start:end] for start, end in spans)]
    inputs = [ScoreInput(one, article, parent) for one in texts]
    whole, *parts = [await _score_long(inputs[0], service)] if long else await _scores(inputs, service)
    detected = [whole.language]
    if not requested and whole.language != "und":
        _check_languages(first, detected, "detectedLanguages", policy)
    places = [utf16(text, span) for span in spans or [(0, len(text))]]
    return AnalyzeAnswer(
        attribute_scores=_attribute_scores(
            wanted, whole, [*zip(places, parts or [whole], strict=True)], policy
        ),
        languages=requested or detected,
        detected_languages=detected,
        client_token=asked.client_token,
    )


@router.post("/v1alpha1/comments:suggestscore", response_model_exclude_none=True)
async def suggest(request: Request, response: Response, service: ServiceDep, actor: Caller) -> SuggestAnswer:
    """It is kept as an example for training, tied to the comment whose id at the site is `clientToken`, with or without `comment:`.

    Attributes that no label serves are not kept; the header `X-Belowline-Unserved-Attributes` names them.
    """
    actor.require("report")
    asked = await _read(request, SuggestRequest)
    text = comment_text(asked.comment)
    context = article_context(None, "\n\n".join(filter(None, texts_of(asked.context))))
    given = _given(asked.attribute_scores or {}, response)
    site = site_of(asked.community_id, actor)
    actor.require_site(site)
    languages = asked.languages or []
    told = Feedback(
        "perspective",
        _storable(text),
        attributes.by_label(given),
        given,
        _caller_id(asked.client_token),
        _storable(context) if context else None,
        _primary(languages[0]) if languages else None,
    )
    await run_in_threadpool(_keep, service, actor, site, told)
    return SuggestAnswer(
        client_token=asked.client_token, detected_languages=[], requested_languages=languages
    )


@router.get("/$discovery/rest")
def discover(request: Request) -> dict[str, Any]:
    """Needs no key; the addresses in it begin as the one that was called."""
    asked = request.query_params
    if asked.get("version", VERSION) != VERSION or asked.get("api", NAME) != NAME:
        raise Problem("not-found", f"Discovery document not found: ask for version={VERSION} of {NAME}")
    return document(str(request.base_url))


PROTOCOL = Protocol(router, ("/v1alpha1/", "/$discovery/"), problem)


def site_of(community: str | None, actor: Actor) -> str:
    """The site that a ``communityId`` means: the host of an address, which Coral puts ``Coral:`` before, or its letters that a site's name
    may have; without one the only site of ``actor``, or ``perspective``."""
    if not community:
        return actor.sites[0] if len(actor.sites) == 1 else "perspective"
    address = community.removeprefix("Coral:")
    try:
        name = urlsplit(address).hostname or address
    except ValueError:
        name = address
    return "-".join(_SITE_PARTS.findall(name)).lstrip("._-")[:100] or "perspective"


async def _read(request: Request, message: type[Read]) -> Read:
    """No body at all is a message without fields, as it is for Google: clients probe a key with it."""
    try:
        return message.model_validate_json(repaired(await request.body()) or b"{}")
    except ValidationError as error:
        raise unreadable(error) from None


def _wanted(
    requested: Mapping[str, AttributeParameters | None], known: Sequence[str], response: Response
) -> dict[str, AttributeParameters]:
    if not requested:
        raise refused("NO_REQUESTED_ATTRIBUTES", "Missing requested_attributes")
    wanted = {name: requested[name] or AttributeParameters() for name in _served(requested, known, response)}
    for name, parameters in wanted.items():
        _check_score_type(name, parameters.score_type)
    return wanted


def _served(names: Collection[str], known: Sequence[str], response: Response) -> list[str]:
    """The attributes of a request that are among ``known``; a header of ``response`` names the others.

    Raises Problem if there is none: an answer without scores would pass for a harmless comment.
    """
    served: list[str] = []
    unserved: list[str] = []
    for name in names:
        (served if attributes.base_name(name) in known else unserved).append(name)
    if not served:
        raise refused("INVALID_REQUEST", f"Unknown requested attribute: {field_name((unserved[0],))}")
    if unserved:
        named = (_NOT_IN_HEADER.sub("?", field_name((name,))) for name in unserved[:_MOST_NAMED])
        response.headers["X-Belowline-Unserved-Attributes"] = ",".join(named)
    return served


def _check_score_type(name: str, score_type: str | None) -> None:
    if score_type not in (None, "SCORE_TYPE_UNSPECIFIED", "PROBABILITY"):
        message = f"Requested score type {score_type} is not supported by attribute {name}"
        raise refused("INVALID_REQUEST", message)


def _primary(language: str) -> str:
    return re.split("[-_]", language)[0].lower()


def _check_languages(attribute: str, languages: Sequence[str], named: str, policy: Policy) -> None:
    unique = dict.fromkeys(languages)
    others = [language for language in unique if _primary(language) not in policy.languages]
    if others:
        raise refused_language(attribute, others, named)


async def _score_long(comment: ScoreInput, service: Service) -> Scores:
    """The scores of a text that Google refuses. Coral publishes at an error, so that padding would be a way round."""
    scores = await score_within(service, comment, _LONG_S)
    if isinstance(scores, str):
        raise refused("COMMENT_TOO_LONG", "Comment text too long.")
    return scores


async def _scores(inputs: Sequence[ScoreInput], service: Service) -> list[Scores]:
    scores = [one for one in await service.scores(inputs) if one is not None]
    if len(scores) < len(inputs):
        raise Problem("scoring-failed", "the comment could not be scored; let a person read it")
    return scores


def _attribute_scores(
    wanted: Mapping[str, AttributeParameters],
    whole: Scores,
    parts: Sequence[tuple[tuple[int, int], Scores]],
    policy: Policy,
) -> dict[str, AttributeScores]:
    def score(name: str, scores: Scores) -> Score:
        read = attributes.value(name, scores, policy)
        return Score(value=round(read, 4), type="PROBABILITY")

    found: dict[str, AttributeScores] = {}
    for name, parameters in wanted.items():
        summary = score(name, whole)
        if summary.value >= (parameters.score_threshold or 0):
            spans = [SpanScore(begin=at[0], end=at[1], score=score(name, part)) for at, part in parts]
            found[name] = AttributeScores(span_scores=spans, summary_score=summary)
    return found


def _given(scores: Mapping[str, AttributeScores], response: Response) -> dict[str, float]:
    """Attribute to what the caller says of it: of the whole text, or else the most that is said of a part."""
    if not scores:
        raise refused("INVALID_REQUEST", "Missing attribute_scores")
    given: dict[str, float] = {}
    for name in _served(scores, [*attributes.ATTRIBUTES], response):
        one = scores[name]
        told = [one.summary_score] if one.summary_score else [span.score for span in one.span_scores or []]
        for score in told:
            _check_score_type(name, score.type)
        if not told:
            raise refused("INVALID_REQUEST", f"Missing summary_score of attribute {field_name((name,))}")
        given[attributes.base_name(name)] = max(score.value for score in told)
    return given


def _caller_id(token: str | None) -> str | None:
    """None for a token that cannot be a comment's id."""
    found = (token or "").removeprefix("comment:")
    return found if len(found) <= _LONGEST_ID and re.match(ID_PATTERN, found) else None


def _storable(text: str) -> str:
    return text.replace("\x00", "\ufffd")  # PostgreSQL has no NUL


def _keep(service: Service, actor: Actor, site: str, told: Feedback) -> None:
    with service.database.write() as tx:
        feedback.add(tx, actor.name, site, told)
