"""The attributes of the Perspective API, each read from labels of ours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from belowline.model import Policy, Scores

Reading = Callable[[Scores, Sequence[str]], float]


def any_of(scores: Scores, labels: Sequence[str]) -> float:
    """The probability of the likeliest of ``labels``."""
    return max(scores.probabilities[label] for label in labels)


def _substance(scores: Scores, labels: Sequence[str]) -> float:
    """Substance of the text alone: with an article or a parent, ``on_topic`` is substance times relevance."""
    on_topic = any_of(scores, labels)
    return min(1.0, on_topic / scores.relevance) if scores.relevance else on_topic


def _relevance(scores: Scores, labels: Sequence[str]) -> float:
    return any_of(scores, labels) if scores.relevance is None else scores.relevance


@dataclass(frozen=True, slots=True)
class Attribute:
    """The source of an attribute.

    Attributes:
        labels: Labels that the model must have; None for those that the active policy holds comments for.
        reading: Turns scores and labels into a probability.
        inverted: True if the attribute is the opposite of the reading.
        feedback: The label that gets a caller's own value for the attribute, None if no label fits.
    """

    labels: tuple[str, ...] | None
    reading: Reading = any_of
    inverted: bool = False
    feedback: str | None = None


_HATE = ("hate", "antisemitism")
_PRODUCTION: Mapping[str, Attribute] = {
    "TOXICITY": Attribute(("toxicity",), feedback="toxicity"),
    "SEVERE_TOXICITY": Attribute((*_HATE, "threat")),  # very rude text that is neither scores low
    "IDENTITY_ATTACK": Attribute(_HATE, feedback="hate"),
    "INSULT": Attribute(("personal_attack",), feedback="personal_attack"),  # of a person, not of a group
    "PROFANITY": Attribute(("profanity",), feedback="profanity"),
    "THREAT": Attribute(("threat",), feedback="threat"),
}
ATTRIBUTES: Mapping[str, Attribute] = {
    **_PRODUCTION,
    **{f"{name}_EXPERIMENTAL": attribute for name, attribute in _PRODUCTION.items()},
    "SPAM": Attribute(("spam",), feedback="spam"),
    "ATTACK_ON_COMMENTER": Attribute(("personal_attack",)),  # the model does not tell the target apart
    "ATTACK_ON_AUTHOR": Attribute(("personal_attack",)),
    "OBSCENE": Attribute(("profanity",)),
    "INFLAMMATORY": Attribute(("toxicity",)),  # rough: polite provocation scores low
    "UNSUBSTANTIAL": Attribute(("on_topic",), _substance, inverted=True, feedback="on_topic"),
    "OFF_TOPIC": Attribute(("on_topic",), _relevance, inverted=True),
    "LIKELY_TO_REJECT": Attribute(None),
    "CONSTRUCTIVE_EXPERIMENTAL": Attribute(("on_topic",), feedback="on_topic"),
}
"""Every attribute that a model with all labels supports."""


def base_name(name: str) -> str:
    """The name of an attribute without a pinned version, such as ``TOXICITY`` of ``TOXICITY@6``."""
    return name.partition("@")[0]


def served(policy: Policy, labels: Sequence[str]) -> list[str]:
    """The attributes whose labels are all among ``labels``, the model's."""
    return [name for name in ATTRIBUTES if (read := _labels(name, policy)) and set(read) <= set(labels)]


def value(name: str, scores: Scores, policy: Policy) -> float:
    """The probability of a supported attribute, by its name with or without a version."""
    attribute = ATTRIBUTES[base_name(name)]
    read = attribute.reading(scores, _labels(base_name(name), policy))
    return 1 - read if attribute.inverted else read


def by_label(values: Mapping[str, float]) -> dict[str, float]:
    """A caller's own values of attributes as values of labels."""
    labels: dict[str, float] = {}
    for name, given in values.items():
        attribute = ATTRIBUTES[name]
        if attribute.feedback is not None:
            labels[attribute.feedback] = 1 - given if attribute.inverted else given
    return labels


def _labels(name: str, policy: Policy) -> tuple[str, ...]:
    labels = ATTRIBUTES[name].labels
    return tuple(policy.thresholds) if labels is None else labels
