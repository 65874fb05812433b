"""Compare models on the same rows: metrics with paired intervals, changed decisions, speed, gates and a report."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from belowline.model import HARMFUL, ModelError, Policy, Scorer, Thresholds
from belowline.training.compare.comparison import FALSE_SHARE, GROUPS, Comparison, Pair, differences
from belowline.training.compare.decision_changes import flips_of
from belowline.training.compare.gates import GateReport, check_gates
from belowline.training.compare.report import show_comparison, write_report
from belowline.training.compare.score_cache import cached_scores
from belowline.training.compare.speed import measure_speed
from belowline.training.files import write_json
from belowline.training.measure.bias import draws_of_groups, gaps, groups_that_count
from belowline.training.measure.contenders import Contender, load_contenders
from belowline.training.measure.intervals import Bools, Counts, Floats, Measurement, measurement, resampled
from belowline.training.measure.metrics import Draws
from belowline.training.measure.parts import (
    FEWEST_OF_A_CLASS,
    Key,
    draws_of_parts,
    measurable,
    named_groups,
    parts_of,
    scored_by_all,
)
from belowline.training.measure.rows import TestRows, gather_rows, predictions
from belowline.training.recipes.gate_limits import Gates

RESAMPLES = 1000
_PARITY_TEXTS = 400
_QUIET = Console(quiet=True)


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a comparison.

    Attributes:
        run: A run whose test split is used, and whose fp32 twin stands in for a candidate without one.
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
    write_report(comparison, reports, rows, scores, out / "compare.html")
    write_json(out / "compare.json", comparison.as_dict() | {"gates": reports})
    return comparison, reports


def _scores(contender: Contender, rows: TestRows, out: Path, console: Console) -> dict[str, Floats]:
    key = sha256(contender.identity.encode()).hexdigest()[:20]
    file = out / "scores" / f"{contender.kind}-{key}.jsonl"
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
    counts = resampled(rows.clusters, options.resamples, options.seed)
    draws = []
    for contender, policy in zip(contenders, policies, strict=True):
        thresholds, own = {**contender.thresholds, **policy.thresholds}, scores[contender.name]
        total = sum(label in own for label, _ in masks)
        by_part = draws_of_parts(rows, own, thresholds, masks, counts)
        progress = track(by_part, total=total, description=f"{contender.name}: intervals", console=console)
        draws.append(dict(progress) | dict(_bias(rows, own, thresholds, scored, counts)))
    sizes = {
        (label, part): (int(mask.sum()), int((rows.target(label)[mask] >= 0.5).sum()))
        for (label, part), mask in {**masks, **{(label, GROUPS): m for label, m in scored.items()}}.items()
    }
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
                _parity(contender, rows, options),
            )
        )
    return pairs


def _bias(
    rows: TestRows,
    scores: Mapping[str, Floats],
    thresholds: Mapping[str, Thresholds],
    scored: Mapping[str, Bools],
    counts: Counts,
) -> Iterator[tuple[Key, Draws]]:
    """Yield the gaps over named groups, for each harmful label that the contender knows and enough rows name."""
    groups = named_groups(rows.texts)
    for label in (label for label in HARMFUL if label in scores and label in scored):
        known = scored[label]
        truth = rows.target(label)[known] >= 0.5
        counted = groups_that_count(truth, {name: mask[known] for name, mask in groups.items()})
        if counted:
            probability, hold = scores[label][known], thresholds.get(label, Thresholds()).hold
            weights = rows.weights[known]
            yield (
                (label, GROUPS),
                gaps(draws_of_groups(truth, probability, hold, counted, weights, counts[:, known], ["bpsn"])),
            )


def _parity(contender: Contender, rows: TestRows, options: Options) -> Measurement | None:
    """Measure the distance of a model from its fp32 twin; None without a twin."""
    twin = _twin(contender, options)
    if contender.scorer is None or twin is None:
        return None
    texts = _spread(rows.texts, _PARITY_TEXTS)
    own, of_twin = (predictions(scorer, texts, _QUIET, "parity") for scorer in (contender.scorer, twin))
    distances = np.mean([np.abs(own[label] - of_twin[label]) for label in contender.scorer.labels], axis=0)
    means = resampled(np.arange(len(texts)), options.resamples) @ distances / len(texts)
    return measurement(means, len(texts), f"mean over {len(texts)} comments")


def _twin(contender: Contender, options: Options) -> Scorer | None:
    """Find the fp32 twin: same version, labels and corpora, beside the model or in the run that is compared on."""
    folders = [Path(contender.name.split(" #")[0]).resolve().parent / "fp32"]
    folders += [options.run / "fp32"] if options.run is not None else []
    for folder in folders:
        try:
            twin = Scorer.load(folder, threads=options.threads)
        except ModelError:
            continue
        if contender.scorer is not None and _identity(twin) == _identity(contender.scorer):
            return twin
    return None


def _identity(scorer: Scorer) -> tuple[object, ...]:
    return scorer.version, scorer.labels, scorer.config.corpora_fingerprint


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
