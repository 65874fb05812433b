"""A policy file with other thresholds; everything else, comments included, stays."""

import json
import textwrap
import tomllib
from collections.abc import Mapping
from typing import Any

from belowline.model import PolicyError, Thresholds
from belowline.model.policy import DEFAULT_POLICY
from belowline.model.policy_file import File, read_policy
from belowline.training.errors import TuneError

_MARK = "# tune: "
_TUNED = "+tuned-"


def proposed_text(
    present: str, name: str, version: str, thresholds: Mapping[str, Thresholds], reasons: Mapping[str, str]
) -> str:
    """Return the policy ``present`` with another version and other thresholds, each with its reason as a comment.

    Raises TuneError for a file whose thresholds are not written as tables, PolicyError for a file that is no policy.
    """
    expected = _read(present, name)
    expected = expected.model_copy(
        update={"version": version, "thresholds": {**expected.thresholds, **thresholds}}
    )
    tables = [_table(label, values, reasons[label]) for label, values in thresholds.items()]
    text = "\n\n".join([_without(present, version, thresholds), *tables]) + "\n"
    try:
        correct = _read(text, name) == expected
    except PolicyError:
        correct = False
    if not correct:
        raise TuneError(f"{name}: write thresholds as [thresholds.LABEL] tables, as in model/policy.toml")
    return text


def tuned_version(present: str, day: str) -> str:
    """Return the version of a policy that was tuned on ``day``."""
    return f"{present.partition(_TUNED)[0][:80]}{_TUNED}{day}"


def _read(text: str, name: str) -> File:
    return read_policy(text, name, DEFAULT_POLICY.read_text("utf-8"))


def _table(label: str, thresholds: Thresholds, reason: str) -> str:
    values = [f"{field} = {value!r}" for field, value in thresholds.model_dump(exclude_none=True).items()]
    comment = [_MARK + part for part in textwrap.wrap(reason, 120)]
    return "\n".join([f"[thresholds.{label}]", *comment, *values])


def _without(present: str, version: str, labels: Mapping[str, Thresholds]) -> str:
    """Return the text with another version, without tables of ``labels`` and comments of an earlier proposal."""
    version_line = f"version = {json.dumps(version, ensure_ascii=False)}"
    lines: list[str] = []
    at_top, dropped = True, False
    for line in present.removeprefix("\ufeff").splitlines():
        content = _content(line)
        if line.lstrip().startswith("["):
            tables = content.get("thresholds", {})
            at_top, dropped = False, any(tables.get(label) == {} for label in labels)
        if at_top and "version" in content:
            lines.append(version_line)
        elif not (content and dropped) and not line.startswith(_MARK):
            lines.append(line)
    if version_line not in lines:
        lines.insert(0, version_line)
    return "\n".join(lines).rstrip("\n")


def _content(line: str) -> dict[str, Any]:
    """Return what one line of TOML says alone; nothing for a part of a longer value."""
    try:
        return tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return {}
