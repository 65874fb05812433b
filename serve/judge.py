"""The one way from scores to results: decide by the policy, then give the result its shape."""

from collections.abc import Sequence
from dataclasses import dataclass

from belowline.model import Policy, ScoreInput, Scorer, Scores, decide
from belowline.serve.results import Result, make_result
from belowline.serve.scoring import score_each


@dataclass(frozen=True, slots=True)
class Judge:
    """A model and a policy that belong together."""

    scorer: Scorer
    policy: Policy

    def results(self, ids: Sequence[str | None], scores: Sequence[Scores | None]) -> list[Result]:
        """One result for each pair of an id and its scores, which are None where scoring failed."""
        return [
            make_result(comment_id, one, decide(one, self.policy), self.scorer.version)
            for comment_id, one in zip(ids, scores, strict=True)
        ]

    def __call__(self, ids: Sequence[str | None], comments: Sequence[ScoreInput]) -> list[Result]:
        """Scores and decides; repeats among ``comments`` are scored once."""
        distinct = list(dict.fromkeys(comments))
        scores = dict(zip(distinct, score_each(self.scorer, distinct), strict=True))
        return self.results(ids, [scores[comment] for comment in comments])
