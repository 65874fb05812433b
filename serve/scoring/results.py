"""The result of one comment, the same over HTTP, in ``belowline score`` and in an audit."""

from pydantic import BaseModel, Field

from belowline.model import PolicyDecision, Scores
from belowline.model.policy import Action

UNKNOWN_LANGUAGE = "und"


class Reason(BaseModel):
    """The reason for an action."""

    code: str = Field(description="Reason code, such as `spam`; `none` if no rule applied.")
    rule: str = Field(description="The policy rule that applied, such as `spam >= 0.62`.")
    label: str | None = Field(description="The label of the rule.")


class EvidenceSpan(BaseModel):
    """A span of characters that supports a label, or that a policy rule found."""

    label: str = Field(description="The label, or the reason code of the rule, such as `banned_word`.")
    start: int = Field(description="Index of the first character, in code points of the text as sent.")
    end: int = Field(description="Index after the last character.")
    strength: float = Field(description="Strength of the support, 0 to 1.")


class Result(BaseModel):
    """The result of one comment."""

    id: str | None = Field(description="The client's id of the comment, unchanged.")
    scores: dict[str, float] = Field(
        description="Probability of each label, 0 to 1; empty if scoring failed."
    )
    relevance: float | None = Field(
        None,
        description="Probability that the comment is about its article or answers its parent; null without both. "
        "`on_topic` depends on it.",
    )
    action: Action = Field(description="Action of the policy: publish, hold for a moderator, or reject.")
    reason: Reason
    evidence: list[EvidenceSpan] = Field(description="Spans that support the labels; may be empty.")
    language: str = Field(description="ISO 639-1 code, or `und` if the text is too short to tell.")
    model: str = Field(
        description="Version of the model; with a second model both, such as `0.6.0+0.5.0-large`."
    )


def make_reason(decision: PolicyDecision) -> Reason:
    """Returns the reason of a policy's decision."""
    return Reason.model_construct(code=decision.code, rule=decision.rule, label=decision.label)


def make_result(
    comment_id: str | None, scores: Scores | None, decision: PolicyDecision, model: str
) -> Result:
    """Returns the result of one comment, with probabilities of four decimals; ``scores`` is None if scoring failed.

    Words or links that a rule found become evidence with the rule's code and the strength 1.
    """
    return Result.model_construct(
        id=comment_id,
        scores={label: round(p, 4) for label, p in scores.probabilities.items()} if scores else {},
        relevance=None if scores is None or scores.relevance is None else round(scores.relevance, 4),
        action=decision.action,
        reason=make_reason(decision),
        evidence=[
            EvidenceSpan.model_construct(
                label=e.label, start=e.start, end=e.end, strength=round(e.strength, 4)
            )
            for e in (scores.evidence if scores else ())
        ]
        + [
            EvidenceSpan.model_construct(label=decision.code, start=start, end=end, strength=1.0)
            for start, end in decision.spans
        ],
        language=scores.language if scores else UNKNOWN_LANGUAGE,
        model=model,
    )
