"""The policy that counts now: the newest in the store, or the file that the service was started with."""

from pathlib import Path

from sqlalchemy import Connection

from belowline.model.policy import DEFAULT_POLICY
from belowline.serve.judge import Judge
from belowline.serve.store import policies
from belowline.serve.store.database import Database


class PolicyInForce:
    """The judge under the policy that counts; several workers share one store, so each looks whether another replaced it."""

    def __init__(self, judge: Judge, file: Path | None, database: Database) -> None:
        """``judge`` is that of the file. Raises PolicyError if the store's policy does not fit the model any more."""
        self._of_file = judge
        self._file = file or DEFAULT_POLICY
        self._number = 0
        self.judge = judge
        with database.read() as tx:
            self.refresh(tx)

    @property
    def number(self) -> int:
        """The policy's number in the store, 0 for the file's."""
        return self._number

    def refresh(self, tx: Connection) -> Judge:
        """The judge under the newest policy."""
        number = policies.newest(tx)
        if number != self._number:
            row = policies.read(tx, number)
            if row is not None:
                self.judge, self._number = self._of_file.under(row.text, f"policy {number}"), number
        return self.judge

    def text(self, tx: Connection) -> str:
        """The policy in force, as it was written."""
        row = policies.read(tx, policies.newest(tx))
        return self._file.read_text("utf-8") if row is None else str(row.text)
