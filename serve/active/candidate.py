"""The candidate of ``belowline.serve.active.shadow``, in a process of its own: what it would have decided, and the store's account of it.

A thread would not do: the candidate would hold Python's lock while others wait for it, all the longer the lower its priority is.
"""

import logging
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from belowline.model import Context, ScoreInput, Scorer, Scores, decide
from belowline.serve.active import shadow_counts as shadow
from belowline.serve.active.active import Active
from belowline.serve.active.files import check_scores, digest_of
from belowline.serve.active.follower import Poller
from belowline.serve.active.shadow_counts import Tally
from belowline.serve.scoring.child_process import follow_parent
from belowline.serve.scoring.fault_isolation import score_each
from belowline.serve.settings import Settings
from belowline.serve.store.database import Database

_PRIORITY = 19
"""The lowest: it gets what others leave."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A comment that was scored and decided; ``model`` is the one that did, ``kept`` its id in the store, None where it is not there."""

    model: str
    comment: ScoreInput
    context: Context
    scores: Scores
    action: str
    kept: int | None = None


@dataclass(slots=True)
class Candidate:
    """A model under the policy in force, and what it was compared in since it was last kept."""

    active: Active
    database: Database
    tallies: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))

    def compare(self, one: Seen) -> str | None:
        """What the candidate would have done, ``failed`` where it cannot score; None for a comment that it scored itself."""
        pipeline = self.active.pipeline
        if one.model == pipeline.model:
            return None
        [scores] = score_each(pipeline.scorer, [one.comment])
        action = shadow.FAILED if scores is None else decide(scores, pipeline.policy, one.context).action
        # Where only one of them read the article they say different things of the same label.
        alike = scores is not None and (scores.relevance is None) == (one.scores.relevance is None)
        tally, actions = self.tallies[one.model], (one.action, action)
        tally.add(one.scores.probabilities, scores.probabilities if scores and alike else None, actions)
        if one.kept is not None and one.action != action != shadow.FAILED:
            tally.disagreements.append((one.kept, *actions))
        return action

    def keep(self) -> None:
        """Adds what was compared to the store; raises StoreError, and then has it still."""
        if not self.tallies:
            return
        with self.database.write() as tx:
            for model, tally in sorted(self.tallies.items()):
                shadow.keep(tx, model, self.active.pipeline.model, tally)
        self.tallies.clear()


_candidate: Candidate | None = None
"""That of this process."""


def load(directory: Path, settings: Settings) -> str:
    """Makes this process the candidate's and returns the model's name; raises ModelError, PolicyError or StoreError."""
    global _candidate
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    follow_parent()
    os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
    database = Database.open(settings.database_url)
    digest = digest_of(directory)
    scorer = Scorer.load(directory, threads=1)
    check_scores(scorer, directory)
    active = Active.of(scorer, digest, settings.policy, database)
    Poller(active.follow).start()
    _candidate = Candidate(active, database)
    return active.pipeline.model


def compare(one: Seen) -> str | None:
    """See ``Candidate.compare``."""
    return _loaded().compare(one)


def keep() -> None:
    """See ``Candidate.keep``."""
    _loaded().keep()


def _loaded() -> Candidate:
    if _candidate is None:
        raise RuntimeError("the candidate was not loaded")
    return _candidate
