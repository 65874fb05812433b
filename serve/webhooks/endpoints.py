"""Webhook endpoints: registration, secrets, due deliveries and their outcomes."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from belowline.serve.store.accounts import log
from belowline.serve.store.database import now
from belowline.serve.store.refusal import Refusal, unknown
from belowline.serve.store.tables import decisions, deliveries, webhooks
from belowline.serve.webhooks.outbox import EVENTS

BACKOFF = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600, 6 * 3600, 24 * 3600))
"""Delay after each failed try; after the last one the delivery has failed."""
_LEASE = timedelta(seconds=60)


def add_webhook(tx: Connection, actor: str, url: str, events: Sequence[str]) -> tuple[int, str]:
    """Add a webhook; returns its id and its secret, which is shown only here. Raises Refusal for unknown events."""
    if not events or not set(events) <= set(EVENTS):
        raise Refusal("invalid-request", f"events must be some of {', '.join(EVENTS)}")
    secret = _secret()
    values = {"url": url, "events": sorted(set(events)), "secrets": [secret], "created": now()}
    webhook: int = tx.execute(insert(webhooks).values(**values).returning(webhooks.c.id)).scalar_one()
    log(tx, actor, "add webhook", url)
    return webhook, secret


def rotate_secret(tx: Connection, actor: str, webhook: int) -> str:
    """Add a secret and return it; the newest old one signs too until the next rotation."""
    secret = _secret()
    row = _enabled(tx, webhook)
    _change(tx, actor, row, "rotate webhook secret", secrets=[secret, row.secrets[0]])
    return secret


def retire_secret(tx: Connection, actor: str, webhook: int) -> None:
    """Delete the old secret."""
    row = _enabled(tx, webhook)
    _change(tx, actor, row, "retire webhook secret", secrets=row.secrets[:1])


def disable_webhook(tx: Connection, actor: str, webhook: int) -> None:
    """Disable a webhook; its pending deliveries fail."""
    _change(tx, actor, _enabled(tx, webhook), "remove webhook", disabled=now())
    pending = (deliveries.c.webhook_id == webhook) & (deliveries.c.state == "pending")
    tx.execute(update(deliveries).where(pending).values(state="failed", error="the webhook was removed"))


def enabled_webhooks(tx: Connection) -> Sequence[Row[Any]]:
    """Return the webhooks that are not disabled."""
    return tx.execute(select(webhooks).where(webhooks.c.disabled.is_(None)).order_by(webhooks.c.id)).all()


def delivery_log(tx: Connection, webhook: int, limit: int) -> Sequence[Row[Any]]:
    """Return the newest deliveries of a webhook; raises Refusal for an unknown one."""
    if tx.execute(select(webhooks.c.id).where(webhooks.c.id == webhook)).scalar() is None:
        raise unknown("webhook")
    query = select(deliveries).where(deliveries.c.webhook_id == webhook).order_by(deliveries.c.id.desc())
    return tx.execute(query.limit(limit)).all()


def take_due(tx: Connection, limit: int) -> Sequence[Row[Any]]:
    """Return due deliveries with url, secrets and a decision's message; no other worker gets them for a minute."""
    moment = now()
    due = (
        select(deliveries.c.id)
        .where(deliveries.c.state == "pending", deliveries.c.next_try <= moment)
        .order_by(deliveries.c.next_try)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    mine = deliveries.c.id.in_(tx.execute(due).scalars().all())
    tx.execute(update(deliveries).where(mine).values(next_try=moment + _LEASE))
    about = decisions.c.id == deliveries.c.payload["decision"].as_integer()
    query = select(deliveries, webhooks.c.url, webhooks.c.secrets, decisions.c.message).join(webhooks)
    query = query.outerjoin(decisions, about)
    return tx.execute(query.where(mine).order_by(deliveries.c.id)).all()


def record_outcome(tx: Connection, delivery: Row[Any], status: int | None, error: str | None) -> None:
    """Record a try of a pending delivery and the time of the next one."""
    tries = delivery.tries + 1
    values: dict[str, Any] = {"tries": tries, "status": status, "error": error}
    if error is None:
        values["state"] = "delivered"
    elif tries > len(BACKOFF):
        values["state"] = "failed"
    else:
        values["next_try"] = now() + BACKOFF[tries - 1]
    pending = (deliveries.c.id == delivery.id) & (deliveries.c.state == "pending")
    tx.execute(update(deliveries).where(pending).values(**values))


def _enabled(tx: Connection, webhook: int) -> Row[Any]:
    query = select(webhooks).where(webhooks.c.id == webhook, webhooks.c.disabled.is_(None))
    row = tx.execute(query).one_or_none()
    if row is None:
        raise unknown("webhook")
    return row


def _change(tx: Connection, actor: str, row: Row[Any], what: str, **values: Any) -> None:
    tx.execute(update(webhooks).where(webhooks.c.id == row.id).values(**values))
    log(tx, actor, what, row.url)


def _secret() -> str:
    return "whsec_" + secrets.token_urlsafe(32)
