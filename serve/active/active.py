"""The active model and the active policy of a process: one pair, replaced as a whole."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, select

from belowline.model import ModelError, Policy, PolicyError, Scorer
from belowline.model.policy_file import DEFAULT_POLICY
from belowline.serve.active import model_history as models
from belowline.serve.active import policy_history as policies
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.store.database import Database

logger = logging.getLogger(__name__)
_NEWEST = select(models.newest_id(), policies.newest_id())


@dataclass(frozen=True, slots=True)
class ActivePair:
    """A model under a policy, and their numbers in the store; 0 is the model or the policy file of the settings."""

    pipeline: ModerationPipeline
    model_number: int
    policy_number: int

    @property
    def policy(self) -> Policy:
        """The policy."""
        return self.pipeline.policy


def pair_of(
    scorer: Scorer, digest: str | None, policy_file: Path | None, database: Database, number: int = 0
) -> ActivePair:
    """Returns a model under the newest policy; raises PolicyError or ModelError if they do not fit each other."""
    pipeline = ModerationPipeline.of(scorer, policy_file, digest)
    with database.read() as tx:
        newest = policies.newest(tx)
        row = policies.read(tx, newest)
    if row is not None:
        pipeline = pipeline.with_policy(row.text, f"policy {newest}")
    for policy in (pipeline.policy, *pipeline.policy.sites.values()):
        for label in policy.thresholds:
            if label not in scorer.labels:
                raise ModelError(
                    f"the model {scorer.version} lacks the label {label}, which the active policy uses; "
                    "train it with that label, or take it out of the policy"
                )
    return ActivePair(pipeline, number, newest)


class Active:
    """Holds the active pair. Threads share it: a reader never gets the model of one pair and the policy of another.

    Attributes:
        pair: The active pair.
        behind: Why the model is not the newest in the store; None while it is.
        changed: Called after each change of the pair or of ``behind``.
    """

    def __init__(
        self,
        scorer: Scorer,
        digest: str | None,
        policy_file: Path | None,
        database: Database,
        number: int = 0,
    ) -> None:
        """Starts with a model under the newest policy; raises as ``pair_of`` does."""
        self.pair = pair_of(scorer, digest, policy_file, database, number)
        self.behind: str | None = None
        self.changed: Callable[[], None] = lambda: None
        self._policy_file = policy_file
        self._database = database
        self._lock = threading.Lock()
        self._unfit: tuple[int, int] | None = None

    @property
    def pipeline(self) -> ModerationPipeline:
        """The active model under the active policy."""
        return self.pair.pipeline

    def newest(self, begun: ActivePair) -> ActivePair:
        """Returns the active pair if it has the model of ``begun``, else ``begun``."""
        pair = self.pair
        return pair if pair.pipeline.scorer is begun.pipeline.scorer else begun

    def within(self, tx: Connection, begun: ActivePair | None = None) -> ActivePair:
        """Returns the model of ``begun`` (None: the active one) under the policy that is the newest in the transaction.

        A policy that does not fit the model is meant for another one, and changes nothing.
        """
        pair = self._under(tx, self.newest(begun) if begun else self.pair, policies.newest(tx))
        self._put(pair)
        return pair

    def follow(self) -> int:
        """Takes over the newest policy and returns the number of the newest model; one query reads both numbers."""
        while True:
            before = self.pair
            with self._database.read() as tx:
                model, policy = tx.execute(_NEWEST).one()
                pair = self._under(tx, before, policy)
            if self._put(pair, before):  # else another model has taken over meanwhile
                return int(model)

    def take_over(self, scorer: Scorer, digest: str | None, number: int) -> None:
        """Makes a model active under the newest policy; raises as ``pair_of`` does, and then changes nothing."""
        taken = False
        while not taken:
            before = self.pair
            pair = pair_of(scorer, digest, self._policy_file, self._database, number)
            with self._lock:
                if taken := self.pair is before:  # else the policy has changed since it was read
                    self.pair, self.behind = pair, None
                    self.changed()

    def stay(self, why: str) -> None:
        """Notes that the newest model cannot take over."""
        with self._lock:
            self.behind = why
            self.changed()

    def text(self, tx: Connection) -> str:
        """Returns the newest policy as it was written."""
        row = policies.read(tx, policies.newest(tx))
        return (self._policy_file or DEFAULT_POLICY).read_text("utf-8") if row is None else str(row.text)

    def _under(self, tx: Connection, pair: ActivePair, number: int) -> ActivePair:
        if number == pair.policy_number or (pair.model_number, number) == self._unfit:
            return pair
        row = policies.read(tx, number)
        if row is None:
            return pair
        try:
            pipeline = pair.pipeline.with_policy(row.text, f"policy {number}")
        except PolicyError as error:
            logger.error("the policy stays as it is with the model %s: %s", pair.pipeline.model, error)
            self._unfit = pair.model_number, number
            return pair
        return replace(pair, pipeline=pipeline, policy_number=number)

    def _put(self, pair: ActivePair, instead_of: ActivePair | None = None) -> bool:
        """Replaces the active pair by a newer one of the same model; returns whether the active model is the same.

        A transaction that began early may read an older policy. Only a poll, which passes the pair that it replaces as
        ``instead_of``, may go back to one: then the store is an older copy.
        """
        with self._lock:
            now = self.pair
            same = pair.pipeline.scorer is now.pipeline.scorer
            newer = pair.policy_number > now.policy_number or now is instead_of
            if same and newer and pair is not now:
                self.pair = pair
                self.changed()
            return same
