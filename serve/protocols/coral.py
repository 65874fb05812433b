"""Coral's external moderation phase: each new or edited comment is judged before Coral saves it.

Coral goes on as if nothing had been said when an answer is late or not to be read, and so would publish the comment. Whatever goes wrong
here is therefore answered in time, and withholds the comment: a model that is slow, fails or is over capacity, a database out of reach.
Nothing is kept: a comment has no id yet, and Coral has a queue of its own. ``status: "NONE"`` is never sent, for it would end Coral's own
checks.
"""

import asyncio
import hmac
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from belowline.model import Context, ScoreInput
from belowline.serve.http import auth as keys
from belowline.serve.http.errors import Problem
from belowline.serve.http.schemas import site_name
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.protocols.protocol import Protocol, read_json
from belowline.serve.scoring.reason_codes import coral_code
from belowline.serve.scoring.results import Result
from belowline.serve.webhooks.sender import sign

_SPAM_CODES = ("spam", "campaign", "links")
_FAILURES = (
    "body-too-large",
    "slow-body",
    "queue-full",
    "internal-error",
    "scoring-failed",
    "store-unavailable",
    "shutting-down",
)
_BLOCKS = frozenset({"br", "p", "div", "li", "blockquote"})
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
router = APIRouter(include_in_schema=False)


class _Comment(BaseModel):
    body: str = Field(description="The comment.")


class _Author(BaseModel):
    id: str = Field(default="", description="Coral's id of the author.")
    role: str = Field(default="", description="`COMMENTER`, `MEMBER`, `STAFF`, `MODERATOR` or `ADMIN`.")


class CoralRequest(BaseModel):
    """A comment as Coral sends it; other fields are not read."""

    model_config = ConfigDict(hide_input_in_errors=True)
    comment: _Comment = Field(description="The comment; one without words is passed.")
    author: _Author = Field(default=_Author(), description="Who wrote it; the policy may trust their role.")
    tenantDomain: str = Field(default="coral", description="The site.")


class _Flag(BaseModel):
    actionType: Literal["FLAG"] = "FLAG"
    reason: Literal["COMMENT_DETECTED_TOXIC", "COMMENT_DETECTED_SPAM"]


class CoralAnswer(BaseModel):
    """What Coral is to do; without ``status`` its own checks go on."""

    actions: list[_Flag]
    status: Literal["SYSTEM_WITHHELD", "REJECTED"] | None = None
    moderationAction: dict[str, Any] | None = None


def problem(request: Request, problem: Problem) -> Response:
    """A failure as what withholds the comment, for Coral goes on after any other; else JSON with one line, which it does not read."""
    if problem.kind in _FAILURES:
        return JSONResponse(_withheld(problem.kind).model_dump(exclude_none=True))
    return JSONResponse({"error": problem.detail}, problem.status_code, problem.headers)


@router.post("/coral/moderate", response_model=CoralAnswer, response_model_exclude_none=True)
async def moderate(
    request: Request,
    service: ServiceDep,
    format: Annotated[str, Query(description="`html` if the phase is set to send that.")] = "text",
) -> Any:
    """Signed by Coral with one of `BELOWLINE_CORAL_SECRETS`; without these a key is asked for as elsewhere."""
    await _check_signature(request, service)
    asked = await read_json(request, CoralRequest)
    if len(asked.comment.body) > service.settings.max_comment_chars:
        return _withheld("too_long")
    try:
        async with asyncio.timeout(service.settings.coral_answer_ms / 1000):
            answer = await _judged(asked, service, html=format.lower() == "html")
    except TimeoutError:
        answer = _withheld("too_late")
    return answer or Response(status_code=204)


PROTOCOL = Protocol(router, ("/coral/",), problem)


async def _check_signature(request: Request, service: Service) -> None:
    """Raises Problem unless the body is signed with one of our secrets; where there are none, unless the caller may score.

    What is signed rightly is never held up: Coral makes its secrets of as many random bits as we make keys of.
    """
    secrets = service.settings.coral_secrets
    if not secrets:
        (await keys.client(request)).require("score")
        return
    body = await request.body()
    sent = [part.strip() for part in request.headers.get("x-coral-signature", "").split(",")]
    signed = sign(body, secrets).split(",")
    # Every pair is compared, in time that does not depend on which fits.
    if not sum(hmac.compare_digest(ours.encode(), theirs.encode()) for ours in signed for theirs in sent):
        if any(sent):
            keys.count_wrong(request)
        raise Problem("invalid-key", "X-Coral-Signature fits none of BELOWLINE_CORAL_SECRETS")


async def _judged(asked: CoralRequest, service: Service, *, html: bool) -> CoralAnswer | None:
    # In a thread, for it takes seconds over what only looks like HTML.
    text = await asyncio.to_thread(_plain, asked.comment.body) if html else asked.comment.body
    if not text.strip():  # a picture alone
        return None
    author, site = asked.author, site_name(asked.tenantDomain) or "coral"
    context = Context(text=text, site=site, author=author.id or None, role=author.role.lower() or None)
    [result] = await service.moderate([None], [ScoreInput(text)], [context])
    return _answer(result, _unheld(service, site))


def _unheld(service: Service, site: str) -> dict[str, float]:
    """The model's own thresholds for holding, of the labels that the policy does not hold for."""
    held = service.pipeline.policy.for_site(site).thresholds
    own = service.pipeline.scorer.thresholds
    return {label: both.hold for label, both in own.items() if label not in held and both.hold is not None}


def _answer(result: Result, unheld: Mapping[str, float]) -> CoralAnswer | None:
    """None where Coral's own checks are to go on; a label that does not hold a comment only flags it."""
    code = result.reason.code
    if result.action == "hold":
        return _withheld(code)
    if result.action == "reject":
        return CoralAnswer(actions=_flags(code), status="REJECTED", moderationAction=_rejection(result))
    remarkable = [label for label, threshold in unheld.items() if result.scores[label] >= threshold]
    return CoralAnswer(actions=_flags(remarkable[0])) if remarkable else None


def _withheld(code: str) -> CoralAnswer:
    return CoralAnswer(actions=_flags(code), status="SYSTEM_WITHHELD")


def _rejection(result: Result) -> dict[str, Any]:
    reason = {"code": coral_code(result.reason.code)}
    if result.reason.rule:  # Coral refuses an answer with an empty text or null in it, and publishes
        reason["detailedExplanation"] = result.reason.rule
    return {"status": "REJECTED", "rejectionReason": reason}


def _flags(code: str) -> list[_Flag]:
    return [_Flag(reason="COMMENT_DETECTED_SPAM" if code in _SPAM_CODES else "COMMENT_DETECTED_TOXIC")]


def _plain(body: str) -> str:
    """The text of a comment that Coral sends as HTML, with the addresses of its links."""
    reader = _Text()
    reader.feed(body)
    reader.close()
    return "".join(reader.parts)


class _Text(HTMLParser):
    """Collects text; a link's address follows its words where these do not show it."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._link, self._words = "", 0

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n")
        elif tag == "a":
            self._link, self._words = dict(attrs).get("href") or "", len(self.parts)

    def handle_endtag(self, tag: str) -> None:
        if tag != "a":
            return
        scheme, words = _ADDRESS.match(self._link), "".join(self.parts[self._words :])
        if scheme and self._link[scheme.end() :].rstrip("/") not in words:
            self.parts.append(f" {self._link}")
        self._link = ""

    def handle_data(self, data: str) -> None:
        self.parts.append(data)
