"""Makes the tables of a new database, and moves what a database of 0.3.0 or older held into them."""

import secrets
from typing import Any

from sqlalchemy import Connection, MetaData, insert, inspect, select

from belowline.serve.store.tables import (
    LIVE,
    SYSTEM,
    comments,
    decisions,
    items,
    metadata,
    pepper,
    revisions,
    scores,
)

# The only table of 0.3.0: comments that the policy held, without decisions.
_HELD = "held_comments"


def make_tables(connection: Connection) -> None:
    """Create all tables at the present schema, draw the secret of the pseudonyms, and move held comments."""
    metadata.create_all(connection, checkfirst=False)  # a table of another program must not be taken for ours
    connection.execute(insert(pepper).values(secret=secrets.token_hex(32)))
    if inspect(connection).has_table(_HELD):
        old = MetaData()
        old.reflect(connection, only=[_HELD])
        held = old.tables[_HELD]
        for row in connection.execute(select(held).order_by(held.c.id)).mappings().all():
            _move(connection, row)
        held.drop(connection)


def _move(connection: Connection, row: Any) -> None:
    reason, moment, language = row["reason"], row["created"], row["language"]
    label, code = reason["label"], reason["code"]
    named = {"site": row["site"], "caller_id": row["comment_id"], "text": row["text"], "language": language}
    added = insert(comments).values(**named, revision=1, action="hold", received=moment)
    comment = connection.execute(added.returning(comments.c.id)).scalar_one()
    connection.execute(insert(revisions).values(comment_id=comment, number=1, text=row["text"], at=moment))
    shared = {"comment_id": comment, "revision": 1, "model": row["model"], "at": moment}
    numbers = {"probabilities": row["scores"], "relevance": row.get("relevance"), "evidence": row["evidence"]}
    connection.execute(insert(scores).values(**shared, **numbers))
    waiting = {"comment_id": comment, "kind": "held", "state": LIVE, "site": row["site"], "created": moment}
    waiting |= {"label": label, "code": code, "action": row["action"], "language": language}
    ranks = {"priority": row["scores"].get(label, 0.5), "uncertainty": 0.5}
    item = connection.execute(insert(items).values(**waiting, **ranks).returning(items.c.id)).scalar_one()
    decided = {"actor": SYSTEM, "via": "policy", "action": "hold", "policy": row["policy"], "blind": False}
    decided |= {"labels": [label] if label else [], "code": code, "rule": reason["rule"], "item_id": item}
    spans = [[span["start"], span["end"]] for span in row["evidence"] if span["label"] == label]
    connection.execute(insert(decisions).values(**shared, **decided, spans=spans, scores=row["scores"]))
