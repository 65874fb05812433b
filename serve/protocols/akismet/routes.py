"""Akismet 1.1: its clients work unchanged except for the address and the key.

serve/PROTOCOLS.md describes the answers. ``invalid`` is the answer only to a bad key and to a malformed call, because
most clients take it for "not spam".

Akismet's comments have no ids and its authors no accounts. A comment's id here is a keyed hash of its page, author
and text, and each answer to a check has it as ``X-akismet-guid``. A call that fails before the hash is made gets a
random guid. ``recognition`` describes how a report finds its comment.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from belowline.model import Context, ScoreInput, Scores
from belowline.serve.http.errors import Problem
from belowline.serve.http.long_texts import score_within
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.protocols.akismet import account
from belowline.serve.protocols.akismet.account import read_as, site_named
from belowline.serve.protocols.akismet.messages import Call, site_of
from belowline.serve.protocols.protocol import Protocol, only_site
from belowline.serve.queue import recognition
from belowline.serve.queue.intake import Author, IncomingComment, Thread
from belowline.serve.queue.moderator_decisions import ModeratorDecision
from belowline.serve.queue.recognition import BY_ADDRESS, PREFIX, RecognitionQuery
from belowline.serve.scoring.fault_isolation import article_context
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import StoreError
from belowline.serve.store.pseudonyms import alias

logger = logging.getLogger(__name__)
THANKS = "Thanks for making the web a better place."
SCORING_S, ANSWER_S = 5.0, 8.0
"""Limits in seconds of scoring and of a whole check: clients wait ten to fifteen seconds, then they publish."""
_CHECK = "/1.1/comment-check"
_HELP, _GUID = "X-akismet-debug-help", "X-akismet-guid"
_REFUSALS = ("invalid-key", "forbidden", "wrong-host", "malformed-body", "invalid-request")
"""Problems that the caller causes: a bad key, or a call that no client should send."""
_SPAM = ModeratorDecision("reject", ("spam",), "spam", via="akismet")
_HAM = ModeratorDecision("publish", via="akismet")
router = APIRouter(include_in_schema=False, default_response_class=PlainTextResponse)


def problem(request: Request, problem: Problem) -> Response:
    """``invalid`` for a bad key or a malformed call; ``true``, which publishes nothing, for any other of a check.

    Both have status 200, because clients publish at any other. A problem of another call has its own status.
    """
    is_check = request.url.path == _CHECK and request.method == "POST"
    headers = {_GUID: getattr(request.state, "guid", None) or secrets.token_hex(16)} if is_check else {}
    if problem.kind in _REFUSALS:
        bad_key = problem.kind == "invalid-key"
        headers[_HELP] = "the API key is missing or not valid" if bad_key else problem.detail
        return PlainTextResponse("invalid", headers=headers)
    if not is_check:
        return PlainTextResponse(problem.detail, problem.status_code, problem.headers)
    # No header tells why the answer is "true": one client takes such a header for a failure.
    if "Retry-After" in (problem.headers or {}):
        headers["Retry-After"] = (problem.headers or {})["Retry-After"]
    if problem.status_code == HTTPStatus.REQUEST_TIMEOUT:
        headers["Connection"] = "close"  # the rest of the body is not read
    return PlainTextResponse("true", headers=headers)


@router.post(_CHECK)
async def comment_check(request: Request, service: ServiceDep) -> PlainTextResponse:
    """`false` for a comment to be published, else `true`; a held comment is stored and enters the queue."""
    # The time limit includes the look-up of the key, which may wait for a thread.
    checking = asyncio.ensure_future(_check(request, service))
    checking.add_done_callback(
        lambda task: task.cancelled() or task.exception()
    )  # no warning if it fails later
    try:
        async with asyncio.timeout(ANSWER_S):
            action = await asyncio.shield(checking)  # a write under way is finished after the time limit
    except TimeoutError:
        raise Problem("scoring-failed", "the answer took too long") from None
    headers = {_GUID: request.state.guid}
    if action == "reject":
        headers["X-akismet-pro-tip"] = "discard"
    return PlainTextResponse("false" if action == "publish" else "true", headers=headers)


@router.post("/1.1/submit-spam")
async def submit_spam(request: Request, service: ServiceDep) -> PlainTextResponse:
    """Records a moderator's decision to reject, made elsewhere."""
    return await _report(request, service, _SPAM)


@router.post("/1.1/submit-ham")
async def submit_ham(request: Request, service: ServiceDep) -> PlainTextResponse:
    """Records a moderator's decision to publish, made elsewhere."""
    return await _report(request, service, _HAM)


router.include_router(account.router)
PROTOCOL = Protocol(router, ("/1.1/", "/1.2/"), problem, answers_when_full=True)


@dataclass(frozen=True, slots=True)
class _Comment:
    """A comment to be scored and stored; ``is_stored`` if it is stored already with this text."""

    site: str
    incoming: IncomingComment
    input: ScoreInput
    is_stored: bool

    @property
    def guid(self) -> str:
        return self.incoming.caller_id.removeprefix(PREFIX)

    def with_scores(self, scores: Scores | str | None) -> IncomingComment:
        """The comment for the store; ``scores`` is a text if it says why there are none."""
        if isinstance(scores, str):
            return replace(self.incoming, unscored=scores)
        return replace(self.incoming, scores=scores)


