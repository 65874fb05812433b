"""The command ``belowline-train``."""

import importlib.util
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from belowline.data.corpora import CORPORA, CorpusError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Train, measure and export belowline's models."
)
_RUNS = Path("runs")

Corpora = Annotated[Path, typer.Option("--corpora", help="Folder with the corpora, as `fetch` fills it.")]
Recipe = Annotated[Path, typer.Option("--recipe", help="TOML file with the training recipe.")]
Run = Annotated[Path, typer.Option("--run", help="Run directory, as `fit` makes it.")]


def main() -> None:
    """Entry point: every foreseen error is one line on standard error and exit status 1."""
    try:
        app()
    except _foreseen() as error:
        print(f"belowline-train: {error}", file=sys.stderr)
        sys.exit(1)


def _foreseen() -> tuple[type[Exception], ...]:
    """Errors whose message is written for the user; those of modules that need torch are known once these are loaded."""
    names = (
        ("belowline.training.recipe", "RecipeError"),
        ("belowline.training.run", "RunError"),
        ("belowline.training.export", "ParityError"),
        ("belowline.training.detoxify_peer", "PeerError"),
        ("belowline.model.directory", "ModelError"),
        ("belowline.data.fetch", "FetchError"),
    )
    loaded = [getattr(sys.modules[module], name) for module, name in names if module in sys.modules]
    return (CorpusError, MissingExtra, *loaded)


class MissingExtra(Exception):
    """The packages for training are not installed."""


def _need_training() -> None:
    missing = [
        name
        for name in ("torch", "transformers", "datasets", "sklearn", "matplotlib", "detoxify")
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise MissingExtra(f"{', '.join(missing)} not installed; run: pip install 'belowline[train]'")


@app.command()
def fetch(
    to: Annotated[Path, typer.Option("--to", help="Folder to put the corpora in.")] = Path("corpora"),
    corpus: Annotated[
        list[str] | None, typer.Option("--corpus", help="Only this corpus; may be given again.")
    ] = None,
    mirror: Annotated[
        Path | None, typer.Option("--mirror", help="Copy from this folder instead of the network.")
    ] = None,
) -> None:
    """Get the corpora at their pinned commits and verify their checksums; files that are already right are skipped."""
    from belowline.data.fetch import fetch as get

    unknown = set(corpus or ()) - CORPORA.keys()
    if unknown:
        raise CorpusError(f"unknown corpus {', '.join(sorted(unknown))}; known: {', '.join(CORPORA)}")
    get([CORPORA[name] for name in corpus or CORPORA], to, mirror, console=Console(stderr=True))


@app.command(name="fit")
def fit_command(
    recipe: Recipe,
    corpora: Corpora = Path("corpora"),
    runs: Annotated[Path, typer.Option(help="Where runs lie.")] = _RUNS,
    start: Annotated[
        Path | None,
        typer.Option(
            help="Begin with the weights of this model directory, a released one or a run's model, "
            "instead of training first what the recipe starts from."
        ),
    ] = None,
) -> None:
    """Fine-tune by a recipe; the same command goes on where an interrupted run stopped."""
    _need_training()
    from belowline.training.fit import fit
    from belowline.training.recipe import load_recipe

    loaded = load_recipe(recipe)
    print(fit(loaded, corpora, runs / loaded.name, Console(stderr=True), start))


@app.command(name="export")
def export_command(
    run: Run,
    out: Annotated[Path, typer.Option("--out", help="Model directory to write.")] = Path("model-out"),
) -> None:
    """Write a model directory: ONNX int8, calibrated, with thresholds, once it agrees with the trained weights."""
    _need_training()
    from belowline.training.export import export

    print(export(run, out, Console(stderr=True)))


@app.command(name="evaluate")
def evaluate_command(
    run: Run,
    model: Annotated[Path, typer.Option("--model", help="Model directory to measure.")] = Path("model-out"),
    corpora: Corpora = Path("corpora"),
    limit: Annotated[int, typer.Option(min=10, help="Test rows of each corpus at most.")] = 1500,
    card: Annotated[
        bool, typer.Option("--card", help="Write the model card and its figures into the model directory.")
    ] = False,
    detoxify: Annotated[
        Path | None,
        typer.Option(
            help="Measure this Detoxify checkpoint too, one that you trust; its encoder's config.json and tokenizer lie beside it."
        ),
    ] = None,
) -> None:
    """Measure a model on test splits, per label, corpus and slice, beside its fp32 twin, the TF-IDF baseline and Detoxify."""
    _need_training()
    from belowline.training.report import evaluate

    evaluate(run, model, corpora, limit, Console(), card=card, detoxify=detoxify)


@app.command(name="figures")
def figures_command(
    run: Run,
    model: Annotated[Path, typer.Option("--model", help="Model directory to measure.")] = Path("model-out"),
    corpora: Corpora = Path("corpora"),
    videos: Annotated[
        bool,
        typer.Option(
            "--videos", help="Train four small models first, each without one video of youtube-spam."
        ),
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=10, help="Rows of each corpus at most, for a quick look; default all.")
    ] = None,
) -> None:
    """Measure every figure that a release has to reach, through the exported model; the run's figures.json has them too."""
    _need_training()
    from belowline.training.figures import figures

    figures(run, model, corpora, Console(), videos=videos, limit=limit)
