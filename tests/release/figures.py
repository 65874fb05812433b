"""Targets of a released model, each measured through the Scorer on data that was never used for tuning."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from datasets import DatasetDict
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from belowline.data.corpora import read_corpus
from belowline.model import Scorer
from belowline.training.errors import RunError
from belowline.training.files import to_plain, write_text
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.measure.rows import TestRows, limited, rows_of, split_examples
from tests.release.author_figures import blog_figures, names_figure
from tests.release.bootstrap import Measurement, missing
from tests.release.ceilings import ceilings
from tests.release.disguise_figures import disguise_drop, unseen_recall
from tests.release.embedding_figure import embedding_figure
from tests.release.evidence import evidence_figure
from tests.release.label_figures import (
    OnSplit,
    Readings,
    calibration_figure,
    int8_loss,
    read,
    split_figure,
)
from tests.release.leave_one_out import leave_one_out, read_predictions, video_figures, videos_recipe

_COMMENTS = "c3"
_COMMENTS_TAKEN = 3000
_FEWEST_COMMENTS = 3  # two texts make one pair, and one pair has no correlation
_MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Target:
    """A target: ``figure`` at least, or at most.

    ``of`` is the split that it is measured on, or the name of the measurement.
    """

    measure: str
    figure: float
    of: OnSplit | str
    at_most: bool = False

    @property
    def text(self) -> str:
        """Return the target as tables show it."""
        return f"{'≤' if self.at_most else '≥'} {self.figure:g}"

    def reached(self, value: float) -> bool | None:
        """Return True if ``value`` reaches the target; None for NaN."""
        if np.isnan(value):
            return None
        return value <= self.figure if self.at_most else value >= self.figure


_ATTACK = OnSplit("personal_attack", "toxic-spans", "AUC")
TARGETS = (
    Target("antisemitism, isca: AUC", 0.92, OnSplit("antisemitism", "isca", "AUC")),
    Target("antisemitism, isca: F1", 0.75, OnSplit("antisemitism", "isca", "F1")),
    Target("hate, dghs dev: accuracy", 0.75, OnSplit("hate", "dghs", "accuracy")),
    Target("hate, ghc: AUC", 0.88, OnSplit("hate", "ghc", "AUC")),
    Target("hate, implicit-hate: AUC", 0.84, OnSplit("hate", "implicit-hate", "AUC")),
    Target(
        "hate against normal, hatexplain validation: AUC",
        0.93,
        OnSplit("hate", "hatexplain", "AUC", slice="rationales"),
    ),
    Target("personal attack, toxic-spans: AUC", 0.80, _ATTACK),
    Target("personal attack, jigsaw: AUC", 0.98, OnSplit("personal_attack", "jigsaw", "AUC")),
    Target("abuse of a person, cad dev: AUC", 0.80, OnSplit("personal_attack", "cad", "AUC")),
    Target("abuse of an identity, cad dev: AUC", 0.82, OnSplit("hate", "cad", "AUC")),
    Target("spam, youtube-spam, each video left out in turn: accuracy", 0.94, "video accuracy"),
    Target("spam, youtube-spam, each video left out in turn: AUC", 0.98, "video AUC"),
    Target("spam in unseen disguises: recall at 1 % false positives on c3", 0.98, "unseen disguises"),
    Target("on topic, c3's constructive vote: AUC", 0.86, OnSplit("on_topic", _COMMENTS, "AUC")),
    Target("evidence, toxic-spans: mean character F1", 0.68, "evidence"),
    Target("clean against disguised copies: drop in AUC", 0.02, "disguise drop", at_most=True),
    Target("expected calibration error of a label", 0.03, "calibration", at_most=True),
    Target("embedding, pairs of c3 comments: Spearman with the base", 0.90, "embedding"),
    Target("int8 against fp32: AUC lost on any row above", 0.005, "int8 loss", at_most=True),
    Target("spam, the blog left out, with author lines: AUC", 0.97, "blog with author"),
    Target("spam, the blog left out, text alone: AUC", 0.91, "blog without author"),
    Target("spam of 1,000 names, largest difference of origins", 0.01, "names", at_most=True),
    Target("size of model.onnx in MB", 30, "size", at_most=True),
)
"""Targets of issue 3, and those of issue 19 for author lines."""
_SPLITS = [target.of for target in TARGETS if isinstance(target.of, OnSplit)]
_RANKED = [split for split in _SPLITS if split.statistic == "AUC"]


def figures(
    run: Path, model: Path, corpora: Path, console: Console, *, videos: bool = False, limit: int | None = None
) -> list[dict[str, object]]:
    """Measure every target of ``model`` and the run's fp32 twin and return the rows.

    The rows are printed and written to ``run / "figures.json"``. ``videos`` trains the four small models of
    ``leave_one_out`` first; otherwise its last result is used. ``limit`` is the maximum number of rows of each corpus,
    for a quick look; the rows have a note of it. Raises RunError, ModelError, CorpusError.
    """
    data, base = RunDirectory(run).data(), _base(run)
    scorer = Scorer.load(model)
    twin = Scorer.load(run / "fp32") if (run / "fp32").is_dir() else None
    if videos:
        leave_one_out(videos_recipe(), corpora, run / "videos", console)
    test = _test_set(scorer, data, corpora, limit)
    console.print(f"{len(test.texts)} test rows of {len(set(test.sources))} corpora")
    readings = read(scorer, twin, test, {split.corpus for split in _RANKED}, console)
    found: dict[OnSplit | str, Measurement] = {split: split_figure(readings, split) for split in _SPLITS}
    found["video accuracy"], found["video AUC"] = video_figures(read_predictions(run / "videos"))
    found["unseen disguises"], found["embedding"] = _of_comments(scorer, readings, base, console)
    found["evidence"] = evidence_figure(scorer, data, corpora, limit, console)
    found["disguise drop"] = disguise_drop(scorer, readings, console)
    found["blog with author"], found["blog without author"] = blog_figures(scorer, corpora, console)
    found["names"] = names_figure(scorer)
    found["calibration"] = calibration_figure(readings)
    found["int8 loss"] = int8_loss(readings, _RANKED)
    _note_ceilings(found, readings, corpora)
    found["size"] = Measurement((model / "model.onnx").stat().st_size / _MEGABYTE, n=1)
    rows = [_row(target, _noted(found[target.of], target, limit)) for target in TARGETS]
    show(rows, console)
    write(rows, run / "figures.json")
    return rows


def _test_set(scorer: Scorer, data: DatasetDict, corpora: Path, limit: int | None) -> TestRows:
    examples = limited(split_examples(data["test"], scorer.labels), limit)
    if (corpora / _COMMENTS).is_dir():
        taken = min(limit or _COMMENTS_TAKEN, _COMMENTS_TAKEN)
        examples += limited(read_corpus(_COMMENTS, corpora), taken)
    return rows_of(examples, scorer.labels)


def _base(run: Path) -> str:
    file = run / "run.json"
    if not file.is_file():
        raise RunError(f"{run}: no run.json; run `belowline-train fit` first")
    return str(json.loads(file.read_text("utf-8"))["recipe"]["base"])


def _of_comments(
    scorer: Scorer, readings: Readings, base: str, console: Console
) -> tuple[Measurement, Measurement]:
    """Recall of unseen obfuscation and similarity of embeddings, on real newspaper comments of any label."""
    rows = np.flatnonzero(readings.test.sources == _COMMENTS)
    if len(rows) < _FEWEST_COMMENTS:
        return (missing(f"{_COMMENTS} is not among the corpora; run `belowline-train fetch`"),) * 2
    texts = [readings.test.texts[row] for row in rows]
    recall = unseen_recall(scorer, readings.int8["spam"][rows], console)
    return recall, embedding_figure(scorer, base, texts, console)


def _note_ceilings(found: dict[OnSplit | str, Measurement], readings: Readings, corpora: Path) -> None:
    """Add a note of the ceiling to the two figures that are measured against a few workers' votes."""
    if not (corpora / _ATTACK.corpus).is_dir():
        return
    vote, worker = ceilings(corpora / _ATTACK.corpus)
    if not np.isnan(vote.majority):
        undisputed = split_figure(readings, replace(_ATTACK, undisputed=True))
        _add(
            found,
            _ATTACK,
            f"three workers' votes allow {vote.majority:.3f} at best; without comments that a minority marked "
            f"{undisputed.value:.3f} ({undisputed.low:.3f}-{undisputed.high:.3f}) of at most {vote.undisputed:.3f}, n {undisputed.n}",
        )
    if not np.isnan(worker.others):
        _add(
            found,
            "evidence",
            f"one worker reaches {worker.others:.3f} against half of the others, {worker.all:.3f} where he is one of them",
        )


