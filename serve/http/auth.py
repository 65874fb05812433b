"""Who may call, and what they may do: keys, sessions, roles, and the host names that are answered while no key is asked for."""

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from belowline.serve.http.errors import Problem
from belowline.serve.http.service import Service, service_of
from belowline.serve.store import accounts
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import digest

SESSION_COOKIE = "belowline_session"
_SAFE = {"GET", "HEAD", "OPTIONS"}
_DOORS: Mapping[str, tuple[str, ...]] = {"akismet": ("/1.1/", "/1.2/")}
"""Where a key for one protocol is taken."""
_GUESSABLE = re.compile(r"[0-9a-f]{12}")
"""A key that belowline made for Akismet: 48 random bits."""


LOCAL = Actor("local", "admin")
"""Who calls while no key is asked for: whoever sits at this machine."""


def key_is_known(request: Request, key: str) -> bool:
    """Whether ``key`` may call at all, or none is asked for; raises Problem after too many wrong ones, see ``by_key``."""
    return not asks_for_key(service_of(request)) or by_key(request, key) is not None


def asks_for_key(service: Service) -> bool:
    """Whether calls need a key: one is set in the environment, or was made and not revoked."""
    if service.settings.api_keys:
        return True
    with service.database.read() as tx:
        return accounts.any_keys(tx)


def caller(request: Request) -> Actor:
    """Who sends ``request``, by its key or its session; raises Problem for nobody known, or a foreign page behind a session."""
    return _caller_with(request, _presented_key(request))


def _caller_with(request: Request, key: str) -> Actor:
    if not key and not asks_for_key(service_of(request)):
        return _local(request)
    return _known(request, key)


async def client(request: Request) -> Actor:
    """Who sends ``request`` in another service's protocol, by a key in its headers; see ``client_with``."""
    return await client_with(request, "")


async def client_with(request: Request, key: str) -> Actor:
    """Who sends ``request`` in another service's protocol, by ``key`` or else as in any other call; raises Problem as ``caller`` does.

    Such clients cannot do without a key, so whatever they send will do while none is asked for.
    """
    return await _at_once_or(request, key or _presented_key(request), _client_with)


def _client_with(request: Request, key: str) -> Actor:
    if not asks_for_key(service_of(request)):
        return _local(request)
    return _known(request, key)


def _local(request: Request) -> Actor:
    refuse_foreign_pages(request)
    return LOCAL


def _known(request: Request, key: str) -> Actor:
    found = by_key(request, key) if key else _by_session(request, service_of(request))
    if found is None:
        raise Problem(
            "invalid-key",
            "send a valid key as Authorization: Bearer KEY or X-API-Key: KEY",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return found


def allowed(what: str) -> Callable[[Request], Awaitable[Actor]]:
    """A dependency: the caller, if their role allows ``what``."""

    async def check(request: Request) -> Actor:
        actor = await _at_once_or(request, _presented_key(request), _caller_with)
        actor.require(what)
        return actor

    return check


async def _at_once_or(request: Request, key: str, otherwise: Callable[[Request, str], Actor]) -> Actor:
    """Who has this key of the environment, else who ``otherwise`` says, which reads the database: that takes a thread, a quarter of what a
    request costs beside the model."""
    found = _by_set_key(request, key)
    return found if found is not None else await run_in_threadpool(otherwise, request, key)


def by_key(request: Request, key: str) -> Actor | None:
    """Whose key this is, None for an unknown one; raises Problem instead of None after too many wrong ones from the caller's address.

    A key that belowline made is looked up all the same, for no rate of guessing finds one of its 256 random bits: so nobody can keep its
    holder out by guessing. A key of the environment may be one that a person thought of, and a key for Akismet has 48 random bits: these
    are not compared then, except for who has shown the key from that address before.

    Raises Problem for the key of one protocol in a call of another.
    """
    found = _by_set_key(request, key)
    if found is not None or not key:
        return found
    service, key_digest = service_of(request), digest(key)
    address = _address(request)
    guessing = _GUESSABLE.fullmatch(key) and service.failed_keys.wait(address, key_digest)
    found = None if guessing else _made_key(key_digest, service)
    if found is None:
        count_wrong(request, key_digest)
        return None
    service.failed_keys.right(address, key_digest)
    if found.protocol and not request.url.path.startswith(_DOORS[found.protocol]):
        raise Problem(
            "forbidden", f"this key is for the protocol {found.protocol} only; use another key here"
        )
    return found


def count_wrong(request: Request, key_digest: str = "") -> None:
    """Notes a wrong key or signature; raises Problem instead after too many from the caller's address, which has not shown this key."""
    failed_keys, address = service_of(request).failed_keys, _address(request)
    if wait := failed_keys.wait(address, key_digest):
        detail = f"wait {wait} seconds before you send another key"
        raise Problem("too-many-guesses", detail, headers={"Retry-After": str(wait)})
    failed_keys.wrong(address)


def _by_set_key(request: Request, key: str) -> Actor | None:
    """Who has this key of the environment, None for any other; see ``by_key``. It waits for nothing."""
    service = service_of(request)
    if not key or not service.settings.api_keys:
        return None
    key_digest, address = digest(key), _address(request)
    if service.failed_keys.wait(address, key_digest):
        return None
    found = _set_key(key_digest, service)
    if found is not None:
        service.failed_keys.right(address, key_digest)
    return found


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


async def require_known_host(request: Request) -> None:
    """Raises Problem for a ``Host`` that is not allowed while no key is asked for.

    Without it a web page could reach a service on loopback by pointing its name at 127.0.0.1 (DNS rebinding).
    """
    service = service_of(request)
    settings = service.settings
    host = _host_name(request.headers.get("host", ""))
    if host in {*settings.allowed_hosts, settings.host} or settings.api_keys:
        return
    # Last, for only this reads the database.
    if not await run_in_threadpool(asks_for_key, service):
        raise Problem(
            "wrong-host",
            "use one of the names in BELOWLINE_ALLOWED_HOSTS, or add this one, or make an API key",
        )


def _by_digest(key_digest: str, service: Service) -> Actor | None:
    return _set_key(key_digest, service) or _made_key(key_digest, service)


def _set_key(key_digest: str, service: Service) -> Actor | None:
    """Who has a key of the environment, in time that does not depend on which key or how much of it fits."""
    known = sum(hmac.compare_digest("sha256:" + key_digest, one) for one in service.settings.api_keys)
    return Actor(f"key {key_digest[:8]}", "admin") if known else None


def _made_key(key_digest: str, service: Service) -> Actor | None:
    with service.database.read() as tx:
        return accounts.account_of(tx, key_digest)


def _by_session(request: Request, service: Service) -> Actor | None:
    token = request.cookies.get(SESSION_COOKIE)
    if not token:
        return None
    with service.database.read() as tx:
        key_digest = accounts.session_key(tx, token)
    if key_digest is None:
        return None
    refuse_foreign_pages(request)
    return _by_digest(key_digest, service)


def refuse_foreign_pages(request: Request) -> None:
    """Raises Problem for a change from another site's page, as a browser tells it: only ours may use what the browser knows by itself."""
    if request.method in _SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    own = (
        site in ("same-origin", "none")
        if site
        else origin is None or _host_of(origin) == request.headers.get("host")
    )
    if not own:
        raise Problem("forbidden", "the request comes from another site's page")


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _host_name(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _presented_key(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
