"""Akismet 1.1 and 1.2: its clients work unchanged but for the address and the key.

``true`` is the answer to whatever is not to be published, spam or not, for ``false`` publishes: the site puts it into its spam folder, from
where submit-ham brings it back, while what is held waits in our queue too. ``X-akismet-pro-tip: discard`` comes only with what is rejected.
What a person has decided of a comment is the answer when it is checked again.

``invalid`` is the answer to a bad key and to a malformed call alone: most clients take it for "not spam". What cannot be scored here, in
time or at all, is ``true`` and waits in the queue as long as the store can be reached.

Akismet's comments have no ids and its authors no accounts. A comment's id here is a keyed hash of its page, author and text, and every
answer to a check has it as ``X-akismet-guid``: so it names comments that were published and are not kept, too. The same comment has the
same guid each time. A call that fails before the hash can be made has a random one. Reports find their comment as ``recognition`` says.

An author is a keyed hash of e-mail address, web address or IP address, none of which is kept, nor is the author's name.

The key is ``api_key`` or ``key``, or comes as in any other call, or is the first label of the host: clients of the legacy form call
KEY.rest.akismet.com. Most of them write host names in lower case and accept no underscores there, so such a key has to be of lower-case
letters, digits and hyphens, at most 63: one that belowline made for Akismet, or one of BELOWLINE_API_KEYS.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from sqlalchemy import Connection, Row
from starlette.concurrency import run_in_threadpool

from belowline.model import Context, ScoreInput, Scores
from belowline.serve.http.errors import Problem
from belowline.serve.http.long_texts import score_within
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.protocols.akismet import account as akismet_account
from belowline.serve.protocols.akismet import usage
from belowline.serve.protocols.akismet.access import is_refusal, only_site, read_as, site_named
from belowline.serve.protocols.akismet.messages import Call, site_of
from belowline.serve.protocols.protocol import Protocol
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
"""Seconds that scoring may take, and a check as a whole: clients wait ten to fifteen, then they publish."""
_CHECK = "/1.1/comment-check"
_HELP, _GUID = "X-akismet-debug-help", "X-akismet-guid"
_SPAM = ModeratorDecision("reject", ("spam",), "spam", via="akismet")
_HAM = ModeratorDecision("publish", via="akismet")
router = APIRouter(include_in_schema=False, default_response_class=PlainTextResponse)


def problem(request: Request, problem: Problem) -> Response:
    """``invalid`` to a bad key or a malformed call; any other problem of a check is ``true``, so that nothing is published for it.

    Both have status 200, for clients publish at any other. No header says why to a check that is answered by ``true``: one client takes
    such a header for a failure. What is no check has the problem's own status.
    """
    is_check = request.url.path == _CHECK and request.method == "POST"
    headers = {_GUID: getattr(request.state, "guid", None) or secrets.token_hex(16)} if is_check else {}
    if is_refusal(problem):
        known = problem.kind != "invalid-key"
        headers[_HELP] = problem.detail if known else "the API key is missing or not valid"
        return PlainTextResponse("invalid", headers=headers)
    if not is_check:
        return PlainTextResponse(problem.detail, problem.status_code, problem.headers)
    if "Retry-After" in (problem.headers or {}):
        headers["Retry-After"] = (problem.headers or {})["Retry-After"]
    if problem.status_code == HTTPStatus.REQUEST_TIMEOUT:
        headers["Connection"] = "close"  # the rest of the body is not waited for
    return PlainTextResponse("true", headers=headers)


@router.post(_CHECK)
async def comment_check(request: Request, service: ServiceDep) -> PlainTextResponse:
    """`false` for what is to be published, else `true`; what is held is kept and waits in the queue."""
    # With the look-up of the key, which waits for a thread as the rest does.
    checking = asyncio.ensure_future(_check(request, service))
    checking.add_done_callback(
        lambda done: done.cancelled() or done.exception()
    )  # whoever waits for it or not
    try:
        async with asyncio.timeout(ANSWER_S):
            action = await asyncio.shield(checking)  # what is being kept is kept, though nobody waits for it
    except TimeoutError:
        raise Problem("scoring-failed", "the answer took too long") from None
    headers = {_GUID: request.state.guid}
    if action == "reject":
        headers["X-akismet-pro-tip"] = "discard"
    return PlainTextResponse("false" if action == "publish" else "true", headers=headers)


@router.post("/1.1/submit-spam")
async def submit_spam(request: Request, service: ServiceDep) -> PlainTextResponse:
    """It becomes a decision to reject, which a moderator made elsewhere."""
    return await _report(request, service, _SPAM)


@router.post("/1.1/submit-ham")
async def submit_ham(request: Request, service: ServiceDep) -> PlainTextResponse:
    """It becomes a decision to publish, which a moderator made elsewhere."""
    return await _report(request, service, _HAM)


router.include_router(akismet_account.router)
PROTOCOL = Protocol(router, ("/1.1/", "/1.2/"), problem, answers_when_full=True)


@dataclass(frozen=True, slots=True)
class _Comment:
    """A comment as it is scored and kept; ``known`` says that it is kept with this very text."""

    site: str
    guid: str
    text: str
    text_hash: str
    author: Author | None
    article: str | None
    known: bool

    @property
    def asked(self) -> ScoreInput:
        return ScoreInput(self.text, self.article)

    def incoming(self, call: Call, scores: Scores | str | None) -> IncomingComment:
        """As it is kept; scores that are a text say why there are none."""
        parent = call.get("comment_parent")[:200] or None
        scored, why = (None, scores) if isinstance(scores, str) else (scores, None)
        return IncomingComment(
            f"{PREFIX}{self.guid}",
            self.text,
            scored,
            self.author,
            parent,
            written=call.written,
            unscored=why,
            text_hash=self.text_hash,
        )


async def _check(request: Request, service: Service) -> str:
    """The action for the comment of a check. The request's guid is set as soon as it is known."""
    request.state.guid = secrets.token_hex(16)
    call, actor = await read_as(request, "score")
    site = site_named(call, actor)
    if call.is_hook or call.trapped:
        action = "hold"
    else:
        comment = await run_in_threadpool(_checked, service, site, call, call.text)
        request.state.guid = comment.guid
        action = "publish" if call.by_administrator else await _action(service, actor, call, comment)
    if not call.is_test:
        await _count(service, actor, site, "ham" if action == "publish" else "spam")
    return action


