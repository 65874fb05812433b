"""The key and the site of an Akismet call."""

from fastapi import Request

from belowline.serve.http import auth as keys
from belowline.serve.http.errors import Problem, invalid_field
from belowline.serve.protocols.akismet.messages import Call, read_call, site_of
from belowline.serve.store.accounts import Actor


async def read_as(request: Request, permission: str) -> tuple[Call, Actor]:
    """The fields of a call and the owner of its key; raises Problem unless the key's role has the ``permission``."""
    call = await read_call(request)
    actor = await keys.authenticate(request, call.key or _host_key(request), any_key=True)
    actor.require(permission)
    return call, actor


def site_named(call: Call, actor: Actor) -> str:
    """The site of ``blog``, or the key's only one; raises Problem where neither says it, or for a site that is not the key's."""
    blog = call.get("blog")
    site = site_of(blog) if blog else only_site(actor)
    if site is None:
        raise invalid_field("blog", "is not the address of a site" if blog else "is missing; add it")
    actor.require_site(site)
    return site


def only_site(actor: Actor) -> str | None:
    """The site of a key that is for one site."""
    return actor.sites[0] if len(actor.sites) == 1 else None


def is_refusal(problem: Problem) -> bool:
    """Whether a problem is the caller's: a bad key, or a call that no client should send. Everything else is ours."""
    return problem.kind in ("invalid-key", "forbidden", "wrong-host", "malformed-body", "invalid-request")


def _host_key(request: Request) -> str:
    """The first label of the host, which is a key in the legacy form; nothing where a header has one."""
    if "authorization" in request.headers or "x-api-key" in request.headers:
        return ""
    label, dot, _ = request.headers.get("host", "").partition(".")
    return label if dot else ""
