"""The policy in force and its history: the newest row counts, and none means the file that the service was started with."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, ScalarSelect, func, insert, select

from belowline.serve.store.accounts import log
from belowline.serve.store.database import now, one_at_a_time
from belowline.serve.store.refusal import Refusal
from belowline.serve.store.tables import policies


def newest_id() -> ScalarSelect[int]:
    """The id of the policy in force as part of a query, 0 for the file's."""
    return select(func.coalesce(func.max(policies.c.id), 0)).scalar_subquery()


def newest(tx: Connection) -> int:
    """The id of the policy in force, 0 for the file's."""
    return int(tx.execute(select(newest_id())).scalar_one())


def read(tx: Connection, policy_id: int) -> Row[Any] | None:
    """A policy as it was given, None for an unknown id."""
    return tx.execute(select(policies).where(policies.c.id == policy_id)).one_or_none()


def replace(tx: Connection, actor: str, text: str, note: str | None, after: int) -> int:
    """Puts a policy in force and returns its id; raises Refusal where another one than ``after`` is in force by now."""
    still(tx, after)
    values = {"text": text, "note": note, "actor": actor, "at": now()}
    added: int = tx.execute(insert(policies).values(**values).returning(policies.c.id)).scalar_one()
    log(tx, actor, "replace policy", str(added))
    return added


def still(tx: Connection, number: int) -> None:
    """Keeps the policy as it is until the transaction ends; raises Refusal where another one than ``number`` is in force by now."""
    one_at_a_time(tx, "policy")
    if newest(tx) != number:
        raise Refusal("conflict", "the policy was changed meanwhile; read it again and repeat your change")


def history(tx: Connection) -> Sequence[Row[Any]]:
    """Every policy that was ever put in force, newest first."""
    return tx.execute(select(policies).order_by(policies.c.id.desc())).all()
