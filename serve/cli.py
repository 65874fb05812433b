"""The command ``belowline``; parsing only. Slow imports are inside the commands."""

import sys
from datetime import date, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, BadParameter, Option
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from belowline.serve.scoring.pipeline import ModerationPipeline

app = typer.Typer(
    help="Self-hosted moderation for reader comments: score, decide, queue, audit.",
    rich_markup_mode="markdown",  # the default takes words in brackets for markup
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and those hold comments
    context_settings={"help_option_names": ["-h", "--help"]},
)
bridge = typer.Typer(help="Moderate comments that another system stores.")
app.add_typer(bridge, name="bridge")
decisions = typer.Typer(help="Export moderators' decisions as training data.")
app.add_typer(decisions, name="decisions")
models = typer.Typer(help="Promote a model, roll back, compare and list models.")
app.add_typer(models, name="models")


class _AuditUnlessNamed(TyperGroup):
    """``belowline audit PATH...`` runs an audit, unless the first word is a subcommand."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = args and args[0] in self.commands
        return super().parse_args(ctx, args if named else ["run", *args])


class _WithoutRun(TyperCommand):
    """A command whose usage leaves out ``run``, as people write it."""

    def get_usage(self, ctx: Any) -> str:
        return super().get_usage(ctx).replace("belowline audit run", "belowline audit")


audits = typer.Typer(cls=_AuditUnlessNamed)
app.add_typer(audits, name="audit", help="Audit an archive: score every comment and write a report.")
UsageError = BadParameter.__mro__[1]
USAGE, FAILED = 2, 1
Day = datetime | None
DAY = ["%Y-%m-%d"]

ModelOption = Annotated[
    Path | None,
    Option(
        "--model",
        help="Model directory, or `small` or `large` for another packaged model; "
        "default: BELOWLINE_MODEL_DIR or the released model.",
    ),
]
SecondLookOption = Annotated[
    Path | None,
    Option(
        "--second-look",
        help="Directory or name of a second model, such as `large`, that reads comments near a threshold again; "
        "default: BELOWLINE_SECOND_MODEL_DIR or none.",
    ),
]
PolicyOption = Annotated[
    Path | None,
    Option("--policy", help="TOML policy; default: BELOWLINE_POLICY or the model's own thresholds."),
]
PortOption = Annotated[
    int | None,
    Option(
        "--port",
        min=0,
        max=65535,
        help="Port to listen on, 0 for a free one; default: BELOWLINE_PORT or 8000.",
    ),
]
ThreadsOption = Annotated[
    int | None, Option("--threads", min=1, help="CPU threads; default: BELOWLINE_THREADS or one per core.")
]


def main() -> None:
    """Runs the command; an error is one line on standard error and a non-zero exit status."""
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
    from belowline.model import BelowlineError

    if isinstance(error, BelowlineError):
        return _fail(str(error), FAILED)
    if isinstance(error, OSError) and error.strerror:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else error.strerror, FAILED)
    from belowline.serve.scoring.fault_isolation import describe

    return _fail(f"unexpected {describe(error)}; please report it", FAILED)


def _fail(message: str, status: int) -> int:
    from belowline.serve.server.log_format import printable

    print(f"belowline: {printable(' '.join(message.split()))}", file=sys.stderr)
    return status


@app.callback(invoke_without_command=True)
def belowline(
    context: typer.Context,
    show_version: Annotated[bool, Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Self-hosted moderation for reader comments: score, decide, queue, audit."""
    if show_version:
        print(f"belowline {version('belowline')}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def serve(
    host: Annotated[
        str | None, Option(help="Address to listen on; default: BELOWLINE_HOST or 127.0.0.1.")
    ] = None,
    port: PortOption = None,
    model: ModelOption = None,
    second_look: SecondLookOption = None,
    policy: PolicyOption = None,
    threads: Annotated[
        int | None,
        Option(
            min=1,
            help="CPU threads per worker; default: BELOWLINE_THREADS or the cores divided by the workers.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        Option(min=1, help="Processes that share the port and the cores; default: BELOWLINE_WORKERS or 1."),
    ] = None,
) -> None:
    """Run the service: API, queue and console.

    Settings are environment variables BELOWLINE_...; serve/SETTINGS.md lists them.
    """
    from belowline.serve.settings import load_settings

    settings = load_settings(
        host=host,
        port=port,
        model_dir=model,
        second_model_dir=second_look,
        policy=policy,
        threads=threads,
        workers=workers,
    )
    from belowline.serve.server.run import run_server

    run_server(settings)


@app.command()
def demo(
    store: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            help="New SQLite file for the demo, which stays; default: a temporary one, which is deleted at the end.",
        ),
    ] = None,
    port: PortOption = None,
    model: ModelOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Fill a new store with an invented site and open the console on it.

    Three articles, some 130 comments of one week, two moderators. Some comments are rude; all are invented.
    """
    from belowline.serve.demo.command import run_demo

    run_demo(store, port=port, model_dir=model, threads=threads)


@app.command()
def score(
    texts: Annotated[list[str] | None, Argument(metavar="TEXT...", help="Comments to score.")] = None,
    source: Annotated[
        Path | None,
        Option(
            "--in",
            help="File of comments: JSONL, JSON, CSV, Parquet or an export, see serve/SCORE.md; - for standard input.",
        ),
    ] = None,
    target: Annotated[
        Path | None,
        Option(
            "--out",
            help="JSONL, CSV or Parquet file for the results and the columns of --in; "
            "default: JSONL on standard output.",
        ),
    ] = None,
    text_column: Annotated[
        str | None, Option(help="Column of --in with the comment; default: text, comment, body and the like.")
    ] = None,
    id_column: Annotated[
        str | None,
        Option(
            help="Column of --in with the id; default: id or comment_id. Rows without an id are numbered."
        ),
    ] = None,
    article_column: Annotated[
        str | None, Option(help="Column of --in with the title of the article.")
    ] = None,
    parent_column: Annotated[
        str | None, Option(help="Column of --in with the text of the parent comment.")
    ] = None,
    author_column: Annotated[
        str | None, Option(help="Column of --in with the author's name; it affects spam only.")
    ] = None,
    author_url_column: Annotated[
        str | None, Option(help="Column of --in with the author's website; it affects spam only.")
    ] = None,
    article: Annotated[str | None, Option(help="Title of the article of all comments.")] = None,
    model: ModelOption = None,
    second_look: SecondLookOption = None,
    policy: PolicyOption = None,
    threads: ThreadsOption = None,
) -> int:
    """Score comments from TEXT, standard input (one per line) or a file.

    If some rows cannot be read, the rest is scored, OUT.rejects.jsonl lists the rows, and the exit status is 3.
    """
    if source and texts:
        raise BadParameter("Give either TEXT or --in, not both.")
    if source and article:
        raise BadParameter("--article works with TEXT or standard input; with --in use --article-column.")
    if not (source or texts) and sys.stdin.isatty():
        raise BadParameter("Give TEXT, or --in FILE, or comments on standard input.")
    from belowline.serve.batch.read import Columns
    from belowline.serve.batch.score import score_command

    columns = Columns(text_column, id_column, article_column, parent_column, author_column, author_url_column)
    load = partial(_pipeline, model, second_look, policy, threads)
    return score_command(texts or (), source, target, columns, article, load)


@audits.command(name="run", cls=_WithoutRun)
def audit(
    paths: Annotated[
        list[Path],
        Argument(metavar="PATH...", help="Files or folders of saved comments; - is standard input."),
    ],
    out: Annotated[Path, Option(help="Folder for the report and the tables; see serve/AUDIT.md.")],
    format: Annotated[
        str | None,
        Option(
            help="Format: page, html, warc, jsonl, json, csv, parquet, wxr, disqus, isso, commento, remark42, coral, "
            "discourse, youtube, reddit or hackernews; default: detected per file."
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        Option(
            metavar="FIELD=NAME",
            help="Column of JSONL, JSON, CSV and Parquet files for a field, such as text=body; repeatable.",
        ),
    ] = None,
    status: Annotated[
        list[str] | None,
        Option(
            metavar="WORD=STATUS",
            help="Meaning of a status word of the host: publish, hold, reject or spam; repeatable.",
        ),
    ] = None,
    time_format: Annotated[
        str | None,
        Option(
            metavar="PATTERN",
            help="How times are written, such as '%d/%m/%Y %H:%M', or day-first, or month-first; "
            "default: only what is not ambiguous is read.",
        ),
    ] = None,
    force: Annotated[
        bool, Option("--force", help="Replace an existing audit of other inputs or another model.")
    ] = False,
    redact: Annotated[
        bool, Option("--redact", help="Write keyed hashes instead of author names and comment texts.")
    ] = False,
    sample: Annotated[
        int | None,
        Option(min=2, metavar="N", help="Draw N comments for review and write them to sample.csv."),
    ] = None,
    queue: Annotated[
        str | None,
        Option(metavar="SITE", help="Add comments that the policy does not publish to the queue of SITE."),
    ] = None,
    engine: Annotated[str, Option(help="Where to score: local or ray.")] = "local",
    processes: Annotated[
        int | None,
        Option(
            min=1,
            help="Processes that share the threads, or workers on Ray; default: one per 8 threads, or all that fit.",
        ),
    ] = None,
    address: Annotated[
        str | None, Option(help="Address of the Ray cluster; default: RAY_ADDRESS, or a local cluster.")
    ] = None,
    model: ModelOption = None,
    second_look: SecondLookOption = None,
    policy: PolicyOption = None,
    threads: ThreadsOption = None,
) -> int:
    """Audit an archive: score every comment of every page and write a report.

    Run the same command again to continue after an interruption. If some input cannot be read, the rest is audited,
    rejects.jsonl lists the input, and the exit status is 3. `belowline audit import-review` reads a reviewed sample.
    """
    from belowline.serve.audit.command import AuditOptions, audit_command
    from belowline.serve.settings import load_settings

    settings = load_settings(model_dir=model, second_model_dir=second_look, policy=policy, threads=threads)
    options = AuditOptions(
        format=format,
        columns=column or [],
        statuses=status or [],
        time_format=time_format,
        force=force,
        redact=redact,
        sample=sample,
        queue=queue,
        engine=engine,
        processes=processes,
        address=address,
    )
    return audit_command(paths, out, options, settings)


@audits.command(name="import-review")
def import_review(
    file: Annotated[Path, Argument(metavar="FILE", help="The completed sample.csv of an audit.")],
    out: Annotated[Path, Option(help="Folder of the audit of that sample.")],
    reviewer: Annotated[str | None, Option(help="Name of the reviewer for decisions.jsonl.")] = None,
) -> None:
    """Import a reviewed sample: write decisions.jsonl for training, and estimate.json with rates and intervals."""
    from belowline.serve.audit.command import import_review_command

    import_review_command(file, out, reviewer)


@decisions.command()
def export(
    target: Annotated[Path, Argument(metavar="FILE", help="JSONL file to write; see serve/DECISIONS.md.")],
    site: Annotated[str | None, Option(help="Only decisions of this site.")] = None,
    since: Annotated[Day, Option(formats=DAY, help="Only decisions on this day (UTC) or later.")] = None,
    until: Annotated[Day, Option(formats=DAY, help="Only decisions before this day (UTC).")] = None,
    review: Annotated[
        list[Path] | None, Option(help="The decisions.jsonl of an audit to merge; repeatable.")
    ] = None,
    bulk: Annotated[bool, Option("--bulk", help="Include bulk decisions.")] = False,
) -> None:
    """Write people's decisions as training examples; decisions of the policy are never included."""
    from belowline.serve.training_data.export import run_export

    run_export(target, site=site, since=_day(since), until=_day(until), reviews=review or (), bulk=bulk)


