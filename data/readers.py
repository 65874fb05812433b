"""Reads archives of comments in any format that belowline knows; the format is told from the content."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePath

from belowline.data.comment import ReadError, Thread
from belowline.data.containers import Member, is_container, unpack
from belowline.data.disqus import is_disqus, read_disqus
from belowline.data.html_pages import looks_like_html, read_html
from belowline.data.page import has_comment_form, parse_page
from belowline.data.rows import csv_columns, decode, has_text_column, read_csv, read_jsonl, read_parquet
from belowline.data.safe_xml import find_root
from belowline.data.warc import looks_like_warc, read_warc
from belowline.data.wxr import is_wxr, read_wxr

SAMPLE_DIR = Path(__file__).resolve().parent / "sample"
"""The invented sample archive."""

LARGEST_PAGE = 2**26
"""Bytes of a page saved as plain text, which is read as a whole; a page is a few kilobytes."""

_HEAD = 65_536
_LONGEST_NAME = 40
_PAGE_SUFFIXES = frozenset({".txt", ".text"})
_ROW_SUFFIXES: Mapping[str, str] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv"}
_OTHER_SUFFIXES = frozenset({".htm", ".html", ".parquet", ".warc", ".xhtml", ".xml", ".zip"})
_NOT_UTF8_TEXT = frozenset({"html", "parquet", "warc"})
_NOT_ARCHIVES = re.compile(
    r"(?:readme|licen[cs]e|copying|notice|changelog|requirements|robots)\b", re.IGNORECASE
)
_KNOWN = (
    "saved pages as plain text or HTML, WARC, JSONL, CSV, Parquet, exports of WordPress (WXR) and Disqus, "
    "and gzip and zip files of these"
)


def read_threads(path: Path, *, format: str | None = None) -> Iterator[Thread]:
    """The threads of a file, or of every archive in a folder and the folders below it, in sorted order.

    Args:
        path: File or folder. In a folder, hidden files, READMEs, licences and files whose suffix is none of
            .txt .text .html .htm .xhtml .warc .jsonl .ndjson .csv .tsv .parquet .xml .zip, alone or before .gz, are passed
            over (with ``format``, only the first three kinds), and so is what a browser saved along with a page
            in ``PAGE_files``. A zip file is read like a folder, its members as ``FILE.zip/MEMBER``.
        format: ``"page"`` (plain text), ``"html"``, ``"warc"``, ``"jsonl"``, ``"csv"``, ``"parquet"``, ``"wxr"`` or ``"disqus"``,
            which then holds for what is in gzip and zip files; None tells it from each file's content.

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
        raise ReadError(
            f"{folder}: no archives in it; put files there that end in .txt, .html, .jsonl, .csv, .xml or .zip"
        )
    for file in files:
        yield from _read_file(file, known)


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise ReadError(f"{error.filename}: cannot be read ({error.strerror}); check its permissions")

    for parent, folders, names in os.walk(folder, onerror=refuse):
        pages = {f"{PurePath(name).stem}_files" for name in names if name.lower().endswith((".htm", ".html"))}
        folders[:] = [name for name in folders if not name.startswith(".") and name not in pages]
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def _may_be_archive(file: PurePath, known: str | None) -> bool:
    return not _NOT_ARCHIVES.match(file.name) and (known is not None or _has_known_suffix(file))


def _has_known_suffix(file: PurePath) -> bool:
    suffix = file.suffix.lower()
    if suffix == ".gz":
        return _has_known_suffix(file.with_suffix("")) or not file.with_suffix("").suffix
    return suffix in _PAGE_SUFFIXES or suffix in _ROW_SUFFIXES or suffix in _OTHER_SUFFIXES


def _read_file(path: Path, known: str | None) -> Iterator[Thread]:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        packed = is_container(head) and not looks_like_warc(head)
        yield from _read_container(path, known) if packed else _read_plain(path, head, known)
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror}); check the file") from error


def _read_plain(path: Path, head: bytes, known: str | None) -> Iterator[Thread]:
    format = known or _by_first_bytes(head)
    if format not in _NOT_UTF8_TEXT:
        _refuse_unreadable(path, head)
    return _READERS[format or _sniff(path, head)](path)


def _by_first_bytes(head: bytes) -> str | None:
    if head.startswith(b"PAR1"):
        return "parquet"
    return "warc" if looks_like_warc(head) else "html" if looks_like_html(head) else None


def _read_container(path: Path, known: str | None) -> Iterator[Thread]:
    for member in unpack(path, lambda name: _may_be_member(name, known)):
        yield from _read_member(member, known)


def _may_be_member(name: PurePath, known: str | None) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) and part != ".." for part in name.parts)
    return not hidden and _may_be_archive(name, known)


def _read_member(member: Member, known: str | None) -> Iterator[Thread]:
    """The threads of an unpacked file under the name that it has in its container."""
    unpacked = str(member.path)
    try:
        for thread in _read_file(member.path, known):
            yield replace(thread, source=thread.source.replace(unpacked, member.name))
    except ReadError as error:
        raise ReadError(str(error).replace(unpacked, member.name)) from error


def _read_page(path: Path) -> Iterator[Thread]:
    yield parse_page(_page_text(path), str(path))


def _page_text(path: Path) -> str:
    size = path.stat().st_size
    if size > LARGEST_PAGE:
        raise ReadError(f"{path}: {size} bytes, too long for a saved page; split it, or export JSONL or CSV")
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
        return _sniff_xml(path, head)
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


def _sniff_xml(path: Path, head: bytes) -> str:
    root = find_root(path, head)
    if root is not None and is_wxr(root):
        return "wxr"
    if root is not None and is_disqus(root):
        return "disqus"
    name = f"XML or HTML with the root element {_short(root.name)}" if root else "XML without a root element"
    raise ReadError(f"{path}: unknown format ({name}); belowline reads {_KNOWN}")


def _short(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…")


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
    "html": read_html,
    "warc": read_warc,
    "jsonl": read_jsonl,
    "csv": read_csv,
    "parquet": read_parquet,
    "wxr": read_wxr,
    "disqus": read_disqus,
}
