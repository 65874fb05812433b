"""A policy file with other thresholds; everything else, comments included, stays."""

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.items import InlineTable

from belowline.model import Thresholds
from belowline.model.policy import DEFAULT_POLICY
from belowline.model.policy_file import read_policy
from belowline.training.errors import TuneError

_TUNED = "+tuned-"


def proposed_text(
    present: str, name: str, version: str, thresholds: Mapping[str, Thresholds], reasons: Mapping[str, str]
) -> str:
    """Return the policy ``present`` with another version and other thresholds, each with its reason as a comment.

    Raises TuneError for thresholds in an inline table, PolicyError for a file that is no policy.
    """
    read_policy(present, name, DEFAULT_POLICY.read_text("utf-8"))
    document = tomlkit.parse(present.removeprefix("\ufeff"))
    if "version" not in document:
        document = tomlkit.parse(f'version = ""\n{present}')
    document["version"] = version
    if "thresholds" not in document:
        document["thresholds"] = tomlkit.table(is_super_table=True)
    tables: Any = document["thresholds"]
    if isinstance(tables, InlineTable):
        raise TuneError(f"{name}: write thresholds as [thresholds.LABEL] tables, as in model/policy.toml")
    for label, values in thresholds.items():
        if label not in tables:
            tables[label] = tomlkit.table()
        table = tables[label]
        for field, value in values:
            if value is not None:
                table[field] = value
            elif field in table:
                del table[field]
        table.comment(f"tune: {reasons[label]}")
    return tomlkit.dumps(document)


def tuned_version(present: str, day: str) -> str:
    """Return the version of a policy that was tuned on ``day``."""
    return f"{present.partition(_TUNED)[0][:80]}{_TUNED}{day}"
