"""A policy file with other thresholds and nothing else changed, comments and order as they were."""

import json
import re
import textwrap
from collections.abc import Mapping

from belowline.model import PolicyError, Thresholds
from belowline.model.policy import DEFAULT_POLICY
from belowline.model.policy_file import File, read_policy
from belowline.training.errors import TuneError

_MARK = "# tune: "
"""Begins the lines that a proposal writes, and drops again when it is made anew."""
_WIDTH = 130
_HEADER = re.compile(r"\s*\[")
_VERSION = re.compile(r"^version\s*=.*$", re.MULTILINE)


def proposed_text(
    present: str,
    name: str,
    version: str,
    thresholds: Mapping[str, Thresholds],
    reasons: Mapping[str, str],
) -> str:
    """The policy file ``present``, called ``name``, as ``version`` and with ``thresholds`` for their labels, its reason beside each.

    ``reasons`` may name labels that stay as they are. Raises TuneError where the file is written so that it cannot be changed line by
    line, PolicyError where it is no policy.
    """
    before = _read(present, name)
    lines = _without(present.removeprefix("\ufeff").splitlines(), thresholds)
    text = _with_version("\n".join(lines).rstrip("\n"), version)
    for label, reason in reasons.items():
        if label not in thresholds:
            text += "\n\n" + _comment(reason)
    for label, both in thresholds.items():
        text += f"\n\n[thresholds.{label}]\n{_comment(reasons[label])}" + "".join(
            f"\n{field} = {value!r}" for field, value in both.model_dump().items() if value is not None
        )
    wanted = before.model_copy(update={"version": version, "thresholds": {**before.thresholds, **thresholds}})
    try:
        same = _read(text, name) == wanted
    except PolicyError:
        same = False
    if not same:
        reason = "its thresholds or version are not written line by line"
        raise TuneError(f"{name}: {reason}; write [thresholds.LABEL] tables, as in model/policy.toml")
    return text + "\n"


def _comment(reason: str) -> str:
    return "\n".join(f"{_MARK}{line}" for line in textwrap.wrap(reason, _WIDTH))


def tuned_version(present: str, day: str) -> str:
    """The name of a version that was tuned on ``day``, whichever it was tuned from."""
    return f"{re.sub(r'[+]tuned-[0-9-]+$', '', present)[:80]}+tuned-{day}"


def _read(text: str, name: str) -> File:
    return read_policy(text, name, DEFAULT_POLICY.read_text("utf-8"))


def _without(lines: list[str], labels: Mapping[str, Thresholds]) -> list[str]:
    """``lines`` less the tables of ``labels`` and what an earlier proposal said; comments after a table's last value stay."""
    headers = {f"[thresholds.{label}]" for label in labels}
    kept: list[str] = []
    inside = False
    for line in lines:
        if _HEADER.match(line):
            inside = re.sub(r"\s|#.*", "", line).replace('"', "").replace("'", "") in headers
            if inside:
                continue
        is_value = inside and line.strip() and not line.lstrip().startswith("#")
        if not is_value and not line.startswith(_MARK):
            kept.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).split("\n")


def _with_version(text: str, version: str) -> str:
    line = f"version = {json.dumps(version, ensure_ascii=False)}"
    return _VERSION.sub(lambda _: line, text, count=1) if _VERSION.search(text) else f"{line}\n{text}"
