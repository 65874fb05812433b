"""The command ``belowline-train``."""

import importlib.util
import sys
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from typer import Abort, Argument, BadParameter, Option

from belowline.data.corpora import CORPORA, CorpusError
from belowline.data.corpora.fetch import fetch as fetch_corpora
from belowline.model.errors import BelowlineError

app = typer.Typer(
    help="Train, measure and export belowline's models.",
    rich_markup_mode="markdown",  # the default takes [gates] for markup
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and those hold comments
    context_settings={"help_option_names": ["-h", "--help"]},
)
UsageError = BadParameter.__mro__[1]
REJECTED = 3
"""Exit status of ``import`` if rows were rejected."""
_RUNS = Path("runs")

Corpora = Annotated[Path, Option("--corpora", help="Folder with the corpora that `fetch` downloads.")]
Recipe = Annotated[Path, Option("--recipe", help="TOML file, or the name of a packaged recipe.")]
_EXPORTED = "File of `belowline decisions export`; repeatable."
Decisions = Annotated[list[Path] | None, Option("--decisions", help=_EXPORTED)]
Runs = Annotated[Path, Option(help="Folder of the run directories.")]
Run = Annotated[Path, Option("--run", help="Run directory of `fit`.")]


def main() -> None:
    """Run the command; an expected error is one line on standard error and a non-zero exit status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command with ``arguments`` and return its exit status: 2 for a wrong command, 1 for other errors."""
    status = 1
    try:
        return app(arguments, prog_name="belowline-train", standalone_mode=False) or 0
    except (Abort, KeyboardInterrupt):
        message, status = "interrupted; the same command resumes", 130
    except BelowlineError as error:
        message = str(error)
    except ImportError as error:
        missing = "torch" if importlib.util.find_spec("torch") is None else error.name
        message = f"{missing} not installed; run: pip install 'belowline[train]'"
    except OSError as error:
        if not error.strerror:
            raise
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    except Exception as error:
        if not isinstance(error, UsageError):
            raise
        command = getattr(getattr(error, "ctx", None), "command_path", "belowline-train")
        message, status = f"{error.format_message().rstrip('.')}; see {command} --help", 2  # type: ignore[attr-defined]
    print(f"belowline-train: {message}", file=sys.stderr)
    return status


