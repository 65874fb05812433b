"""The policy as a form: settings as the fields of a page, and posted fields as settings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from belowline.model.directory import Thresholds
from belowline.model.labels import HARMFUL
from belowline.serve.active.policy_settings import Settings
from belowline.serve.http.errors import Problem, invalid_field

Fields = dict[str, str]
"""Values of fields by name; a checkbox has "1" or an empty value."""
_THRESHOLDS = "thresholds."
_LISTS = ("links.blocked", "links.allowed", "words.hold", "words.reject", "trusted_authors", "trusted_roles")
_SHARES = ("sample", "second_review")
_SWITCHES = {"automatic_rejection": (True, False), "unknown_language": ("hold", "publish")}
"""Settings with two values, that of the set switch first."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A number with a switch, between the words ``before`` and ``after``.

    ``suggested`` is shown while it is off, and ``off`` is the setting then.
    """

    before: str
    after: str
    suggested: int
    least: int
    off: int | None


LIMITS = {
    "links.max": Limit("with more than", "links", 2, 0, None),
    "campaign.copies": Limit("from near-duplicate number", "of a text within 30 days", 5, 2, None),
    "new_authors.comments": Limit("of authors with fewer than", "published comments", 3, 1, 0),
}


def fields_of(settings: Settings) -> Fields:
    """Return the fields that show the settings."""
    fields: Fields = {}
    for path, value in settings.items():
        fields |= _shown(path, value)
    return fields


def settings_in(fields: Mapping[str, str], present: Settings) -> tuple[Settings, dict[str, str]]:
    """Return the settings in posted fields, and problems by field.

    A setting whose fields show its ``present`` value stays as it is; one with a problem too.
    """
    settings = dict(present)
    problems: dict[str, str] = {}
    for path, value in present.items():
        shown = _shown(path, value)
        typed = {name: fields.get(name, "").strip() for name in shown}
        if typed == {name: each.strip() for name, each in shown.items()}:
            continue
        try:
            settings[path] = _read(path, typed, value)
        except Problem as problem:
            problems |= dict(problem.errors)
    return settings, problems


def thresholds_in(fields: Mapping[str, str], labels: Iterable[str]) -> dict[str, Thresholds]:
    """Return the thresholds of the labels that can hold a comment, without those whose fields have a problem."""
    limits: dict[str, Thresholds] = {}
    for label in labels:
        try:
            if fields.get(f"on.{label}"):
                limits[label] = _thresholds(label, fields)
        except Problem:
            continue
    return limits


def _shown(path: str, value: Any) -> Fields:
    """Return the fields of one setting."""
    if path == "labels":
        return {f"on.{label}": "1" if label in value else "" for label in HARMFUL}
    if path.startswith(_THRESHOLDS):
        label = path.removeprefix(_THRESHOLDS)
        return {f"{kind}.{label}": _number(threshold) for kind, threshold in value.model_dump().items()}
    if path in LIMITS:
        limit = LIMITS[path]
        on = value != limit.off
        return {f"{path}.on": "1" if on else "", path: str(value if on else limit.suggested)}
    if path in _LISTS:
        return {path: "\n".join(value)}
    if path in _SHARES:
        return {path: _number(round(value * 100, 10))}
    if path in _SWITCHES:
        return {path: "1" if value in (True, "hold") else ""}
    return {path: str(value)}


def _read(path: str, typed: Mapping[str, str], present: Any) -> Any:
    """Return the value of one setting; raises Problem that names a field."""
    if path == "labels":
        chosen = [label for label in HARMFUL if typed[f"on.{label}"]]
        # The order of the policy stays: it decides which of two labels gives the reason.
        return tuple(sorted(chosen, key=lambda label: _place(label, present)))
    if path.startswith(_THRESHOLDS):
        return _thresholds(path.removeprefix(_THRESHOLDS), typed)
    if path in LIMITS:
        return _limit(path, typed)
    if path in _LISTS:
        return _entries(path, typed[path])
    if path in _SHARES:
        return _between(path, typed[path], 100) / 100
    if path in _SWITCHES:
        on, off = _SWITCHES[path]
        return on if typed[path] else off
    if not typed[path]:
        raise invalid_field(path, "is empty; give the policy a name, which every decision shows")
    return typed[path]


def _place(label: str, present: Sequence[str]) -> int:
    return present.index(label) if label in present else len(present) + HARMFUL.index(label)


def _thresholds(label: str, typed: Mapping[str, str]) -> Thresholds:
    names = {kind: f"{kind}.{label}" for kind in ("hold", "reject")}
    given = {kind: typed[name] for kind, name in names.items() if typed.get(name)}
    both = Thresholds(**{kind: _between(names[kind], number, 1) for kind, number in given.items()})
    if both.hold is not None and both.reject is not None and both.hold > both.reject:
        raise invalid_field(
            names["hold"], f"is above the {both.reject:g} of reject; lower it, or raise reject"
        )
    return both


def _limit(path: str, typed: Mapping[str, str]) -> int | None:
    limit, number = LIMITS[path], typed[path]
    if not typed[f"{path}.on"]:
        return limit.off
    if not (number.isascii() and number.isdecimal() and len(number) < 10 and int(number) >= limit.least):
        raise invalid_field(path, f"must be a whole number from {limit.least}")
    return int(number)


def _between(name: str, text: str, most: int) -> float:
    try:
        number = float(text.replace(",", ".") or "0")
    except ValueError:
        number = -1.0
    if not 0 <= number <= most:
        raise invalid_field(name, f"must be a number from 0 to {most}")
    return number


def _entries(path: str, text: str) -> tuple[str, ...]:
    """Return the lines of a field without empty and repeated ones; domains as policies store them."""
    lines = [line.strip() for line in text.splitlines()]
    if path.startswith("links."):
        lines = [line.lower().removeprefix("www.") for line in lines]
    return tuple(dict.fromkeys(line for line in lines if line))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
