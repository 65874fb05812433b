"""The outbox: deliveries for webhooks, written in the same transaction as the decision."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select

from belowline.serve.store.tables import deliveries, webhooks

HELD, DECIDED = EVENTS = ("comment.held", "comment.decided")


def notify(tx: Connection, comment: Row[Any], decision: Row[Any]) -> None:
    """Add a delivery for every webhook with the event of a decision. The payload has ids and the decision, no text."""
    event = HELD if decision.action == "hold" else DECIDED
    enabled = select(webhooks.c.id, webhooks.c.events).where(webhooks.c.disabled.is_(None))
    receivers = [webhook.id for webhook in tx.execute(enabled) if event in webhook.events]
    if not receivers:
        return
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
    values = {"event": event, "payload": payload, "state": "pending", "tries": 0}
    values |= {"next_try": decision.at, "created": decision.at}
    tx.execute(insert(deliveries), [{"webhook_id": receiver, **values} for receiver in receivers])