@bridge.command()
def wordpress(
    site: Annotated[str, Option(help="Address of the WordPress site, such as https://paper.example.")],
    user: Annotated[str, Option(help="An editor or administrator of that site.")],
    apply: Annotated[
        bool, Option("--apply", help="Apply changes; without it nothing is changed or stored.")
    ] = False,
    every: Annotated[
        float | None, Option(min=1, metavar="SECONDS", help="Repeat at this interval; default: run once.")
    ] = None,
) -> None:
    """Score held comments in WordPress and approve them, hold them, trash them or mark them as spam by the policy.

    Moderators' decisions are copied in both directions. The application password comes from
    BELOWLINE_WORDPRESS_PASSWORD or from a prompt; the settings are those of the service.
    """
    from belowline.serve.wordpress.command import run_wordpress

    run_wordpress(site, user, apply=apply, every=every)


@models.command(name="promote")
def promote_model(
    candidate: Annotated[
        Path, Argument(metavar="CANDIDATE", help="Model directory, or `small` or `large`, to promote.")
    ],
    compare: Annotated[
        Path | None, Option(help="The compare.json of belowline-train compare with passed gates.")
    ] = None,
    force_reason: Annotated[
        str | None, Option(help="Reason to promote without passed gates; the history keeps it.")
    ] = None,
) -> None:
    """Make a candidate the active model if it passed its gates; running services take it over without losing a request.

    The settings are those of the service; see serve/MODELS.md.
    """
    from belowline.serve.active.command import promote_command

    promote_command(candidate, compare, force_reason)


