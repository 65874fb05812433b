"""From scores to results: the policy decides, and the decision becomes a result."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from belowline.model import Context, Policy, PolicyDecision, ScoreInput, Scorer, Scores, decide
from belowline.serve.scoring.fault_isolation import score_each
from belowline.serve.scoring.results import Result, make_reason, make_result


@dataclass(frozen=True, slots=True)
class ModerationPipeline:
    """A model with its policy; ``digest`` is the SHA-256 of the model's files, None if not computed.

    With a second model, ``digest`` stands for the files of both.
    """

    scorer: Scorer
    policy: Policy
    digest: str | None = field(default=None, kw_only=True)

    @classmethod
    def of(cls, scorer: Scorer, policy: Path | None, digest: str | None = None) -> Self:
        """Returns a model with the policy of a file, or the default policy for None; raises PolicyError."""
        return cls(scorer, Policy.load(policy, scorer.thresholds, scorer.config.languages), digest=digest)

    def with_policy(self, text: str, name: str) -> "ModerationPipeline":
        """Returns the same model with the policy in ``text``; raises PolicyError, whose message has ``name``."""
        policy = Policy.parse(text, name, self.scorer.thresholds, self.scorer.config.languages)
        return ModerationPipeline(self.scorer, policy, digest=self.digest)

    @property
    def model(self) -> str:
        """Version of the model with the beginning of its digest, if that is known."""
        return f"{self.scorer.version} ({self.digest[:12]})" if self.digest else self.scorer.version

    @property
    def identity(self) -> dict[str, str]:
        """Version and digest of model and policy, on which results depend besides the comments.

        A model without a digest is identified by its configuration.
        """
        model = self.digest or _digest(self.scorer.config.model_dump_json())
        policy = _digest(repr(self.policy))
        versions = {"model": (self.scorer.version, model), "policy": (self.policy.version, policy)}
        return {name: f"{version} ({digest[:12]})" for name, (version, digest) in versions.items()}

    def evaluate(
        self, comment_id: str | None, scores: Scores | None, context: Context
    ) -> tuple[Result, PolicyDecision]:
        """Returns result and decision of one comment; ``scores`` is None if scoring failed."""
        decision = decide(scores, self.policy, context)
        return make_result(comment_id, scores, decision, self.scorer.version), decision

    def results(
        self,
        ids: Sequence[str | None],
        comments: Sequence[ScoreInput],
        scores: Sequence[Scores | None],
        contexts: Sequence[Context] | None = None,
    ) -> list[Result]:
        """Returns a result for each comment; without ``contexts`` the policy only knows texts and authors' websites."""
        contexts = contexts or [Context(text=comment.text, url=comment.author_url) for comment in comments]
        return [self.evaluate(*comment)[0] for comment in zip(ids, scores, contexts, strict=True)]

    def __call__(self, ids: Sequence[str | None], comments: Sequence[ScoreInput]) -> list[Result]:
        """Scores comments and returns their results."""
        return self.results(ids, comments, score_each(self.scorer, comments))


def overruled(result: Result, decision: PolicyDecision) -> Result:
    """Returns ``result`` with another decision than the policy's."""
    changed: dict[str, Any] = {"action": decision.action, "reason": make_reason(decision)}
    return result.model_copy(update=changed)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
