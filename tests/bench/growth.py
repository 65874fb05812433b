"""Growth of time and memory with the number of comments, their length, and the number of clients."""

import io
import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from belowline.model import ScoreInput
from tests.bench.client import KEY, closed
from tests.bench.figures import curve
from tests.bench.rounds import Alone, Setup, Step, client_process, in_child, loaded, peak_mib, seconds
from tests.bench.texts import endless, of_length, short
from tests.support.served_process import served

COUNTS = (100, 300, 1_000, 3_000, 10_000)
LENGTHS = (20, 80, 320, 1_280, 5_120, 20_480)
CLIENTS = (1, 4, 16, 64, 256)
_STEADY_COUNT, _STEADY_LENGTH, _STEADY_CLIENTS = 1_000, 1_280, 16
"""Smallest size for fitting the exponent; below it the fixed cost of a run or request dominates."""
Measured = dict[int, list[tuple[float, float]]]
"""Seconds (or milliseconds) and MiB of each round, by size."""


def run(setup: Setup, step: Step) -> dict[str, Any]:
    """Measure each size in its own process, so that peak memory belongs to that size."""
    model, rounds = str(setup.model.resolve()), setup.pick(3, 1)
    counts, lengths = setup.pick(COUNTS, (5, 10)), setup.pick(LENGTHS, (20, 600))
    texts = setup.texts(setup.pick(200, 20))[0]

    def of(
        name: str, sizes: Sequence[int], measure: Callable[[int], tuple[float, float]], rounds: int = rounds
    ) -> Measured:
        found: Measured = {size: [] for size in sizes}
        for turn in range(rounds):
            for size in sizes:
                step(f"{name}: {size:,}, round {turn + 1} of {rounds}")
                found[size].append(measure(size))
        return found

    calls = of(
        "comments in a call", counts, lambda size: _print_progress(in_child(call_seconds, model, size))
    )
    # An audit starts no subprocess: its peak is that of the child.
    audits = of(
        "comments in an audit",
        counts,
        lambda size: _print_progress(in_child(audit_seconds, model, size)),
        setup.pick(2, 1),
    )
    long = of("characters", lengths, lambda size: _print_progress(in_child(length_ms, model, size, texts)))
    clients = of(
        "clients", setup.pick(CLIENTS, (1, 3)), lambda size: client_ms(setup, size, texts), setup.pick(2, 1)
    )
    return {
        "title": "Growth",
        "about": _ABOUT,
        "curves": [
            *_curves(
                "Comments in one call of the Scorer", "comments", "s", calls, setup.pick(_STEADY_COUNT, 0)
            ),
            *_curves("Comments in one audit", "comments", "s", audits, setup.pick(_STEADY_COUNT, 0)),
            *_curves("Length of a comment", "characters", "ms", long, setup.pick(_STEADY_LENGTH, 0)),
            *_curves("Clients at once", "clients", "ms", clients, setup.pick(_STEADY_CLIENTS, 0)),
        ],
    }


_ABOUT = [
    "Each point is the median of its rounds, each round in a process of its own; memory is the most that this process had (the service's "
    "for clients; peak resident set), the model included. The exponent b of a·size^b is fitted by least squares over the logarithms of "
    "the medians, over the range that the caption states.",
    "Counts: different texts of about 40 characters, the loading of the model left out. Length: one comment after another of running text "
    "on an idle Scorer. Clients: each sends one comment to a new service when it has its answer to the last one; the time is the median "
    "latency.",
]


def _print_progress(alone: Alone) -> tuple[float, float]:
    return alone.result, alone.peak_mib


def _curves(title: str, across: str, unit: str, found: Measured, steady: float) -> list[dict[str, Any]]:
    return [
        curve(f"{title}: time", across, unit, {at: [one[0] for one in v] for at, v in found.items()}, steady),
        curve(
            f"{title}: memory", across, "MiB", {at: [one[1] for one in v] for at, v in found.items()}, steady
        ),
    ]


def call_seconds(model: str, count: int) -> float:
    """Return the seconds of one call with ``count`` short comments."""
    scorer, comments = loaded(Path(model)), [ScoreInput(short(number)) for number in range(count)]
    return seconds(lambda: scorer.score(comments))


def audit_seconds(model: str, count: int) -> float:
    """Return the seconds of an audit of ``count`` short comments, in this process."""
    from belowline.serve.audit.archive import Archive
    from belowline.serve.audit.run import run_audit
    from belowline.serve.scoring.pipeline import ModerationPipeline

    pipeline = ModerationPipeline.of(loaded(Path(model)), None)
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive.jsonl"
        archive.write_text("".join(f'{{"text": "{short(number)}"}}\n' for number in range(count)), "utf-8")
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            return seconds(lambda: run_audit(Archive([archive]), Path(folder) / "out", pipeline))


def length_ms(model: str, characters: int, texts: Sequence[str]) -> float:
    """Median time of single comments of the given length in characters."""
    scorer = loaded(Path(model))
    made = [ScoreInput(of_length(characters, endless(texts), number)) for number in range(7)]
    return 1000 * statistics.median(seconds(lambda one=one: scorer.score([one])) for one in made)


def client_ms(setup: Setup, clients: int, texts: Sequence[str]) -> tuple[float, float]:
    """Median latency of the given number of clients, and peak memory of the service."""
    count = max(setup.pick(200, 6), 3 * clients)
    sent = [f"{text} {clients}" for text, _ in zip(endless(texts), range(count), strict=False)]
    with (
        tempfile.TemporaryDirectory() as folder,
        client_process() as callers,
        served(Path(folder), "--model", str(setup.model.resolve()), settings={"api_keys": KEY}) as service,
    ):
        callers.submit(closed, service.url, "score", [f"{text} first" for text in sent[:3]], 1).result()
        answered = callers.submit(closed, service.url, "score", sent, clients).result()
        return 1000 * statistics.median(answered.seconds), peak_mib(service.process.pid)
