"""Audits an archive: every comment scored and decided, with a summary and a report; resumes when stopped."""

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from belowline.model import BelowlineError, text_hash
from belowline.serve.audit.archive import REJECTS, Archive, ArchiveComment, Inventory, take_inventory
from belowline.serve.audit.copies import Copies, reading_for, written_reading
from belowline.serve.audit.engines import Engine, Here, Job, Work
from belowline.serve.audit.outputs import COMMENTS, PARTS, SUMMARY, write_outputs
from belowline.serve.audit.redact import Redactor
from belowline.serve.batch.atomic import replacing
from belowline.serve.batch.read import in_chunks
from belowline.serve.batch.terminal import counting
from belowline.serve.scoring.fault_isolation import each
from belowline.serve.scoring.pipeline import ModerationPipeline

INVENTORY, READINGS = "inventory", "readings"
PART_COMMENTS = 1024


class AuditError(BelowlineError):
    """An audit cannot be made where or of what it was asked; the message is one line."""


class Audited(NamedTuple):
    """What an audit held: comments, and records that could not be read."""

    comments: int
    rejects: int


def run_audit(
    archive: Archive,
    out: Path,
    pipeline: ModerationPipeline,
    *,
    engine: Engine | None = None,
    force: bool = False,
    redactor: Redactor | None = None,
    card: str | None = None,
) -> Audited:
    """Writes comments (``.jsonl``, ``.parquet``), ``threads.parquet``, ``campaigns.jsonl``, ``rejects.jsonl``, ``summary.json`` and
    ``report.html`` of ``archive`` into ``out``; serve/AUDIT.md has their columns.

    With ``redactor`` they hold hashes in place of authors' names and comments' texts. ``engine`` does the scoring, by default this process;
    ``card`` is the model's, for the report. An audit of the same inputs with the same model and policy is continued, or left as it is when
    complete. Raises ReadError for what was asked of the archive and cannot be, AuditError where ``out`` holds something else and not
    ``force``, EngineError.
    """
    _check_apart(archive.paths, out)
    started = perf_counter()
    with _beside(out) as folder, Copies.within(folder) as copies:
        inventory = take_inventory(archive, folder, copies)
        audited = Audited(inventory.comments, inventory.rejects["rejects"])
        _check_some(archive, inventory)
        made_with = {"inputs": inventory.fingerprint, **pipeline.identity}
        if redactor:
            made_with["redaction"] = "names and texts"
        if not force and _is_complete(out, made_with):
            print(f"{out} already holds this audit; --force makes it again", file=sys.stderr)
            return audited
        parts = _prepared(out, made_with, force)
        _write_parts(archive, inventory, copies, parts, engine or Here(pipeline))
        seconds = round(perf_counter() - started, 1)
        made = {
            "made_with": made_with,
            "seconds": seconds,
            "copies": inventory.repeated,
            "rejects": inventory.rejects,
        }
        (folder / REJECTS).replace(out / REJECTS)
        write_outputs(out, inventory, pipeline, made, redactor.row if redactor else dict, copies, card)
        shutil.rmtree(parts)
    return audited


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A folder for the inventory, which is taken anew each time."""
    folder, before = out / INVENTORY, out.exists()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if not before and not any(out.iterdir()):
            out.rmdir()


def _check_apart(paths: Sequence[Path], out: Path) -> None:
    for path in paths:
        if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
            raise AuditError(f"{out}: lies inside {path}, which is to be read; give --out a folder elsewhere")
    if out.exists() and not out.is_dir():
        raise AuditError(f"{out}: is not a folder; give --out a folder")


def _check_some(archive: Archive, inventory: Inventory) -> None:
    if inventory.comments:
        return
    names = ", ".join(archive.names.get(path, str(path)) for path in archive.paths)
    if not inventory.rejects["rejects"]:
        raise AuditError(f"{names}: holds no comments; name a file or folder of saved comments")
    first = inventory.rejects["first"][0]
    place = first["source"] if first["position"] is None else f"{first['source']}:{first['position']}"
    raise AuditError(f"{names}: no comment in it can be read; the first reject: {place}: {first['reason']}")


def _is_complete(out: Path, made_with: Mapping[str, str]) -> bool:
    return not (out / PARTS).exists() and _made_with(out / SUMMARY) == made_with


def _prepared(out: Path, made_with: dict[str, str], force: bool) -> Path:
    """The folder of part files, which may hold some of this audit; finished files are not touched yet."""
    parts = out / PARTS
    note = parts / "made_with.json"
    found = _made_with(note) if parts.exists() else _made_with(out / SUMMARY)
    if found != made_with and not force and (found or parts.exists() or (out / COMMENTS).exists()):
        before = found or {}
        other = ", ".join(name for name in made_with | before if before.get(name) != made_with.get(name))
        raise AuditError(
            f"{out}: holds an audit made with other {other}; give another --out, or --force to replace it"
        )
    if parts.exists() and (force or found != made_with):
        shutil.rmtree(parts)
    (parts / READINGS).mkdir(parents=True, exist_ok=True)
    with replacing(note) as file:
        file.write(json.dumps({"made_with": made_with}).encode())
    return parts


def _made_with(file: Path) -> dict[str, str] | None:
    try:
        found = json.loads(file.read_text("utf-8"))["made_with"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _write_parts(archive: Archive, inventory: Inventory, copies: Copies, parts: Path, engine: Engine) -> None:
    """First the texts that have copies are read, each once; then all comments are scored."""
    readings = parts / READINGS
    texts = inventory.repeated["texts"]
    first_ones = (one for one in archive.comments() if copies.ask(one.comment.text))
    # The archive is read no further than the last of them stands.
    _work(engine, read_part, islice(first_ones, texts), readings, texts, "copies")
    for part in sorted(readings.glob("*.jsonl")):
        copies.keep(part.read_text("utf-8").splitlines())
    _work(engine, score_part, archive.comments(), parts, inventory.comments, "scoring", copies)


def _work(
    engine: Engine,
    work: Work,
    comments: Iterable[ArchiveComment],
    folder: Path,
    total: int,
    what: str,
    copies: Copies | None = None,
) -> None:
    """One part file for each ``PART_COMMENTS`` of the comments; a part that is there is not made again."""
    before = sum(1 for _ in folder.glob("*.jsonl")) * PART_COMMENTS
    with counting(total, what, min(before, total)) as advance:
        for part, comments_done, content in engine.run(work, _jobs(comments, folder, copies)):
            with replacing(folder / part) as file:
                file.write(content)
            advance(comments_done)


def _jobs(comments: Iterable[ArchiveComment], folder: Path, copies: Copies | None) -> Iterator[Job]:
    for number, chunk in enumerate(in_chunks(comments, PART_COMMENTS)):
        part = f"{number:06}.jsonl"
        if not (folder / part).exists():
            yield Job(part, chunk, copies.readings_for([one.comment.text for one in chunk]) if copies else {})


def read_part(pipeline: ModerationPipeline, job: Job) -> bytes:
    """What the texts of a job give by themselves, a line for each that can be read; others are tried again where they stand, and held."""
    texts = [one.comment.text for one in job.comments]
    readings = zip(texts, each(pipeline.scorer.read, texts, "reading"), strict=True)
    lines = (written_reading(text, one) for text, one in readings if one is not None)
    return "".join(f"{line}\n" for line in lines).encode()


def score_part(pipeline: ModerationPipeline, job: Job) -> bytes:
    """Rows of comments.jsonl for the comments of a job, but for the campaigns."""
    comments = [one.comment for one in job.comments]
    known = {
        text: reading_for(text, job.readings[key])
        for text in {comment.text for comment in comments}
        if (key := text_hash(text).hex()) in job.readings
    }
    scores = each(lambda some: pipeline.scorer.score(some, known), comments, "scoring")
    results = pipeline.results([one.id for one in job.comments], comments, scores)
    rows = (
        {
            "source": one.source,
            "thread": one.thread,
            "position": one.position,
            "author": one.author,
            "parent": one.parent,
            "time": one.time,
            "verdict": one.verdict,
            "text": one.comment.text,
            **result.model_dump(),
        }
        for one, result in zip(job.comments, results, strict=True)
    )
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
