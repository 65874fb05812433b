"""Audits an archive: reads it, scores every comment in parts, and writes the results. An interrupted audit resumes."""

import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter

from belowline.data.files import would_replace
from belowline.serve.audit.archive import Archive, Inventory, take_inventory
from belowline.serve.audit.engines import Engine, run_here
from belowline.serve.audit.errors import AuditError
from belowline.serve.audit.group_index import GroupIndex
from belowline.serve.audit.outputs import COMMENTS, PARTS, REJECTS, RESULTS, SUMMARY, write_outputs
from belowline.serve.audit.redact import Redactor
from belowline.serve.audit.review.sample import check_sample
from belowline.serve.audit.score_part import Job
from belowline.serve.batch.atomic import replacing
from belowline.serve.batch.read import in_chunks
from belowline.serve.batch.terminal import counting
from belowline.serve.scoring.pipeline import ModerationPipeline

INVENTORY = ".belowline-inventory"
PART_COMMENTS = 1024


def run_audit(
    archive: Archive,
    out: Path,
    pipeline: ModerationPipeline,
    *,
    engine: Engine | None = None,
    force: bool = False,
    redactor: Redactor | None = None,
    card: str | None = None,
    sample: int | None = None,
) -> Inventory:
    """Audit ``archive`` into the folder ``out``; ``serve/AUDIT.md`` documents the files.

    An audit of the same inputs with the same model and policy is resumed, or left alone if it is complete.

    Args:
        archive: Files to audit.
        out: Folder for the results, outside of the archive.
        pipeline: Model and policy.
        engine: Scores the parts; default: this process.
        force: Replace an audit of other inputs, or by another model or policy.
        redactor: Replaces authors' names and comments' texts by hashes in the results.
        card: The model's card in Markdown, for the report.
        sample: Size of the sample that will be drawn, to refuse a wrong one before scoring.

    Raises:
        ReadError: For a missing path and wrong options.
        AuditError: For an archive without comments, another audit in ``out`` without ``force``, a failed engine, and
            as ``check_sample``.
    """
    _check_apart(archive.paths, out)
    started = perf_counter()
    with _temporary_folder(out) as folder, closing(sqlite3.connect(folder / "index.sqlite3")) as database:
        database.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE"
        )
        index = GroupIndex(database, pipeline.scorer.labels)
        inventory = take_inventory(archive, folder / REJECTS, index)
        _check_comments(archive, inventory)
        if sample is not None:
            check_sample(out, sample, inventory.comments, pipeline.scorer.labels)
        made_with = {"inputs": inventory.fingerprint, **pipeline.identity}
        if redactor:
            made_with["redaction"] = "names and texts"
        if not force and not (out / PARTS).exists() and _made_with(out / SUMMARY) == made_with:
            print(f"{out} already holds this audit; --force repeats it", file=sys.stderr)
            return inventory
        parts = _prepare_parts(out, made_with, force)
        _score(archive, inventory.comments, parts, engine or partial(run_here, pipeline))
        (folder / REJECTS).replace(out / REJECTS)
        head = {
            "made_with": made_with,
            "seconds": round(perf_counter() - started, 1),
        }
        write_outputs(out, head, inventory, pipeline, index, redactor.row if redactor else dict, card)
        shutil.rmtree(parts)
    return inventory


@contextmanager
def _temporary_folder(out: Path) -> Iterator[Path]:
    """A folder for this run within ``out``; an ``out`` that the run leaves empty is removed again."""
    folder, existed = out / INVENTORY, out.exists()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if not existed and not any(out.iterdir()):
            out.rmdir()


def _check_apart(paths: Sequence[Path], out: Path) -> None:
    for path in paths:
        if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
            raise AuditError(f"{out}: lies inside the archive {path}; give --out a folder elsewhere")
        if would_replace((out / name for name in RESULTS), path):
            raise AuditError(f"{path}: the results would replace it; give --out another folder")
    if out.exists() and not out.is_dir():
        raise AuditError(f"{out}: is not a folder; give --out a folder")


def _check_comments(archive: Archive, inventory: Inventory) -> None:
    if inventory.comments:
        return
    names = ", ".join(archive.names.get(path, str(path)) for path in archive.paths)
    if not inventory.rejects:
        raise AuditError(f"{names}: no comments in it; name a file or folder of saved comments")
    first = inventory.first_rejects[0]
    place = first["source"] if first["position"] is None else f"{first['source']}:{first['position']}"
    raise AuditError(f"{names}: no readable comment in it; first reject: {place}: {first['reason']}")


def _prepare_parts(out: Path, made_with: dict[str, str], force: bool) -> Path:
    """The folder of parts, with the finished parts of an interrupted audit. Finished results stay untouched."""
    parts = out / PARTS
    note = parts / "made_with.json"
    before = _made_with(note if parts.exists() else out / SUMMARY)
    if not note.exists() and any(parts.glob("[!.]*")):
        raise AuditError(f"{parts}: holds files of something else; give --out another folder")
    if before != made_with and not force and (before or parts.exists() or (out / COMMENTS).exists()):
        known = before or {}
        other = ", ".join(name for name in made_with | known if known.get(name) != made_with.get(name))
        raise AuditError(
            f"{out}: holds an audit with other {other}; give another --out, or --force to replace it"
        )
    if parts.exists() and (force or before != made_with):
        shutil.rmtree(parts)
    parts.mkdir(exist_ok=True)
    with replacing(note) as file:
        file.write(json.dumps({"made_with": made_with}).encode())
    return parts


def _made_with(file: Path) -> dict[str, str] | None:
    """The inputs, model and policy that a summary or a note of parts names; None without a readable one."""
    try:
        made_with = json.loads(file.read_text("utf-8"))["made_with"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return made_with if isinstance(made_with, dict) else None


def _score(archive: Archive, total: int, parts: Path, engine: Engine) -> None:
    """Write one part file for each ``PART_COMMENTS`` comments; existing parts are kept."""
    finished = sum(1 for _ in parts.glob("*.jsonl")) * PART_COMMENTS
    with counting(total, "scoring", min(finished, total)) as advance:
        for scored in engine(_jobs(archive, parts)):
            with replacing(parts / scored.part) as file:
                file.write(scored.rows)
            advance(scored.comments)


def _jobs(archive: Archive, parts: Path) -> Iterator[Job]:
    for number, chunk in enumerate(in_chunks(archive.comments(), PART_COMMENTS)):
        part = f"{number:06}.jsonl"
        if not (parts / part).exists():
            yield Job(part, chunk)
