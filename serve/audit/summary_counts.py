"""Counts of an audit's rows, in one pass; memory grows only with the months."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ACTIONS = ("publish", "hold", "reject")
BINS = 20
TOP = 10
NEAREST = 5
TO_REVIEW = 20
"""Comments of each reason in the report's list of comments to review."""
WORTH_A_LOOK = 0.1
EVEN = 0.5
"""Probability from which a label without a threshold, such as ``on_topic``, is counted."""
UNSURE_WITHIN = 0.1
"""Distance to a threshold within which the model is often wrong."""


@dataclass(slots=True)
class TopComment:
    """A comment of a list in the report, and the number of comments with its text."""

    probability: float
    row: Mapping[str, Any]
    times: int = 1


@dataclass(slots=True)
class TopItems:
    """The ``size`` texts with the highest ranks, each once; of equal ranks the first."""

    size: int
    _items: dict[str, tuple[float, TopComment]] = field(default_factory=dict)
    _lowest: float = float("-inf")

    def consider(self, rank: float, probability: float, row: Mapping[str, Any]) -> None:
        """Add a row if its rank is high enough, or count its text again."""
        text = row["text"]
        if text in self._items:
            self._items[text][1].times += 1
        elif len(self._items) < self.size or rank > self._lowest:
            if len(self._items) == self.size:
                del self._items[min(reversed(self._items), key=lambda text: self._items[text][0])]
            self._items[text] = rank, TopComment(probability, row)
            self._lowest = min(rank for rank, _ in self._items.values())

    def best(self) -> list[TopComment]:
        """The items, the highest rank first."""
        return [item for _, item in sorted(self._items.values(), key=lambda pair: -pair[0])]


@dataclass(slots=True)
class LabelTally:
    """Counts of one label: comments at its threshold and near it, histogram, highest scores."""

    threshold: float | None
    at_threshold: int = 0
    unsure: int = 0
    histogram: list[int] = field(default_factory=lambda: [0] * BINS)
    top: TopItems = field(default_factory=lambda: TopItems(TOP))
    nearest: TopItems = field(default_factory=lambda: TopItems(NEAREST))

    @property
    def counted_from(self) -> float:
        """The threshold; ``EVEN`` for a label without one."""
        return EVEN if self.threshold is None else self.threshold

    def add(self, probability: float, row: Mapping[str, Any]) -> tuple[bool, bool]:
        """Count a comment; return if it reaches ``counted_from``, and if it is close to the threshold."""
        self.histogram[_bin(probability)] += 1
        if probability >= WORTH_A_LOOK:
            self.top.consider(probability, probability, row)
        reached = probability >= self.counted_from
        self.at_threshold += reached
        distance = float("inf") if self.threshold is None else abs(probability - self.threshold)
        unsure = distance <= UNSURE_WITHIN
        if unsure:
            self.unsure += 1
            self.nearest.consider(-distance, probability, row)
        return reached, unsure

    def summary(self) -> dict[str, Any]:
        """The label's fields in summary.json."""
        names = ("threshold", "counted_from", "at_threshold", "histogram")
        return {name: getattr(self, name) for name in names}


def _no_actions() -> Counter[str]:
    return Counter(dict.fromkeys(ACTIONS, 0))


class Tally:
    """Counts of a whole audit.

    ``to_review`` lists comments that the policy does not publish by the code of their reason, the strongest first.
    ``published`` lists comments that moderators published and the policy does not, the most harmful first.
    ``removed`` lists comments that moderators removed and the policy publishes, the least harmful first.
    """

    def __init__(self, thresholds: Mapping[str, float | None]) -> None:
        """``thresholds`` names every label, with None for a label without a threshold."""
        self.actions = _no_actions()
        self.reasons: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()
        self.verdicts: dict[str, Counter[str]] = {}
        self.months: dict[str, Counter[str]] = {}  # actions, and labels that comments reach
        self.to_review: dict[str, TopItems] = {}
        self.published, self.removed = TopItems(TOP), TopItems(TOP)
        self.relevance = [0] * BINS
        self.labels = {label: LabelTally(threshold) for label, threshold in thresholds.items()}
        self.unsure = 0

    def add(self, row: Mapping[str, Any]) -> list[str]:
        """Count one row of comments.jsonl; return the labels that it reaches."""
        states = {label: self.labels[label].add(p, row) for label, p in row["scores"].items()}
        reached = [label for label, (is_reached, _) in states.items() if is_reached]
        self.unsure += any(is_unsure for _, is_unsure in states.values())
        self.actions[row["action"]] += 1
        self.reasons[row["reason"]["code"]] += 1
        self.languages[row["language"]] += 1
        if row["relevance"] is not None:
            self.relevance[_bin(row["relevance"])] += 1
        if row["time"]:
            month = self.months.setdefault(row["time"][:7], Counter())
            month.update([row["action"], *reached])
        if row["verdict"] is not None:
            self._compare(row)
        if row["action"] != "publish":
            rank = strength(row)
            self.to_review.setdefault(row["reason"]["code"], TopItems(TO_REVIEW)).consider(rank, rank, row)
        return reached

    def _compare(self, row: Mapping[str, Any]) -> None:
        verdict, action = row["verdict"], row["action"]
        self.verdicts.setdefault(verdict, _no_actions())[action] += 1
        probabilities = (p for label, p in row["scores"].items() if self.labels[label].threshold is not None)
        harm = max(probabilities, default=1.0)
        if verdict == "publish" and action != "publish":
            self.published.consider(harm, harm, row)
        elif verdict in ("reject", "spam") and action == "publish":
            self.removed.consider(-harm, harm, row)

    def summary(self) -> dict[str, Any]:
        """The counts as summary.json has them."""
        thresholded = {label: one for label, one in self.labels.items() if one.threshold is not None}
        return {
            "actions": dict(self.actions),
            "reasons": dict(self.reasons.most_common()),
            "languages": dict(self.languages.most_common()),
            "labels": {label: one.summary() for label, one in self.labels.items()},
            "unsure": {
                "within": UNSURE_WITHIN,
                "comments": self.unsure,
                "labels": {label: one.unsure for label, one in thresholded.items()},
            },
            "relevance": {"comments": sum(self.relevance), "histogram": self.relevance},
            "verdicts": {verdict: dict(actions) for verdict, actions in sorted(self.verdicts.items())},
            "months": [
                {
                    "month": name,
                    "comments": sum(month[action] for action in ACTIONS),
                    "actions": {action: month[action] for action in ACTIONS},
                    "labels": {label: month[label] for label in self.labels},
                }
                for name, month in sorted(self.months.items())
            ],
        }


def strength(row: Mapping[str, Any]) -> float:
    """The probability of the label that decided on a comment; 0 if another rule did."""
    return float(row["scores"].get(row["reason"].get("label"), 0.0))


def _bin(probability: float) -> int:
    return min(int(probability * BINS), BINS - 1)
