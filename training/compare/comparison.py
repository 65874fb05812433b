"""The result of a comparison."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from belowline.training.compare.contenders import Contender
from belowline.training.compare.decision_changes import Flips
from belowline.training.compare.paired_bootstrap import Difference
from belowline.training.compare.speed import Speed
from belowline.training.measure.bootstrap import Measurement


@dataclass(frozen=True, slots=True)
class Pair:
    """The first contender (A) and another one (B).

    Attributes:
        name: B's name.
        labels: Labels that both know and the rows have; only these are compared.
        only_a: Labels that only A knows.
        only_b: Labels that only B knows.
        figures: Every metric measured for both, by label, part and name.
        flips: Changed decisions.
        parity: Mean difference of B's probabilities from those of its fp32 twin; None without a twin.
    """

    name: str
    labels: tuple[str, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    figures: Sequence[Difference]
    flips: Flips
    parity: Measurement | None = None

    def verdicts(self) -> dict[str, int]:
        """Count the metrics that are better, worse, and not different."""
        counted = Counter(figure.verdict for figure in self.figures)
        return {verdict: counted[verdict] for verdict in ("better", "worse", "no difference")}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Contenders (A first), pairs in the order of the others, speed by name, and facts about the comparison."""

    contenders: Sequence[Contender]
    pairs: Sequence[Pair]
    speed: Mapping[str, Speed]
    facts: Mapping[str, Any]

    def contender(self, name: str) -> Contender:
        """Return the contender called ``name``; raises KeyError."""
        return {contender.name: contender for contender in self.contenders}[name]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, without any comment text."""
        return {
            "facts": dict(self.facts),
            "contenders": [self._described(contender) for contender in self.contenders],
            "pairs": [_pair(pair) for pair in self.pairs],
        }

    def _described(self, contender: Contender) -> dict[str, Any]:
        first, speed = self.contenders[0], self.speed.get(contender.name)
        return {
            "name": contender.name,
            "kind": contender.kind,
            "version": contender.version,
            "digest": contender.digest,
            "bytes": contender.size,
            "bytes_ratio": contender.size / first.size if contender.size and first.size else None,
            "speed": speed,
        }


def _pair(pair: Pair) -> dict[str, Any]:
    parity = pair.parity
    return {
        "a_and": pair.name,
        "labels": list(pair.labels),
        "only_a": list(pair.only_a),
        "only_b": list(pair.only_b),
        "verdicts": pair.verdicts(),
        "parity": parity and {name: getattr(parity, name) for name in ("value", "low", "high", "n")},
        "flips": pair.flips,
        "figures": pair.figures,
    }