@app.callback(invoke_without_command=True)
def belowline_train(
    context: typer.Context,
    show_version: Annotated[bool, Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Train, measure and export belowline's models."""
    if show_version:
        print(f"belowline-train {package_version('belowline')}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def fetch(
    to: Annotated[Path, Option("--to", help="Target folder.")] = Path("corpora"),
    corpus: Annotated[list[str] | None, Option("--corpus", help="Only this corpus; repeatable.")] = None,
    mirror: Annotated[
        Path | None, Option("--mirror", help="Copy from this folder instead of downloading.")
    ] = None,
) -> None:
    """Download the corpora at their pinned commits and verify their checksums; correct files are skipped."""
    unknown = set(corpus or ()) - CORPORA.keys()
    if unknown:
        raise CorpusError(f"unknown corpus {', '.join(sorted(unknown))}; known: {', '.join(CORPORA)}")
    fetch_corpora([CORPORA[name] for name in corpus or CORPORA], to, mirror, console=Console(stderr=True))


@app.command(name="import")
def import_command(
    table: Annotated[
        Path, Argument(metavar="TABLE", help="CSV, JSON, JSONL or Parquet, a comment in each row.")
    ],
    text: Annotated[str | None, Option(help="Column of the text; default by name.")] = None,
    label: Annotated[
        list[str] | None,
        Option(
            metavar="COLUMN[=LABEL]",
            help="Column whose cells name labels, or COLUMN=LABEL for one of 0 and 1, yes and no, or shares; "
            "repeatable; default: columns named like a label, or `label`.",
        ),
    ] = None,
    map: Annotated[
        list[str] | None,
        Option(
            metavar="WORD=LABEL,...",
            help="Meanings of words in the cells: `abuse=personal_attack`, `slur=hate+toxicity`, `none=` if no label "
            "applies, `unsure=?` to ignore it; repeatable.",
        ),
    ] = None,
    id: Annotated[str | None, Option(help="Column of the id; default by name, else row numbers.")] = None,
    thread: Annotated[
        str | None, Option(help="Column of the thread, which stays in one split; default by name.")
    ] = None,
    article: Annotated[str | None, Option(help="Column of the article's text; default by name.")] = None,
    parent: Annotated[str | None, Option(help="Column of the parent comment's text.")] = None,
    site: Annotated[str, Option(help="Site of the examples; default the name of the file.")] = "",
    out: Annotated[Path, Option("--out", help="File of decisions to write.")] = Path("labels.jsonl"),
) -> int:
    """Turn a table with labels of your own into examples for `fit`, `check`, `compare` and `tune`."""
    from belowline.data.labelled_table import LabelledTable, label_columns, meanings
    from belowline.training.dataset.import_labels import import_labels

    given = {"text": text, "id": id, "thread": thread, "article": article, "parent": parent}
    columns = {field: column for field, column in given.items() if column is not None}
    told = LabelledTable(table, columns, label_columns(label or ()), meanings(map or ()), site)
    rejected = import_labels(told, out, Console(highlight=False, soft_wrap=True))
    return REJECTED if rejected else 0


@app.command(name="fit")
def fit_command(
    recipe: Recipe,
    corpora: Corpora = Path("corpora"),
    runs: Runs = _RUNS,
    start: Annotated[
        Path | None,
        Option(help="Model directory (or `release`, `small`, or a run's model) to start from."),
    ] = None,
    decisions: Decisions = None,
    name: Annotated[str | None, Option(help="Name of the run; default the recipe's.")] = None,
    version: Annotated[str | None, Option(help="Version of the trained model; default the recipe's.")] = None,
    force: Annotated[bool, Option("--force", help="Replace a run of that name.")] = False,
) -> None:
    """Fine-tune by a recipe; the same command resumes an interrupted run."""
    from belowline.model import model_directory
    from belowline.training.fit.fit import fit
    from belowline.training.recipes.recipe import load_recipe, recipe_file

    loaded = load_recipe(recipe_file(recipe), name=name, version=version)
    begin = None if start is None else model_directory(start)
    run, console = runs / loaded.name, Console(stderr=True)
    print(fit(loaded, corpora, run, console, begin, decisions or (), force=force))


@app.command(name="check")
def check_command(
    recipe: Recipe, corpora: Corpora = Path("corpora"), runs: Runs = _RUNS, decisions: Decisions = None
) -> None:
    """Check the data of a recipe, as `fit` does before training; data_checks.json in the run names the rows."""
    from belowline.training.dataset.checks import check
    from belowline.training.recipes.recipe import load_recipe, recipe_file

    loaded = load_recipe(recipe_file(recipe))
    check(loaded, corpora, runs / loaded.name, Console(stderr=True), decisions or ())


@app.command(name="compare")
def compare_command(
    contenders: Annotated[
        list[str],
        Argument(
            metavar="MODEL...",
            help="The baseline first, then candidates: a model directory (or `release`, `small`, `large`), tfidf:RUN, "
            "detoxify:original|unbiased|multilingual or detoxify:FILE.ckpt.",
        ),
    ],
    run: Annotated[Path | None, Option("--run", help="Use the test split of this run directory.")] = None,
    corpora: Annotated[
        Path | None, Option("--corpora", help="Also use test rows of the corpora in this folder.")
    ] = None,
    decisions: Annotated[
        Path | None, Option("--decisions", help="Also use test rows of exported decisions.")
    ] = None,
    recipe: Annotated[Path | None, Option("--recipe", help="Recipe with the [gates] to check.")] = None,
    policy: Annotated[
        Path | None, Option("--policy", help="Policy file with thresholds; default each model's own.")
    ] = None,
    out: Annotated[
        Path, Option("--out", help="Folder for the report, compare.json and cached scores.")
    ] = Path("compared"),
    limit: Annotated[int | None, Option(min=10, help="Maximum rows of each corpus.")] = None,
) -> None:
    """Compare models with the first one: metrics with paired intervals, changed decisions, speed, gates, a report."""
    from belowline.training.compare.compare import Options, compare
    from belowline.training.recipes.recipe import load_recipe, recipe_file

    gates = load_recipe(recipe_file(recipe)).gates if recipe else None
    options = Options(run, corpora, decisions, limit, policy)
    compare(contenders, out, options, Console(), gates)


@app.command(name="tune")
def tune_command(
    decisions: Annotated[
        list[Path], Option("--decisions", help="File of `belowline decisions export`; repeatable.")
    ],
    out: Annotated[Path, Option("--out", help="Policy file to write.")] = Path("proposed.toml"),
    precision: Annotated[
        float | None, Option(help="Target precision of held comments of each label, such as 0.9.")
    ] = None,
    reject_precision: Annotated[
        float | None, Option(help="Target precision of rejected comments of each label.")
    ] = None,
    per_day: Annotated[
        int | None, Option(min=1, help="Reviews per day that the team can do, instead of a precision.")
    ] = None,
    comments_per_day: Annotated[int | None, Option(min=1, help="Comments that arrive per day.")] = None,
    model: Annotated[
        Path | None,
        Option("--model", help="Model directory, or `small` or `large`; default the released one."),
    ] = None,
    policy: Annotated[
        Path | None,
        Option("--policy", help="Active policy; default the one that belowline starts with."),
    ] = None,
    force: Annotated[bool, Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Propose thresholds for a precision, or for a number of reviews a day, from a site's own decisions."""
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
        force=force,
    )


@app.command(name="export")
def export_command(
    run: Run,
    out: Annotated[Path, Option("--out", help="Model directory to write.")] = Path("model-out"),
    like: Annotated[
        Path | None,
        Option(
            "--like", help="Released directory of the same weights, to copy calibration and thresholds from."
        ),
    ] = None,
    version: Annotated[str, Option("--version", help="Version to write, with --like.")] = "",
    bits: Annotated[Literal[4, 8], Option(help="Bits of a weight; 4 for large models.")] = 8,
) -> None:
    """Export a model directory: ONNX quantised, calibrated, with thresholds; refused if it differs from the weights."""
    if (like is None) != (not version):
        raise BadParameter("--like and --version go together")
    from belowline.model import model_directory
    from belowline.training.export.export import export

    print(export(run, out, Console(stderr=True), like and model_directory(like), version, bits))


@app.command(name="second-look")
def second_look_command(
    first: Annotated[Path, Option("--first", help="Model directory that reads every comment.")],
    second: Annotated[Path, Option("--second", help="Larger model that reads some comments again.")],
    run: Run,
    out: Annotated[Path, Option("--out", help="Model directory to write.")] = Path("model-out"),
    corpora: Corpora = Path("corpora"),
) -> None:
    """Fit the comments that a second model reads again, and the thresholds of both, into the first one's directory."""
    from belowline.model import model_directory
    from belowline.training.export.second_look import second_look

    second_look(model_directory(first), model_directory(second), run, out, corpora, Console())
    print(out)


@app.command(name="evaluate")
def evaluate_command(
    run: Run,
    model: Annotated[Path, Option("--model", help="Model directory.")] = Path("model-out"),
    corpora: Corpora = Path("corpora"),
    limit: Annotated[int, Option(min=10, help="Maximum test rows of each corpus.")] = 1500,
    card: Annotated[
        bool, Option("--card", help="Write the model card and its charts into the model directory.")
    ] = False,
    detoxify: Annotated[
        Path | None, Option(help="Also measure this Detoxify checkpoint; loading it runs code in it.")
    ] = None,
) -> None:
    """Measure a model by label, corpus and slice, with its fp32 twin, the TF-IDF baseline and Detoxify."""
    from belowline.model import model_directory
    from belowline.training.measure.evaluate import evaluate

    evaluate(run, model_directory(model), corpora, limit, Console(), card=card, checkpoint=detoxify)
