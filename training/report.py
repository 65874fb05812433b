"""One evaluation: every model on the same test rows, printed, kept with the run, and rendered into the card."""

from pathlib import Path

from rich.console import Console

from belowline.model import Scorer
from belowline.training.baseline import Baseline
from belowline.training.card import render
from belowline.training.evaluate import (
    Floats,
    TestSet,
    joined,
    measuring_corpora,
    of_dataset,
    predictions,
    show,
    table_of,
    write,
)
from belowline.training.fit import run_data


def evaluate(run: Path, model: Path, corpora: Path, limit: int, console: Console, *, card: bool) -> None:
    """Measure ``model``, the run's fp32 twin and the baseline; write ``run / "metrics.json"`` and, if asked, the card.

    Raises RunError for a run without data, ModelError for a model directory that cannot be loaded.
    """
    scorer = Scorer.load(model)
    data = run_data(run)
    test = joined(
        [of_dataset(data["test"], scorer.labels, limit), *measuring_corpora(corpora, scorer.labels, limit)]
    )
    console.print(f"{len(test.texts)} test rows of {len(set(test.sources))} corpora")
    given = {"int8": predictions(scorer, test.texts, console, "int8"), **_fp32(run, test, console)}
    console.print("TF-IDF baseline")
    given["tfidf"] = Baseline(data["train"], scorer.labels).predict(test.texts)
    thresholds = {label: both.hold for label, both in scorer.thresholds.items()}
    tables = {
        name: table_of(test, values, thresholds if name != "tfidf" else _half(test))
        for name, values in given.items()
    }
    show(tables, console)
    write(tables, run / "metrics.json", limit)
    if card:
        part = model / "README.md.part"
        part.write_text(render(run, model), "utf-8")
        part.replace(model / "README.md")


def _fp32(run: Path, test: TestSet, console: Console) -> dict[str, dict[str, Floats]]:
    if not (run / "fp32").is_dir():
        return {}
    return {"fp32": predictions(Scorer.load(run / "fp32"), test.texts, console, "fp32")}


def _half(test: TestSet) -> dict[str, float | None]:
    """The baseline has no thresholds of its own; one half is what its regression was fitted for."""
    return dict.fromkeys(test.labels, 0.5)
