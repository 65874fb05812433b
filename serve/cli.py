"""The command ``belowline``: serve, score, audit. What is slow to import is imported inside the commands."""

import sys
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from belowline.serve.scoring.pipeline import ModerationPipeline

app = typer.Typer(
    help="Self-hosted moderation for reader comments: score, decide, queue, audit.",
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and those hold comments
    context_settings={"help_option_names": ["-h", "--help"]},
)
bridge = typer.Typer(help="Moderate comments where another system keeps them.")
app.add_typer(bridge, name="bridge")


decisions = typer.Typer(help="What moderators decided, as training data.")
app.add_typer(decisions, name="decisions")


models = typer.Typer(help="Which model serves: promote one that is proven, go back, look.")
app.add_typer(models, name="models")


class _AuditUnlessNamed(TyperGroup):
    """Makes ``belowline audit PATH...`` run an audit, next to the other commands of ``audit``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = args and args[0] in self.commands
        return super().parse_args(ctx, args if named else ["run", *args])


audits = typer.Typer(cls=_AuditUnlessNamed)
app.add_typer(audits, name="audit", help="Audit an archive: score every comment and write a report.")
UsageError = typer.BadParameter.__mro__[1]
USAGE, FAILED = 2, 1

ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="Model directory, or `small` for the faster one in the package; default: BELOWLINE_MODEL_DIR or the released one.",
    ),
]
PolicyOption = Annotated[
    Path | None,
    typer.Option("--policy", help="TOML policy; default: BELOWLINE_POLICY or the model's own thresholds."),
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="CPU threads; default: one for each core.")
]


def main() -> None:
    """Runs the command; every error is one line on standard error and a non-zero exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Runs the command with ``arguments`` and returns its exit status."""
    try:
        return app(arguments, prog_name="belowline", standalone_mode=False) or 0
    except Exception as error:
        return _explain(error)


def _explain(error: Exception) -> int:
    if isinstance(error, UsageError):
        command = getattr(getattr(error, "ctx", None), "command_path", "belowline")
        return _fail(f"{error.format_message().rstrip('.')}; see {command} --help", USAGE)  # type: ignore[attr-defined]
    if type(error).__module__.startswith("belowline."):
        return _fail(str(error), FAILED)
    if isinstance(error, OSError) and error.filename:
        return _fail(f"{error.filename}: {error.strerror}", FAILED)
    from belowline.serve.scoring.fault_isolation import describe

    return _fail(f"unexpected {describe(error)}; please report it", FAILED)


def _fail(message: str, status: int) -> int:
    from belowline.serve.server.log_format import printable

    print(f"belowline: {printable(' '.join(message.split()))}", file=sys.stderr)
    return status


@app.callback(invoke_without_command=True)
def belowline(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Self-hosted moderation for reader comments: score, decide, queue, audit."""
    if show_version:
        print(f"belowline {version('belowline')}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; default: BELOWLINE_HOST or 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on, 0 for a free one; default: 8000.")
    ] = None,
    model: ModelOption = None,
    policy: PolicyOption = None,
    threads: ThreadsOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Processes that share the port and the threads; default: BELOWLINE_WORKERS or 1."
        ),
    ] = None,
) -> None:
    """Run the service: the page, the API and the queue.

    Every setting is an environment variable BELOWLINE_...; serve/SETTINGS.md lists them.
    """
    from belowline.serve.settings import load_settings

    settings = load_settings(
        host=host, port=port, model_dir=model, policy=policy, threads=threads, workers=workers
    )
    from belowline.serve.server.run import run_server

    run_server(settings)


@app.command(name="check-store")
def check_store() -> int:
    """Rebuild the queue from the log of decisions and show every comment of which the tables say otherwise; exit status 1 where one does.

    The database is that of the service's settings; it may be running.
    """
    from belowline.serve.queue.replay import replay
    from belowline.serve.settings import load_settings
    from belowline.serve.store.database import Database

    database, count = Database.open(load_settings().database_url), 0
    try:
        for difference in replay(database):
            print(difference)
            count += 1
    finally:
        database.close()
    print(f"{count} comments differ from their log" if count else "the store agrees with its log")
    return FAILED if count else 0


