"""The command ``belowline-train``."""

import importlib.util
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from belowline.data import ReadError
from belowline.data.corpora import CORPORA, CorpusError
from belowline.data.corpora.fetch import FetchError
from belowline.data.corpora.fetch import fetch as fetch_corpora
from belowline.model import ModelError, PolicyError
from belowline.model.errors import BelowlineError
from belowline.training.errors import MissingExtra

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Train, measure and export belowline's models."
)
_RUNS = Path("runs")

Corpora = Annotated[Path, typer.Option("--corpora", help="Folder with the corpora, as `fetch` fills it.")]
Recipe = Annotated[
    Path,
    typer.Option("--recipe", help="TOML file with the training recipe, or the name of one in the package."),
]
Decisions = Annotated[
    list[Path] | None,
    typer.Option(
        "--decisions",
        help="File of a site's decisions, as `belowline decisions export` writes it; may be given again.",
    ),
]
Runs = Annotated[Path, typer.Option(help="Where runs lie.")]
Run = Annotated[Path, typer.Option("--run", help="Run directory, as `fit` makes it.")]


def main() -> None:
    """Run the command; an expected error is one line on standard error and exit status 1."""
    try:
        app()
    except (BelowlineError, CorpusError, FetchError, ModelError, PolicyError, ReadError) as error:
        print(f"belowline-train: {error}", file=sys.stderr)
        sys.exit(1)


def _need_training() -> None:
    missing = [
        name
        for name in (
            "torch",
            "transformers",
            "datasets",
            "sklearn",
            "matplotlib",
            "detoxify",
            "cleanlab",
            "tensorboard",
        )
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
    unknown = set(corpus or ()) - CORPORA.keys()
    if unknown:
        raise CorpusError(f"unknown corpus {', '.join(sorted(unknown))}; known: {', '.join(CORPORA)}")
    fetch_corpora([CORPORA[name] for name in corpus or CORPORA], to, mirror, console=Console(stderr=True))


@app.command(name="fit")
def fit_command(
    recipe: Recipe,
    corpora: Corpora = Path("corpora"),
    runs: Runs = _RUNS,
    start: Annotated[
        Path | None,
        typer.Option(
            help="Begin with the weights of this model directory, a released one (`release`, `small`) or a run's model, "
            "instead of what the recipe starts from."
        ),
    ] = None,
    decisions: Decisions = None,
    name: Annotated[
        str | None, typer.Option(help="Another name for the run than the recipe's, for one more of its kind.")
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="Version of the model that comes out, instead of the recipe's.")
    ] = None,
) -> None:
    """Fine-tune by a recipe; the same command goes on where an interrupted run stopped."""
    _need_training()
    from belowline.model import model_directory
    from belowline.training.fit.fit import fit
    from belowline.training.recipes.recipe import load_recipe, recipe_file

    loaded = load_recipe(recipe_file(recipe), name=name, version=version)
    begin = None if start is None else model_directory(start)
    print(fit(loaded, corpora, runs / loaded.name, Console(stderr=True), begin, decisions or ()))


@app.command(name="check")
def check_command(
    recipe: Recipe,
    corpora: Corpora = Path("corpora"),
    runs: Runs = _RUNS,
    decisions: Decisions = None,
) -> None:
    """Look for problems in the data of a recipe, as `fit` does before it trains; rows are named in the run's data_checks.json."""
    _need_training()
    from belowline.training.dataset.checks import check
    from belowline.training.recipes.recipe import load_recipe, recipe_file

    loaded = load_recipe(recipe_file(recipe))
    check(loaded, corpora, runs / loaded.name, Console(stderr=True), decisions or ())


