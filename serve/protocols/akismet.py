"""Akismet 1.1 and 1.2: its clients work unchanged but for the address and the key.

``true`` is the answer to whatever is not to be published, spam or not, for ``false`` publishes: the site puts it into its spam folder, from
where submit-ham brings it back, while what is held waits in our queue too. ``X-akismet-pro-tip: discard`` comes only with what is rejected.
What a person has decided of a comment is the answer when it is checked again.

Akismet's comments have no ids and its authors no accounts. A comment is known again by its page, author and text; an author by a hash of
e-mail address, web address or IP address, none of which is kept, nor is the author's name.

The key is ``api_key`` or ``key``, or comes as in any other call, or is the first label of the host: clients of the legacy form call
KEY.rest.akismet.com. Most of them write host names in lower case and accept no underscores there, so such a key has to be of lower-case
letters, digits and hyphens, at most 63, which those in BELOWLINE_API_KEYS can be; those that belowline makes are not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from sqlalchemy import Row
from starlette.concurrency import run_in_threadpool

from belowline.model import Context, ScoreInput
from belowline.serve import keys
from belowline.serve.api.score import check_length
from belowline.serve.errors import Problem, invalid_field
from belowline.serve.keys import Actor
from belowline.serve.protocols.akismet_messages import Call, Listing, read_call, site_of
from belowline.serve.protocols.protocol import Protocol
from belowline.serve.scoring import article_context
from belowline.serve.service import Parts, Service
from belowline.serve.store import usage
from belowline.serve.store.intake import Author, Incoming, Thread
from belowline.serve.store.pepper import alias
from belowline.serve.store.rulings import Ruling

THANKS = "Thanks for making the web a better place."
_HELP, _ERROR = "X-akismet-debug-help", "X-akismet-error"
_OWN_STATUS = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
)
_SPAM = Ruling("reject", ("spam",), "spam", via="akismet")
_HAM = Ruling("publish", via="akismet")
_JSON: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {}, "text/csv": {}}}}
"""What the calls answer that count; clients send them by either method."""
router = APIRouter(tags=["akismet"], default_response_class=PlainTextResponse)


_FIELDS: Mapping[str, str] = {
    "api_key": "The key, where it is not elsewhere.",
    "blog": "Address of the site.",
    "user_ip": "The author's address; kept as a hash alone, and only where there is no other.",
    "permalink": "Address of the page that the comment stands on.",
    "user_role": "The author's role; an `administrator` is never spam.",
    "is_test": "`1`: nothing is kept or counted.",
    "blog_charset": "Encoding of the call, where it is not UTF-8.",
    "comment_content": "The comment.",
    "comment_author": "The author's name; judged where there is no content, never kept.",
    "comment_author_email": "Tells authors apart; kept as a hash alone.",
    "comment_author_url": "Tells authors apart where there is no e-mail address; kept as a hash alone.",
    "comment_context": "What the comment stands under; it may be repeated.",
    "comment_parent": "Id of the comment that this one answers.",
    "comment_date_gmt": "When it was written.",
    "honeypot_field_name": "Name of the field that people do not see and programs fill in.",
}


def _takes(**fields: str) -> dict[str, Any]:
    """What OpenAPI says of a call's body: no more than its fields, for whatever else is sent has the status 200 too."""
    schema = {"properties": {name: {"description": meaning} for name, meaning in fields.items()}}
    media = ("application/x-www-form-urlencoded", "application/json")
    return {"requestBody": {"content": {one: {"schema": schema} for one in media}}}


_COMMENT = _takes(**_FIELDS)


def problem(request: Request, problem: Problem) -> Response:
    """``invalid`` with a header that says why, and status 200, which clients take for granted.

    WordPress holds a comment whose check was not answered by true or false and asks again later: just what should happen while the service
    is busy or fails. Only what no client can have meant has its status.
    """
    if problem.status_code in _OWN_STATUS:
        return PlainTextResponse(problem.detail, problem.status_code, problem.headers)
    known = problem.kind != "invalid-key"
    headers = {_HELP: problem.detail if known else "the API key is missing or not valid"}
    if problem.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        headers[_ERROR] = problem.detail
    if "Retry-After" in (problem.headers or {}):
        headers["Retry-After"] = (problem.headers or {})["Retry-After"]
    return PlainTextResponse("invalid", headers=headers)


