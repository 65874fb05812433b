"""The reason of a moderator's decision: its code and its labels never contradict each other."""

from collections.abc import Collection
from dataclasses import replace

from belowline.serve.http.errors import invalid_field
from belowline.serve.queue.moderator_decisions import ModeratorDecision
from belowline.serve.scoring.reason_codes import LABELS


def agreeing(decision: ModeratorDecision, known: Collection[str]) -> ModeratorDecision:
    """Return a decision whose code and labels agree; publishing has no reason and stays as it is.

    A code that stands for a label names that label, if the model has it (``known``). A rejection whose code nobody
    chose gets the code of the gravest label that was named. Raises Problem for off-topic with the label on topic.
    """
    if decision.action == "publish":
        return decision
    if decision.code == "off_topic" and "on_topic" in decision.labels:
        raise invalid_field("labels", "has on_topic, but the code is off_topic; choose one of them")
    if decision.action == "reject" and decision.code_choice != "person":
        decision = _following(decision)
    label = LABELS.get(decision.code)
    if label is None or label not in known or label in decision.labels:
        return decision
    return replace(decision, labels=(*decision.labels, label))


def _following(decision: ModeratorDecision) -> ModeratorDecision:
    """Return the decision with the code of a label that was named, if there is one."""
    codes = [code for code, label in LABELS.items() if label in decision.labels]
    if not codes:
        return decision
    return replace(decision, code=decision.code if decision.code in codes else codes[0], code_choice="person")
