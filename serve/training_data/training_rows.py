"""Rows of a decisions file, from decisions and from feedback."""

from typing import Any

from sqlalchemy import Row

from belowline.data.decision_labels import implied
from belowline.data.decisions import FEEDBACK, MOST_WEIGHT, Decided
from belowline.serve.scoring.fault_isolation import article_context, is_json_object
from belowline.serve.training_data.effective_decision import EffectiveDecision
from belowline.serve.training_data.histories import History
from belowline.serve.training_data.sampling_rates import SamplingRates


def of_comment(history: History, effective: EffectiveDecision, rates: SamplingRates) -> Decided:
    """Return the row of a decided comment.

    A random draw weighs one over the share that the policy drew. A held comment weighs 1, because every held
    comment is reviewed.
    """
    comment, decision, drawn = history.comment, effective.decision, effective.drawn
    rate = rates.rate(comment.site, drawn.at) if drawn is not None else 1.0
    return Decided(
        row=f"{comment.site}:{comment.caller_id}",
        site=comment.site,
        text=effective.text,
        labels=effective.labels,
        origin=effective.origin,
        decision=decision.action,
        code=effective.code,
        overturned=effective.overturned,
        blind=decision.blind,
        split_key=_split_key(comment),
        article=article_context(comment.title, comment.lead),
        parent=comment.parent_text,
        sampled="random" if drawn is not None else "picked",
        weight=min(1 / rate, MOST_WEIGHT) if rate else None,
        decided_at=decision.at,
        model=decision.model or None,
        scores=decision.scores,
    )


def of_feedback(feedback: Row[Any], history: History | None) -> Decided:
    """Return the row of feedback on a comment with this ``history``, or on one that is not stored."""
    row = f"{feedback.site}:{feedback.caller_id or f'feedback-{feedback.id}'}"
    return Decided(
        row=row,
        site=feedback.site,
        text=feedback.text,
        labels=implied(feedback.scores),
        origin=FEEDBACK,
        decision=None,
        code=None,
        overturned=False,
        blind=False,
        split_key=_split_key(history.comment) if history is not None else row,
        article=_without_data(feedback.context),
        parent=None,
        sampled="picked",
        weight=1.0,
        decided_at=feedback.at,
        model=None,
        scores={},
    )


def _without_data(context: str | None) -> str | None:
    """Return the texts of a caller's context."""
    # Up to 0.7.0 the store also kept JSON objects of the context, such as Coral's ids.
    texts = [text for text in (context or "").split("\n\n") if not is_json_object(text)]
    return "\n\n".join(texts) or None


def _split_key(comment: Row[Any]) -> str:
    """Return the article of a comment, or of the first of its near-duplicates; without an article the comment."""
    copied = comment.first_id is not None
    thread = comment.first_thread if copied else comment.thread
    caller_id = comment.first_id if copied else comment.caller_id
    return f"{comment.site} thread {thread}" if thread is not None else f"{comment.site} comment {caller_id}"
