"""Reads archives of comments in every known format and detects the format from the content."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Literal, get_args

from belowline.data.archives.columns import Mapped, csv_columns, has_text_column, mapped_columns
from belowline.data.archives.containers import is_container, unpack
from belowline.data.archives.html.pages import looks_like_html, read_html
from belowline.data.archives.lines import decode
from belowline.data.archives.saved_page.page import has_comment_form, parse_page
from belowline.data.archives.table_reader import TableFormat, read_records, read_table, unit_of
from belowline.data.archives.warc.pages import read_warc
from belowline.data.archives.warc.records import looks_like_warc
from belowline.data.archives.xml.disqus import is_disqus, read_disqus
from belowline.data.archives.xml.safe_xml import find_root
from belowline.data.archives.xml.wxr import is_wxr, read_wxr
from belowline.data.comment import ReadError, Reject, Report, Thread, refuse

SAMPLE_DIR = Path(__file__).resolve().parents[1] / "sample"
"""The sample archive, with invented comments."""

Place = tuple[str, int | None, Literal["line", "row"]]
"""Source, position and its unit."""

LARGEST_PAGE = 2**26
"""Limit in bytes of a page saved as plain text, which is read as a whole; a page has a few kilobytes."""

_HEAD = 65_536
_LONGEST_NAME = 40
_PAGE_SUFFIXES = frozenset({".txt", ".text"})
_ROW_SUFFIXES: Mapping[str, TableFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
_TABLES: Mapping[str, TableFormat] = {name: name for name in get_args(TableFormat)}
_OTHER_SUFFIXES = frozenset({".htm", ".html", ".warc", ".xhtml", ".xml", ".zip"})
_NOT_UTF8_TEXT = frozenset({"html", "parquet", "warc"})
_NOT_ARCHIVES = re.compile(
    r"(?:readme|licen[cs]e|copying|notice|changelog|requirements|robots)\b", re.IGNORECASE
)
_KNOWN = (
    "saved pages as plain text or HTML, WARC, JSONL, CSV, Parquet, exports of WordPress (WXR) and Disqus, "
    "and gzip and zip files of these"
)


@dataclass(frozen=True, slots=True)
class _How:
    """Options of a call."""

    format: str | None
    mapped: Mapped
    report: Report


def read_threads(
    path: Path,
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    on_reject: Callable[[Reject], None] | None = None,
    name: str | None = None,
) -> Iterator[Thread]:
    """The threads of a file, or of every archive in a folder and the folders below it, in sorted order.

    Args:
        path: File or folder. In a folder, the reader skips hidden files, READMEs, licences, the ``PAGE_files``
            folders of saved pages and, without ``format``, files with a suffix other than .txt .text .html .htm
            .xhtml .warc .jsonl .ndjson .csv .tsv .parquet .xml .zip, alone or before .gz. A zip file is read like a
            folder, its members as ``FILE.zip/MEMBER``.
        format: ``"page"`` (plain text), ``"html"``, ``"warc"``, ``"jsonl"``, ``"csv"``, ``"parquet"``, ``"wxr"`` or
            ``"disqus"``, also for members of gzip and zip files; None detects it from the content of each file.
        columns: For JSONL, CSV and Parquet: field (``text``, ``author``; see ``FIELDS``) to the name of its column,
            instead of the known names.
        on_reject: Called with each unreadable record or file; reading continues. It must not raise ReadError. None
            stops at the first one.
        name: Name of the path in sources, errors and rejects, for a temporary file, for example.

    Raises:
        ReadError: At the call for a missing path, an unknown ``format`` or an unknown field. During the iteration,
            after the threads before, for a folder without archives and, without ``on_reject``, for a file that is
            empty, malformed or of an unknown format.
    """
    if format is not None and format not in _READERS:
        raise ReadError(f"unknown format {format!r}; use one of {', '.join(_READERS)}")
    how = _How(format, mapped_columns(columns), _reporting(on_reject) if on_reject else refuse)
    if not path.exists():
        raise ReadError("no such file or folder; check the path", path)
    return _read(path, how) if name is None else _read_as(name, path, how)


def read_rows(
    path: Path, mapped: Mapped, optional: Mapped = ()
) -> Iterator[tuple[Place, Mapping[str, object] | ReadError]]:
    """The rows of a JSONL, CSV or Parquet file, alone or in gzip or zip, each with its place for errors.

    The format is detected as in ``read_threads``. Raises ReadError for other formats and without a ``mapped`` column;
    a column of ``optional`` may be missing.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if is_container(head) and not looks_like_warc(head):
        for member in unpack(path, lambda name: _may_be_member(name, None)):
            try:
                for (source, number, unit), row in read_rows(member.path, mapped, optional):
                    yield (member.name + source.removeprefix(str(member.path)), number, unit), row
            except ReadError as error:
                raise error.at(member.name, error.position, error.unit) from error
        return
    format = _format(path, head, _How(None, mapped, refuse))
    table = _TABLES.get(format)
    if table is None:
        raise ReadError(
            f"not rows of JSONL, CSV or Parquet but the format {format!r}; use `belowline audit`", path
        )
    for number, row in read_records(path, table, mapped, optional):
        yield (str(path), number, unit_of(table)), row


def _reporting(on_reject: Callable[[Reject], None]) -> Report:
    def report(error: ReadError) -> None:
        reason = f"{error.part}: {error.reason}" if error.part else error.reason
        on_reject(Reject(error.source, error.position, reason))

    return report


def _read(path: Path, how: _How) -> Iterator[Thread]:
    return _read_folder(path, how) if path.is_dir() else _read_file(path, how)