@models.command(name="rollback")
def roll_back_model(
    reason: Annotated[str | None, Option(help="Reason; the history keeps it.")] = None,
) -> None:
    """Make the previous model active again, even if the newest one does not load."""
    from belowline.serve.active.command import rollback_command

    rollback_command(reason)


@models.command(name="list")
def list_models() -> None:
    """Show the active model, its directory, and all promotions and rollbacks."""
    from belowline.serve.active.command import list_command

    list_command()


@models.command(name="compare")
def compare_model(
    candidate: Annotated[
        Path, Argument(metavar="CANDIDATE", help="Model directory, or `small` or `large`, to compare.")
    ],
    last: Annotated[
        int, Option(min=1, metavar="N", help="Compare on the newest N comments of the store.")
    ] = 2000,
) -> None:
    """Compare a candidate's decisions with the active model's on stored comments; nothing is changed."""
    from belowline.serve.active.command import compare_command

    compare_command(candidate, last)


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _pipeline(
    model: Path | None, second_look: Path | None, policy: Path | None, threads: int | None
) -> "ModerationPipeline":
    from belowline.model import Scorer
    from belowline.serve.scoring.pipeline import ModerationPipeline
    from belowline.serve.settings import load_settings

    settings = load_settings(model_dir=model, second_model_dir=second_look, policy=policy, threads=threads)
    scorer = Scorer.load(
        settings.model_directory, threads=settings.threads, second_look=settings.second_model_dir
    )
    return ModerationPipeline.of(scorer, settings.policy)
