"""The history of the active policy: the newest row is active; without rows it is the policy file of the settings."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, ScalarSelect, func, insert, select

from belowline.serve.store.accounts import log
from belowline.serve.store.database import now, one_at_a_time
from belowline.serve.store.refusal import Refusal
from belowline.serve.store.tables import policies


def newest_id() -> ScalarSelect[int]:
    """Returns a subquery for the number of the active policy; 0 is the policy file."""
    return select(func.coalesce(func.max(policies.c.id), 0)).scalar_subquery()


def newest(tx: Connection) -> int:
    """Returns the number of the active policy; 0 is the policy file."""
    return int(tx.execute(select(newest_id())).scalar_one())


def read(tx: Connection, policy_id: int) -> Row[Any] | None:
    """Returns the row with this number, or None."""
    return tx.execute(select(policies).where(policies.c.id == policy_id)).one_or_none()


def replace(tx: Connection, actor: str, text: str, note: str | None, after: int) -> int:
    """Makes a policy active and returns its number; raises Refusal if the active policy is not ``after``."""
    still(tx, after)
    values = {"text": text, "note": note, "actor": actor, "at": now()}
    added: int = tx.execute(insert(policies).values(**values).returning(policies.c.id)).scalar_one()
    log(tx, actor, "replace policy", str(added))
    return added


def still(tx: Connection, number: int) -> None:
    """Locks the policy until the transaction ends; raises Refusal if the active policy is not ``number``."""
    one_at_a_time(tx, "policy")
    if newest(tx) != number:
        raise Refusal("conflict", "the policy was changed meanwhile; read it again and repeat your change")


def history(tx: Connection) -> Sequence[Row[Any]]:
    """Returns all rows, newest first."""
    return tx.execute(select(policies).order_by(policies.c.id.desc())).all()
