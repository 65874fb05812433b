"""What the attributes of the Perspective API are here: each stands for labels of ours, with a note on how well."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from belowline.model import Policy, Scores

Reading = Callable[[Scores, Sequence[str]], float]


def any_of(scores: Scores, labels: Sequence[str]) -> float:
    """The probability of the likeliest of ``labels``: what is surely hate is as sure to be hate or a threat."""
    return max(scores.probabilities[label] for label in labels)


def _substance(scores: Scores, labels: Sequence[str]) -> float:
    """Of the text alone: where article or parent are known, ``on_topic`` is substance times relevance."""
    on_topic = any_of(scores, labels)
    return min(1.0, on_topic / scores.relevance) if scores.relevance else on_topic


def _relevance(scores: Scores, labels: Sequence[str]) -> float:
    return any_of(scores, labels) if scores.relevance is None else scores.relevance


@dataclass(frozen=True, slots=True)
class Attribute:
    """What an attribute is read from.

    Attributes:
        labels: Labels that the model must have; None for those that the policy in force holds comments for.
        note: How well the labels stand for the attribute, one line.
        reading: From scores and labels to a probability.
        inverted: Whether the attribute is that the reading is not so.
        told: The label that a caller's own value for the attribute is kept for; None where it says too little of any one label.
    """

    labels: tuple[str, ...] | None
    note: str
    reading: Reading = any_of
    inverted: bool = False
    told: str | None = None


_PRODUCTION: Mapping[str, Attribute] = {
    "TOXICITY": Attribute(("toxicity",), "the same definition", told="toxicity"),
    "SEVERE_TOXICITY": Attribute(
        ("hate", "antisemitism", "threat"),
        "the likelier of hate and threat; what is very rude and neither of them scores low",
    ),
    "IDENTITY_ATTACK": Attribute(
        ("hate", "antisemitism"), "hate against people for what they are", told="hate"
    ),
    "INSULT": Attribute(("personal_attack",), "insults of a person, not of a group", told="personal_attack"),
    "PROFANITY": Attribute(("profanity",), "the same definition", told="profanity"),
    "THREAT": Attribute(("threat",), "violence that is announced, wished or incited", told="threat"),
}
ATTRIBUTES: Mapping[str, Attribute] = {
    **_PRODUCTION,
    **{f"{name}_EXPERIMENTAL": attribute for name, attribute in _PRODUCTION.items()},
    "SPAM": Attribute(("spam",), "advertising and lures, wherever they are posted", told="spam"),
    "ATTACK_ON_COMMENTER": Attribute(
        ("personal_attack",), "an attack on any person: whom it is aimed at is not told apart"
    ),
    "ATTACK_ON_AUTHOR": Attribute(
        ("personal_attack",), "an attack on any person: whom it is aimed at is not told apart"
    ),
    "OBSCENE": Attribute(("profanity",), "swear words and obscenity are one label"),
    "INFLAMMATORY": Attribute(("toxicity",), "a rough stand-in: provoking without rudeness scores low"),
    "UNSUBSTANTIAL": Attribute(
        ("on_topic",),
        "that it lacks reasons, facts, questions or experience",
        _substance,
        inverted=True,
        told="on_topic",
    ),
    "OFF_TOPIC": Attribute(
        ("on_topic",),
        "that it is not about the article or parent in the context; without context that it lacks substance",
        _relevance,
        inverted=True,
    ),
    "LIKELY_TO_REJECT": Attribute(None, "the likeliest label that the policy in force holds comments for"),
    "CONSTRUCTIVE_EXPERIMENTAL": Attribute(
        ("on_topic",), "moves the discussion forward; with context also relevant to it", told="on_topic"
    ),
}
"""Every attribute that is served by a model with all labels."""


def base_name(name: str) -> str:
    """The name of an attribute without the version that a caller pinned, such as ``TOXICITY`` of ``TOXICITY@6``: there is one model."""
    return name.partition("@")[0]


def served(policy: Policy, labels: Sequence[str]) -> list[str]:
    """The attributes whose labels are all among ``labels``, the model's."""
    return [name for name in ATTRIBUTES if (read := _labels(name, policy)) and set(read) <= set(labels)]


def value(name: str, scores: Scores, policy: Policy) -> float:
    """The probability of an attribute that is served, by its name with or without a version."""
    attribute = ATTRIBUTES[base_name(name)]
    read = attribute.reading(scores, _labels(base_name(name), policy))
    return 1 - read if attribute.inverted else read


def by_label(given: Mapping[str, float]) -> dict[str, float]:
    """A caller's own values of attributes, as values of the labels that they say enough of."""
    found: dict[str, float] = {}
    for name, told in given.items():
        attribute = ATTRIBUTES[name]
        if attribute.told is not None:
            found[attribute.told] = 1 - told if attribute.inverted else told
    return found


def _labels(name: str, policy: Policy) -> tuple[str, ...]:
    labels = ATTRIBUTES[name].labels
    return tuple(policy.thresholds) if labels is None else labels