async def _action(service: Service, actor: Actor, call: Call, comment: _Comment) -> str:
    if call.is_test or not actor.may("ingest"):
        scores = await score_within(service, comment.asked, SCORING_S)
        scored = None if isinstance(scores, str) else scores
        who = comment.author
        context = Context(
            comment.text, comment.site, who.caller_id if who else None, who.role if who else None
        )
        [result] = service.results([comment.guid], [comment.asked], [scored], [context])
        return result.action
    # One that is kept with this text is answered as it was decided; its scoring may have failed, so it is scored all the same.
    scores = await score_within(service, comment.asked, SCORING_S)
    [kept] = await service.ingest(
        comment.site, _thread(call), [comment.incoming(call, scores)], held_only=True
    )
    return kept.action


async def _report(request: Request, service: Service, ruling: ModeratorDecision) -> PlainTextResponse:
    """Coral sends neither key nor blog; then the site is the key's only one, or that of the page. A report is kept without scores rather
    than lost."""
    call, actor = await read_as(request, "report")
    site = site_of(call.get("blog")) or only_site(actor) or site_of(call.get("permalink")) or "akismet"
    actor.require_site(site)
    named = bool(call.get("blog")) or only_site(actor) is not None
    sites = (site,) if named else actor.sites
    comment = await run_in_threadpool(_reported, service, site, sites, call, call.text)
    if call.is_test:
        return PlainTextResponse(THANKS)
    scores = None if comment.known else await score_within(service, comment.asked, SCORING_S)
    before = await service.report(actor, comment.site, _thread(call), comment.incoming(call, scores), ruling)
    if (before == "publish") != (ruling.action == "publish"):
        await _count(service, actor, comment.site, "missed_spam" if ruling is _SPAM else "false_positives")
    return PlainTextResponse(THANKS)


