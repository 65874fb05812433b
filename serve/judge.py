"""The one way from scores to results: decide by the policy, then give the result its shape."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from belowline.model import Policy, ScoreInput, Scorer, Scores, decide
from belowline.serve.results import Result, make_result
from belowline.serve.scoring import score_each


@dataclass(frozen=True, slots=True)
class Judge:
    """A model and a policy that belong together."""

    scorer: Scorer
    policy: Policy

    @classmethod
    def of(cls, scorer: Scorer, policy: Path | None) -> Self:
        """A model with the policy in a file, None for the default one; raises PolicyError."""
        return cls(scorer, Policy.load(policy, scorer.thresholds, scorer.config.languages))

    @property
    def identity(self) -> dict[str, str]:
        """What results depend on besides the comments: two models or policies of one version differ here."""
        model = _digest(self.scorer.config.model_dump_json())
        policy = _digest(repr(self.policy))
        return {"model": f"{self.scorer.version} ({model})", "policy": f"{self.policy.version} ({policy})"}

    def results(self, ids: Sequence[str | None], scores: Sequence[Scores | None]) -> list[Result]:
        """One result for each pair of an id and its scores, which are None where scoring failed."""
        return [
            make_result(comment_id, one, decide(one, self.policy), self.scorer.version)
            for comment_id, one in zip(ids, scores, strict=True)
        ]

    def __call__(self, ids: Sequence[str | None], comments: Sequence[ScoreInput]) -> list[Result]:
        """Scores and decides."""
        return self.results(ids, score_each(self.scorer, comments))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