def _read_as(name: str, path: Path, how: _How) -> Iterator[Thread]:
    """The threads of a file, with ``name`` in place of its path."""

    def named(source: str) -> str:
        return name + source.removeprefix(str(path))

    def report(error: ReadError) -> None:
        how.report(error.at(named(error.source), error.position, error.unit))

    try:
        for thread in _read(path, how if how.report is refuse else replace(how, report=report)):
            yield replace(thread, source=named(thread.source))
    except ReadError as error:
        raise error.at(named(error.source), error.position, error.unit) from error


def _read_folder(folder: Path, how: _How) -> Iterator[Thread]:
    files = sorted(file for file in _walk(folder, how.report) if _may_be_archive(file, how.format))
    if not files:
        raise ReadError(
            "the folder holds no archives; add files that end in .txt, .html, .jsonl, .csv, .xml or .zip",
            folder,
        )
    for file in files:
        yield from _read_file(file, how)


def _walk(folder: Path, report: Report) -> Iterator[Path]:
    def closed(error: OSError) -> None:
        report(ReadError(f"cannot be read ({error.strerror}); check its permissions", error.filename))

    for parent, folders, names in os.walk(folder, onerror=closed):
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


def _read_file(path: Path, how: _How) -> Iterator[Thread]:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if is_container(head) and not looks_like_warc(head):
            yield from _read_container(path, how)
        else:
            yield from _READERS[_format(path, head, how)](path, how)
    except ReadError as error:
        how.report(error)
    except OSError as error:
        how.report(ReadError(f"cannot be read ({error.strerror}); check the file", path))


def _format(path: Path, head: bytes, how: _How) -> str:
    """The format of a file that is no container; raises ReadError."""
    format = how.format
    if format is None and head.startswith(b"PAR1"):
        format = "parquet"
    elif format is None and looks_like_warc(head):
        format = "warc"
    elif format is None and looks_like_html(head):
        format = "html"
    if format in _NOT_UTF8_TEXT:
        return format
    if len(head) < _HEAD and not head.removeprefix(b"\xef\xbb\xbf").strip():
        raise ReadError("empty; nothing to read", path)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ReadError("in UTF-16; convert it to UTF-8", path)
    return format or _sniff(path, head, how.mapped)


def _read_container(path: Path, how: _How) -> Iterator[Thread]:
    for member in unpack(path, lambda name: _may_be_member(name, how.format), how.report):
        yield from _read_as(member.name, member.path, how)


def _may_be_member(name: PurePath, known: str | None) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) and part != ".." for part in name.parts)
    return not hidden and _may_be_archive(name, known)


def _read_page(path: Path) -> Iterator[Thread]:
    yield parse_page(_page_text(path), str(path))


def _page_text(path: Path) -> str:
    size = path.stat().st_size
    if size > LARGEST_PAGE:
        raise ReadError(f"{size} bytes, too long for a saved page; split it, or export JSONL or CSV", path)
    return decode(path.read_bytes(), path).removeprefix("\ufeff")


def _sniff(path: Path, head: bytes, mapped: Mapped) -> str:
    """The format of a file by its content; the suffix decides only if the content does not."""
    text = head.decode("utf-8", "replace").removeprefix("\ufeff").lstrip()
    first = text.partition("\n")[0]
    by_suffix = _ROW_SUFFIXES.get(path.suffix.lower())
    if re.match(r"<[!?a-zA-Z]", text):
        return _sniff_xml(path, head)
    if by_suffix != "csv" and _starts_jsonl(first):
        return "jsonl"
    if by_suffix is None and re.match(r"\{\s*[\"}]|\[\s*[\[{\"\]]", text):
        raise ReadError("unknown format (JSON that is not JSONL); write one object on each line", path)
    if by_suffix is None and _starts_csv(first, mapped):
        return "csv"
    return by_suffix or _sniff_page(path, head)


def _sniff_page(path: Path, head: bytes) -> str:
    if b"\0" in head:
        raise ReadError(f"unknown format (binary); belowline reads {_KNOWN}", path)
    if path.suffix.lower() not in _PAGE_SUFFIXES and not has_comment_form(_page_text(path)):
        raise ReadError(
            f"unknown format; belowline reads {_KNOWN} (`format` names it where this is one)", path
        )
    return "page"


def _sniff_xml(path: Path, head: bytes) -> str:
    root = find_root(path, head)
    if root is not None and is_wxr(root):
        return "wxr"
    if root is not None and is_disqus(root):
        return "disqus"
    name = f"XML or HTML with the root element {_short(root.name)}" if root else "XML without a root element"
    raise ReadError(f"unknown format ({name}); belowline reads {_KNOWN}", path)


def _short(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…")


def _starts_jsonl(first: str) -> bool:
    if not first.startswith("{"):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return len(first) > _HEAD // 2 and first.startswith('{"')


def _starts_csv(first: str, mapped: Mapped) -> bool:
    _, columns = csv_columns(first, mapped)
    return has_text_column(columns, mapped) and (len(columns) > 1 or "text" in dict(mapped))


_READERS: Mapping[str, Callable[[Path, _How], Iterator[Thread]]] = {
    "page": lambda path, _: _read_page(path),
    "html": lambda path, _: read_html(path),
    "warc": lambda path, how: read_warc(path, how.report),
    "jsonl": lambda path, how: read_table(path, "jsonl", how.mapped, how.report),
    "csv": lambda path, how: read_table(path, "csv", how.mapped, how.report),
    "parquet": lambda path, how: read_table(path, "parquet", how.mapped, how.report),
    "wxr": lambda path, _: read_wxr(path),
    "disqus": lambda path, how: read_disqus(path, how.report),
}
