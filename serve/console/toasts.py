"""Toasts: a sentence about the last act with a button that undoes it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from belowline.serve.queue import acts
from belowline.serve.scoring.wording import code_words
from belowline.serve.store.accounts import Actor
from belowline.serve.store.refusal import Refusal
from belowline.serve.store.tables import decisions

FIELD = "did"
"""The field of a page's address with the act that led to the page."""
_STANDINGS = {
    "suspended": "suspended",
    "banned": "banned",
    "pre_moderated": "every comment is read first",
    "trusted": "trusted",
    "normal": "nothing special any more",
}
_DONE = {"publish": "published", "reject": "rejected", "hold": "left for others"}


@dataclass(frozen=True, slots=True)
class Toast:
    """A toast.

    Attributes:
        words: The sentence.
        act: The act that the button undoes, None without a button.
        decision: The rejection whose reason can be corrected, if there is one.
    """

    words: str
    act: int | None = None
    decision: int | None = None

    @property
    def answer(self) -> dict[str, Any]:
        """The toast as a script gets it."""
        return asdict(self)


def toast_of(tx: Connection, act: int) -> Toast:
    """The toast of an act; raises Refusal for an unknown one."""
    [toast] = toasts(tx, [acts.read(tx, act)])
    return toast


def toasts(tx: Connection, rows: Sequence[Row[Any]]) -> list[Toast]:
    """The toast of each act."""
    columns = (decisions.c[name] for name in ("id", "act_id", "comment_id", "undoes", "code"))
    query = select(*columns).where(decisions.c.act_id.in_([row.id for row in rows]))
    made: dict[int, list[Row[Any]]] = {row.id: [] for row in rows}
    for one in tx.execute(query.order_by(decisions.c.id.desc())):
        made[one.act_id].append(one)
    return [_toast(row, made[row.id]) for row in rows]


def _toast(row: Row[Any], made: Sequence[Row[Any]]) -> Toast:
    undone = {one.undoes for one in made}
    there = [one for one in made if one.undoes is None]
    comments = {one.comment_id for one in there}
    left = {one.comment_id for one in there if one.id not in undone}
    words = _words(row, len(comments), there[0] if there else None)
    if row.state == "done":
        rejected = row.kind == "decision" and row.value == "reject"
        return Toast(words, row.id, there[0].id if rejected and there else None)
    if row.state == "kept":
        return Toast(f"Nothing was undone, because there are newer decisions: {words}")
    missing = f" ({len(left):,} not, because of newer decisions)" if left else ""
    return Toast(f"Undone: {words}{missing}")


def toast_in(tx: Connection, who: Actor, field: str) -> Toast | None:
    """The toast for the number in a page's address; None for anything but an act of ``who``."""
    if not (field.isascii() and field.isdecimal() and len(field) < 10):
        return None
    try:
        own = acts.seen(tx, who, int(field)).actor == who.name or who.may("administer")
        return toast_of(tx, int(field)) if own else None
    except Refusal:
        return None


def _words(act: Row[Any], comments: int, decision: Row[Any] | None) -> str:
    if act.kind == "bulk":
        return f"{comments:,} comment{'s' if comments != 1 else ''} {_DONE[act.value]}"
    if act.kind == "decision":
        why = f": {code_words(decision.code)}" if decision is not None and act.value == "reject" else ""
        return f"Comment {_DONE[act.value]}{why}"
    if act.kind == "standing":
        return f"Author: {standing_words(act.value, act.until)}"
    if act.kind == "escalation":
        return f"Escalated to {receiver_words(act.value)}"
    return "Note added"


def standing_words(standing: str | None, until: datetime | None) -> str:
    """An author's standing in words, empty for None."""
    if standing is None:
        return ""
    return _STANDINGS[standing] + (f" until {until:%Y-%m-%d %H:%M} UTC" if until is not None else "")


def receiver_words(to: str) -> str:
    """The receiver of an escalation in words."""
    kind, _, name = to.partition(":")
    return f"any {name}" if kind == "role" else name
