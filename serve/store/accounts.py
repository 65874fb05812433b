"""Keys, sessions and the audit log: who may do what, and what was done."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from belowline.serve.store.database import digest, now
from belowline.serve.store.refusal import Refusal, unknown
from belowline.serve.store.tables import api_keys, audit_log, sessions

ROLES = ("service", "triage", "moderator", "admin")
_SESSION = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Account:
    """Whose key it is."""

    name: str
    role: str
    sites: tuple[str, ...]
    protocol: str | None = None


def create_key(
    tx: Connection, actor: str, name: str, role: str, sites: Sequence[str], protocol: str | None = None
) -> str:
    """Makes a key and returns it, the only time that it can be read; raises Refusal for a name that is taken.

    A key for the protocol ``akismet`` has 12 hexadecimal digits: Akismet's own plugin for WordPress accepts no other.
    """
    if tx.execute(select(api_keys.c.id).where(api_keys.c.name == name)).scalar() is not None:
        raise Refusal("conflict", f"a key named {name!r} exists; names stay taken, for decisions bear them")
    key = secrets.token_hex(6) if protocol == "akismet" else "bl_" + secrets.token_urlsafe(32)
    details = {"role": role, "sites": list(sites), "protocol": protocol}
    tx.execute(insert(api_keys).values(name=name, digest=digest(key), created=now(), **details))
    log(
        tx,
        actor,
        "create key",
        name,
        **{field: value for field, value in details.items() if value is not None},
    )
    return key


def revoke_key(tx: Connection, actor: str, key_id: int) -> None:
    """Ends a key and its sessions; raises Refusal for an unknown one, and for the last admin's."""
    row = tx.execute(select(api_keys).where(api_keys.c.id == key_id)).one_or_none()
    if row is None or row.revoked is not None:
        raise unknown("key")
    if row.role == "admin" and _admins(tx) == 1 and _keys(tx) > 1:
        raise Refusal("conflict", "this is the last admin's key; create another one first")
    tx.execute(update(api_keys).where(api_keys.c.id == key_id).values(revoked=now()))
    tx.execute(delete(sessions).where(sessions.c.key_digest == row.digest))
    log(tx, actor, "revoke key", row.name)


def keys(tx: Connection) -> Sequence[Row[Any]]:
    """All keys, without their secrets."""
    columns = [column for column in api_keys.c if column.name != "digest"]
    return tx.execute(select(*columns).order_by(api_keys.c.id)).all()


def any_keys(tx: Connection) -> bool:
    """Whether a key is asked for."""
    return _keys(tx) > 0


def account_of(tx: Connection, key_digest: str) -> Account | None:
    """Whose key has this digest, None for an unknown or revoked one."""
    query = select(api_keys).where(api_keys.c.digest == key_digest, api_keys.c.revoked.is_(None))
    row = tx.execute(query).one_or_none()
    return None if row is None else Account(row.name, row.role, tuple(row.sites), row.protocol)


def open_session(tx: Connection, key_digest: str) -> str:
    """A session for whoever has the key with this digest; returns its token. Old ones are removed on the way."""
    token = secrets.token_urlsafe(32)
    tx.execute(delete(sessions).where(sessions.c.expires < now()))
    values = {"digest": digest(token), "key_digest": key_digest, "expires": now() + _SESSION}
    tx.execute(insert(sessions).values(**values))
    return token


def session_key(tx: Connection, token: str) -> str | None:
    """The digest of the key that a session belongs to, None for one that is unknown or over."""
    query = select(sessions.c.key_digest).where(
        sessions.c.digest == digest(token), sessions.c.expires > now()
    )
    return tx.execute(query).scalar()


def close_session(tx: Connection, token: str) -> None:
    """Signs out."""
    tx.execute(delete(sessions).where(sessions.c.digest == digest(token)))


def log(tx: Connection, actor: str, what: str, target: str, **details: Any) -> None:
    """Adds to the audit log."""
    values = {"at": now(), "actor": actor, "what": what, "target": target, "details": details}
    tx.execute(insert(audit_log).values(**values))


def audit_trail(tx: Connection, limit: int) -> Sequence[Row[Any]]:
    """The newest entries of the audit log."""
    return tx.execute(select(audit_log).order_by(audit_log.c.id.desc()).limit(limit)).all()


def _keys(tx: Connection) -> int:
    return tx.execute(select(func.count()).where(api_keys.c.revoked.is_(None))).scalar_one()


def _admins(tx: Connection) -> int:
    return tx.execute(
        select(func.count()).where(api_keys.c.revoked.is_(None), api_keys.c.role == "admin")
    ).scalar_one()