@router.post(
    "/1.1/verify-key",
    summary="Check a key, as Akismet does",
    openapi_extra=_takes(key="The key.", blog=_FIELDS["blog"]),
)
async def verify_key(request: Request) -> PlainTextResponse:
    """`valid`, or `invalid` for an unknown key and for one that is for other sites."""
    call = await read_call(request)
    actor = await _caller(request, call, "score")
    if call.get("blog"):
        actor.require_site(_site(call.get("blog")))
    return PlainTextResponse("valid")


@router.post("/1.1/comment-check", summary="Check a comment, as Akismet does", openapi_extra=_COMMENT)
async def comment_check(request: Request, service: Parts) -> PlainTextResponse:
    """`false` for what is to be published, else `true`; what is held is kept and waits in the queue."""
    call = await read_call(request)
    actor = await _caller(request, call, "score")
    call.require("blog", "user_ip")
    site = _site(call.get("blog"))
    actor.require_site(site)
    action = await _action(service, actor, site, call)
    if not call.is_test:
        await _count(service, actor, site, "ham" if action == "publish" else "spam")
    tip = {"X-akismet-pro-tip": "discard"} if action == "reject" else {}
    return PlainTextResponse("false" if action == "publish" else "true", headers=tip)


@router.post("/1.1/submit-spam", summary="Report missed spam, as to Akismet", openapi_extra=_COMMENT)
async def submit_spam(request: Request, service: Parts) -> PlainTextResponse:
    """It becomes a decision to reject, which a moderator made elsewhere."""
    return await _report(request, service, _SPAM)


@router.post("/1.1/submit-ham", summary="Report a false positive, as to Akismet", openapi_extra=_COMMENT)
async def submit_ham(request: Request, service: Parts) -> PlainTextResponse:
    """It becomes a decision to publish, which a moderator made elsewhere."""
    return await _report(request, service, _HAM)


@router.get("/1.2/usage-limit", summary="Usage of a key, as of Akismet's", responses=_JSON)
@router.post("/1.2/usage-limit", summary="Usage of a key, as of Akismet's", responses=_JSON)
async def usage_limit(request: Request, service: Parts) -> Response:
    """How many comments the key asked about this month; there is no limit."""
    actor = await _caller(request, await read_call(request), "score")
    used = await run_in_threadpool(_used, service, actor)
    return JSONResponse({"limit": "none", "usage": used, "percentage": "0.00", "throttled": False})


@router.get("/1.2/key-sites", summary="Usage of a key by site, as of Akismet's", responses=_JSON)
@router.post("/1.2/key-sites", summary="Usage of a key by site, as of Akismet's", responses=_JSON)
async def key_sites(request: Request, service: Parts) -> Response:
    """What became of a month's comments, by site."""
    call = await read_call(request)
    actor = await _caller(request, call, "score")
    asked = Listing.of(call)
    rows, total = await run_in_threadpool(_sites, service, actor, asked)
    if asked.format == "json":
        sites = [{**_numbers(row), "is_revoked": False} for row in rows]
        page = {"limit": asked.limit, "offset": asked.offset, "total": total}
        return JSONResponse({asked.month: sites, **page})
    lines = [
        f"Active sites for {actor.name} during {asked.month} "
        f"(limit:{asked.limit}, offset: {asked.offset}, total: {total})",
        "Site,Total API Calls,Spam,Ham,Missed Spam,False Positives,Is Revoked",
        *(",".join([*_numbers(row).values(), "false"]) for row in rows),
    ]
    return Response("\n".join(lines), media_type="text/csv")


PROTOCOL = Protocol(router, ("/1.1/", "/1.2/"), problem)


@dataclass(frozen=True, slots=True)
class _Comment:
    """A comment as it is scored and kept."""

    id: str
    text: str
    author: Author | None
    article: str | None

    @property
    def asked(self) -> ScoreInput:
        return ScoreInput(self.text, self.article)


async def _caller(request: Request, call: Call, what: str) -> Actor:
    actor = await keys.client_with(request, call.key or _host_key(request))
    actor.require(what)
    return actor


