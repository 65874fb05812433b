"""``belowline-train tune``: thresholds for a precision or a review budget, from a site's own decisions."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import tomlkit
from rich.console import Console
from rich.table import Table
from tomlkit.items import InlineTable

from belowline.model import DEFAULT_MODEL_DIR, Policy, Thresholds
from belowline.model.directory import read_config
from belowline.model.policy_file import DEFAULT_POLICY, policy_text, read_policy
from belowline.training.errors import TuneError
from belowline.training.files import write_text
from belowline.training.measure.intervals import Measurement
from belowline.training.tune.choice import Choice, Goal, for_budget, for_precision, reviews, shares_of
from belowline.training.tune.decisions import gather_decisions

_TUNED = "+tuned-"
_MISSED = "MISSES the goal on held-out decisions"


def tune(
    files: Sequence[Path],
    out: Path,
    goal: Goal,
    console: Console,
    *,
    model: Path = DEFAULT_MODEL_DIR,
    policy: Path | None = None,
    force: bool = False,
    today: date | None = None,
) -> list[Choice]:
    """Choose thresholds that reach ``goal``, print and return them, and write the policy to ``out``.

    Thresholds are chosen on one half of the decisions and measured on the other.

    Raises:
        TuneError: A contradictory goal, an existing ``out`` without ``force``, or no threshold that would change.
        ReadError, ModelError, PolicyError: Files that cannot be read.
    """
    goal.check()
    _check_out(out, policy, force)
    config = read_config(model)
    source = policy or DEFAULT_POLICY
    text, name = policy_text(source), str(source)
    present = Policy.parse(text, name, config.thresholds, config.languages)
    decisions = gather_decisions(files, model, config, present, console)
    choices = (for_precision if goal.per_day is None else for_budget)(decisions, present, goal)
    day = (today or datetime.now(UTC).date()).isoformat()
    changed = {choice.label: choice.proposed for choice in choices if choice.proposed != choice.present}
    reasons = {choice.label: reason_of(choice, goal, config.version, day) for choice in choices}
    proposed = proposed_text(text, name, tuned_version(present.version, day), changed, reasons)
    after = Policy.parse(proposed, str(out), config.thresholds, config.languages)
    for note in decisions.notes:
        console.print(note, soft_wrap=True)
    _show(choices, console)
    if goal.comments_per_day and decisions.drawn.any() and not decisions.first.all():
        held, rejected = shares_of(decisions, after, ~decisions.first)
        needed = reviews(held, rejected, after, goal.comments_per_day)
        console.print(f"about {needed:,.0f} reviews a day by held-out decisions")
    if not changed:
        raise TuneError("no threshold would change; nothing was written")
    try:
        write_text(out, proposed)
    except OSError as error:
        raise TuneError(f"{out}: cannot be written ({error.strerror})") from error
    return choices


def reason_of(choice: Choice, goal: Goal, model: str, day: str) -> str:
    """Return one line about the thresholds of a label, as the policy file has it in a comment."""
    if goal.per_day is not None:
        parts = [f"{choice.label}: for {goal.per_day:,} reviews of {goal.comments_per_day:,} comments a day"]
    else:
        parts = [f"{choice.label}: for precision {goal.precision:g}"]
    for name, point in (("hold", choice.measured), ("reject", choice.measured_reject)):
        if point is not None:
            parts.append(f"{name} has precision {_interval(point.precision)}")
    if choice.measured is not None:
        parts.append(f"recall {_interval(choice.measured.recall)}")
    if choice.missed:
        parts.append(_MISSED)
    return "; ".join([*parts, f"{choice.decided:,} decisions, model {model}, {day}"])


def _check_out(out: Path, policy: Path | None, force: bool) -> None:
    if out.suffix != ".toml" or not out.parent.is_dir() or out.is_dir():
        raise TuneError(f"{out}: not a .toml file in an existing folder; correct --out")
    if out.exists() and not force:
        is_active = policy is not None and out.resolve() == policy.resolve()
        state = "is the active policy" if is_active else "exists"
        raise TuneError(f"{out}: {state}; name another --out, or give --force to replace it")


def _show(choices: Sequence[Choice], console: Console) -> None:
    table = Table("label", "decisions", "harmful", "hold", "reject", "precision", "recall", "note")
    for choice in choices:
        point = choice.measured
        table.add_row(
            choice.label,
            f"{choice.decided:,}",
            f"{choice.harmful:,}",
            _change(choice.present.hold, choice.proposed.hold),
            _change(choice.present.reject, choice.proposed.reject),
            "-" if point is None else _interval(point.precision),
            "-" if point is None else _interval(point.recall),
            _MISSED if choice.missed else choice.reason,
        )
    console.print(table)


def _change(present: float | None, proposed: float | None) -> str:
    shown = ["never" if value is None else f"{value:.4g}" for value in (present, proposed)]
    return shown[0] if present == proposed else " > ".join(shown)


def _interval(share: Measurement) -> str:
    return f"{share.value:.3f} ({share.low:.3f}-{share.high:.3f}), n {share.n:,}" if share.n else "unknown"


def proposed_text(
    present: str, name: str, version: str, thresholds: Mapping[str, Thresholds], reasons: Mapping[str, str]
) -> str:
    """Return the policy ``present`` with another version and other thresholds, each with its reason as a comment.

    Raises TuneError for thresholds in an inline table, PolicyError for a file that is no policy.
    """
    read_policy(present, name)
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
