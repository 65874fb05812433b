"""Reads archives of comments in any format that belowline knows; the format is told from the content."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from belowline.data.comment import ReadError, Thread
from belowline.data.page import has_comment_form, parse_page
from belowline.data.rows import csv_columns, decode, has_text_column, read_csv, read_jsonl

SAMPLE_DIR = Path(__file__).resolve().parent / "sample"
"""The invented sample archive."""

_HEAD = 65_536
_PAGE_SUFFIXES = frozenset({".txt", ".text"})
_ROW_SUFFIXES: Mapping[str, str] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv"}
_NOT_ARCHIVES = re.compile(
    r"(?:readme|licen[cs]e|copying|notice|changelog|requirements|robots)\b", re.IGNORECASE
)
_KNOWN = "a saved page as plain text, JSONL or CSV"


def read_threads(path: Path, *, format: str | None = None) -> Iterator[Thread]:
    """The threads of a file, or of every archive in a folder and the folders below it, in sorted order.

    Args:
        path: File or folder. In a folder, hidden files, READMEs, licences and files whose suffix is none of
            .txt .text .jsonl .ndjson .csv .tsv are passed over (with ``format``, only the first three kinds).
        format: ``"page"``, ``"jsonl"`` or ``"csv"``; None tells it from each file's content.

    Raises:
        ReadError: At once for a path that does not exist or an unknown ``format``; on the way for a file that
            is empty, in an unknown format or malformed. Threads before it have been yielded by then.
    """
    if format is not None and format not in _READERS:
        raise ReadError(f"unknown format {format!r}; use one of {', '.join(_READERS)}")
    if not path.exists():
        raise ReadError(f"{path}: no such file or folder; check the path")
    return _read_folder(path, format) if path.is_dir() else _read_file(path, format)


def _read_folder(folder: Path, known: str | None) -> Iterator[Thread]:
    files = sorted(file for file in _walk(folder) if _may_be_archive(file, known))
    if not files:
        raise ReadError(f"{folder}: no archives in it; put files there that end in .txt, .jsonl or .csv")
    for file in files:
        yield from _read_file(file, known)


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise ReadError(f"{error.filename}: cannot be read ({error.strerror}); check its permissions")

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def _may_be_archive(file: Path, known: str | None) -> bool:
    suffix = file.suffix.lower()
    return not _NOT_ARCHIVES.match(file.name) and (
        known is not None or suffix in _PAGE_SUFFIXES or suffix in _ROW_SUFFIXES
    )


def _read_file(path: Path, known: str | None) -> Iterator[Thread]:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        _refuse_unreadable(path, head)
        yield from _READERS[known or _sniff(path, head)](path)
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror}); check the file") from error


def _read_page(path: Path) -> Iterator[Thread]:
    yield parse_page(_page_text(path), str(path))


def _page_text(path: Path) -> str:
    return decode(path.read_bytes(), str(path)).removeprefix("\ufeff")


def _refuse_unreadable(path: Path, head: bytes) -> None:
    if not head.removeprefix(b"\xef\xbb\xbf").strip():
        raise ReadError(f"{path}: empty; nothing to read")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ReadError(f"{path}: in UTF-16; convert it to UTF-8")
    if b"\0" in head:
        raise ReadError(f"{path}: unknown format (binary); belowline reads {_KNOWN}")


def _sniff(path: Path, head: bytes) -> str:
    """The format of a file from its content; its suffix decides only where the content does not."""
    text = head.decode("utf-8", "replace").removeprefix("\ufeff").lstrip()
    first = text.partition("\n")[0]
    by_suffix = _ROW_SUFFIXES.get(path.suffix.lower())
    if re.match(r"<[!?a-zA-Z]", text):
        raise ReadError(
            f"{path}: unknown format (HTML or XML); save the page as plain text, or export JSONL or CSV"
        )
    if by_suffix != "csv" and _starts_jsonl(first):
        return "jsonl"
    if by_suffix is None and re.match(r"\{\s*[\"}]|\[\s*[\[{\"\]]", text):
        raise ReadError(f"{path}: unknown format (JSON that is not JSONL); write one object on each line")
    if by_suffix is None and _starts_csv(first):
        return "csv"
    if (
        by_suffix is None
        and path.suffix.lower() not in _PAGE_SUFFIXES
        and not has_comment_form(_page_text(path))
    ):
        raise ReadError(
            f"{path}: unknown format; belowline reads {_KNOWN} (`format` names it where this is one)"
        )
    return by_suffix or "page"


def _starts_jsonl(first: str) -> bool:
    if not first.startswith("{"):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return len(first) > _HEAD // 2 and first.startswith('{"')


def _starts_csv(first: str) -> bool:
    _, columns = csv_columns(first)
    return len(columns) > 1 and has_text_column(columns)


_READERS: Mapping[str, Callable[[Path], Iterator[Thread]]] = {
    "page": _read_page,
    "jsonl": read_jsonl,
    "csv": read_csv,
}
