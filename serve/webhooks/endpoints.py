"""Webhooks: who is told of what, and how each delivery went."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from belowline.serve.store.accounts import log
from belowline.serve.store.database import now
from belowline.serve.store.refusal import Refusal, unknown
from belowline.serve.store.tables import deliveries, webhooks
from belowline.serve.webhooks.outbox import EVENTS

BACKOFF = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600, 6 * 3600, 24 * 3600))
"""Waits after each failed try; after the last one a delivery has failed."""
_LEASE = timedelta(seconds=60)


def add_hook(tx: Connection, actor: str, url: str, events: Sequence[str]) -> tuple[int, str]:
    """A new webhook for ``events``; returns its id and secret, the only time that the secret is shown."""
    strange = set(events) - set(EVENTS)
    if strange or not events:
        raise Refusal("invalid-request", f"events are {', '.join(EVENTS)}")
    secret = _secret()
    values = {"url": url, "events": sorted(set(events)), "secrets": [secret], "created": now()}
    added: int = tx.execute(insert(webhooks).values(**values).returning(webhooks.c.id)).scalar_one()
    log(tx, actor, "add webhook", url)
    return added, secret


def rotate_secret(tx: Connection, actor: str, hook: int) -> str:
    """A new secret beside the newest old one, both of which sign until the next rotation; returns the new one."""
    row = _hook(tx, hook)
    secret = _secret()
    tx.execute(update(webhooks).where(webhooks.c.id == hook).values(secrets=[secret, row.secrets[0]]))
    log(tx, actor, "rotate webhook secret", row.url)
    return secret


def retire_secret(tx: Connection, actor: str, hook: int) -> None:
    """Ends the old secret."""
    row = _hook(tx, hook)
    tx.execute(update(webhooks).where(webhooks.c.id == hook).values(secrets=row.secrets[:1]))
    log(tx, actor, "retire webhook secret", row.url)


def disable_hook(tx: Connection, actor: str, hook: int) -> None:
    """Tells a webhook nothing more; what waited for it fails."""
    row = _hook(tx, hook)
    tx.execute(update(webhooks).where(webhooks.c.id == hook).values(disabled=now()))
    waiting = (deliveries.c.webhook_id == hook) & (deliveries.c.state == "pending")
    tx.execute(update(deliveries).where(waiting).values(state="failed", error="the webhook was removed"))
    log(tx, actor, "remove webhook", row.url)


def hooks(tx: Connection) -> Sequence[Row[Any]]:
    """The webhooks that are told."""
    return tx.execute(select(webhooks).where(webhooks.c.disabled.is_(None)).order_by(webhooks.c.id)).all()


def delivery_log(tx: Connection, hook: int, limit: int) -> Sequence[Row[Any]]:
    """The newest deliveries of a webhook; raises Refusal for an unknown one."""
    if tx.execute(select(webhooks.c.id).where(webhooks.c.id == hook)).scalar() is None:
        raise unknown("webhook")
    query = select(deliveries).where(deliveries.c.webhook_id == hook).order_by(deliveries.c.id.desc())
    return tx.execute(query.limit(limit)).all()


def take_due(tx: Connection, limit: int) -> Sequence[Row[Any]]:
    """Deliveries whose time has come with their webhook's url and secrets; for a minute no other worker gets them."""
    moment = now()
    due = (
        select(deliveries.c.id)
        .where(deliveries.c.state == "pending", deliveries.c.next_try <= moment)
        .order_by(deliveries.c.next_try)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(tx.execute(due).scalars())
    if not ids:
        return []
    tx.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(next_try=moment + _LEASE))
    query = select(deliveries, webhooks.c.url, webhooks.c.secrets).join(webhooks)
    return tx.execute(query.where(deliveries.c.id.in_(ids)).order_by(deliveries.c.id)).all()


def note_outcome(tx: Connection, delivery: Row[Any], status: int | None, error: str | None) -> None:
    """Writes down how a try went and when the next one is."""
    tries = delivery.tries + 1
    values: dict[str, Any] = {"tries": tries, "status": status, "error": error}
    if error is None:
        values |= {"state": "delivered"}
    elif tries > len(BACKOFF):
        values |= {"state": "failed"}
    else:
        values |= {"next_try": _next_try(tries)}
    still = (deliveries.c.id == delivery.id) & (deliveries.c.state == "pending")
    tx.execute(update(deliveries).where(still).values(**values))


def _next_try(tries: int) -> datetime:
    return now() + BACKOFF[tries - 1]


def _hook(tx: Connection, hook: int) -> Row[Any]:
    row = tx.execute(select(webhooks).where(webhooks.c.id == hook)).one_or_none()
    if row is None or row.disabled is not None:
        raise unknown("webhook")
    return row


def _secret() -> str:
    return "whsec_" + secrets.token_urlsafe(32)