def _host_key(request: Request) -> str:
    """The first label of the host, which is a key in the legacy form; nothing where a header has one."""
    if "authorization" in request.headers or "x-api-key" in request.headers:
        return ""
    label, dot, _ = request.headers.get("host", "").partition(".")
    return label if dot else ""


def _site(blog: str) -> str:
    found = site_of(blog)
    if found is None:
        raise invalid_field("blog", "is not the address of a site")
    return found


async def _comment(service: Service, call: Call) -> _Comment:
    text = call.text
    check_length(text, "comment_content", service.settings.max_comment_chars)
    return await run_in_threadpool(_known_as, service, call, text)


def _known_as(service: Service, call: Call, text: str) -> _Comment:
    with service.database.read() as tx:
        author = alias(tx, call.author) if call.author else ""
        named = alias(tx, "\n".join([call.get("permalink"), author, " ".join(text.split())]))
    who = Author(author, role=call.get("user_role")[:50] or None) if author else None
    return _Comment(f"akismet-{named}", text, who, article_context(None, "\n".join(call.context)))


async def _action(service: Service, actor: Actor, site: str, call: Call) -> str:
    """What is to become of a comment."""
    if call.is_hook or call.trapped:
        return "hold"
    if call.by_administrator:
        return "publish"
    comment = await _comment(service, call)
    if call.is_test or not actor.may("take in"):
        who = comment.author
        context = Context(comment.text, site, who.caller_id if who else None, who.role if who else None)
        [result] = await service.judge([comment.id], [comment.asked], [context])
        _require_scores(result.scores)
        return result.action
    incoming = await _incoming(service, call, comment)
    _require_scores(incoming.scores)
    [kept] = await service.keep(site, _thread(call), [incoming], held_only=True)
    return kept.action


def _require_scores(scores: object) -> None:
    if not scores:
        raise Problem("scoring-failed", "the comment could not be scored; let a person read it")


async def _incoming(service: Service, call: Call, comment: _Comment) -> Incoming:
    [scores] = await service.scores([comment.asked])
    parent = call.get("comment_parent")[:200] or None
    return Incoming(comment.id, comment.text, scores, comment.author, parent, written=call.written)


def _thread(call: Call) -> Thread | None:
    permalink = call.get("permalink")
    return Thread(permalink[:500], url=permalink) if permalink else None


async def _report(request: Request, service: Service, ruling: Ruling) -> PlainTextResponse:
    """Coral sends neither key nor blog; then the site is that of the page, or the key's only one."""
    call = await read_call(request)
    actor = await _caller(request, call, "report")
    only = actor.sites[0] if len(actor.sites) == 1 else "akismet"
    site = site_of(call.get("blog")) or site_of(call.get("permalink")) or only
    actor.require_site(site)
    comment = await _comment(service, call)
    if call.is_test:
        return PlainTextResponse(THANKS)
    incoming = await _incoming(service, call, comment)
    before = await service.report(actor.moderator, site, _thread(call), incoming, ruling)
    if (before == "publish") != (ruling.action == "publish"):
        await _count(service, actor, site, "missed_spam" if ruling is _SPAM else "false_positives")
    return PlainTextResponse(THANKS)


async def _count(service: Service, actor: Actor, site: str, what: usage.Counted) -> None:
    await run_in_threadpool(_count_one, service, actor, site, what)


def _count_one(service: Service, actor: Actor, site: str, what: usage.Counted) -> None:
    with service.database.write() as tx:
        usage.count(tx, actor.name, site, what)


def _used(service: Service, actor: Actor) -> int:
    with service.database.read() as tx:
        return usage.total(tx, actor.name, usage.this_month())


def _sites(service: Service, actor: Actor, asked: Listing) -> tuple[Sequence[Row[Any]], int]:
    part = asked.filter.rpartition("://")[2].rstrip("/")
    with service.database.read() as tx:
        return usage.by_site(tx, actor.name, asked.month, part, asked.order, asked.limit, asked.offset)


def _numbers(row: Row[Any]) -> Mapping[str, str]:
    """A site and its numbers, which Akismet writes as strings."""
    names = ("spam", "ham", "missed_spam", "false_positives")
    counted = {name: str(row._mapping[name]) for name in names}
    return {"site": row.site, "api_calls": str(row.total), **counted}
