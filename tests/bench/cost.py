"""Cost of a million comments, by the Scorer and by an audit on this machine, and by number of cores."""

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from belowline.model import ScoreInput
from tests.bench.audit import audit_seconds
from tests.bench.figures import figure, group, number
from tests.bench.rounds import Setup, Step, alternate, cores, in_child, loaded, seconds

MILLION = 1_000_000
_EXTRAPOLATED = (4, 8, 16, 32, 64)


def run(setup: Setup, step: Step) -> dict[str, Any]:
    """Rates measured on this machine, and hours computed from them."""
    texts, source = setup.texts(setup.pick(512, 8))
    counts = [count for count in (1, 2) if count <= cores()]
    runs = {
        _cores(count): lambda count=count: (
            len(texts) / in_child(scorer_seconds, str(setup.model), texts, count, setup.pick(2, 1)).result
        )
        for count in counts
    }
    with tempfile.TemporaryDirectory() as folder:
        archive, comments = Path(folder) / "archive.jsonl", setup.texts(setup.pick(3000, 20))[0]
        archive.write_text("".join(json.dumps({"text": text}) + "\n" for text in comments), "utf-8")
        runs["audit"] = lambda: len(comments) / audit_seconds(archive, Path(folder), setup.model)
        rates = alternate(runs, setup.pick(3, 1), step)
    audit, scorer = rates.pop("audit"), {count: rates[_cores(count)] for count in counts}
    rows = {f"Scorer on {name}": values for name, values in rates.items()}
    rows[f"belowline audit of {len(comments)} comments, on {_cores(cores())}"] = audit
    return {
        "title": "A million comments",
        "about": _about(source),
        "groups": [
            group("Comments a second", {name: figure(values, "/s") for name, values in rows.items()}),
            group(
                "Hours for a million comments at that rate",
                {name: figure([hours(one) for one in values], "h") for name, values in rows.items()},
            ),
        ],
        "tables": [core_table(scorer)],
    }


def _cores(count: int) -> str:
    return f"{count} core{'s' if count > 1 else ''}"


def hours(rate: float) -> float:
    """Return the hours for a million comments at ``rate`` comments per second."""
    return MILLION / rate / 3600


def scorer_seconds(model: str, texts: Sequence[str], count: int, times: int) -> float:
    """Return the mean seconds of scoring ``texts`` once, on ``count`` cores.

    Sets the affinity of the process, so call it in a child process.
    """
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    scorer = loaded(Path(model), count)

    def afresh() -> None:
        scorer.forget()
        scorer.score([ScoreInput(text) for text in texts])

    return sum(seconds(afresh) for _ in range(times)) / times


def core_table(measured: Mapping[int, Sequence[float]]) -> dict[str, Any]:
    """Rate and hours by number of cores.

    Beyond the measured numbers, each doubling is assumed to gain as much as the measured one.
    """
    rows = [[count, number(median(v)), number(hours(median(v))), "measured"] for count, v in measured.items()]
    if set(measured) >= {1, 2}:
        gain = median(two / one for one, two in zip(measured[1], measured[2], strict=True))
        for count in _EXTRAPOLATED:
            rate = median(measured[1]) * gain ** math.log2(count)
            rows.append([count, number(rate), number(hours(rate)), "extrapolated"])
        title = f"By number of cores; the second core multiplied the rate by {number(gain)}, and so each doubling is taken to do"
    else:
        title = "By number of cores"
    return {"title": title, "columns": ["cores", "comments/s", "hours for a million", ""], "rows": rows}


def _about(source: str) -> list[str]:
    return [
        f"Comments of {source}, all different: repeats, which real archives have many of, cost next to nothing. The Scorer runs in a "
        "process that is held to the stated cores; loading the model is left out. The audit is timed from file to file, start of the "
        "program and report included.",
        "What is extrapolated was not measured: memory bandwidth, shared caches and clock rates set a limit to it.",
    ]