def _add(found: dict[OnSplit | str, Measurement], of: OnSplit | str, note: str) -> None:
    found[of] = replace(found[of], note=f"{found[of].note}; {note}")


def _noted(figure: Measurement, target: Target, limit: int | None) -> Measurement:
    """``figure`` with a note if rows were sampled."""
    notes = [figure.note] if figure.note else []
    if isinstance(target.of, OnSplit) and target.of.corpus == _COMMENTS:
        notes.append(f"at most {_COMMENTS_TAKEN} comments, drawn with seed 0")
    if limit is not None:
        notes.append(f"a quick look: at most {limit} rows of a corpus")
    return replace(figure, note="; ".join(notes))


def _row(target: Target, figure: Measurement) -> dict[str, object]:
    return {
        "measure": target.measure,
        "target": target.text,
        "value": to_plain(figure.value),
        "low": to_plain(figure.low),
        "high": to_plain(figure.high),
        "n": figure.n,
        "fp32": to_plain(figure.fp32),
        "reached": target.reached(figure.value),
        "note": figure.note,
    }


def show(rows: list[dict[str, object]], console: Console) -> None:
    """Print the rows as a table and their notes below it."""
    table = Table("measure", "target", "value (95 %)", "fp32", "n", "reached")
    for row in rows:
        interval = f" ({_shown(row['low'])}-{_shown(row['high'])})" if row["low"] is not None else ""
        reached = {True: "yes", False: "[bold]no[/bold]", None: "-"}[row["reached"]]  # type: ignore[index]
        cells = (f"{_shown(row['value'])}{interval}", _shown(row["fp32"]), str(row["n"]), reached)
        table.add_row(str(row["measure"]), str(row["target"]), *cells)
    console.print(table)
    for row in rows:
        if row["note"]:
            console.print(f"[bold]{row['measure']}[/bold]: {escape(str(row['note']))}")


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "-"


def write(rows: list[dict[str, object]], path: Path) -> None:
    """Write the rows as JSON; the file is replaced atomically."""
    write_text(path, json.dumps({"rows": rows}, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