@app.command(name="compare")
def compare_command(
    contenders: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="The one to beat, then others: a model directory (or `release`, `small`), tfidf:RUN, "
            "detoxify:original|unbiased|multilingual, detoxify:FILE.ckpt or perspective:URL (key in PERSPECTIVE_API_KEY).",
        ),
    ],
    run: Annotated[
        Path | None, typer.Option("--run", help="Compare on the test split of this run directory.")
    ] = None,
    corpora: Annotated[
        Path | None, typer.Option("--corpora", help="And on test rows of the corpora below this folder.")
    ] = None,
    decisions: Annotated[
        Path | None, typer.Option("--decisions", help="And on test rows of exported decisions.")
    ] = None,
    recipe: Annotated[Path | None, typer.Option("--recipe", help="Recipe whose [gates] count.")] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="Policy file for thresholds; default each model's own.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the report, compare.json and the scores that are kept.")
    ] = Path("compared"),
    limit: Annotated[int | None, typer.Option(min=10, help="Rows of each corpus at most.")] = None,
    per_second: Annotated[
        float, typer.Option(min=0.01, help="Requests a second to a Perspective address.")
    ] = 1.0,
) -> None:
    """Say whether models are better than the first one: every figure with a paired interval, flips, speed, gates, a report."""
    _need_training()
    from belowline.training.compare.compare import Options, compare
    from belowline.training.recipes.recipe import load_recipe, recipe_file

    gates = load_recipe(recipe_file(recipe)).gates if recipe else None
    options = Options(run, corpora, decisions, limit, policy, per_second=per_second)
    compare(contenders, out, options, Console(), gates)


@app.command(name="tune")
def tune_command(
    decisions: Annotated[
        list[Path],
        typer.Option(
            "--decisions",
            help="File of a site's decisions, as `belowline decisions export` writes it; may be given again.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Policy file to write; curves go beside it as .json and .png.")
    ] = Path("proposed.toml"),
    precision: Annotated[
        float | None, typer.Option(help="Precision to promise of what each label holds, such as 0.9.")
    ] = None,
    reject_precision: Annotated[
        float | None, typer.Option(help="Precision to promise of what each label rejects.")
    ] = None,
    per_day: Annotated[
        int | None, typer.Option(min=1, help="Reviews a day that the team can do, instead of a precision.")
    ] = None,
    comments_per_day: Annotated[
        int | None, typer.Option(min=1, help="Comments that come in on a day.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", help="Model directory that scores, or `small`; default the released one."),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="Policy in force; default the one that belowline starts with."),
    ] = None,
    kept_scores: Annotated[
        bool,
        typer.Option(
            "--kept-scores", help="Take scores from the files where they are of the same model version."
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there already.")] = False,
) -> None:
    """Propose a policy whose thresholds keep a precision, or a day's reviews, by a site's own decisions."""
    _need_training()
    from belowline.model import DEFAULT_MODEL_DIR, model_directory
    from belowline.training.tune.choice import Goal
    from belowline.training.tune.tune import tune

    goal = Goal(precision, reject_precision, per_day, comments_per_day)
    tune(
        decisions,
        out,
        goal,
        Console(),
        model=model_directory(model or DEFAULT_MODEL_DIR),
        policy=policy,
        kept_scores=kept_scores,
        force=force,
    )


@app.command(name="export")
def export_command(
    run: Run,
    out: Annotated[Path, typer.Option("--out", help="Model directory to write.")] = Path("model-out"),
    like: Annotated[
        Path | None,
        typer.Option(
            "--like", help="Released directory of the same weights: calibration and thresholds stay as there."
        ),
    ] = None,
    version: Annotated[str, typer.Option("--version", help="Version to write; goes with --like.")] = "",
) -> None:
    """Write a model directory: ONNX int8, calibrated, with thresholds, once it agrees with the trained weights."""
    if (like is None) != (not version):
        raise typer.BadParameter("--like and --version go together")
    _need_training()
    from belowline.model import model_directory
    from belowline.training.export.export import export

    print(export(run, out, Console(stderr=True), like and model_directory(like), version))


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
    from belowline.model import model_directory
    from belowline.training.measure.evaluate import evaluate

    evaluate(run, model_directory(model), corpora, limit, Console(), card=card, detoxify=detoxify)
