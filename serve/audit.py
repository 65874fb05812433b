"""Audits an archive: every comment scored and decided, with a summary and a report; resumes when stopped."""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter

from belowline.serve.archive import ArchiveComment, Inventory, archive_comments, take_inventory
from belowline.serve.audit_outputs import COMMENTS, PARTS, SUMMARY, write_outputs
from belowline.serve.files import replacing
from belowline.serve.judge import Judge
from belowline.serve.redact import Redactor
from belowline.serve.rows import in_chunks
from belowline.serve.terminal import counting

PART_COMMENTS = 1024


class AuditError(Exception):
    """An audit cannot be made where or of what it was asked; the message is one line."""


def run_audit(
    paths: Sequence[Path],
    out: Path,
    judge: Judge,
    *,
    format: str | None = None,
    force: bool = False,
    redactor: Redactor | None = None,
) -> None:
    """Writes comments (``.jsonl``, ``.parquet``), ``threads.parquet``, ``campaigns.jsonl``, ``summary.json`` and ``report.html`` of the
    archive ``paths`` into ``out``; serve/AUDIT.md has their columns.

    With ``redactor`` they hold hashes in place of authors' names and comments' texts. An audit of the same inputs with the same model and
    policy is continued, or left as it is when complete. Raises ReadError for what cannot be read, AuditError where ``out`` holds something
    else and not ``force``.
    """
    _check_apart(paths, out)
    started = perf_counter()
    inventory = take_inventory(paths, format)
    if not inventory.comments:
        raise AuditError(
            f"{', '.join(map(str, paths))}: holds no comments; name a file or folder of saved comments"
        )
    made_with = {"inputs": inventory.fingerprint, **judge.identity}
    if redactor:
        made_with["redaction"] = "names and texts"
    if not force and _is_complete(out, made_with):
        print(f"{out} already holds this audit; --force makes it again", file=sys.stderr)
        return
    parts = _prepared(out, made_with, force)
    _score_parts(archive_comments(paths, format), inventory, parts, judge)
    made = {"made_with": made_with, "seconds": round(perf_counter() - started, 1)}
    write_outputs(out, inventory, judge, made, redactor.row if redactor else dict)
    shutil.rmtree(parts)


def _check_apart(paths: Sequence[Path], out: Path) -> None:
    for path in paths:
        if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
            raise AuditError(f"{out}: lies inside {path}, which is to be read; give --out a folder elsewhere")
    if out.exists() and not out.is_dir():
        raise AuditError(f"{out}: is not a folder; give --out a folder")


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
    parts.mkdir(parents=True, exist_ok=True)
    with replacing(note) as file:
        file.write(json.dumps({"made_with": made_with}).encode())
    return parts


def _made_with(file: Path) -> dict[str, str] | None:
    try:
        found = json.loads(file.read_text("utf-8"))["made_with"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _score_parts(comments: Iterator[ArchiveComment], inventory: Inventory, parts: Path, judge: Judge) -> None:
    with counting(inventory.comments) as advance:
        for number, chunk in enumerate(in_chunks(comments, PART_COMMENTS)):
            part = parts / f"{number:06}.jsonl"
            if not part.exists():
                with replacing(part) as file:
                    file.writelines(_lines(chunk, judge))
            advance(len(chunk))


def _lines(chunk: Sequence[ArchiveComment], judge: Judge) -> Iterator[bytes]:
    results = judge([one.id for one in chunk], [one.comment for one in chunk])
    for one, result in zip(chunk, results, strict=True):
        row = {
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
        yield json.dumps(row, ensure_ascii=False).encode() + b"\n"
