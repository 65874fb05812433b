"""Counts over an audit's rows, in one pass; memory grows neither with the comments nor with the threads, only with the months."""

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BINS = 20
TOP = 10
NEAREST = 5
WORTH_A_LOOK = 0.1
EVEN = 0.5
"""From here on a label without a threshold, such as ``on_topic``, is counted: it is more likely than not."""
UNSURE_WITHIN = 0.1
"""So near to its threshold the model may well be wrong."""


@dataclass(slots=True)
class TopComment:
    """A comment that stands out for a label, and how often its text was met since."""

    probability: float
    row: Mapping[str, Any]
    times: int = 1


@dataclass(slots=True)
class TopItems:
    """The ``size`` texts of the highest rank, each once; of equal ranks the first that came."""

    size: int
    _kept: dict[str, tuple[float, TopComment]] = field(default_factory=dict)
    _lowest: float = float("-inf")

    def consider(self, rank: float, probability: float, row: Mapping[str, Any]) -> None:
        """Keeps a row if its rank is high enough, or counts its text again."""
        text = row["text"]
        if text in self._kept:
            self._kept[text][1].times += 1
        elif len(self._kept) < self.size or rank > self._lowest:
            if len(self._kept) == self.size:
                del self._kept[min(self._kept, key=lambda one: self._kept[one][0])]
            self._kept[text] = rank, TopComment(probability, row)
            self._lowest = min(rank for rank, _ in self._kept.values())

    def best(self) -> list[TopComment]:
        """Those kept, the highest rank first."""
        return [one for _, one in sorted(self._kept.values(), key=lambda pair: -pair[0])]


@dataclass(slots=True)
class LabelTally:
    """One label: how many comments reach its threshold, how all of them spread, which score highest and which lie next to the
    threshold."""

    threshold: float | None
    at_threshold: int = 0
    unsure: int = 0
    histogram: list[int] = field(default_factory=lambda: [0] * BINS)
    top: TopItems = field(default_factory=lambda: TopItems(TOP))
    nearest: TopItems = field(default_factory=lambda: TopItems(NEAREST))

    @property
    def counted_from(self) -> float:
        """The threshold; ``EVEN`` for a label that has none."""
        return EVEN if self.threshold is None else self.threshold

    def add(self, probability: float, row: Mapping[str, Any]) -> bool:
        """Counts a comment; whether it reaches what the label is counted from."""
        self.histogram[_bin(probability)] += 1
        if probability >= WORTH_A_LOOK:
            self.top.consider(probability, probability, row)
        reached = probability >= self.counted_from
        self.at_threshold += reached
        return reached

    def doubt(self, probability: float, row: Mapping[str, Any]) -> bool:
        """Whether a probability lies so near to the threshold that the model is unsure; counts it then."""
        if self.threshold is None or (distance := abs(probability - self.threshold)) > UNSURE_WITHIN:
            return False
        self.unsure += 1
        self.nearest.consider(-distance, probability, row)
        return True

    def summary(self) -> dict[str, Any]:
        """The label as summary.json holds it."""
        return {
            "threshold": self.threshold,
            "counted_from": self.counted_from,
            "at_threshold": self.at_threshold,
            "histogram": self.histogram,
        }


@dataclass(slots=True)
class Month:
    """Comments of a month, what was decided, and how many reach what each label is counted from."""

    actions: Counter[str] = field(default_factory=lambda: Counter(publish=0, hold=0, reject=0))
    labels: Counter[str] = field(default_factory=Counter)


class Differences:
    """Comments on which the site's moderators and the policy differ most, one list for either way."""

    def __init__(self) -> None:
        self._passed: list[tuple[float, int, Mapping[str, Any]]] = []
        self._removed: list[tuple[float, int, Mapping[str, Any]]] = []

    def add(self, number: int, row: Mapping[str, Any], harm: float) -> None:
        """Considers a row with a verdict; ``harm`` is its highest probability of a harmful label."""
        if row["verdict"] == "publish" and row["action"] != "publish":
            self._keep(self._passed, (harm, -number, row))
        elif row["verdict"] in ("reject", "spam") and row["action"] == "publish":
            self._keep(self._removed, (-harm, -number, row))

    def _keep(
        self, heap: list[tuple[float, int, Mapping[str, Any]]], one: tuple[float, int, Mapping[str, Any]]
    ) -> None:
        if len(heap) < TOP:
            heapq.heappush(heap, one)
        else:
            heapq.heappushpop(heap, one)

    def passed(self) -> list[TopComment]:
        """What moderators let stand and the policy does not, the most harmful first."""
        return [TopComment(harm, row) for harm, _, row in sorted(self._passed, reverse=True)]

    def removed(self) -> list[TopComment]:
        """What moderators took down and the policy publishes, the least harmful first."""
        return [TopComment(-harm, row) for harm, _, row in sorted(self._removed, reverse=True)]


class Tally:
    """Counts of a whole audit and of each of its months."""

    def __init__(self, thresholds: Mapping[str, float | None]) -> None:
        """``thresholds`` names every label, with None for one that holds nothing."""
        self.actions: Counter[str] = Counter(publish=0, hold=0, reject=0)
        self.reasons: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()
        self.verdicts: dict[str, Counter[str]] = {}
        self.months: dict[str, Month] = {}
        self.differences = Differences()
        self.relevance = [0] * BINS
        self.labels = {label: LabelTally(threshold) for label, threshold in thresholds.items()}
        self.unsure = 0
        self._seen = 0

    def add(self, row: Mapping[str, Any]) -> list[str]:
        """Counts one row of comments.jsonl; the labels that it reaches."""
        self._seen += 1
        scores = row["scores"]
        reached = [label for label, probability in scores.items() if self.labels[label].add(probability, row)]
        doubted = [
            label for label, probability in scores.items() if self.labels[label].doubt(probability, row)
        ]
        self.unsure += bool(doubted)
        self.actions[row["action"]] += 1
        self.reasons[row["reason"]["code"]] += 1
        self.languages[row["language"]] += 1
        if row["relevance"] is not None:
            self.relevance[_bin(row["relevance"])] += 1
        if row["time"]:
            month = self.months.setdefault(row["time"][:7], Month())
            month.actions[row["action"]] += 1
            month.labels.update(reached)
        if row["verdict"] is not None:
            self._compare(row)
        return reached

    def _compare(self, row: Mapping[str, Any]) -> None:
        self.verdicts.setdefault(row["verdict"], Counter(publish=0, hold=0, reject=0))[row["action"]] += 1
        harmful = [p for label, p in row["scores"].items() if self.labels[label].threshold is not None]
        self.differences.add(self._seen, row, max(harmful, default=1.0))

    def summary(self) -> dict[str, Any]:
        """The counts as summary.json holds them."""
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
                    "comments": sum(month.actions.values()),
                    "actions": dict(month.actions),
                    "labels": dict.fromkeys(self.labels, 0) | dict(month.labels),
                }
                for name, month in sorted(self.months.items())
            ],
        }


def _bin(probability: float) -> int:
    return min(int(probability * BINS), BINS - 1)
