"""Coral's external moderation phase: scores each new or edited comment before Coral saves it.

Coral publishes a comment if the answer is late or cannot be read. So every failure after the signature is answered in
time, and withholds the comment: a slow or failing model, a full scoring queue, an unreachable database. Nothing is
stored: a comment has no id yet, and Coral has its own queue. ``status: "NONE"`` is never sent, because it would end
Coral's own checks.
"""

import asyncio
import hmac
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from belowline.data import html_to_text
from belowline.model import Context, ScoreInput
from belowline.serve.http import auth as keys
from belowline.serve.http.errors import Problem
from belowline.serve.http.schemas import site_name
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.protocols.protocol import Body, Protocol, read_json
from belowline.serve.scoring.reason_codes import coral_code
from belowline.serve.scoring.results import Result
from belowline.serve.webhooks.sender import sign

_SPAM_CODES = ("spam", "campaign", "links")
_FAILURES = ("body-too-large", "slow-body", "queue-full")
router = APIRouter(include_in_schema=False)


class _Comment(BaseModel):
    body: str


class _Author(BaseModel):
    id: str = ""
    role: str = ""


class CoralRequest(Body):
    """A comment as Coral sends it; the policy may trust the author's role."""

    comment: _Comment
    author: _Author = _Author()
    tenantDomain: str = "coral"


def problem(request: Request, problem: Problem) -> Response:
    """An answer that withholds the comment if belowline failed; else an error, at which Coral publishes."""
    if problem.kind in _FAILURES or problem.status_code >= 500:
        return JSONResponse(_withheld(problem.kind))
    return JSONResponse({"error": problem.detail}, problem.status_code, problem.headers)


@router.post("/coral/moderate")
async def moderate(request: Request, service: ServiceDep, format: str = "text") -> Response:
    """Needs a signature with one of `BELOWLINE_CORAL_SECRETS`, or without that setting a key."""
    await _check_signature(request, service)
    asked = await read_json(request, CoralRequest)
    if len(asked.comment.body) > service.settings.max_comment_chars:
        return JSONResponse(_withheld("too_long"))
    try:
        async with asyncio.timeout(service.settings.coral_answer_ms / 1000):
            answer = await _moderated(asked, service, html=format.lower() == "html")
    except TimeoutError:
        answer = _withheld("too_late")
    return JSONResponse(answer) if answer else Response(status_code=204)


PROTOCOL = Protocol(router, ("/coral/",), problem)


async def _check_signature(request: Request, service: Service) -> None:
    """Raises Problem unless the body is signed, or without secrets unless the caller may score."""
    secrets = service.settings.coral_secrets
    if not secrets:
        (await keys.authenticate(request, any_key=True)).require("score")
        return
    body = await request.body()
    sent = [part.strip() for part in request.headers.get("x-coral-signature", "").split(",")]
    signed = sign(body, secrets).split(",")
    # Every pair is compared, so that the time does not depend on which one fits. A right signature is never
    # throttled: Coral's secrets have as many random bits as our keys.
    if not sum(hmac.compare_digest(ours.encode(), theirs.encode()) for ours in signed for theirs in sent):
        if any(sent):
            keys.count_wrong(request)
        raise Problem("invalid-key", "X-Coral-Signature fits none of BELOWLINE_CORAL_SECRETS")


async def _moderated(asked: CoralRequest, service: Service, *, html: bool) -> dict[str, Any] | None:
    text = (
        await asyncio.to_thread(html_to_text, asked.comment.body, links=True) if html else asked.comment.body
    )
    if not text.strip():  # only a picture
        return None
    author, site = asked.author, site_name(asked.tenantDomain) or "coral"
    context = Context(text=text, site=site, author=author.id or None, role=author.role.lower() or None)
    [result] = await service.moderate([None], [ScoreInput(text)], [context])
    return _answer(result, _unheld(service, site))


def _unheld(service: Service, site: str) -> dict[str, float]:
    """The model's own hold thresholds of the labels that the policy does not hold for."""
    held = service.pipeline.policy.for_site(site).thresholds
    own = service.pipeline.scorer.thresholds
    return {label: both.hold for label, both in own.items() if label not in held and both.hold is not None}


def _answer(result: Result, unheld: Mapping[str, float]) -> dict[str, Any] | None:
    """Coral's answer, or None to let its own checks go on. A label that does not hold the comment only flags it."""
    code = result.reason.code
    if result.action == "hold":
        return _withheld(code)
    if result.action == "reject":
        reason = {"code": coral_code(code)}
        if result.reason.rule:  # Coral refuses an answer with an empty text or null, and publishes
            reason["detailedExplanation"] = result.reason.rule
        rejection = {"status": "REJECTED", "rejectionReason": reason}
        return {"actions": [_flag(code)], "status": "REJECTED", "moderationAction": rejection}
    flagged = [label for label, threshold in unheld.items() if result.scores[label] >= threshold]
    return {"actions": [_flag(flagged[0])]} if flagged else None


def _withheld(code: str) -> dict[str, Any]:
    return {"actions": [_flag(code)], "status": "SYSTEM_WITHHELD"}


def _flag(code: str) -> dict[str, str]:
    reason = "COMMENT_DETECTED_SPAM" if code in _SPAM_CODES else "COMMENT_DETECTED_TOXIC"
    return {"actionType": "FLAG", "reason": reason}
