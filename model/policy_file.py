"""Reads policy files: TOML, validated field by field."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from belowline.model.directory import Thresholds
from belowline.model.errors import BelowlineError, FieldProblem, first_problem

DEFAULT_POLICY = Path(__file__).resolve().parent / "policy.toml"


def _ordered(given: Thresholds) -> Thresholds:
    if given.hold is not None and given.reject is not None and given.hold > given.reject:
        raise ValueError(f"hold {given.hold:g} is above reject {given.reject:g}; lower hold or raise reject")
    return given


_Domain = Annotated[
    str,
    StringConstraints(
        to_lower=True, pattern=r"^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}$"
    ),
    AfterValidator(lambda domain: domain.removeprefix("www.")),
]
_Words = Annotated[
    str, StringConstraints(strip_whitespace=True, pattern=r"^[^*]*\w[^*]*\*?$", max_length=200)
]
_ADVICE = {
    "links": "is not a domain; write it like example.com, without https:// or a path",
    "words": "is not a word or phrase; write letters, with * only at the very end",
}
"""Table to the advice for a value that does not match its pattern."""
_Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Share = Annotated[float, Field(strict=True, ge=0, le=1)]


class PolicyError(BelowlineError):
    """A policy cannot be used; the message gives file, field and remedy."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Links(_Table):
    """Limits on the links of a comment."""

    max: int | None = Field(default=None, ge=0, strict=True)
    blocked: tuple[_Domain, ...] = ()
    allowed: tuple[_Domain, ...] = ()


class Campaign(_Table):
    """Limit on near-duplicates of a text."""

    copies: int | None = Field(default=None, ge=2, strict=True)


class Words(_Table):
    """Listed words and phrases; a ``*`` at the end stands for any letters."""

    hold: tuple[_Words, ...] = ()
    reject: tuple[_Words, ...] = ()


class NewAuthors(_Table):
    """Number of published comments from which an author is no longer new."""

    comments: int = Field(default=0, ge=0, strict=True)


class SiteRules(_Table):
    """The settings of a policy, for all sites or for one."""

    automatic_rejection: bool = Field(default=False, strict=True)
    labels: tuple[str, ...] = ()
    unknown_language: Literal["hold", "publish"] = "hold"
    thresholds: dict[str, Annotated[Thresholds, AfterValidator(_ordered)]] = {}
    trusted_authors: tuple[_Id, ...] = ()
    trusted_roles: tuple[_Id, ...] = ()
    banned_authors: Literal["hold", "reject"] = "hold"
    links: Links = Links()
    campaign: Campaign = Campaign()
    words: Words = Words()
    new_authors: NewAuthors = NewAuthors()
    sample: _Share = 0.0
    second_review: _Share = 0.0


class File(SiteRules):
    """A policy file."""

    version: str = Field(min_length=1, max_length=100)
    sites: dict[str, SiteRules] = {}


def policy_text(path: Path) -> str:
    """The text of a policy file; raises PolicyError."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError(f"{path}: not TOML: {error}") from error
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read ({error.strerror}); name a policy file") from error


def read_policy(text: str, name: str) -> File:
    """The policy in ``text`` over the default; raises PolicyError, whose message calls the policy ``name``."""
    given = _toml(text, name)
    try:
        return File.model_validate(_toml(DEFAULT_POLICY.read_text("utf-8"), "the default policy") | given)
    except ValidationError as error:
        problem = first_problem(error)
        raise PolicyError(f"{name}: {problem.field}: {_advice(problem)}; see model/policy.toml") from error


def for_site(file: File, site: str) -> SiteRules:
    """The settings of ``site``: its own values over the file's, merged value by value within tables."""
    general = file.model_dump(exclude={"version", "sites"})
    own = file.sites[site].model_dump(exclude_unset=True)
    merged = {
        name: general[name] | value if isinstance(value, dict) else value for name, value in own.items()
    }
    return SiteRules.model_validate(general | merged)


def _toml(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"{name}: not TOML: {error}") from error
    except RecursionError as error:
        raise PolicyError(f"{name}: not TOML: brackets nested too deep; remove some") from error


def _advice(problem: FieldProblem) -> str:
    if problem.kind == "extra_forbidden" and problem.location[0] == "sites":
        return 'is not a field of a site; if it is a part of the name, quote that: [sites."example.org"]'
    if problem.kind == "string_pattern_mismatch":
        return _ADVICE[str(problem.location[-3])]
    known = {
        "extra_forbidden": "is not a field of a policy; remove it or correct its name",
        "missing": "is missing; add it",
    }
    return known.get(problem.kind, problem.message)
