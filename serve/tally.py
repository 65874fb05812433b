"""Counts over an audit's rows, in one pass; memory grows with the threads, not with the comments."""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BINS = 20
TOP = 10
WORTH_A_LOOK = 0.1


@dataclass(slots=True)
class TopComment:
    """A comment that scored high for a label, and how often its text was met."""

    probability: float
    row: Mapping[str, Any]
    times: int = 1


@dataclass(slots=True)
class LabelTally:
    """One label: how many comments reach its threshold, how all of them spread, which score highest."""

    threshold: float | None
    at_threshold: int = 0
    histogram: list[int] = field(default_factory=lambda: [0] * BINS)
    top: dict[str, TopComment] = field(default_factory=dict)

    def add(self, probability: float, row: Mapping[str, Any]) -> bool:
        """Counts a comment; whether it reaches the threshold."""
        self.histogram[_bin(probability)] += 1
        self._keep_if_high(probability, row)
        reached = self.threshold is not None and probability >= self.threshold
        self.at_threshold += reached
        return reached

    def _keep_if_high(self, probability: float, row: Mapping[str, Any]) -> None:
        if known := self.top.get(row["text"]):
            known.times += 1
            return
        if probability < WORTH_A_LOOK:
            return
        if len(self.top) == TOP:
            lowest = min(self.top, key=lambda text: self.top[text].probability)
            if self.top[lowest].probability >= probability:
                return
            del self.top[lowest]
        self.top[row["text"]] = TopComment(probability, row)

    def best(self) -> list[TopComment]:
        """The highest, highest first; a score below ``WORTH_A_LOOK`` is never among them."""
        return sorted(self.top.values(), key=lambda one: -one.probability)


@dataclass(slots=True)
class Month:
    """Comments of a month, what was decided, and how many reach each label's threshold."""

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
    """Counts of a whole audit and of each of its threads and months."""

    def __init__(self, threads: Sequence[Mapping[str, Any]], thresholds: Mapping[str, float | None]) -> None:
        self.actions: Counter[str] = Counter(publish=0, hold=0, reject=0)
        self.reasons: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()
        self.verdicts: dict[str, Counter[str]] = {}
        self.months: dict[str, Month] = {}
        self.differences = Differences()
        self.relevance = [0] * BINS
        self.labels = {label: LabelTally(threshold) for label, threshold in thresholds.items()}
        self._seen = 0
        self._threads = {
            (thread["source"], thread["thread"]): _thread(thread, thresholds) for thread in threads
        }

    def add(self, row: Mapping[str, Any]) -> None:
        """Counts one row of comments.jsonl."""
        self._seen += 1
        thread = self._threads[row["source"], row["thread"]]
        month = self.months.setdefault(row["time"][:7], Month()) if row["time"] else Month()
        for actions in (self.actions, thread["actions"], month.actions):
            actions[row["action"]] += 1
        self.reasons[row["reason"]["code"]] += 1
        self.languages[row["language"]] += 1
        if row["relevance"] is not None:
            self.relevance[_bin(row["relevance"])] += 1
        for label, probability in row["scores"].items():
            if self.labels[label].add(probability, row):
                thread["labels"][label] += 1
                month.labels[label] += 1
        if row["verdict"] is not None:
            self._compare(row)

    def _compare(self, row: Mapping[str, Any]) -> None:
        self.verdicts.setdefault(row["verdict"], Counter(publish=0, hold=0, reject=0))[row["action"]] += 1
        harmful = [p for label, p in row["scores"].items() if self.labels[label].threshold is not None]
        self.differences.add(self._seen, row, max(harmful, default=1.0))

    def summary(self) -> dict[str, Any]:
        """The counts as summary.json holds them."""
        return {
            "actions": dict(self.actions),
            "reasons": dict(self.reasons.most_common()),
            "languages": dict(self.languages.most_common()),
            "labels": {
                label: {
                    "threshold": one.threshold,
                    "at_threshold": one.at_threshold,
                    "histogram": one.histogram,
                }
                for label, one in self.labels.items()
            },
            "relevance": {"comments": sum(self.relevance), "histogram": self.relevance},
            "verdicts": {verdict: dict(actions) for verdict, actions in sorted(self.verdicts.items())},
            "months": [
                {
                    "month": name,
                    "comments": sum(month.actions.values()),
                    "actions": dict(month.actions),
                    "labels": dict.fromkeys(self._thresholded(), 0) | dict(month.labels),
                }
                for name, month in sorted(self.months.items())
            ],
            "threads": list(self._threads.values()),
        }

    def _thresholded(self) -> list[str]:
        return [label for label, one in self.labels.items() if one.threshold is not None]


def _bin(probability: float) -> int:
    return min(int(probability * BINS), BINS - 1)


def _thread(thread: Mapping[str, Any], labels: Mapping[str, float | None]) -> dict[str, Any]:
    return {**thread, "actions": {"publish": 0, "hold": 0, "reject": 0}, "labels": dict.fromkeys(labels, 0)}
