"""Scores as bars: each beside the threshold from which the policy acts, in words that are relative to it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from belowline.model import Policy
from belowline.serve.scoring.wording import language_name, likelihood

_NEAR = 0.7
"""Share of the threshold from which a score is near it."""
_RULE = re.compile(r"(\w+) >= ([\d.]+(?:e-?\d+)?)")


@dataclass(frozen=True, slots=True)
class Bar:
    """A label's probability; without a ``threshold`` the policy does not act on the label."""

    label: str
    probability: float
    threshold: float | None

    @property
    def state(self) -> str:
        """``over`` or ``near`` the threshold, ``under`` it, or ``none`` without one."""
        if self.threshold is None:
            return "none"
        if self.probability >= self.threshold:
            return "over"
        return "near" if self.probability >= _NEAR * self.threshold else "under"

    @property
    def words(self) -> str:
        """The probability in words, relative to the threshold if there is one."""
        if self.threshold is None:
            return likelihood(self.probability)
        if self.probability >= (1 + self.threshold) / 2:
            return "far over the threshold"
        relation = {"over": "over", "near": "just under", "under": "under"}[self.state]
        return f"{relation} the threshold"


def bars(probabilities: Mapping[str, float], policy: Policy, site: str | None, rule: str = "") -> list[Bar]:
    """Returns a bar for each label, in order; a threshold that ``rule`` names replaces the present one."""
    ticks = {label: both.lowest for label, both in policy.for_site(site).thresholds.items()}
    if decided := _RULE.fullmatch(rule):
        ticks[decided[1]] = float(decided[2])
    return [Bar(label, probability, ticks.get(label)) for label, probability in probabilities.items()]


def not_judged(language: str, policy: Policy) -> str | None:
    """Returns the name of a language that the model was not trained on; None for others and for an unknown one."""
    return None if language in (*policy.languages, "und") else language_name(language)
