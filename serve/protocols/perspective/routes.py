"""The Perspective API (commentanalyzer v1alpha1): its clients work unchanged except for the address and the key."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from belowline.model import Policy, ScoreInput, Scores
from belowline.serve.http import auth as keys
from belowline.serve.http.errors import Problem, field_name
from belowline.serve.http.long_texts import score_within
from belowline.serve.http.schemas import ID_PATTERN, host_of, site_name
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.protocols.perspective import attributes
from belowline.serve.protocols.perspective.errors import Refused, problem, too_long
from belowline.serve.protocols.perspective.messages import (
    AnalyzeRequest,
    AttributeParameters,
    AttributeScores,
    SuggestRequest,
)
from belowline.serve.protocols.perspective.texts import (
    Span,
    article_and_parent,
    comment_text,
    is_long,
    sentences,
    texts_of,
    utf16,
)
from belowline.serve.protocols.protocol import Protocol, only_site, read_json, scores_of
from belowline.serve.queue import feedback
from belowline.serve.queue.feedback import Feedback
from belowline.serve.scoring.fault_isolation import article_context
from belowline.serve.store.accounts import Actor

_LONGEST_ID = 200
_MOST_NAMED = 32
_LONG_S = 5.0
"""Seconds in which a text that is longer than Google accepts must be scored."""
_NOT_IN_HEADER = re.compile(r"[^\w.@-]", re.ASCII)
_DISCOVERY = json.loads(Path(__file__).with_name("discovery.json").read_text("utf-8"))
"""The API's description, from which Google's client libraries build their calls, without the addresses."""
router = APIRouter(include_in_schema=False)


async def _caller(request: Request) -> Actor:
    """The owner of the key where Google's clients put it, or else as in any other call."""
    key = request.query_params.get("key") or request.headers.get("x-goog-api-key", "")
    return await keys.authenticate(request, key, any_key=True)


Caller = Annotated[Actor, Depends(_caller)]


@router.post("/v1alpha1/comments:analyze")
async def analyze(request: Request, response: Response, service: ServiceDep, actor: Caller) -> dict[str, Any]:
    """Scores of the comment, with `spanAnnotations` also of each sentence; nothing is stored.

    The answer leaves out attributes that no label supports; `X-Belowline-Unserved-Attributes` names them.
    """
    actor.require("score")
    asked = await read_json(request, AnalyzeRequest, empty=b"{}")
    text = comment_text(asked.comment)
    article, parent = article_and_parent(asked.context, service)
    policy = service.pipeline.policy
    supported = attributes.served(policy, service.pipeline.scorer.labels)
    wanted = _wanted(asked.requested_attributes or {}, supported, response)
    requested = asked.languages or []
    _check_languages(wanted, requested, "requestedLanguages", policy)
    long = is_long(text, service)
    spans = sentences(text) if asked.span_annotations and not long else []
    texts = [text, *(text[start:end] for start, end in spans)]
    inputs = [ScoreInput(one, article, parent) for one in texts]
    whole, *parts = [await _score_long(inputs[0], service)] if long else await scores_of(service, inputs)
    detected = [whole.language]
    if not requested and whole.language != "und":
        _check_languages(wanted, detected, "detectedLanguages", policy)
    places = [utf16(text, span) for span in spans or [(0, len(text))]]
    scored = list(zip(places, parts or [whole], strict=True))
    answer = {
        "attributeScores": _attribute_scores(wanted, whole, scored, policy),
        "languages": requested or detected,
        "detectedLanguages": detected,
    }
    return _with_token(answer, asked.client_token)


@router.post("/v1alpha1/comments:suggestscore")
async def suggest(request: Request, response: Response, service: ServiceDep, actor: Caller) -> dict[str, Any]:
    """Stores an example for training, tied to the comment with the id `clientToken` (with or without `comment:`).

    The header `X-Belowline-Unserved-Attributes` names the attributes that no label supports; they are not stored.
    """
    actor.require("report")
    asked = await read_json(request, SuggestRequest, empty=b"{}")
    text = comment_text(asked.comment)
    context = article_context(None, "\n\n".join(filter(None, texts_of(asked.context))))
    values = _suggested(asked.attribute_scores or {}, response)
    site = site_of(asked.community_id, actor)
    actor.require_site(site)
    languages = asked.languages or []
    example = Feedback(
        "perspective",
        text,
        attributes.by_label(values),
        values,
        _caller_id(asked.client_token),
        context,
        _primary(languages[0]) if languages else None,
    )

    def store() -> None:
        with service.database.write() as tx:
            feedback.add(tx, actor.name, site, example)

    await run_in_threadpool(store)
    return _with_token({"detectedLanguages": [], "requestedLanguages": languages}, asked.client_token)


