"""Counts of the comments that a key checked and reported, by month and site."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Row, select

from belowline.serve.store.database import now, upsert
from belowline.serve.store.tables import usage

Counted = Literal["spam", "ham", "missed_spam", "false_positives"]
COUNTED: tuple[str, ...] = get_args(Counted)


def count(tx: Connection, actor: str, site: str, what: Counted) -> None:
    """Adds one to this month's ``what``."""
    key = {"month": this_month(), "actor": actor, "site": site}
    upsert(tx, usage, key, ("month", "actor", "site"), add={**dict.fromkeys(COUNTED, 0), what: 1})


def this_month() -> str:
    """The current month, such as 2026-11."""
    return f"{now():%Y-%m}"


def by_month(tx: Connection, actor: str, site: str, since: str) -> Sequence[Row[Any]]:
    """The counts of one key on one site for each month from ``since`` on, such as 2026-06, in order."""
    columns = (usage.c[name] for name in ("month", *COUNTED))
    where = usage.c.actor == actor, usage.c.site == site, usage.c.month >= since
    return tx.execute(select(*columns).where(*where).order_by(usage.c.month)).all()
