"""From a decision that counts, and from what a caller told, to a line of the file of decisions."""

from typing import Any

from sqlalchemy import Row

from belowline.data.decision_labels import implied
from belowline.data.decisions import FEEDBACK, MOST_WEIGHT, Decided
from belowline.serve.scoring.fault_isolation import article_context, is_json_object
from belowline.serve.training_data.effective_decision import EffectiveDecision
from belowline.serve.training_data.histories import History
from belowline.serve.training_data.sampling_rates import SampleShares


def of_comment(history: History, found: EffectiveDecision, shares: SampleShares) -> Decided:
    """The line of a comment that somebody decided.

    One that the policy published and drew at random stands for as many as one over the share that it drew; what was held counts once, for
    all that is held is looked at.
    """
    comment, decision = history.comment, found.decision
    share = shares.share(comment.site, found.drawn.at) if found.drawn is not None else 1.0
    return Decided(
        row=f"{comment.site}:{comment.caller_id}",
        site=comment.site,
        text=found.text,
        labels=found.labels,
        origin=found.origin,
        decision=decision.action,
        code=found.code,
        overturned=found.overturned,
        blind=decision.blind,
        split_key=_split_key(comment),
        article=article_context(comment.title, comment.lead),
        parent=comment.parent_text,
        sampled="random" if found.drawn is not None else "picked",
        weight=min(1 / share, MOST_WEIGHT) if share else None,
        decided_at=decision.at,
        model=decision.model or None,
        scores=decision.scores,
    )


def of_feedback(told: Row[Any], history: History | None) -> Decided:
    """The line of what a caller told of a comment, which is kept with this ``history``, or not."""
    row = f"{told.site}:{told.caller_id or f'feedback-{told.id}'}"
    return Decided(
        row=row,
        site=told.site,
        text=told.text,
        labels=implied(told.scores),
        origin=FEEDBACK,
        decision=None,
        code=None,
        overturned=False,
        blind=False,
        split_key=_split_key(history.comment) if history is not None else row,
        article=_without_data(told.context),
        parent=None,
        sampled="picked",
        weight=1.0,
        decided_at=told.at,
        model=None,
        scores={},
    )


def _without_data(context: str | None) -> str | None:
    """The texts of a caller's context. Up to 0.7.0 the store also kept the JSON objects among them, such as Coral's ids."""
    texts = [text for text in (context or "").split("\n\n") if not is_json_object(text)]
    return "\n\n".join(texts) or None


def _split_key(comment: Row[Any]) -> str:
    """The article, or the comment where none is known; near-copies go where the first of them goes, whatever they stand under."""
    copied = comment.first_id is not None
    thread = comment.first_thread if copied else comment.thread
    one = comment.first_id if copied else comment.caller_id
    return f"{comment.site} thread {thread}" if thread is not None else f"{comment.site} comment {one}"
