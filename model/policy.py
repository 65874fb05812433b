"""From scores to a decision: an ordered list of small rules, each of which fires or stands aside."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from belowline.model.directory import Thresholds
from belowline.model.labels import HARMFUL
from belowline.model.scorer import Scores

DEFAULT_POLICY = Path(__file__).resolve().parent / "policy.toml"

Action = Literal["publish", "hold", "reject"]

_CODES = {"hate": "hate_speech"}
"""Reason codes are the labels' names but for these."""


class PolicyError(Exception):
    """A policy file cannot be used; the message names file and field and what to do."""


class _File(BaseModel):
    """The policy file."""

    model_config = ConfigDict(extra="forbid")

    version: str = Field(min_length=1)
    automatic_rejection: bool = False
    labels: tuple[str, ...]
    unknown_language: Literal["hold", "publish"]
    thresholds: dict[str, Thresholds] = {}


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to happen to a comment and why.

    Attributes:
        action: ``publish``, ``hold`` or ``reject``.
        code: Reason code: ``spam``, ``hate_speech``, ``antisemitism``, ``threat``, ``personal_attack``, ``profanity``, ``toxicity``,
            ``language``, ``scoring_failed`` or ``none``.
        rule: The rule that fired, readable: ``spam >= 0.62``.
        label: The label that the rule looked at, if any.
    """

    action: Action
    code: str
    rule: str
    label: str | None


@dataclass(frozen=True, slots=True)
class Policy:
    """How a site decides. ``thresholds`` holds every label that can hold a comment, in the order of their rules."""

    version: str
    automatic_rejection: bool
    thresholds: Mapping[str, Thresholds]
    unknown_language: Literal["hold", "publish"]
    languages: tuple[str, ...] = ("en",)

    @classmethod
    def load(
        cls,
        path: Path | None,
        scorer_thresholds: Mapping[str, Thresholds],
        languages: tuple[str, ...] = ("en",),
    ) -> Self:
        """The policy in ``path`` (None: the default one) over a model's thresholds and languages; raises PolicyError."""
        given = _read(path) if path is not None else {}
        try:
            file = _File.model_validate(_read(DEFAULT_POLICY) | given)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            raise PolicyError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        thresholds = {**scorer_thresholds, **file.thresholds}
        for label in (*file.labels, *file.thresholds):
            if label not in HARMFUL or label not in scorer_thresholds:
                able = ", ".join(label for label in HARMFUL if label in scorer_thresholds)
                raise PolicyError(f"{path}: label {label!r} cannot hold a comment; labels that can: {able}")
        chosen = {label: thresholds[label] for label in file.labels}
        return cls(file.version, file.automatic_rejection, chosen, file.unknown_language, languages)


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read ({error.strerror}); name a policy file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: not TOML: {error}") from error


def decide(scores: Scores | None, policy: Policy) -> Decision:
    """The decision of the first rule that fires: a rejection, where the site allows any, then a hold, both by the order of the labels, then
    the language. ``None`` says that scoring failed: such a comment is held, never passed.
    """
    if scores is None:
        return Decision("hold", "scoring_failed", "scoring failed", None)
    for rule in _RULES:
        decision = rule(scores, policy)
        if decision is not None:
            return decision
    return Decision("publish", "none", "no rule fired", None)


def _reject(scores: Scores, policy: Policy) -> Decision | None:
    """The first label at its rejection threshold, where the site rejects without a person."""
    if not policy.automatic_rejection:
        return None
    return _first_at(scores, {label: both.reject for label, both in policy.thresholds.items()}, "reject")


def _hold(scores: Scores, policy: Policy) -> Decision | None:
    """The first label at its hold threshold; what would be rejected is held while nothing is rejected automatically."""
    return _first_at(scores, {label: _lower(both) for label, both in policy.thresholds.items()}, "hold")


def _lower(both: Thresholds) -> float | None:
    return min((value for value in (both.hold, both.reject) if value is not None), default=None)


def _first_at(scores: Scores, thresholds: Mapping[str, float | None], action: Action) -> Decision | None:
    for label, threshold in thresholds.items():
        if threshold is not None and scores.probabilities[label] >= threshold:
            return Decision(action, _CODES.get(label, label), f"{label} >= {threshold:g}", label)
    return None


def _language(scores: Scores, policy: Policy) -> Decision | None:
    """A language that the model was not trained on is never confidently cleared."""
    known = scores.language in (*policy.languages, "und")
    if known or policy.unknown_language == "publish":
        return None
    return Decision("hold", "language", f"language {scores.language} is not one the model knows", None)


_RULES: tuple[Callable[[Scores, Policy], Decision | None], ...] = (_reject, _hold, _language)
