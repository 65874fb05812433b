"""The policy that counts now: the newest in the store, or the file that the service was started with."""

import logging
from pathlib import Path

from sqlalchemy import Connection

from belowline.model import ModelError, Policy, PolicyError, Scorer
from belowline.model.policy import DEFAULT_POLICY
from belowline.serve.judge import Judge
from belowline.serve.settings import Settings
from belowline.serve.store import policies
from belowline.serve.store.database import Database

logger = logging.getLogger(__name__)


class PolicyInForce:
    """The judge under the policy that counts; several workers share one store, so each looks whether another replaced it."""

    def __init__(self, judge: Judge, file: Path | None, database: Database) -> None:
        """``judge`` is that of the file. Raises PolicyError if the store's policy does not fit the model any more."""
        self._of_file = judge
        self._file = file or DEFAULT_POLICY
        self._number = 0
        self.judge = judge
        with database.read() as tx:
            self._follow(tx, policies.newest(tx))

    @property
    def number(self) -> int:
        """The policy's number in the store, 0 for the file's."""
        return self._number

    def refresh(self, tx: Connection) -> Judge:
        """The judge under the newest policy. One that does not fit this model was made for another, which this worker has not taken over:
        the policy before goes on."""
        number = policies.newest(tx)
        if number != self._number:
            try:
                self._follow(tx, number)
            except PolicyError as error:
                logger.error("the policy stays as it is with the model %s: %s", self.judge.model, error)
                self._number = number
        return self.judge

    def _follow(self, tx: Connection, number: int) -> None:
        row = policies.read(tx, number)
        if row is not None:
            self.judge, self._number = self._of_file.under(row.text, f"policy {number}"), number

    def text(self, tx: Connection) -> str:
        """The policy in force, as it was written."""
        row = policies.read(tx, policies.newest(tx))
        return self._file.read_text("utf-8") if row is None else str(row.text)


def under_policy(scorer: Scorer, digest: str | None, settings: Settings, database: Database) -> PolicyInForce:
    """A model under the policy in force; raises PolicyError or ModelError where they do not fit each other."""
    found = PolicyInForce(Judge.of(scorer, settings.policy, digest), settings.policy, database)
    for label in _labels(found.judge.policy):
        if label not in scorer.labels:
            raise ModelError(
                f"the model {scorer.version} lacks the label {label}, which the policy in force uses; "
                "train it with that label, or take it out of the policy"
            )
    return found


def _labels(policy: Policy) -> set[str]:
    return {label for one in (policy, *policy.sites.values()) for label in one.thresholds}
