"""The commands ``belowline audit`` and ``belowline audit import-review``."""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

from belowline.data import ReadError
from belowline.serve.active.files import load_with_digest
from belowline.serve.audit.archive import Archive
from belowline.serve.audit.engines import (
    CORES_PER_PROCESS,
    Engine,
    PipelineSpec,
    run_here,
    run_in_processes,
    run_on_ray,
)
from belowline.serve.audit.errors import AuditError
from belowline.serve.audit.outputs import COMMENTS_SHEET, REJECTS, REPORT, SUMMARY
from belowline.serve.audit.redact import Redactor
from belowline.serve.audit.report.terminal import finding_lines, unread_lines
from belowline.serve.audit.review.importing import import_review, review_lines
from belowline.serve.audit.review.sample import write_sample
from belowline.serve.audit.run import run_audit
from belowline.serve.audit.to_queue import check_site, queue_held
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.settings import Settings

PARTIAL = 3
"""Exit status of an audit that could not read everything."""
LOCAL, RAY = "local", "ray"
_STANDARD_INPUT = Path("-")


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """Options of ``belowline audit``; the settings have model, policy and threads."""

    format: str | None = None
    columns: Sequence[str] = ()
    statuses: Sequence[str] = ()
    time_format: str | None = None
    force: bool = False
    redact: bool = False
    sample: int | None = None
    queue: str | None = None
    engine: str = LOCAL
    processes: int | None = None
    address: str | None = None


def audit_command(paths: Sequence[Path], out: Path, options: AuditOptions, settings: Settings) -> int:
    """Audit ``paths`` into ``out``; return the exit status. Raises the errors of its parts, all BelowlineErrors."""
    if options.engine not in (LOCAL, RAY):
        raise AuditError(f"--engine {options.engine}: unknown; use {LOCAL} or {RAY}")
    if options.redact and (options.sample or options.queue):
        raise AuditError("--redact removes the texts that --sample and --queue need; use two audits")
    if options.queue is not None:
        check_site(options.queue)
    columns = _assignments("--column", options.columns, "FIELD=NAME, such as text=body")
    statuses = _assignments("--status", options.statuses, "WORD=STATUS, such as approved=publish")
    pipeline, engine = _pipeline_and_engine(options, settings)
    cards = [
        directory / "README.md"
        for directory in (settings.model_directory, settings.second_model_dir)
        if directory
    ]
    with _files(paths) as (files, names):
        inventory = run_audit(
            Archive(files, options.format, columns, names, statuses, options.time_format),
            out,
            pipeline,
            engine=engine,
            force=options.force,
            redactor=Redactor.from_environment() if options.redact else None,
            card="\n\n".join(card.read_text("utf-8") for card in cards if card.is_file()) or None,
            sample=options.sample,
        )
    unread = _print_findings(out)
    if options.sample is not None:
        print(f"sample: {write_sample(out, options.sample)}")
    if options.queue is not None:
        added, known = queue_held(out, pipeline, settings, options.queue)
        print(f"queue: {added} added, {known} known before")
    for line in unread:
        Console(stderr=True, highlight=False, soft_wrap=True).print(Text(line, style="red"))
    return PARTIAL if inventory.rejects else 0


def _print_findings(out: Path) -> list[str]:
    """Print the findings of the audit in ``out``; return lines on what could not be read."""
    summary = json.loads((out / SUMMARY).read_text("utf-8"))
    print(*finding_lines(summary), sep="\n")
    print(f"comments, for a spreadsheet: {out / COMMENTS_SHEET}")
    print(f"report: {out / REPORT}")
    return list(unread_lines(summary, out / REJECTS))


def import_review_command(file: Path, out: Path, reviewer: str | None) -> None:
    """Import a reviewed sample and print the estimates; raises AuditError."""
    print("\n".join(review_lines(import_review(file, out, reviewer=reviewer))))


def default_processes(cores: int) -> int:
    """The number of processes that share ``cores``; each runs the model on its cores in threads."""
    return max(1, cores // CORES_PER_PROCESS)


def _pipeline_and_engine(options: AuditOptions, settings: Settings) -> tuple[ModerationPipeline, Engine]:
    directory, second = settings.model_directory, settings.second_model_dir
    on_ray = options.engine == RAY
    processes = options.processes or (1 if on_ray else default_processes(settings.cores))
    threads = max(1, settings.cores // processes)
    scorer, digest = load_with_digest(directory, threads, second)
    pipeline = ModerationPipeline.of(scorer, settings.policy, digest)
    spec = PipelineSpec(
        directory.resolve(), pipeline.policy, threads, pipeline.identity, second and second.resolve()
    )
    if on_ray:
        return pipeline, partial(run_on_ray, spec, options.processes, options.address)
    if processes == 1:
        return pipeline, partial(run_here, pipeline)
    return pipeline, partial(run_in_processes, spec, processes)


def _assignments(option: str, given: Sequence[str], form: str) -> dict[str, str]:
    """The ``KEY=VALUE`` words of an option; raises ReadError for another form and for a key that is given twice."""
    values: dict[str, str] = {}
    for assignment in given:
        key, _, value = assignment.partition("=")
        if not (key and value):
            raise ReadError(f"{option} {assignment}: write {form}")
        if key in values:
            raise ReadError(f"{option} {assignment}: {key} is already {values[key]}; give it once")
        values[key] = value
    return values


@contextmanager
def _files(paths: Sequence[Path]) -> Iterator[tuple[list[Path], Mapping[Path, str]]]:
    """The paths, with a temporary file in place of ``-`` because an archive is read twice; and the names to show."""
    if _STANDARD_INPUT not in paths:
        yield list(paths), {}
        return
    with TemporaryDirectory(prefix="belowline-") as folder:
        file = Path(folder, "standard input")
        with file.open("wb") as spooled:
            shutil.copyfileobj(sys.stdin.buffer, spooled)
        yield [file if path == _STANDARD_INPUT else path for path in paths], {file: "standard input"}