@app.command()
def score(
    texts: Annotated[list[str] | None, typer.Argument(metavar="TEXT...", help="Comments to score.")] = None,
    source: Annotated[
        Path | None,
        typer.Option("--in", help="JSONL, CSV or Parquet file with one comment a row."),
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option(
            "--out", help="JSONL, CSV or Parquet file for the results; default: JSONL on standard output."
        ),
    ] = None,
    text_column: Annotated[str, typer.Option(help="Column of --in with the comment.")] = "text",
    id_column: Annotated[
        str,
        typer.Option(help="Column of --in with the comment's id; without such a column, rows are numbered."),
    ] = "id",
    article_column: Annotated[
        str | None, typer.Option(help="Column of --in with the article's title; default: none.")
    ] = None,
    parent_column: Annotated[
        str | None, typer.Option(help="Column of --in with the text of the parent comment; default: none.")
    ] = None,
    article: Annotated[str | None, typer.Option(help="Title of the article of all comments.")] = None,
    model: ModelOption = None,
    policy: PolicyOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Score comments given as TEXT, on standard input (one a line), or in a file."""
    if source and texts:
        raise typer.BadParameter("Give either TEXT or --in, not both.")
    if source and article:
        raise typer.BadParameter(
            "--article goes with TEXT or standard input; use --article-column with --in."
        )
    from belowline.serve.batch.read import Columns, read_lines, read_rows, read_texts
    from belowline.serve.batch.score import score_rows
    from belowline.serve.settings import load_settings

    columns = Columns(text_column, id_column, article_column, parent_column)
    longest = load_settings().max_comment_chars
    if source:
        rows = read_rows(source, columns, longest)
    elif texts:
        rows = read_texts(texts, article, longest)
    elif sys.stdin.isatty():
        raise typer.BadParameter("Give TEXT, or --in FILE, or comments on standard input.")
    else:
        rows = read_lines(sys.stdin.buffer, article, longest)
    score_rows(rows, target, _judge(model, policy, threads))


@audits.command(name="run")
def audit(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Files or folders of saved comments; - is standard input."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the report and the tables; see serve/AUDIT.md.")],
    format: Annotated[
        str | None,
        typer.Option(
            help="Format of the files: page, html, warc, jsonl, csv, parquet, wxr or disqus; default: detected for each file."
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=NAME",
            help="Column of a field in JSONL, CSV and Parquet, such as text=body; repeatable.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace an audit of other inputs, or with another model or policy."),
    ] = False,
    redact: Annotated[
        bool,
        typer.Option("--redact", help="Write keyed hashes instead of authors' names and comments' texts."),
    ] = False,
    sample: Annotated[
        int | None,
        typer.Option(min=2, metavar="N", help="Draw N comments for people to review, into sample.csv."),
    ] = None,
    queue: Annotated[
        str | None,
        typer.Option(
            metavar="SITE", help="Send comments that the policy does not publish to the queue of SITE."
        ),
    ] = None,
    engine: Annotated[str, typer.Option(help="Engine that scores: local or ray.")] = "local",
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that share the threads, or Ray workers; default: one for each 8 threads, on Ray as many as fit.",
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="Address of the Ray cluster; default: RAY_ADDRESS, or a new local one."),
    ] = None,
    model: ModelOption = None,
    policy: PolicyOption = None,
    threads: ThreadsOption = None,
) -> int:
    """Audit an archive: score every comment of every page and write a report.

    The same command resumes an interrupted audit. The exit status is 3 if some records could not be read; rejects.jsonl lists them.
    `belowline audit import-review` imports a reviewed sample.
    """
    from belowline.serve.audit.command import AuditOptions, audit_command
    from belowline.serve.settings import load_settings

    settings = load_settings(model_dir=model, policy=policy, threads=threads)
    options = AuditOptions(format, column or [], force, redact, sample, queue, engine, processes, address)
    return audit_command(paths, out, options, settings)


@audits.command(name="import-review")
def import_review(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The filled in sample.csv of an audit.")],
    out: Annotated[Path, typer.Option(help="Folder of the sample's audit.")],
    reviewer: Annotated[str | None, typer.Option(help="Name of the reviewer, for decisions.jsonl.")] = None,
) -> None:
    """Import a reviewed sample: writes decisions.jsonl for training, and estimate.json with the shares of each label in the archive."""
    from belowline.serve.audit.command import import_review_command

    import_review_command(file, out, reviewer)


@decisions.command()
def export(
    target: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSONL file to write; see serve/DECISIONS.md.")
    ],
    site: Annotated[str | None, typer.Option(help="Only this site's.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only what was decided on this day (UTC) or later."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only what was decided before this day (UTC)."),
    ] = None,
    review: Annotated[
        list[Path] | None, typer.Option(help="An audit's decisions.jsonl to merge; may be given again.")
    ] = None,
    bulk: Annotated[
        bool, typer.Option("--bulk", help="Also what was decided for many comments at once.")
    ] = False,
) -> None:
    """Write what people decided as examples for training; the policy's own decisions are never among them."""
    from belowline.serve.training_data.export import run_export

    run_export(target, site=site, since=_day(since), until=_day(until), reviews=review or (), bulk=bulk)


@bridge.command()
def wordpress(
    site: Annotated[str, typer.Option(help="Address of the WordPress, such as https://paper.example.")],
    user: Annotated[str, typer.Option(help="An editor or administrator there.")],
    apply: Annotated[
        bool, typer.Option("--apply", help="Change comments; without it nothing is changed or kept.")
    ] = False,
    every: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="Go on so often; default: once.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Leave out comments on hold that are older than this day."),
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Send the password over plain HTTP.")] = False,
) -> None:
    """Score the comments on hold in a WordPress, and approve, keep or mark them as spam by the policy.

    What moderators decide there is kept here, and the other way round. The application password comes from
    BELOWLINE_WORDPRESS_PASSWORD or is asked for; settings are those of the service.
    """
    from belowline.serve.wordpress.command import run_wordpress

    run_wordpress(site, user, apply=apply, every=every, since=_day(since), insecure=insecure)


