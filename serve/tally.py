"""Counts over an audit's rows, in one pass; memory grows with the threads, not with the comments."""

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


class Tally:
    """Counts of a whole audit and of each of its threads."""

    def __init__(self, threads: Sequence[Mapping[str, Any]], thresholds: Mapping[str, float | None]) -> None:
        self.actions: Counter[str] = Counter(publish=0, hold=0, reject=0)
        self.reasons: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()
        self.relevance = [0] * BINS
        self.labels = {label: LabelTally(threshold) for label, threshold in thresholds.items()}
        self._threads = {
            (thread["source"], thread["thread"]): _thread(thread, thresholds) for thread in threads
        }

    def add(self, row: Mapping[str, Any]) -> None:
        """Counts one row of comments.jsonl."""
        thread = self._threads[row["source"], row["thread"]]
        self.actions[row["action"]] += 1
        thread["actions"][row["action"]] += 1
        self.reasons[row["reason"]["code"]] += 1
        self.languages[row["language"]] += 1
        if row["relevance"] is not None:
            self.relevance[_bin(row["relevance"])] += 1
        for label, probability in row["scores"].items():
            if self.labels[label].add(probability, row):
                thread["labels"][label] += 1

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
            "threads": list(self._threads.values()),
        }


def _bin(probability: float) -> int:
    return min(int(probability * BINS), BINS - 1)


def _thread(thread: Mapping[str, Any], labels: Mapping[str, float | None]) -> dict[str, Any]:
    return {**thread, "actions": {"publish": 0, "hold": 0, "reject": 0}, "labels": dict.fromkeys(labels, 0)}
