"""How many comments a key asked about and reported, by month and site: numbers only."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, select

from belowline.serve.store.database import now, upsert
from belowline.serve.store.tables import usage

Counted = Literal["spam", "ham", "missed_spam", "false_positives"]
_COUNTED = ("spam", "ham", "missed_spam", "false_positives")
_TOTAL = usage.c.spam + usage.c.ham


def count(tx: Connection, actor: str, site: str, what: Counted) -> None:
    """Adds one to this month's ``what``."""
    key = {"month": this_month(), "actor": actor, "site": site}
    upsert(tx, usage, key, ("month", "actor", "site"), add={**dict.fromkeys(_COUNTED, 0), what: 1})


def this_month() -> str:
    """Such as 2026-11."""
    return f"{now():%Y-%m}"


def total(tx: Connection, actor: str, month: str) -> int:
    """Of how many comments it was told whether they are spam."""
    query = select(func.coalesce(func.sum(_TOTAL), 0)).where(usage.c.month == month, usage.c.actor == actor)
    return int(tx.execute(query).scalar_one())


def by_month(tx: Connection, actor: str, site: str, since: str) -> Sequence[Row[Any]]:
    """The numbers of one key on one site for each month from ``since`` on, such as 2026-06, in order."""
    columns = (usage.c[name] for name in ("month", *_COUNTED))
    wanted = usage.c.actor == actor, usage.c.site == site, usage.c.month >= since
    return tx.execute(select(*columns).where(*wanted).order_by(usage.c.month)).all()


def by_site(
    tx: Connection, actor: str, month: str, part: str, order: str, limit: int, offset: int
) -> tuple[Sequence[Row[Any]], int]:
    """A page of the sites whose names hold ``part``, highest first by ``order``, a number or their ``total``; and how many there are."""
    wanted = (
        usage.c.month == month,
        usage.c.actor == actor,
        usage.c.site.icontains(part, autoescape=True),
    )
    columns = _TOTAL.label("total"), *(usage.c[name] for name in ("site", *_COUNTED))
    by = _TOTAL if order == "total" else usage.c[order]
    query = select(*columns).where(*wanted).order_by(by.desc(), usage.c.site).limit(limit).offset(offset)
    number = tx.execute(select(func.count()).select_from(usage).where(*wanted)).scalar_one()
    return tx.execute(query).all(), number
