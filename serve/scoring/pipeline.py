"""The one way from scores to results: decide by the policy, then give the result its shape."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from belowline.model import Context, Policy, PolicyDecision, ScoreInput, Scorer, Scores, decide
from belowline.serve.scoring.fault_isolation import score_each
from belowline.serve.scoring.results import Result, make_reason, make_result


class Evaluator(Protocol):
    """Whoever says what is to become of a comment: the model under its policy, or something that has been asked before."""

    @property
    def policy(self) -> Policy:
        """The policy by which it decides."""
        ...

    @property
    def digest(self) -> str | None:
        """The digest of the model's files, None where nobody looked."""
        ...

    def evaluate(
        self, comment_id: str | None, scores: Scores | None, context: Context
    ) -> tuple[Result, PolicyDecision]:
        """Result and decision of one comment with these scores, which are None where scoring failed."""
        ...


@dataclass(frozen=True, slots=True)
class ModerationPipeline:
    """A model and a policy that belong together; ``digest`` is that of the model's files, None where nobody looked."""

    scorer: Scorer
    policy: Policy
    digest: str | None = field(default=None, kw_only=True)

    @classmethod
    def of(cls, scorer: Scorer, policy: Path | None, digest: str | None = None) -> Self:
        """A model with the policy in a file, None for the default one; raises PolicyError."""
        return cls(scorer, Policy.load(policy, scorer.thresholds, scorer.config.languages), digest=digest)

    def with_policy(self, text: str, name: str) -> "ModerationPipeline":
        """The same model under the policy in ``text``; raises PolicyError, which calls it ``name``."""
        policy = Policy.parse(text, name, self.scorer.thresholds, self.scorer.config.languages)
        return ModerationPipeline(self.scorer, policy, digest=self.digest)

    @property
    def model(self) -> str:
        """The model by its version and, where it is known, the beginning of its digest."""
        return f"{self.scorer.version} ({self.digest[:12]})" if self.digest else self.scorer.version

    @property
    def identity(self) -> dict[str, str]:
        """What results depend on besides the comments: two models or policies of one version differ here, models where nobody looked at
        the files by their configuration alone."""
        model = self.digest or _digest(self.scorer.config.model_dump_json())
        policy = _digest(repr(self.policy))
        versions = {"model": (self.scorer.version, model), "policy": (self.policy.version, policy)}
        return {name: f"{version} ({digest[:12]})" for name, (version, digest) in versions.items()}

    def evaluate(
        self, comment_id: str | None, scores: Scores | None, context: Context
    ) -> tuple[Result, PolicyDecision]:
        """Result and decision of one comment with these scores, which are None where scoring failed."""
        decision = decide(scores, self.policy, context)
        return make_result(comment_id, scores, decision, self.scorer.version), decision

    def results(
        self,
        ids: Sequence[str | None],
        comments: Sequence[ScoreInput],
        scores: Sequence[Scores | None],
        contexts: Sequence[Context] | None = None,
    ) -> list[Result]:
        """One result for each comment with its id and its scores, which are None where scoring failed; without ``contexts`` nothing but
        the text is known of them."""
        known = contexts or [Context(text=comment.text) for comment in comments]
        return [
            self.evaluate(comment_id, one, context)[0]
            for comment_id, one, context in zip(ids, scores, known, strict=True)
        ]

    def __call__(self, ids: Sequence[str | None], comments: Sequence[ScoreInput]) -> list[Result]:
        """Scores and decides."""
        return self.results(ids, comments, score_each(self.scorer, comments))


def overruled(result: Result, decision: PolicyDecision) -> Result:
    """``result`` with another decision than the policy's."""
    changed: dict[str, Any] = {"action": decision.action, "reason": make_reason(decision)}
    return result.model_copy(update=changed)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