@router.get("/$discovery/rest")
def discover(request: Request) -> dict[str, Any]:
    """Needs no key; the addresses in it begin as the one that was called."""
    name, version = _DISCOVERY["name"], _DISCOVERY["version"]
    asked = request.query_params
    if asked.get("version", version) != version or asked.get("api", name) != name:
        raise Problem("not-found", f"Discovery document not found: ask for version={version} of {name}")
    base = str(request.base_url)
    return {**_DISCOVERY, "documentationLink": f"{base}docs", "rootUrl": base, "baseUrl": base}


PROTOCOL = Protocol(router, ("/v1alpha1/", "/$discovery/"), problem)


def site_of(community: str | None, actor: Actor) -> str:
    """The site of a ``communityId``: the host of an address, or the characters of a site's name in it.

    Coral sends ``Coral:`` before the address. Without an id, the only site of ``actor``, or ``perspective``.
    """
    if not community:
        return only_site(actor) or "perspective"
    address = community.removeprefix("Coral:")
    host = host_of(address) if "://" in address else ""
    return site_name(host or address) or "perspective"


def _with_token(answer: dict[str, Any], token: str | None) -> dict[str, Any]:
    return answer if token is None else {**answer, "clientToken": token}


def _wanted(
    requested: Mapping[str, AttributeParameters | None], supported: Sequence[str], response: Response
) -> dict[str, AttributeParameters]:
    if not requested:
        raise Refused("NO_REQUESTED_ATTRIBUTES", "Missing requested_attributes")
    served = _served(requested, supported, response)
    return {name: requested[name] or AttributeParameters() for name in served}


def _served(names: Collection[str], supported: Sequence[str], response: Response) -> list[str]:
    """The attributes of a request that are among ``supported``; a header of ``response`` names the others.

    Raises Problem if there is none, because an answer without scores looks like a harmless comment.
    """
    served = [name for name in names if attributes.base_name(name) in supported]
    unserved = [name for name in names if attributes.base_name(name) not in supported]
    if not served:
        raise Refused("INVALID_REQUEST", f"Unknown requested attribute: {field_name((unserved[0],))}")
    if unserved:
        named = (_NOT_IN_HEADER.sub("?", field_name((name,))) for name in unserved[:_MOST_NAMED])
        response.headers["X-Belowline-Unserved-Attributes"] = ",".join(named)
    return served


def _primary(language: str) -> str:
    return re.split("[-_]", language)[0].lower()


def _check_languages(wanted: Collection[str], languages: Sequence[str], field: str, policy: Policy) -> None:
    """Raises Problem for languages that the policy does not name; ``field`` names ``languages`` in the error."""
    unsupported = [name for name in dict.fromkeys(languages) if _primary(name) not in policy.languages]
    if unsupported:
        attribute = next(iter(wanted))
        kind = "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
        message = f"Attribute {attribute} does not support request languages: {', '.join(unsupported)}"
        error = {field: unsupported, "attribute": attribute}
        raise Refused(kind, message, languageNotSupportedByAttributeError=error)


async def _score_long(comment: ScoreInput, service: Service) -> Scores:
    """The scores of a text that Google refuses: Coral publishes at an error, so a padded comment would pass."""
    scores = await score_within(service, comment, _LONG_S)
    if isinstance(scores, str):
        raise too_long()
    return scores


def _attribute_scores(
    wanted: Mapping[str, AttributeParameters],
    whole: Scores,
    parts: Sequence[tuple[Span, Scores]],
    policy: Policy,
) -> dict[str, Any]:
    def score(name: str, scores: Scores) -> dict[str, Any]:
        return {"value": round(attributes.value(name, scores, policy), 4), "type": "PROBABILITY"}

    found: dict[str, Any] = {}
    for name, parameters in wanted.items():
        summary = score(name, whole)
        if summary["value"] >= (parameters.score_threshold or 0):
            spans = [{"begin": start, "end": end, "score": score(name, part)} for (start, end), part in parts]
            found[name] = {"spanScores": spans, "summaryScore": summary}
    return found


def _suggested(scores: Mapping[str, AttributeScores], response: Response) -> dict[str, float]:
    """Attribute to the caller's value: for the whole text, or else the highest one for a part."""
    if not scores:
        raise Refused("INVALID_REQUEST", "Missing attribute_scores")
    values: dict[str, float] = {}
    for name in _served(scores, [*attributes.ATTRIBUTES], response):
        summary, spans = scores[name].summary_score, scores[name].span_scores or []
        sent = [summary] if summary else [span.score for span in spans]
        if not sent:
            raise Refused("INVALID_REQUEST", f"Missing summary_score of attribute {field_name((name,))}")
        values[attributes.base_name(name)] = max(score.value for score in sent)
    return values


def _caller_id(token: str | None) -> str | None:
    """The comment's id in a token, None if it cannot be one."""
    comment_id = (token or "").removeprefix("comment:")
    return comment_id if len(comment_id) <= _LONGEST_ID and re.match(ID_PATTERN, comment_id) else None
