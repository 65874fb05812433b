"""The outbox: deliveries for webhooks, written in the same transaction as the decision."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from belowline.serve.store.database import now
from belowline.serve.store.tables import deliveries, webhooks

HELD, DECIDED, AUTHOR = EVENTS = ("comment.held", "comment.decided", "author.changed")


def notify(tx: Connection, comment: Row[Any], decision: Row[Any]) -> None:
    """Add a delivery for every webhook with the event of a decision. The payload has ids and the decision, no text.

    A message for the author is added when a delivery is sent, so that its erasure leaves nothing behind.
    """
    event = HELD if decision.action == "hold" else DECIDED
    payload = {
        "event": event,
        "site": comment.site,
        "comment": comment.id,
        "caller_id": comment.caller_id,
        "revision": decision.revision,
        "decision": decision.id,
        **{name: decision._mapping[name] for name in ("action", "before", "code", "rule", "labels")},
        "by": "system" if decision.via == "policy" else "moderator",
        "at": decision.at.isoformat(),
    }
    _deliver(tx, event, payload, decision.at)


def notify_author(
    tx: Connection, author: Row[Any], act: int, standing: str | None, until: datetime | None
) -> None:
    """Add a delivery about an author's present standing, null for none, for every webhook with the event."""
    moment = now()
    payload = {
        "event": AUTHOR,
        "site": author.site,
        "author": author.id,
        "caller_id": author.caller_id,
        "act": act,
        "standing": standing,
        "until": until.isoformat() if until is not None else None,
        "at": moment.isoformat(),
    }
    _deliver(tx, AUTHOR, payload, moment)


def _deliver(tx: Connection, event: str, payload: dict[str, Any], moment: datetime) -> None:
    enabled = select(webhooks.c.id, webhooks.c.events).where(webhooks.c.disabled.is_(None))
    receivers = [webhook.id for webhook in tx.execute(enabled) if event in webhook.events]
    if receivers:
        values = {"event": event, "payload": payload, "state": "pending", "tries": 0}
        values |= {"next_try": moment, "created": moment}
        tx.execute(insert(deliveries), [{"webhook_id": receiver, **values} for receiver in receivers])
