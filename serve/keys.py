"""Who may call: API keys, and the host names that are answered while no key is asked for."""

import hashlib
import hmac
from urllib.parse import urlsplit

from fastapi import Request

from belowline.serve.errors import Problem
from belowline.serve.settings import Settings


def key_is_known(key: str, settings: Settings) -> bool:
    """Whether ``key`` is configured, in time that does not depend on which key or how much of it fits."""
    digest = "sha256:" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return sum(hmac.compare_digest(digest, known) for known in settings.api_keys) > 0


def require_key(request: Request) -> None:
    """Raises Problem unless the request carries a known key, or none is asked for."""
    settings: Settings = request.app.state.service.settings
    if settings.api_keys and not key_is_known(_presented_key(request), settings):
        raise Problem(
            "invalid-key",
            "send a valid key as Authorization: Bearer KEY or X-API-Key: KEY",
            headers={"WWW-Authenticate": "Bearer"},
        )


def require_known_host(request: Request) -> None:
    """Raises Problem for a ``Host`` that is not allowed while no key is asked for.

    Without it a web page could reach a service on loopback by pointing its name at 127.0.0.1 (DNS rebinding).
    """
    settings: Settings = request.app.state.service.settings
    host = _host_name(request.headers.get("host", ""))
    if not settings.api_keys and host not in {*settings.allowed_hosts, settings.host}:
        raise Problem(
            "wrong-host", "use one of the names in BELOWLINE_ALLOWED_HOSTS, or add this one, or set API keys"
        )


def _host_name(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _presented_key(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
