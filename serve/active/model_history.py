"""The model in force and its history: the newest row counts, and none means the model that the service was started with."""

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
    """A model as the store knows it: its version, the digest of its files, and its folder's name among the models."""

    version: str
    digest: str
    folder: str


def newest_id() -> ScalarSelect[int]:
    """The id of the model in force as part of a query, 0 for the one that the service was started with."""
    return select(func.coalesce(func.max(models.c.id), 0)).scalar_subquery()


def newest(tx: Connection) -> int:
    """The id of the model in force, 0 for the one that the service was started with."""
    return int(tx.execute(select(newest_id())).scalar_one())


def read(tx: Connection, number: int) -> Row[Any] | None:
    """The row with this id, None for an unknown one."""
    return tx.execute(select(models).where(models.c.id == number)).one_or_none()


def in_force(tx: Connection) -> Row[Any] | None:
    """The newest row; None while no model was promoted."""
    return read(tx, newest(tx))


def history(tx: Connection) -> Sequence[Row[Any]]:
    """Every change of the model, newest first."""
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
) -> int:
    """Puts a model in force and returns its id; raises Refusal where another change than ``after`` came meanwhile.

    ``instead_of`` is the model that the service was started with, which becomes the first row where there is none, so that a rollback can
    return to it.
    """
    _only_after(tx, after)
    if after == 0 and instead_of is not None:
        after = _add(tx, actor, "begin", instead_of, None, {}, None)
    number = _add(tx, actor, "promote", model, after, gates, reason)
    log(tx, actor, "promote model", f"{model.version} ({model.digest[:12]})", reason=reason)
    return number


def roll_back(tx: Connection, actor: str, *, after: int, reason: str | None) -> Row[Any]:
    """Puts the model before the one in force in force again and returns its new row; raises Refusal where there is none, or another change
    than ``after`` came meanwhile."""
    _only_after(tx, after)
    target = before(tx)
    model = Model(target.version, target.digest, target.folder)
    number = _add(tx, actor, "rollback", model, target.previous, {}, reason)
    log(tx, actor, "roll back model", f"{model.version} ({model.digest[:12]})", reason=reason)
    return tx.execute(select(models).where(models.c.id == number)).one()


def before(tx: Connection) -> Row[Any]:
    """The row that a rollback returns to; raises Refusal where there is none."""
    row = in_force(tx)
    target = read(tx, row.previous) if row is not None and row.previous else None
    if target is None:
        raise Refusal(
            "conflict", "there is no model before the one in force; promote one with belowline models promote"
        )
    return target


def gates_in_words(row: Row[Any]) -> str:
    """What the gates said of a model in the history."""
    if row.kind != "promote":
        return ""
    return "passed" if row.gates.get("passed") else "forced"


def _only_after(tx: Connection, after: int) -> None:
    one_at_a_time(tx, "model")
    if newest(tx) != after:
        raise Refusal(
            "conflict", "the model was changed meanwhile; see belowline models list, then repeat yours"
        )


def _add(
    tx: Connection,
    actor: str,
    kind: Kind,
    model: Model,
    previous: int | None,
    gates: dict[str, Any],
    reason: str | None,
) -> int:
    values = asdict(model) | {"kind": kind, "previous": previous, "gates": gates, "reason": reason}
    values |= {"actor": actor, "at": now()}
    return int(tx.execute(insert(models).values(**values).returning(models.c.id)).scalar_one())
