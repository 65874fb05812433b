"""Authentication and permissions: keys, sessions, roles, and the host names that are allowed while no key is needed."""

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from belowline.serve.http.errors import Problem
from belowline.serve.http.schemas import host_of
from belowline.serve.http.service import Service, service_of
from belowline.serve.store import accounts
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import digest

SESSION_COOKIE = "belowline_session"
_SAFE = {"GET", "HEAD", "OPTIONS"}
_PATHS: Mapping[str, tuple[str, ...]] = {"akismet": ("/1.1/", "/1.2/")}
"""Paths at which a key for one protocol is accepted."""
_AKISMET_KEY = re.compile(r"[0-9a-f]{12}")
"""A key that belowline made for Akismet: 48 random bits."""


LOCAL = Actor("local", "admin")
"""The caller while no key is needed: somebody at this machine."""


def asks_for_key(service: Service) -> bool:
    """True if calls need a key: the environment sets one, or one was made and not revoked."""
    if service.settings.api_keys:
        return True
    with service.database.read() as tx:
        return accounts.any_keys(tx)


async def authenticate(request: Request, key: str = "", *, any_key: bool = False) -> Actor:
    """Returns the caller by ``key``, or else by the key in the headers, or else by the session.

    While the service needs no key, a call without one is LOCAL's; with ``any_key`` a call with any key is too, because
    clients of other services cannot leave it out.

    Raises Problem for an unknown key or session, after too many wrong keys of one address, for another protocol's key,
    and for a change by another site's page with a session or as LOCAL.
    """
    key = key or _presented_key(request)
    # A key of the environment needs no database, which needs a thread: a quarter of a request's cost beside the model.
    if actor := _by_environment_key(request, key):
        return actor
    return await run_in_threadpool(_by_store, request, key, any_key)


def allowed(permission: str, *, any_key: bool = False) -> Callable[[Request], Awaitable[Actor]]:
    """Returns a dependency: the caller as ``authenticate`` does, if their role has the permission."""

    async def check(request: Request) -> Actor:
        actor = await authenticate(request, any_key=any_key)
        actor.require(permission)
        return actor

    return check


def by_key(request: Request, key: str) -> Actor | None:
    """Returns the owner of a key, None for an unknown one; raises Problem as ``authenticate`` does."""
    return _by_environment_key(request, key) or (_by_made_key(request, key) if key else None)


def _by_environment_key(request: Request, key: str) -> Actor | None:
    """Returns the owner of a key of the environment, without waiting for anything."""
    service = service_of(request)
    if not key or not service.settings.api_keys:
        return None
    key_digest, address = digest(key), _address(request)
    # A person may have thought of this key, so an address that guesses cannot try it, unless it has shown it before.
    if service.failed_keys.retry_after(address, key_digest):
        return None
    actor = _environment_actor(service, key_digest)
    if actor is not None:
        service.failed_keys.succeed(address, key_digest)
    return actor


def _by_store(request: Request, key: str, any_key: bool = False) -> Actor:
    if (any_key or not key) and not asks_for_key(service_of(request)):
        refuse_foreign_pages(request)
        return LOCAL
    actor = _by_made_key(request, key) if key else _by_session(request)
    if actor is None:
        raise Problem(
            "invalid-key",
            "send a valid key as Authorization: Bearer KEY or X-API-Key: KEY",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return actor


def _by_made_key(request: Request, key: str) -> Actor | None:
    service, key_digest, address = service_of(request), digest(key), _address(request)
    # Guessing finds no key of 256 random bits, so these work even from an address that guesses. Akismet's have 48.
    guessing = _AKISMET_KEY.fullmatch(key) and service.failed_keys.retry_after(address, key_digest)
    actor = None if guessing else _made_actor(service, key_digest)
    if actor is None:
        count_wrong(request, key_digest)
        return None
    service.failed_keys.succeed(address, key_digest)
    if actor.protocol and not request.url.path.startswith(_PATHS[actor.protocol]):
        raise Problem(
            "forbidden", f"this key is for the protocol {actor.protocol} only; use another key here"
        )
    return actor


def _by_session(request: Request) -> Actor | None:
    service, token = service_of(request), request.cookies.get(SESSION_COOKIE)
    if not token:
        return None
    with service.database.read() as tx:
        key_digest = accounts.session_key(tx, token)
    if key_digest is None:
        return None
    refuse_foreign_pages(request)
    return _environment_actor(service, key_digest) or _made_actor(service, key_digest)


def _environment_actor(service: Service, key_digest: str) -> Actor | None:
    # In time that does not depend on which key fits, or how much of it.
    fits = sum(hmac.compare_digest("sha256:" + key_digest, key) for key in service.settings.api_keys)
    return Actor(f"key {key_digest[:8]}", "admin") if fits else None


def _made_actor(service: Service, key_digest: str) -> Actor | None:
    with service.database.read() as tx:
        return accounts.account_of(tx, key_digest)


def count_wrong(request: Request, key_digest: str = "") -> None:
    """Counts a wrong key or signature; raises Problem after too many, unless the address has shown this key before."""
    failed_keys, address = service_of(request).failed_keys, _address(request)
    if wait := failed_keys.retry_after(address, key_digest):
        detail = f"wait {wait} seconds before you send another key"
        raise Problem("too-many-guesses", detail, headers={"Retry-After": str(wait)})
    failed_keys.fail(address)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _presented_key(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")


async def require_known_host(request: Request) -> None:
    """Raises Problem for a ``Host`` that is not allowed while no key is asked for.

    Otherwise a web page could reach a service on loopback by pointing its name at 127.0.0.1 (DNS rebinding).
    """
    service = service_of(request)
    settings = service.settings
    if settings.api_keys or host_of(request.headers.get("host", "")) in {
        *settings.allowed_hosts,
        settings.host,
    }:
        return
    # Last, because only this reads the database.
    if not await run_in_threadpool(asks_for_key, service):
        raise Problem(
            "wrong-host",
            "use one of the names in BELOWLINE_ALLOWED_HOSTS, or add this one, or make an API key",
        )


def refuse_foreign_pages(request: Request) -> None:
    """Raises Problem for a change by another site's page, as the browser's headers tell."""
    if request.method in _SAFE:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    same_host = origin is None or origin.partition("://")[2] == request.headers.get("host")
    if not (site in ("same-origin", "none") if site else same_host):
        raise Problem("forbidden", "the request comes from another site's page")
