"""The outbox: what webhooks are to be told, written in the transaction that made it true."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select

from belowline.serve.store.tables import deliveries, webhooks

HELD, DECIDED = EVENTS = ("comment.held", "comment.decided")


def tell(tx: Connection, comment: Row[Any], decision: Row[Any]) -> None:
    """Notes a decision for every webhook that asked for its event. The payload has ids and the decision, no text."""
    event = HELD if decision.action == "hold" else DECIDED
    listening = tx.execute(
        select(webhooks.c.id, webhooks.c.events).where(webhooks.c.disabled.is_(None))
    ).all()
    wanted = [hook.id for hook in listening if event in hook.events]
    if not wanted:
        return
    payload = {
        "event": event,
        "site": comment.site,
        "comment": comment.id,
        "caller_id": comment.caller_id,
        "revision": decision.revision,
        "decision": decision.id,
        "action": decision.action,
        "before": decision.before,
        "code": decision.code,
        "rule": decision.rule,
        "labels": decision.labels,
        "by": "system" if decision.via == "policy" else "moderator",
        "at": decision.at.isoformat(),
    }
    rows = [
        {
            "webhook_id": hook,
            "event": event,
            "payload": payload,
            "state": "pending",
            "tries": 0,
            "next_try": decision.at,
            "created": decision.at,
        }
        for hook in wanted
    ]
    tx.execute(insert(deliveries), rows)
