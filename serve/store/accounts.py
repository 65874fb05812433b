"""Keys, roles, sessions and the audit log."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from belowline.serve.store.database import digest, now
from belowline.serve.store.refusal import Refusal, unknown
from belowline.serve.store.tables import api_keys, audit_log, sessions

ROLES = ("service", "triage", "moderator", "admin")
PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "score": ROLES,
    "ingest": ("service", "admin"),
    "report": ("service", "moderator", "admin"),
    "read": ROLES,
    "work the queue": ("triage", "moderator", "admin"),
    "decide in bulk": ("moderator", "admin"),
    "answer appeals": ("moderator", "admin"),
    "act on authors": ("moderator", "admin"),
    "appeal": ("service", "moderator", "admin"),
    "read the log": ("service", "moderator", "admin"),
    "erase": ("service", "admin"),
    "administer": ("admin",),
}
"""Every permission with the roles that have it."""
_SESSION = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Actor:
    """The holder of a key; ``sites`` are those that the actor may see (none: all).

    ``role`` is one of ``ROLES``, ``protocol`` the only protocol that accepts the key; None: every call.
    """

    name: str
    role: str = "moderator"
    sites: tuple[str, ...] = ()
    protocol: str | None = None

    def may(self, permission: str) -> bool:
        """Return whether the role has a permission, a key of ``PERMISSIONS``."""
        return self.role in PERMISSIONS[permission]

    def require(self, permission: str) -> None:
        """Raise Refusal unless the role has a permission."""
        if not self.may(permission):
            able = ", ".join(PERMISSIONS[permission])
            raise Refusal("forbidden", f"the role {self.role} may not {permission}; these roles may: {able}")

    def sees(self, site: str) -> bool:
        """Return whether the actor may see comments of ``site``."""
        return not self.sites or site in self.sites

    def require_site(self, site: str) -> None:
        """Raise Refusal for a site that the actor may not see."""
        if not self.sees(site):
            raise Refusal("forbidden", f"this key is limited to the sites {', '.join(self.sites)}")


def create_key(
    tx: Connection, actor: str, name: str, role: str, sites: Sequence[str], protocol: str | None = None
) -> str:
    """Create a key and return it, the only time that it can be read; raises Refusal for a name that exists."""
    if tx.execute(select(api_keys.c.id).where(api_keys.c.name == name)).scalar() is not None:
        raise Refusal(
            "conflict",
            f"a key named {name!r} exists; names cannot be reused, because decisions refer to them",
        )
    # Akismet's own plugin for WordPress accepts only keys of 12 hexadecimal digits.
    key = secrets.token_hex(6) if protocol == "akismet" else "bl_" + secrets.token_urlsafe(32)
    details = {"role": role, "sites": list(sites), "protocol": protocol}
    tx.execute(insert(api_keys).values(name=name, digest=digest(key), created=now(), **details))
    log(tx, actor, "create key", name, **{k: value for k, value in details.items() if value is not None})
    return key


def revoke_key(tx: Connection, actor: str, key_id: int) -> None:
    """Revoke a key and end its sessions; raises Refusal for an unknown key, and for the last admin key."""
    row = tx.execute(select(api_keys).where(api_keys.c.id == key_id)).one_or_none()
    if row is None or row.revoked is not None:
        raise unknown("key")
    if row.role == "admin" and _count(tx, api_keys.c.role == "admin") == 1 and _count(tx) > 1:
        raise Refusal("conflict", "this is the last admin key; create another admin key first")
    tx.execute(update(api_keys).where(api_keys.c.id == key_id).values(revoked=now()))
    tx.execute(delete(sessions).where(sessions.c.key_digest == row.digest))
    log(tx, actor, "revoke key", row.name)


def keys(tx: Connection) -> Sequence[Row[Any]]:
    """Return all keys, without their secrets."""
    columns = [column for column in api_keys.c if column.name != "digest"]
    return tx.execute(select(*columns).order_by(api_keys.c.id)).all()


def any_keys(tx: Connection) -> bool:
    """Return whether a key exists that is not revoked."""
    return _count(tx) > 0


def account_of(tx: Connection, key_digest: str) -> Actor | None:
    """Return the holder of the key with this digest, None for an unknown or revoked key."""
    query = select(api_keys).where(api_keys.c.digest == key_digest, api_keys.c.revoked.is_(None))
    row = tx.execute(query).one_or_none()
    return None if row is None else Actor(row.name, row.role, tuple(row.sites), row.protocol)


def open_session(tx: Connection, key_digest: str) -> str:
    """Open a session for the key with this digest and return its token. Expired sessions are deleted."""
    token = secrets.token_urlsafe(32)
    tx.execute(delete(sessions).where(sessions.c.expires < now()))
    values = {"digest": digest(token), "key_digest": key_digest, "expires": now() + _SESSION}
    tx.execute(insert(sessions).values(**values))
    return token


def session_key(tx: Connection, token: str) -> str | None:
    """Return the digest of a session's key, None for an unknown or expired session."""
    current = sessions.c.digest == digest(token), sessions.c.expires > now()
    return tx.execute(select(sessions.c.key_digest).where(*current)).scalar()


def close_session(tx: Connection, token: str) -> None:
    """End a session."""
    tx.execute(delete(sessions).where(sessions.c.digest == digest(token)))


def log(tx: Connection, actor: str, what: str, target: str, **details: Any) -> None:
    """Add an entry to the audit log."""
    values = {"at": now(), "actor": actor, "what": what, "target": target, "details": details}
    tx.execute(insert(audit_log).values(**values))


def audit_trail(tx: Connection, limit: int) -> Sequence[Row[Any]]:
    """Return the newest entries of the audit log."""
    return tx.execute(select(audit_log).order_by(audit_log.c.id.desc()).limit(limit)).all()


def _count(tx: Connection, *conditions: Any) -> int:
    query = select(func.count()).where(api_keys.c.revoked.is_(None), *conditions)
    return tx.execute(query).scalar_one()