async def _check(request: Request, service: Service) -> str:
    """The action for the comment of a check. Sets the request's guid as soon as it is known."""
    request.state.guid = secrets.token_hex(16)
    call, actor = await read_as(request, "score")
    site = site_named(call, actor)
    if call.is_hook or call.trapped:
        action = "hold"
    else:
        comment = await run_in_threadpool(_recognised, service, call, site, (site,))
        request.state.guid = comment.guid
        action = "publish" if call.by_administrator else await _action(service, actor, call, comment)
    if not call.is_test:
        await _count(service, actor, site, "ham" if action == "publish" else "spam")
    return action


async def _action(service: Service, actor: Actor, call: Call, comment: _Comment) -> str:
    # A stored comment gets its stored decision. It is scored all the same, because its scoring may have failed before.
    scores = await score_within(service, comment.input, SCORING_S)
    incoming = comment.with_scores(scores)
    if actor.may("ingest") and not call.is_test:
        [stored] = await service.ingest(comment.site, _thread(call), [incoming], held_only=True)
        return stored.action
    author, role = (incoming.author.caller_id, incoming.author.role) if incoming.author else (None, None)
    context = Context(incoming.text, comment.site, author, role, incoming.author_url)
    [result] = service.results([comment.guid], [comment.input], [incoming.scores], [context])
    return result.action


async def _report(request: Request, service: Service, decision: ModeratorDecision) -> PlainTextResponse:
    """Records a decision made elsewhere; a comment that is not scored in time is stored without scores."""
    call, actor = await read_as(request, "report")
    # Coral sends neither key nor blog. Then the site is the key's only site, or that of the page.
    named = site_of(call.get("blog")) or only_site(actor)
    site = named or site_of(call.get("permalink")) or "akismet"
    actor.require_site(site)
    sites = (site,) if call.get("blog") or only_site(actor) else actor.sites
    comment = await run_in_threadpool(_recognised, service, call, site, sites, is_report=True)
    if call.is_test:
        return PlainTextResponse(THANKS)
    scores = None if comment.is_stored else await score_within(service, comment.input, SCORING_S)
    incoming = comment.with_scores(scores)
    before = await service.report(actor, comment.site, _thread(call), incoming, decision)
    if (before == "publish") != (decision.action == "publish"):
        await _count(service, actor, comment.site, "missed_spam" if decision is _SPAM else "false_positives")
    return PlainTextResponse(THANKS)


def _recognised(
    service: Service, call: Call, site: str, sites: Sequence[str], *, is_report: bool = False
) -> _Comment:
    """The comment of a call: the stored one that it means, or a new one."""
    text, page = call.text, call.get("permalink")[:500] or None
    with service.database.read() as tx:
        author, bare = _author(tx, call), recognition.bare(text)
        ids = [_id(tx, call, call.author)]
        if call.only_by_address:
            # A report leaves the address out of the id: it may be the moderator's. So a check looks for both ids.
            ids.insert(0 if is_report else 1, _id(tx, call, ""))
        if call.guid:
            ids.insert(0, PREFIX + call.guid)
        text_hash, author_id = recognition.hash_of(tx, bare), author.caller_id if author else None
        query = RecognitionQuery(site, sites, ids, text_hash, page, author_id, len(bare) >= recognition.LONG)
        stored = (recognition.reported if is_report else recognition.checked)(tx, query)
    is_stored = stored is not None and stored.text_hash == text_hash
    site, comment_id = (stored.site, stored.caller_id) if stored is not None else (site, ids[0])
    incoming = IncomingComment(
        comment_id,
        stored.text if stored is not None and is_stored else text,
        None,
        None if is_report and call.only_by_address else author,
        call.get("comment_parent")[:200] or None,
        written=call.written,
        text_hash=text_hash,
        author_url=call.get("comment_author_url") or None,
    )
    to_score = ScoreInput(
        incoming.text,
        article_context(None, "\n".join(call.context)),
        author=call.get("comment_author"),
        author_url=call.get("comment_author_url"),
    )
    return _Comment(site, incoming, to_score, is_stored)


def _id(tx: Connection, call: Call, author: str) -> str:
    who = alias(tx, author) if author else ""
    return PREFIX + alias(tx, "\n".join([call.get("permalink"), who, " ".join(call.text.split())]))


def _author(tx: Connection, call: Call) -> Author | None:
    if not call.author:
        return None
    kind = BY_ADDRESS if call.only_by_address else ""
    return Author(kind + alias(tx, call.author), role=call.get("user_role")[:50] or None)


def _thread(call: Call) -> Thread | None:
    permalink = call.get("permalink")
    return Thread(permalink[:500], url=permalink) if permalink else None


async def _count(service: Service, actor: Actor, site: str, what: account.Counted) -> None:
    """Counts a call. A failure to count changes no answer."""

    def count() -> None:
        with service.database.write() as tx:
            account.count(tx, actor.name, site, what)

    try:
        await run_in_threadpool(count)
    except StoreError as error:
        logger.error("a call of Akismet's protocol was not counted: %s", error)
