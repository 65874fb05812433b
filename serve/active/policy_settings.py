"""The settings of a policy as flat values: read from its text, written back into it, and compared in words.

A site's settings are its own values over those for all sites. A value equal to the inherited one is not written.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable, Array, InlineTable

from belowline.model import PolicyError
from belowline.model.directory import Thresholds
from belowline.model.labels import HARMFUL
from belowline.model.policy_file import SiteRules, for_site, read_policy
from belowline.serve.scoring.wording import label_name

Settings = dict[str, Any]
"""Values by their path in the TOML, such as ``links.max``; a label's are ``Thresholds``, lists are tuples."""
_THRESHOLDS = "thresholds."
_NOT_WRITTEN = "the form cannot write this change; edit the policy as text"
_FEW_ENTRIES = 50
"""Entries of a list that are changed in place; more take tomlkit quadratic time."""
_LONG = 20_000
"""Characters of a text that is not written anew, which takes tomlkit quadratic time."""
_NAMES = {
    "version": "Name of the policy",
    "automatic_rejection": "Automatic rejection",
    "labels": "Labels that can hold",
    "unknown_language": "Unknown languages",
    "links.max": "Most links",
    "links.blocked": "Blocked domains",
    "links.allowed": "Domains that are not counted",
    "words.hold": "Words that hold",
    "words.reject": "Words that reject",
    "campaign.copies": "Near-duplicates from",
    "new_authors.comments": "Published comments of a new author",
    "trusted_authors": "Trusted authors",
    "trusted_roles": "Trusted roles",
    "sample": "Random sample",
    "second_review": "Second reviews",
}
"""Every setting but the thresholds, in words."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting with two values, in words; ``site`` is None for all sites."""

    site: str | None
    name: str
    before: str
    after: str


class PolicyText:
    """A policy's text with the settings in it; raises PolicyError for an invalid text.

    ``defaults`` are the model's thresholds, which count where the text has none.
    """

    def __init__(self, text: str, defaults: Mapping[str, Thresholds]) -> None:
        self.text = text
        self._defaults = {label: defaults[label] for label in HARMFUL if label in defaults}
        self._file = read_policy(text, "the policy")

    @property
    def sites(self) -> list[str]:
        """The sites with settings of their own."""
        return sorted(self._file.sites)

    def settings(self, site: str | None = None) -> Settings:
        """Return the settings for a site, or for all sites."""
        own = site is not None and site in self._file.sites
        flat = self._flat(for_site(self._file, site or "") if own else self._file)
        return flat if site is not None else {"version": self._file.version, **flat}

    def inherited(self, site: str | None = None) -> Settings:
        """Return the settings that count where the text has none: those for all sites, or the defaults."""
        return self.settings() if site is not None else PolicyText("", self._defaults).settings()

    def with_settings(self, site: str | None, wanted: Settings) -> "PolicyText":
        """Return the text with other settings for a site, or for all sites; comments in it stay.

        Raises PolicyError for settings that no policy can have.
        """
        present = self.settings(site)
        changed = {path: value for path, value in wanted.items() if value != present[path]}
        if not changed:
            return self
        text = self.text.removeprefix("\ufeff")
        try:
            written = self._written(tomlkit.parse(text), site, changed)
            if written.settings(site) == present | wanted:
                return written
        except (TOMLKitError, PolicyError):
            pass
        if len(text) > _LONG:
            raise PolicyError(_NOT_WRITTEN)
        # Some ways to write TOML, such as dotted keys before a table, cannot be edited in place: comments are lost.
        written = self._written(tomlkit.item(tomllib.loads(text)), site, changed)
        if written.settings(site) != present | wanted:
            raise PolicyError(_NOT_WRITTEN)
        return written

    def _written(self, document: Any, site: str | None, changed: Settings) -> "PolicyText":
        inherited, present = self.inherited(site), self.settings(site)
        table = document if site is None else _inside(_inside(document, "sites"), site)
        for path, value in changed.items():
            *parents, name = path.split(".")
            if value == inherited[path]:
                _drop(table, parents, name)
            else:
                _put(table, parents, name, value, present[path])
        return PolicyText(document.as_string(), self._defaults)

    def differences(self, other: "PolicyText") -> Iterator[Difference]:
        """Yield the settings that ``other`` has changed: those for all sites first, then each site's own."""
        general = list(_differences(None, self.settings(), other.settings()))
        yield from general
        shared = {(one.name, one.before, one.after) for one in general}
        own, theirs = self._file.sites, other._file.sites
        for site in sorted(site for site in {*own, *theirs} if own.get(site) != theirs.get(site)):
            for one in _differences(site, self.settings(site), other.settings(site)):
                if (one.name, one.before, one.after) not in shared:
                    yield one

    def _flat(self, rules: SiteRules) -> Settings:
        values = rules.model_dump()
        flat = {path: _at(values, path) for path in _NAMES if path != "version"}
        limits = {label: rules.thresholds.get(label, both) for label, both in self._defaults.items()}
        return flat | {_THRESHOLDS + label: both for label, both in limits.items()}


