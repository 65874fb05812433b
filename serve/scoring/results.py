"""The one shape of a result, the same over HTTP, from ``belowline score`` and in an audit."""

from pydantic import BaseModel, Field

from belowline.model import PolicyDecision, Scores
from belowline.model.policy import Action

UNKNOWN_LANGUAGE = "und"


class Reason(BaseModel):
    """Why the policy acted as it did."""

    code: str = Field(description="Reason code, such as `spam`; `none` where nothing fired.")
    rule: str = Field(description="The rule of the policy that fired, such as `spam >= 0.62`.")
    label: str | None = Field(description="The label that the rule looked at.")


class EvidenceSpan(BaseModel):
    """Words that speak for a label, or that a rule of the policy found."""

    label: str = Field(description="The label, or the reason code of the rule, such as `banned_word`.")
    start: int = Field(description="First character, counted in code points of the text as given.")
    end: int = Field(description="One past the last character.")
    strength: float = Field(description="How strongly the words speak for the label.")


class Result(BaseModel):
    """What belowline says about one comment."""

    id: str | None = Field(description="The caller's id of the comment, given back as it came.")
    scores: dict[str, float] = Field(
        description="Probability of each label, 0 to 1; empty where scoring failed."
    )
    relevance: float | None = Field(
        None,
        description="Probability that the comment is about its article or answers its parent; null where neither was given. "
        "`on_topic` counts with it.",
    )
    action: Action = Field(description="What the policy says: publish, hold for a moderator, or reject.")
    reason: Reason
    evidence: list[EvidenceSpan] = Field(description="The words that speak for the labels; may be empty.")
    language: str = Field(description="ISO 639-1 code, or `und` where there is too little to tell.")
    model: str = Field(description="Version of the model.")


def make_reason(decision: PolicyDecision) -> Reason:
    """Why a policy decided so."""
    return Reason.model_construct(code=decision.code, rule=decision.rule, label=decision.label)


def make_result(
    comment_id: str | None, scores: Scores | None, decision: PolicyDecision, model: str
) -> Result:
    """The result of one comment; ``scores`` is None where scoring failed, probabilities get four decimals.

    Words or links that a rule found are evidence of that rule, by its code, with the strength 1.
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
