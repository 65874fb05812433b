"""A policy file with other thresholds; everything else, comments included, stays."""

import json
import re
import textwrap
from collections.abc import Mapping

from belowline.model import PolicyError, Thresholds
from belowline.model.policy import DEFAULT_POLICY
from belowline.model.policy_file import File, read_policy
from belowline.training.errors import TuneError

_MARK = "# tune: "
_HEADER = re.compile(r"\s*\[")
_VERSION = re.compile(r"^version\s*=.*$", re.MULTILINE)


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
    text = _without(present.removeprefix("\ufeff"), thresholds)
    line = f"version = {json.dumps(version, ensure_ascii=False)}"
    text = _VERSION.sub(lambda _: line, text, count=1) if _VERSION.search(text) else f"{line}\n{text}"
    for label, values in thresholds.items():
        text += f"\n\n[thresholds.{label}]\n" + "\n".join(
            _MARK + part for part in textwrap.wrap(reasons[label], 120)
        )
        for field, value in values.model_dump(exclude_none=True).items():
            text += f"\n{field} = {value!r}"
    try:
        correct = _read(text, name) == expected
    except PolicyError:
        correct = False
    if not correct:
        raise TuneError(f"{name}: write thresholds as [thresholds.LABEL] tables, as in model/policy.toml")
    return text + "\n"


def tuned_version(present: str, day: str) -> str:
    """Return the version of a policy that was tuned on ``day``."""
    return f"{re.sub(r'[+]tuned-[0-9-]+$', '', present)[:80]}+tuned-{day}"


def _read(text: str, name: str) -> File:
    return read_policy(text, name, DEFAULT_POLICY.read_text("utf-8"))


def _without(text: str, labels: Mapping[str, Thresholds]) -> str:
    """Return ``text`` without the tables of ``labels`` and without the comments of an earlier proposal."""
    headers = {f"[thresholds.{label}]" for label in labels}
    kept: list[str] = []
    inside = False
    for line in text.splitlines():
        if _HEADER.match(line):
            inside = re.sub(r"\s|#.*|[\"']", "", line) in headers
            if inside:
                continue
        is_value = inside and line.strip() and not line.lstrip().startswith("#")
        if not is_value and not line.startswith(_MARK):
            kept.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).rstrip("\n")