def _checked(service: Service, site: str, call: Call, text: str) -> _Comment:
    """The comment that a check is about, known or new."""
    with service.database.read() as tx:
        author, bare = _author(tx, call), recognition.bare(text)
        text_hash = recognition.hash_of(tx, bare)
        ids = [*_named(call), _id(tx, call, call.author, text)]
        if call.only_by_address:  # a report about it left the address out
            ids.append(_id(tx, call, "", text))
        sought = _sought(site, (site,), ids, text_hash, call, author, bare)
        found = recognition.checked(tx, sought)
    return _comment(found, site, ids[0], text, text_hash, author, call)


def _reported(service: Service, site: str, sites: Sequence[str], call: Call, text: str) -> _Comment:
    """The comment that a report is about, known or new. An author known by an IP address alone is left out: it may be the moderator's."""
    with service.database.read() as tx:
        author, bare = _author(tx, call), recognition.bare(text)
        text_hash = recognition.hash_of(tx, bare)
        own = _id(tx, call, "" if call.only_by_address else call.author, text)
        ids = [*_named(call), own, _id(tx, call, call.author, text)]
        sought = _sought(site, sites, ids, text_hash, call, author, bare)
        found = recognition.reported(tx, sought)
    kept_author = None if call.only_by_address else author
    return _comment(found, site, ids[0], text, text_hash, kept_author, call)


def _named(call: Call) -> list[str]:
    """The id of the comment whose guid the client has kept."""
    return [f"{PREFIX}{call.guid}"] if call.guid else []


def _id(tx: Connection, call: Call, author: str, text: str) -> str:
    who = alias(tx, author) if author else ""
    return PREFIX + alias(tx, "\n".join([call.get("permalink"), who, " ".join(text.split())]))


def _author(tx: Connection, call: Call) -> Author | None:
    if not call.author:
        return None
    kind = BY_ADDRESS if call.only_by_address else ""
    return Author(kind + alias(tx, call.author), role=call.get("user_role")[:50] or None)


def _sought(
    site: str,
    sites: Sequence[str],
    ids: Sequence[str],
    text_hash: str,
    call: Call,
    author: Author | None,
    bare: str,
) -> RecognitionQuery:
    page, who = call.get("permalink")[:500] or None, author.caller_id if author else None
    return RecognitionQuery(site, sites, ids, text_hash, page, who, len(bare) >= recognition.LONG)


def _comment(
    found: Row[Any] | None,
    site: str,
    new_id: str,
    text: str,
    text_hash: str,
    author: Author | None,
    call: Call,
) -> _Comment:
    """The comment that was found, with the text that it is kept with unless this is another one; or a new one."""
    known = found is not None and found.text_hash == text_hash
    caller_id = found.caller_id if found is not None else new_id
    return _Comment(
        found.site if found is not None else site,
        caller_id.removeprefix(PREFIX),
        found.text if found is not None and known else text,
        text_hash,
        author,
        article_context(None, "\n".join(call.context)),
        known,
    )


def _thread(call: Call) -> Thread | None:
    permalink = call.get("permalink")
    return Thread(permalink[:500], url=permalink) if permalink else None


async def _count(service: Service, actor: Actor, site: str, what: usage.Counted) -> None:
    """Counts a call; that it could not be counted changes no answer."""
    try:
        await run_in_threadpool(_count_one, service, actor, site, what)
    except StoreError as error:
        logger.error("a call of Akismet's protocol was not counted: %s", error)


def _count_one(service: Service, actor: Actor, site: str, what: usage.Counted) -> None:
    with service.database.write() as tx:
        usage.count(tx, actor.name, site, what)