@models.command(name="promote")
def promote_model(
    candidate: Annotated[
        Path, typer.Argument(metavar="CANDIDATE", help="Model directory, or `small`, to put in force.")
    ],
    compare: Annotated[
        Path | None,
        typer.Option(help="The compare.json of belowline-train compare, whose gates must have passed."),
    ] = None,
    force_reason: Annotated[
        str | None, typer.Option(help="Why it is promoted without gates that passed; kept in the history.")
    ] = None,
) -> None:
    """Put a model in force that passed its gates against the one in force; running services take it over, no request is lost.

    Settings are those of the service; serve/MODELS.md says what is checked and kept.
    """
    from belowline.serve.active.command import promote_command

    promote_command(candidate, compare, force_reason)


@models.command(name="rollback")
def roll_back_model(
    reason: Annotated[str | None, typer.Option(help="Why; kept in the history.")] = None,
) -> None:
    """Put the model before the one in force in force again, also when the newest does not load."""
    from belowline.serve.active.command import rollback_command

    rollback_command(reason)


@models.command(name="list")
def list_models() -> None:
    """Show the model in force with its directory, and every promotion and rollback."""
    from belowline.serve.active.command import list_command

    list_command()


@models.command(name="shadow")
def shadow_figures() -> None:
    """Show what the candidate of BELOWLINE_SHADOW_MODEL_DIR would have decided beside what was decided."""
    from belowline.serve.active.command import shadow_command

    shadow_command()


def _day(given: datetime | None) -> date | None:
    return given.date() if given else None


def _judge(model: Path | None, policy: Path | None, threads: int | None) -> "ModerationPipeline":
    from belowline.model import Scorer
    from belowline.serve.scoring.pipeline import ModerationPipeline
    from belowline.serve.settings import load_settings

    settings = load_settings(model_dir=model, policy=policy, threads=threads)
    scorer = Scorer.load(settings.model_directory, threads=settings.threads)
    return ModerationPipeline.of(scorer, settings.policy)
