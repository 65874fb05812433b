"""What a tuning of thresholds says: on the terminal, in the policy's comments, as JSON and as a picture."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from belowline.model import Thresholds
from belowline.training.tune.choice import Choice, Goal
from belowline.training.tune.shares import Share

_COLOURS = {"precision": "#0b5fa5", "recall": "#b3541e", "held": "#3d7a3d"}
_METHOD = (
    "Thresholds are chosen on one half of the decisions (by split_key), every figure told is of the other. Decisions count by their weight "
    "(Horvitz-Thompson); intervals are 95 %, exact for the effective number of comments (Korn and Graubard), clustered by split_key. A "
    "hold threshold for a precision is the lowest whose interval, in the half it is chosen on, lies above it."
)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a policy costs and catches: share of comments held, share of known harm held or rejected, reviews a day with their interval."""

    held: Share
    caught: Share
    a_day: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Effect:
    """Rows decided otherwise, by change (``publish > hold``) and whether known to be harmful; what both policies cost and catch."""

    flips: Mapping[str, Mapping[str, Sequence[str]]]
    before: Reviewed
    after: Reviewed


@dataclass(frozen=True, slots=True)
class Tuning:
    """A finished tuning; ``version`` is that of the proposed policy, ``decisions`` how many decided comments were measured."""

    goal: Goal
    model: str
    day: str
    version: str
    choices: Sequence[Choice]
    effect: Effect
    notes: Sequence[str]
    decisions: int

    @property
    def over_budget(self) -> bool:
        """Whether the half that nothing was chosen on rules out that the reviews of a day suffice."""
        a_day = self.effect.after.a_day
        return self.goal.per_day is not None and a_day is not None and a_day[1] > self.goal.per_day


def reason_of(choice: Choice, goal: Goal, model: str, day: str) -> str:
    """Where a label's thresholds come from, in a line: the comment beside them."""
    parts = [f"for {_asked(goal)}"] if choice.proposed != choice.present else []
    for name, stated in (("hold", choice.stated), ("reject", choice.stated_reject)):
        if stated is not None:
            parts.append(f"{name} has precision {_told(stated.precision)}")
    if choice.stated is not None:
        parts.append(f"recall {_told(choice.stated.recall)}")
    elif choice.proposed != choice.present:
        parts.append("hold dropped: others catch more harm for the reviews of a day")
    if choice.missed:
        parts.append("MISSES its promise in the half that it was not chosen on")
    if choice.stays:
        parts.append(f"stays: {choice.stays}")
    known = f"{choice.decided:,} decided, {choice.harmful:,} harmful; model {model}, {day}"
    return f"{choice.label}: {'; '.join([*parts, known])}"


def show(tuning: Tuning, console: Console) -> None:
    """Print what is proposed, why, and what would change."""
    for note in tuning.notes:
        console.print(note, soft_wrap=True)
    console.print(_labels(tuning))
    for one in tuning.choices:
        if one.stays:
            console.print(f"{one.label} stays: {one.stays}", soft_wrap=True)
        if one.missed:
            console.print(
                f"{one.label} MISSES its promise in the half that it was not chosen on", soft_wrap=True
            )
    console.print(_effect(tuning))
    for change, rows in tuning.effect.flips.items():
        total = sum(map(len, rows.values()))
        console.print(
            f"{change}: {total:,} of {tuning.decisions:,} decided, {len(rows['harmful']):,} known to be harmful"
        )
    if tuning.over_budget:
        console.print(
            f"MORE than {tuning.goal.per_day:,} reviews a day in the half that nothing was chosen on"
        )
    console.print(_METHOD, soft_wrap=True)


def _asked(goal: Goal) -> str:
    if goal.per_day is not None:
        return f"{goal.per_day:,} reviews of {goal.comments_per_day:,} comments a day"
    reject = "" if goal.reject_precision is None else f" ({goal.reject_precision:g} to reject)"
    return f"precision {goal.precision:g}{reject}"


def _labels(tuning: Tuning) -> Table:
    title = f"{_asked(tuning.goal)}; {tuning.decisions:,} decisions, model {tuning.model}"
    table = Table("label", "decided", "harmful", "hold", "reject", title=title, title_justify="left")
    for name in ("precision at hold", "recall", "of 1,000 held", "precision at reject"):
        table.add_column(f"{name}\n(95 %)", justify="right")
    for one in tuning.choices:
        told = [one.stated.precision, one.stated.recall] if one.stated else [None, None]
        held = _interval(one.stated.held, 1000) if one.stated else "-"
        rejected = one.stated_reject.precision if one.stated_reject else None
        table.add_row(
            one.label,
            f"{one.decided:,}",
            f"{one.harmful:,}",
            _change(one.present.hold, one.proposed.hold),
            _change(one.present.reject, one.proposed.reject),
            *(_cell(share) for share in told),
            held,
            _cell(rejected),
        )
    return table


