"""Compare models on the same rows: metrics with paired intervals, changed decisions, speed, gates and a report."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from rich.console import Console

from belowline.model import Policy
from belowline.training.compare.comparison import FALSE_SHARE, Comparison, Pair, differences
from belowline.training.compare.decision_changes import flips_of
from belowline.training.compare.gates import GateReport, check_gates
from belowline.training.compare.report import show_comparison, write_report
from belowline.training.compare.speed import measure_speed
from belowline.training.files import write_json
from belowline.training.measure.contenders import Contender, load_contenders
from belowline.training.measure.draws import draws_of_model
from belowline.training.measure.intervals import Floats, resampled
from belowline.training.measure.parts import (
    FEWEST_OF_A_CLASS,
    measurable,
    parts_of,
    scored_by_all,
    sizes_of,
)
from belowline.training.measure.rows import TestRows, gather_rows
from belowline.training.recipes.recipe import Gates
from belowline.training.score_cache import cached_scores

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a comparison.

    Attributes:
        run: A run whose test split is used.
        policy: Policy file for thresholds; None is the default policy over each model's own thresholds.
    """

    run: Path | None = None
    corpora: Path | None = None  # folder of corpora whose test rows are used too
    decisions: Path | None = None  # file of exported decisions whose test rows are used too
    limit: int | None = None  # rows of each corpus at most
    policy: Path | None = None
    threads: int = 2  # CPU threads of every model
    speed_texts: int = 100  # texts for measuring speed; 0 measures none
    fewest: int = 50  # rows that a slice needs to be compared
    resamples: int = RESAMPLES  # bootstrap resamples
    seed: int = 0  # seed of limits and resamples


def compare(
    specs: Sequence[str], out: Path, options: Options, console: Console, gates: Gates | None = None
) -> tuple[Comparison, list[GateReport]]:
    """Compare the first of ``specs`` with each of the others, print the result, and write ``compare.json`` and
    ``compare.html``.

    Scores are cached in ``out / "scores"``, so the same call resumes an interrupted one. Results are deterministic,
    speed aside.

    Returns:
        The comparison, and a gate report for every candidate that is a model directory.

    Raises:
        ContenderError, ModelError, RunError, CorpusError, PolicyError.
    """
    begun = time.monotonic()
    rows = gather_rows(options.run, options.corpora, options.decisions, options.limit, options.seed)
    contenders = load_contenders(specs, options.threads, console)
    policies = [
        Policy.load(options.policy, contender.thresholds, contender.languages) for contender in contenders
    ]
    console.print(f"{len(rows.texts)} test rows of {len(set(rows.sources))} corpora")
    scores = {contender.name: _scores(contender, rows, out, console) for contender in contenders}
    pairs = _pairs(contenders, rows, scores, policies, options, console)
    speed = measure_speed(contenders, _spread(rows.texts, options.speed_texts), console)
    facts = _facts(rows, options, policies[0], time.monotonic() - begun)
    comparison = Comparison(contenders, pairs, speed, facts)
    reports = [
        check_gates(comparison, gates or Gates(), contender.name)
        for contender in contenders[1:]
        if contenders[0].digest and contender.digest
    ]
    show_comparison(comparison, reports, console)
    write_report(comparison, reports, rows.texts, out / "compare.html")
    fields = ("name", "kind", "version", "digest", "size")
    known = [{field: getattr(contender, field) for field in fields} for contender in contenders]
    content = {"facts": facts, "contenders": known, "pairs": pairs, "speed": speed, "gates": reports}
    write_json(out / "compare.json", content)  # without any comment text
    return comparison, reports


def _scores(contender: Contender, rows: TestRows, out: Path, console: Console) -> dict[str, Floats]:
    key = sha256(contender.identity.encode()).hexdigest()[:20]
    file = out / "scores" / f"{contender.kind}-{key}.sqlite"
    scores = cached_scores(contender.predict, rows.texts, file, contender.chunk, console, contender.name)
    return {label: values for label, values in scores.items() if label in rows.labels}


def _pairs(
    contenders: Sequence[Contender],
    rows: TestRows,
    scores: Mapping[str, Mapping[str, Floats]],
    policies: Sequence[Policy],
    options: Options,
    console: Console,
) -> list[Pair]:
    scorer = next((contender.scorer for contender in contenders if contender.scorer is not None), None)
    scored = scored_by_all(list(scores.values()), rows)
    masks = measurable(rows, scored, parts_of(rows, scorer), options.fewest, FEWEST_OF_A_CLASS)
    sizes, counts = sizes_of(rows, masks), resampled(rows.clusters, options.resamples, options.seed)
    draws = []
    for contender, policy in zip(contenders, policies, strict=True):
        console.print(f"{contender.name}: intervals")
        thresholds = {**contender.thresholds, **policy.thresholds}
        draws.append(draws_of_model(rows, scores[contender.name], thresholds, masks, counts))
    pairs = []
    a = scores[contenders[0].name]
    for number, contender in enumerate(contenders[1:], start=1):
        b = scores[contender.name]
        pairs.append(
            Pair(
                contender.name,
                tuple(label for label in rows.labels if label in a and label in b),
                tuple(label for label in a if label not in b),
                tuple(label for label in b if label not in a),
                differences(draws[0], draws[number], sizes),
                flips_of(rows, a, b, (policies[0], policies[number])),
            )
        )
    return pairs


def _spread(texts: list[str], most: int) -> list[str]:
    """Return at most ``most`` of ``texts``, spread evenly."""
    return texts[:: max(1, len(texts) // most)][:most] if most else []


def _facts(rows: TestRows, options: Options, policy: Policy, seconds: float) -> dict[str, object]:
    return {
        "rows": len(rows.texts),
        "corpora": dict(sorted(Counter(rows.sources.tolist()).items())),
        "clusters": int(rows.clusters.max()) + 1,
        "weighted": bool((rows.weights != 1).any()),
        "limit": options.limit,
        "fewest": options.fewest,
        "resamples": options.resamples,
        "false_share": FALSE_SHARE,
        "seed": options.seed,
        "threads": options.threads,
        "policy": policy.version,
        "seconds": round(seconds, 1),
    }
