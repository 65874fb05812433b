"""The effect of thresholds on the site's own comments, in words and as histograms."""

from collections.abc import Mapping
from math import log1p
from typing import Any

from belowline.model.directory import Thresholds
from belowline.serve.queue.score_sample import BINS, MOST, WEEKS, Reached, ScoreSample

_WEEK = 7
_FEW = 10
"""Below this number of decisions a share is given as "3 of 4"."""


def effects(sample: ScoreSample, limits: Mapping[str, Thresholds], rejecting: bool) -> dict[str, str]:
    """Return the effect of each threshold of the labels that can hold, by its field, and of all under ``all``."""
    words = {}
    for label, both in limits.items():
        words[f"hold.{label}"] = _words("Holds", sample.held(label, limits, rejecting))
        words[f"reject.{label}"] = _rejecting(sample, label, limits, rejecting, both.reject)
    return words | {"all": _words("All labels together hold", sample.all_held(limits, rejecting))}


def basis(sample: ScoreSample) -> str:
    """Return the comments that effects are computed from, in words."""
    if not sample.comments:
        return f"There are no scored comments of the last {WEEKS} weeks yet."
    days = f"{sample.days:.0f} days" if sample.days >= 1.5 else "day"
    newest = f"the newest {MOST:,}" if sample.full else f"all {sample.comments:,}"
    return f"Computed from {newest} scored comments of the last {days}."


def bars(sample: ScoreSample, label: str) -> list[dict[str, Any]]:
    """Return the bars of a label's histogram in a box of 100 by 100; heights are logarithmic."""
    counts = sample.histogram(label)
    most = log1p(max(counts, default=0)) or 1.0
    return [
        {"x": f"{at * 100 / BINS:g}", "height": f"{100 * log1p(count) / most:.1f}", "count": count}
        for at, count in enumerate(counts)
        if count
    ]


def _rejecting(
    sample: ScoreSample,
    label: str,
    limits: Mapping[str, Thresholds],
    rejecting: bool,
    threshold: float | None,
) -> str:
    if threshold is None:
        return "Never rejects."
    return _words("Rejects" if rejecting else "Would reject", sample.rejected(label, limits))


def _words(verb: str, reached: Reached) -> str:
    """Return such as "Holds 42 a day, of which about 9 in 10 are rejected by moderators (118 decided)."."""
    if not reached.a_day:
        return f"{verb} none of these comments."
    words = f"{verb} {_rate(reached.a_day)}"
    if reached.decided:
        words += f", of which {_share(reached)}"
    alone = f" {_rate(reached.alone)} for this label alone." if 0 < reached.alone < reached.a_day else ""
    return f"{words}.{alone}"


def _rate(a_day: float) -> str:
    if a_day >= 1:
        return f"{a_day:,.0f} a day"
    return f"{max(1, round(a_day * _WEEK))} a week"


def _share(reached: Reached) -> str:
    decided = f"{reached.decided:,} decided"
    if reached.decided < _FEW:
        return f"moderators rejected {reached.rejected} of {reached.decided}"
    tenths = round(10 * reached.rejected / reached.decided)
    if reached.rejected in (0, reached.decided):
        return f"{'none' if not reached.rejected else 'all'} are rejected by moderators ({decided})"
    near = "fewer than 1" if tenths == 0 else "more than 9" if tenths == 10 else f"about {tenths}"
    return f"{near} in 10 are rejected by moderators ({decided})"