def _effect(tuning: Tuning) -> Table:
    table = Table("policy", "of 1,000 held (95 %)", "known harm caught (95 %)", "reviews a day (95 %)")
    for name, side in (("present", tuning.effect.before), ("proposed", tuning.effect.after)):
        a_day = "-" if side.a_day is None else "{:,.0f} ({:,.0f}-{:,.0f})".format(*side.a_day)
        table.add_row(name, _interval(side.held, 1000), _told(side.caught), a_day)
    return table


def _change(present: float | None, proposed: float | None) -> str:
    shown = ["never" if value is None else f"{value:.4g}" for value in (present, proposed)]
    return shown[0] if present == proposed else " > ".join(shown)


def _cell(share: Share | None) -> str:
    return "-" if share is None else f"{_interval(share)}\nn {share.n:,}"


def _told(share: Share) -> str:
    return f"{_interval(share)}, n {share.n:,}" if share.n else "unknown"


def _interval(share: Share, times: int = 1) -> str:
    """A share with its interval, or ``times`` it as a number of comments."""
    if not share.n:
        return "unknown"
    form = "{:.2f} ({:.2f}-{:.2f})" if times == 1 else "{:.1f} ({:.1f}-{:.1f})"
    return form.format(*(times * value for value in (share.value, share.low, share.high)))


def as_json(tuning: Tuning) -> bytes:
    """Everything, curves and the names of all rows that are decided otherwise; no text of any comment."""
    content = {
        "goal": asdict(tuning.goal),
        "model": tuning.model,
        "date": tuning.day,
        "policy": tuning.version,
        "decisions": tuning.decisions,
        "method": _METHOD,
        "notes": list(tuning.notes),
        "labels": {one.label: _choice(one) for one in tuning.choices},
        "effect": {
            "flips": tuning.effect.flips,
            "present": _reviewed(tuning.effect.before),
            "proposed": _reviewed(tuning.effect.after),
            "over_budget": tuning.over_budget,
        },
    }
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def _choice(one: Choice) -> dict[str, Any]:
    points = {"chosen_on": one.chosen_on, "stated": one.stated, "stated_reject": one.stated_reject}
    return {
        "present": one.present.model_dump(),
        "proposed": one.proposed.model_dump(),
        "decided": one.decided,
        "harmful": one.harmful,
        "missed": one.missed,
        "stays": one.stays,
        **{name: value and value.as_dict() for name, value in points.items()},
        "curve": [value.as_dict() for value in one.curve],
    }


def _reviewed(side: Reviewed) -> dict[str, Any]:
    return {"held": side.held.as_dict(), "caught": side.caught.as_dict(), "a_day": side.a_day}


def draw_curves(tuning: Tuning) -> bytes:
    """A PNG: precision, recall and share held against the threshold, for each label with a curve, and its thresholds before and after."""
    drawn = [one for one in tuning.choices if one.curve]
    columns = min(3, len(drawn))
    rows = -(-len(drawn) // columns)
    figure = Figure(figsize=(3.6 * columns, 2.8 * rows + 0.5), layout="constrained", facecolor="white")
    charts = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in charts[len(drawn) :]:
        axes.remove()
    for axes, one in zip(charts, drawn, strict=False):
        _chart(axes, one)
    named = {
        name: handle
        for axes in charts[: len(drawn)]
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        named.values(), named.keys(), loc="outside upper center", ncols=5, frameon=False, fontsize=8
    )
    figure.supxlabel("threshold", fontsize=9)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=130, metadata={"Software": None})
    return content.getvalue()


def _chart(axes: Any, one: Choice) -> None:
    for name, colour in _COLOURS.items():
        shares = [getattr(value, name) for value in one.curve]
        at = [(value.threshold, share) for value, share in zip(one.curve, shares, strict=True) if share.n]
        across = [threshold for threshold, _ in at]
        axes.plot(across, [share.value for _, share in at], color=colour, label=name)
        low, high = ([getattr(share, end) for _, share in at] for end in ("low", "high"))
        axes.fill_between(across, low, high, color=colour, alpha=0.15, linewidth=0)
    _mark(axes, one.present, "present", ":")
    if one.proposed != one.present:
        _mark(axes, one.proposed, "proposed", "-")
    axes.set(title=one.label, xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(color="#e4e4e4")


def _mark(axes: Any, both: Thresholds, kind: str, style: str) -> None:
    if both.hold is not None:
        axes.axvline(both.hold, color="#333333", linestyle=style, linewidth=1, label=f"{kind} hold")
    if both.reject is not None:
        axes.axvline(both.reject, color="#c02020", linestyle=style, linewidth=1, label=f"{kind} reject")
