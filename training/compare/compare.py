"""Compare models on the same rows: metrics with paired intervals, changed decisions, speed, gates and a report."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from belowline.model import ModelError, Policy, Scorer, Thresholds
from belowline.training.compare.comparison import Comparison, Pair
from belowline.training.compare.contenders import Contender, load_contenders
from belowline.training.compare.decision_changes import flips_of
from belowline.training.compare.gates import GateReport, check_gates
from belowline.training.compare.paired_bootstrap import (
    FALSE_SHARE,
    RESAMPLES,
    Draws,
    Key,
    bias_draws,
    differences,
    draws_of,
    measurable,
)
from belowline.training.compare.perspective import PER_SECOND
from belowline.training.compare.report import show_comparison, write_report
from belowline.training.compare.score_cache import cached_scores
from belowline.training.compare.speed import measure_speed
from belowline.training.compare.test_rows import GROUPS, Rows, gather_rows, parts_of_rows
from belowline.training.files import write_json
from belowline.training.measure.bootstrap import Bools, Counts, Measurement, bootstrapped, cluster_resamples
from belowline.training.measure.slices import named_groups
from belowline.training.measure.test_set import Floats, predictions
from belowline.training.recipes.gate_limits import Gates

_PARITY_TEXTS = 400
_QUIET = Console(quiet=True)
Given = Mapping[str, Mapping[str, Floats]]
"""Contender to label to probabilities [n]."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a comparison.

    Attributes:
        run: A run whose test split is used, and whose fp32 twin stands in for a candidate without one.
        corpora: Folder of corpora whose test rows are used too.
        decisions: File of exported decisions whose test rows are used too.
        limit: Rows of each corpus at most.
        policy: Policy file for thresholds; None is the default policy over each model's own thresholds.
        threads: CPU threads of every model.
        per_second: Requests a second to a Perspective address.
        speed_texts: Texts for measuring speed; 0 measures none.
        fewest: Rows that a slice needs to be compared.
        resamples: Bootstrap resamples.
        seed: Seed of limits and resamples.
    """

    run: Path | None = None
    corpora: Path | None = None
    decisions: Path | None = None
    limit: int | None = None
    policy: Path | None = None
    threads: int = 2
    per_second: float = PER_SECOND
    speed_texts: int = 100
    fewest: int = 50
    resamples: int = RESAMPLES
    seed: int = 0


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
    contenders = load_contenders(specs, options.threads, options.per_second, console)
    policies = {
        contender.name: Policy.load(options.policy, contender.thresholds, contender.languages)
        for contender in contenders
    }
    console.print(f"{len(rows.test.texts)} test rows of {len(set(rows.test.sources))} corpora")
    scores = {contender.name: _scores(contender, rows, out, console) for contender in contenders}
    scorer = next((contender.scorer for contender in contenders if contender.scorer is not None), None)
    parts = parts_of_rows(rows, scorer)
    pairs = _pairs(contenders, rows, parts, scores, policies, options, console)
    speed = measure_speed(contenders, _speed_texts(rows, options), console)
    facts = _facts(rows, options, policies[contenders[0].name], time.monotonic() - begun)
    comparison = Comparison(contenders, pairs, speed, facts)
    reports = [
        check_gates(comparison, gates or Gates(), contender.name)
        for contender in contenders[1:]
        if contenders[0].digest and contender.digest
    ]
    show_comparison(comparison, reports, console)
    content = comparison.as_dict() | {"gates": reports}
    write_report(comparison, reports, rows, scores, out / "compare.html")
    write_json(out / "compare.json", content)
    return comparison, reports


def _scores(contender: Contender, rows: Rows, out: Path, console: Console) -> dict[str, Floats]:
    key = sha256(contender.identity.encode()).hexdigest()[:20]
    file = out / "scores" / f"{contender.kind}-{key}.jsonl"
    scores = cached_scores(contender.predict, rows.test.texts, file, contender.chunk, console, contender.name)
    return {label: values for label, values in scores.items() if label in rows.test.labels}


def _pairs(
    contenders: Sequence[Contender],
    rows: Rows,
    parts: Mapping[str, Bools],
    scores: Given,
    policies: Mapping[str, Policy],
    options: Options,
    console: Console,
) -> list[Pair]:
    answered = _answered(scores, len(rows.test.texts))
    masks = measurable(rows, answered, parts, options.fewest)
    counts = cluster_resamples(rows.clusters, options.resamples, options.seed)
    draws = {}
    for contender in contenders:
        thresholds = {**contender.thresholds, **policies[contender.name].thresholds}
        draws[contender.name] = _draws(
            rows, scores[contender.name], thresholds, masks, answered, counts, console, contender.name
        )
    sizes = _sizes(rows, dict(masks) | {(label, GROUPS): mask for label, mask in answered.items()})
    first = contenders[0]
    return [
        Pair(
            contender.name,
            tuple(
                label
                for label in rows.test.labels
                if label in scores[first.name] and label in scores[contender.name]
            ),
            tuple(label for label in scores[first.name] if label not in scores[contender.name]),
            tuple(label for label in scores[contender.name] if label not in scores[first.name]),
            differences(draws[first.name], draws[contender.name], sizes),
            flips_of(
                rows,
                scores[first.name],
                scores[contender.name],
                (policies[first.name], policies[contender.name]),
            ),
            _parity(contender, rows, options),
        )
        for contender in contenders[1:]
    ]


def _answered(scores: Given, size: int) -> dict[str, Bools]:
    """Return label to the rows [n] that every contender with this label scored."""
    answered: dict[str, Bools] = {}
    for probabilities in scores.values():
        for label, values in probabilities.items():
            answered[label] = answered.get(label, np.ones(size, dtype=bool)) & ~np.isnan(values)
    return answered


def _draws(
    rows: Rows,
    scores: Mapping[str, Floats],
    thresholds: Mapping[str, Thresholds],
    masks: Mapping[Key, Bools],
    answered: Mapping[str, Bools],
    counts: Counts,
    console: Console,
    name: str,
) -> Draws:
    total = sum(label in scores for label, _ in masks)
    draws = draws_of(rows, scores, thresholds, masks, counts)
    metrics = dict(track(draws, total=total, description=f"{name}: intervals", console=console))
    return metrics | dict(
        bias_draws(rows, scores, thresholds, answered, named_groups(rows.test.texts), counts)
    )


def _sizes(rows: Rows, masks: Mapping[Key, Bools]) -> dict[Key, tuple[int, int]]:
    """Return label and part to the number of rows with a known target, and of positives."""
    sizes = {}
    for (label, part), mask in masks.items():
        target = rows.test.targets[mask, rows.test.labels.index(label)]
        sizes[label, part] = int((~np.isnan(target)).sum()), int((target >= 0.5).sum())
    return sizes


def _parity(contender: Contender, rows: Rows, options: Options) -> Measurement | None:
    """Measure the distance of a model from its fp32 twin; None without a twin."""
    if contender.scorer is None:
        return None
    twin = _twin(contender, options)
    if twin is None:
        return None
    step = max(1, len(rows.test.texts) // _PARITY_TEXTS)
    texts = rows.test.texts[::step][:_PARITY_TEXTS]
    probabilities = [predictions(scorer, texts, _QUIET, "parity") for scorer in (contender.scorer, twin)]
    gaps = [np.abs(probabilities[0][label] - probabilities[1][label]) for label in contender.scorer.labels]
    return bootstrapped(np.mean, np.mean(gaps, axis=0), note=f"mean over {len(texts)} comments")


def _twin(contender: Contender, options: Options) -> Scorer | None:
    """Find the fp32 twin: same version, labels and corpora, beside the model or in the run that is compared on."""
    folders = [Path(contender.name.split(" #")[0]).resolve().parent / "fp32"]
    folders += [options.run / "fp32"] if options.run is not None else []
    for folder in folders:
        try:
            twin = Scorer.load(folder, threads=options.threads)
        except ModelError:
            continue
        if contender.scorer is not None and _said(twin) == _said(contender.scorer):
            return twin
    return None


def _said(scorer: Scorer) -> tuple[object, ...]:
    return scorer.version, scorer.labels, scorer.config.corpora_fingerprint


def _speed_texts(rows: Rows, options: Options) -> list[str]:
    """Return texts spread evenly over the rows."""
    if not options.speed_texts:
        return []
    step = max(1, len(rows.test.texts) // options.speed_texts)
    return rows.test.texts[::step][: options.speed_texts]


def _facts(rows: Rows, options: Options, policy: Policy, seconds: float) -> dict[str, object]:
    return {
        "rows": len(rows.test.texts),
        "corpora": dict(sorted(Counter(rows.test.sources.tolist()).items())),
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
