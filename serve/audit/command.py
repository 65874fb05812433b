"""The command ``belowline audit``: from its options to an audit, a sample and a queue."""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from belowline.data import ReadError
from belowline.model import Scorer
from belowline.serve.active.files import digest_of
from belowline.serve.audit.archive import Archive
from belowline.serve.audit.engines import Engine, EngineError, Here, PipelineSpec, Processes, Ray, split_of
from belowline.serve.audit.redact import Redactor
from belowline.serve.audit.review.importing import import_review, review_lines
from belowline.serve.audit.review.sample import write_sample
from belowline.serve.audit.run import AuditError, run_audit
from belowline.serve.audit.to_queue import queue_held
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.settings import Settings

PARTIAL = 3
"""Exit status of an audit that could not read everything."""
LOCAL, RAY = "local", "ray"
_STANDARD_INPUT = Path("-")


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """What was asked of ``belowline audit``, besides model, policy and threads, which are in the settings."""

    format: str | None = None
    columns: Sequence[str] = ()
    force: bool = False
    redact: bool = False
    sample: int | None = None
    queue: str | None = None
    engine: str = LOCAL
    processes: int | None = None
    address: str | None = None


def audit_command(paths: Sequence[Path], out: Path, options: AuditOptions, settings: Settings) -> int:
    """Audits ``paths`` into ``out``; the exit status. Raises what ``run_audit`` raises, and ModelError."""
    if options.engine not in (LOCAL, RAY):
        raise EngineError(f"--engine {options.engine}: is unknown; use {LOCAL} or {RAY}")
    if options.redact and (options.sample or options.queue):
        raise AuditError(
            "--redact leaves no texts to review: make another audit without it for --sample and --queue"
        )
    columns = _columns(options.columns)
    pipeline, engine = _engine(options, settings)
    with _files(paths) as (files, names):
        audited = run_audit(
            Archive(files, options.format, columns, names),
            out,
            pipeline,
            engine=engine,
            force=options.force,
            redactor=Redactor.from_environment() if options.redact else None,
            card=_card(settings.model_directory),
        )
    print(f"report: {out / 'report.html'}")
    if options.sample is not None:
        print(f"sample: {write_sample(out, options.sample)}")
    if options.queue is not None:
        queued = queue_held(out, settings, options.queue)
        print(f"queue: {queued.added} added, {queued.known} known before")
    if audited.rejects:
        print(
            f"belowline: {audited.rejects} records could not be read; {out / 'rejects.jsonl'} names them",
            file=sys.stderr,
        )
    return PARTIAL if audited.rejects else 0


def import_review_command(file: Path, out: Path, reviewer: str | None) -> None:
    """Reads a reviewed sample and prints what it says of the archive; raises what ``import_review`` raises."""
    print("\n".join(review_lines(import_review(file, out, reviewer=reviewer))))


def _engine(options: AuditOptions, settings: Settings) -> tuple[ModerationPipeline, Engine]:
    """A judge for this process, and what does the work."""
    directory = settings.model_directory
    on_ray = options.engine == RAY
    processes = options.processes or (1 if on_ray else split_of(settings.cores))
    threads = max(1, settings.cores // processes)
    pipeline = ModerationPipeline.of(
        Scorer.load(directory, threads=threads), settings.policy, digest_of(directory)
    )
    spec = PipelineSpec(directory.resolve(), pipeline.policy, threads, pipeline.identity)
    if on_ray:
        return pipeline, Ray(spec, options.processes, options.address)
    return pipeline, Here(pipeline) if processes == 1 else Processes(spec, processes)


def _columns(told: Sequence[str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for one in told:
        field, found, name = one.partition("=")
        if not (field and found and name):
            raise ReadError(f"--column {one}: say FIELD=NAME, such as text=body")
        if field in columns:
            raise ReadError(f"--column {one}: {field} is {columns[field]} already; name one column for it")
        columns[field] = name
    return columns


@contextmanager
def _files(paths: Sequence[Path]) -> Iterator[tuple[list[Path], Mapping[Path, str]]]:
    """The paths with standard input, which is read more than once, in a file in place of ``-``."""
    if _STANDARD_INPUT not in paths:
        yield list(paths), {}
        return
    with TemporaryDirectory(prefix="belowline-") as folder:
        file = Path(folder, "standard input")
        with file.open("wb") as spooled:
            shutil.copyfileobj(sys.stdin.buffer, spooled)
        yield [file if path == _STANDARD_INPUT else path for path in paths], {file: "standard input"}


def _card(directory: Path) -> str | None:
    card = directory / "README.md"
    return card.read_text("utf-8") if card.is_file() else None
