"""The history of the active model: the newest row is active; without rows it is the model of the settings."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, ScalarSelect, func, insert, select

from belowline.serve.store.accounts import log
from belowline.serve.store.database import now, one_at_a_time
from belowline.serve.store.refusal import Refusal
from belowline.serve.store.tables import models

Kind = Literal["begin", "promote", "rollback"]


@dataclass(frozen=True, slots=True)
class Model:
    """A model in the store: version, digest of its files, and the name of its folder."""

    version: str
    digest: str
    folder: str


def newest_id() -> ScalarSelect[int]:
    """Returns a subquery for the number of the active model; 0 is the model of the settings."""
    return select(func.coalesce(func.max(models.c.id), 0)).scalar_subquery()


def newest(tx: Connection) -> int:
    """Returns the number of the active model; 0 is the model of the settings."""
    return int(tx.execute(select(newest_id())).scalar_one())


def read(tx: Connection, number: int) -> Row[Any] | None:
    """Returns the row with this number, or None."""
    return tx.execute(select(models).where(models.c.id == number)).one_or_none()


def active(tx: Connection) -> Row[Any] | None:
    """Returns the newest row; None if no model was ever promoted."""
    return read(tx, newest(tx))


def history(tx: Connection) -> Sequence[Row[Any]]:
    """Returns all rows, newest first."""
    return tx.execute(select(models).order_by(models.c.id.desc())).all()


def promote(
    tx: Connection,
    actor: str,
    model: Model,
    *,
    after: int,
    instead_of: Model | None,
    gates: dict[str, Any],
    reason: str | None,
) -> Row[Any]:
    """Makes a model active and returns its row; raises Refusal if the newest row is not ``after``.

    Without rows ``instead_of``, the model of the settings, becomes the first row, so that a rollback can return to it.
    """
    _only_after(tx, after)
    if after == 0 and instead_of is not None:
        after = _add(tx, actor, "begin", instead_of).id
    row = _add(tx, actor, "promote", model, previous=after, gates=gates, reason=reason)
    log(tx, actor, "promote model", f"{model.version} ({model.digest[:12]})", reason=reason)
    return row


def roll_back(tx: Connection, actor: str, *, after: int, reason: str | None) -> Row[Any]:
    """Makes the previous model active and returns its new row; raises Refusal as ``promote`` and ``before`` do."""
    _only_after(tx, after)
    target = before(tx)
    model = Model(target.version, target.digest, target.folder)
    row = _add(tx, actor, "rollback", model, previous=target.previous, reason=reason)
    log(tx, actor, "roll back model", f"{model.version} ({model.digest[:12]})", reason=reason)
    return row


def before(tx: Connection) -> Row[Any]:
    """Returns the row that a rollback returns to; raises Refusal if there is none."""
    row = active(tx)
    target = read(tx, row.previous) if row is not None and row.previous else None
    if target is None:
        raise Refusal(
            "conflict", "there is no model before the active one; promote one with belowline models promote"
        )
    return target


def gates_in_words(row: Row[Any]) -> str:
    """Returns "passed" or "forced" for a promotion, else nothing."""
    if row.kind != "promote":
        return ""
    return "passed" if row.gates.get("passed") else "forced"


def _only_after(tx: Connection, after: int) -> None:
    one_at_a_time(tx, "model")
    if newest(tx) != after:
        raise Refusal(
            "conflict", "the model was changed meanwhile; see belowline models list, then repeat your change"
        )


def _add(tx: Connection, actor: str, kind: Kind, model: Model, **more: Any) -> Row[Any]:
    values = {"kind": kind, "gates": {}, "actor": actor, "at": now()} | asdict(model) | more
    return tx.execute(insert(models).values(**values).returning(*models.c)).one()
