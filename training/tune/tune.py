"""``belowline-train tune``: hold and reject thresholds for a stated precision, or for what a team can review, from a site's decisions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
from rich.console import Console

from belowline.model import DEFAULT_MODEL_DIR, Policy, PolicyError
from belowline.model.directory import read_config
from belowline.model.policy import DEFAULT_POLICY
from belowline.training.errors import TuneError
from belowline.training.measure.metrics import Bools
from belowline.training.tune.choice import Goal, for_budget, for_precision, harmful_by, reviews
from belowline.training.tune.decisions import Decisions, gather_decisions
from belowline.training.tune.policy_text import proposed_text, tuned_version
from belowline.training.tune.report import Effect, Reviewed, Tuning, as_json, draw_curves, reason_of, show
from belowline.training.tune.shares import UNKNOWN, Share


def tune(
    files: Sequence[Path],
    out: Path,
    goal: Goal,
    console: Console,
    *,
    model: Path = DEFAULT_MODEL_DIR,
    policy: Path | None = None,
    kept_scores: bool = False,
    force: bool = False,
    today: date | None = None,
) -> Tuning:
    """Write the policy (None: the default one) with the thresholds that reach ``goal`` to ``out``, the curves beside it as ``.json`` and
    ``.png``, and print what would change. All three come whole or not at all.

    Thresholds are chosen on half of the decisions, and every figure told is of the other half.

    Raises TuneError for a goal that cannot be, for files that are there already unless ``force`` is given, and where nothing would change;
    ReadError, ModelError, PolicyError.
    """
    goal.check()
    _check_out(out, policy, force)
    config = read_config(model)
    text, name = _present(policy)
    present = Policy.parse(text, name, config.thresholds, config.languages)
    decisions = gather_decisions(files, model, config, present, kept_scores, console)
    choose = for_precision if goal.per_day is None else for_budget
    choices = choose(decisions, present, goal)
    day = (today or datetime.now(UTC).date()).isoformat()
    thresholds = {one.label: one.proposed for one in choices if one.proposed != one.present}
    reasons = {one.label: reason_of(one, goal, config.version, day) for one in choices}
    version = tuned_version(present.version, day)
    proposed = proposed_text(text, name, version, thresholds, reasons)
    after = Policy.parse(proposed, str(out), config.thresholds, config.languages)
    effect = _effect(decisions, present, after, goal)
    tuning = Tuning(goal, config.version, day, version, choices, effect, decisions.notes, len(decisions.rows))
    show(tuning, console)
    if not thresholds:
        raise TuneError("no threshold would change; nothing was written")
    _write(out, {".toml": proposed.encode(), ".json": as_json(tuning), ".png": draw_curves(tuning)})
    return tuning


def _present(policy: Path | None) -> tuple[str, str]:
    """The text of the policy, and what to call it."""
    path = policy or DEFAULT_POLICY
    try:
        return path.read_text("utf-8"), str(path)
    except UnicodeDecodeError as error:
        raise PolicyError(f"{path}: not TOML: {error}") from error
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read ({error.strerror}); name a policy file") from error


def _check_out(out: Path, policy: Path | None, force: bool) -> None:
    if out.suffix != ".toml" or not out.parent.is_dir() or out.is_dir():
        raise TuneError(f"{out}: not a .toml file in a folder that is there; correct --out")
    if force:
        return
    if policy is not None and out.resolve() == policy.resolve():
        raise TuneError(f"{out}: is the policy in force; name another --out, or give --force to replace it")
    for path in (out.with_suffix(suffix) for suffix in (".toml", ".json", ".png")):
        if path.exists():
            raise TuneError(f"{path}: there already; name another --out, or give --force to replace it")


def _write(out: Path, contents: Mapping[str, bytes]) -> None:
    """Each file by its ending; none takes its place before all are whole, the policy last."""
    parts = {out.with_suffix(suffix): out.with_suffix(f"{suffix}.part") for suffix in contents}
    try:
        for (_, part), content in zip(parts.items(), contents.values(), strict=True):
            part.write_bytes(content)
        for path, part in reversed(parts.items()):
            part.replace(path)
    except OSError as error:
        raise TuneError(f"{out}: cannot be written ({error.strerror})") from error
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


def _effect(decisions: Decisions, present: Policy, after: Policy, goal: Goal) -> Effect:
    """What changes for these comments, and for a day's."""
    old, new = ([one.action for one in decisions.decided_by(policy)] for policy in (present, after))
    harmful = harmful_by(decisions, present)
    flips: dict[str, dict[str, list[str]]] = defaultdict(lambda: {"harmful": [], "other": []})
    for row, before, now, harm in zip(decisions.rows, old, new, harmful, strict=True):
        if before != now:
            flips[f"{before} > {now}"]["harmful" if harm else "other"].append(row.row)
    told = [_reviewed(decisions, np.array(side), harmful, present, goal) for side in (old, new)]
    return Effect(dict(sorted(flips.items())), *told)


def _reviewed(
    decisions: Decisions,
    actions: np.ndarray[tuple[int], np.dtype[np.str_]],
    harmful: Bools,
    policy: Policy,
    goal: Goal,
) -> Reviewed:
    """What a policy that decides so costs and catches, in the half that nothing was chosen on."""
    half = ~decisions.first
    sample, held = decisions.sample.part(half), (actions == "hold")[half]
    if not decisions.drawn.any() or not half.any():
        return Reviewed(UNKNOWN, UNKNOWN, None)
    rejected = (actions == "reject")[half]
    share = sample.share(held, np.ones(len(held), dtype=bool))
    caught = sample.share(held | rejected, harmful[half])
    away = float(np.average(rejected, weights=sample.weights))
    return Reviewed(share, caught, _a_day(share, away, policy, goal))


def _a_day(share: Share, rejected: float, policy: Policy, goal: Goal) -> tuple[float, float, float] | None:
    comments = goal.comments_per_day
    if comments is None:
        return None
    value, low, high = (
        reviews(held, rejected, policy, comments) for held in (share.value, share.low, share.high)
    )
    return value, low, high