def limits_of(settings: Settings) -> dict[str, Thresholds]:
    """Return the thresholds of the labels that can hold a comment."""
    thresholds = {label: settings.get(_THRESHOLDS + label) for label in settings["labels"]}
    return {label: both for label, both in thresholds.items() if both is not None}


def _at(values: Mapping[str, Any], path: str) -> Any:
    for name in path.split("."):
        values = values[name]
    return values


def _inside(table: Any, name: str, *, may_be_empty: bool = False) -> Any:
    """Return the table ``name`` in a table, new if there is none."""
    if name not in table:
        flat = isinstance(table, InlineTable)
        table[name] = tomlkit.inline_table() if flat else tomlkit.table(is_super_table=not may_be_empty)
    return table[name]


def _drop(table: Any, parents: Sequence[str], name: str) -> None:
    for parent in parents:
        table = table.get(parent, {})
    if name in table:
        del table[name]


def _put(table: Any, parents: Sequence[str], name: str, value: Any, present: Any) -> None:
    for parent in parents:
        table = _inside(table, parent)
    if value is None:
        raise PolicyError("one site alone cannot be without a limit of all sites; give it a high number")
    if isinstance(value, Thresholds):
        _put_thresholds(_inside(table, name, may_be_empty=True), value)
    elif isinstance(value, tuple):
        _put_list(table, name, value, present)
    else:
        table[name] = value


def _put_thresholds(table: AbstractTable, value: Thresholds) -> None:
    for kind, threshold in value.model_dump().items():
        if threshold is not None:
            table[kind] = threshold
        elif kind in table:
            del table[kind]


def _put_list(table: Any, name: str, value: Sequence[str], present: Sequence[str]) -> None:
    """Change the entries of a list one by one, because comments stand between them."""
    own = table.get(name)
    wanted, there = set(value), set(present)
    in_place = isinstance(own, Array) and len(own) == len(present) == len(there)
    if in_place and len(wanted ^ there) <= _FEW_ENTRIES:
        for number in reversed([at for at, entry in enumerate(present) if entry not in wanted]):
            del own[number]
        for entry in value:
            if entry not in there:
                own.append(entry)
        return
    entries = [tomlkit.string(entry).as_string() for entry in value]
    # Parsed, because tomlkit takes quadratic time to append to an array.
    listed = ", ".join(entries) if len(entries) <= 3 else "\n    " + ",\n    ".join(entries) + ",\n"
    table[name] = tomlkit.value(f"[{listed}]")


def _differences(site: str | None, before: Settings, after: Settings) -> Iterator[Difference]:
    for path in before:
        old, new = before[path], after[path]
        if old == new:
            continue
        if path.startswith(_THRESHOLDS):
            label = label_name(path.removeprefix(_THRESHOLDS))
            for kind in ("hold", "reject"):
                values = getattr(old, kind), getattr(new, kind)
                if values[0] != values[1]:
                    yield Difference(site, f"{label}: {kind} from", *map(_in_words, values))
        elif isinstance(old, tuple):
            yield Difference(site, _NAMES[path], _listed(old, new, "−"), _listed(new, old, "+"))
        else:
            yield Difference(site, _NAMES[path], _in_words(old), _in_words(new))


def _listed(entries: Sequence[str], others: Sequence[str], sign: str) -> str:
    known = set(others)
    found = [f"{sign} {entry}" for entry in entries if entry not in known]
    return ", ".join(found) or ("–" if set(entries) != known else "another order")


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "never" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
