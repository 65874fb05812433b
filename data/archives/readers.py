"""Reads archives of comments in every known format and detects the format from the content."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from belowline.data.archives import isso
from belowline.data.archives.columns import Mapped, mapped_columns
from belowline.data.archives.containers import is_container, unpack
from belowline.data.archives.formats import HEAD, PAGE_SUFFIXES, ROW_SUFFIXES, TABLES, format_of, page_text
from belowline.data.archives.html.pages import read_html
from belowline.data.archives.records import TableFormat
from belowline.data.archives.saved_page.page import parse_page
from belowline.data.archives.shapes import hosts
from belowline.data.archives.side_fields import SideFields, SideRules
from belowline.data.archives.table_reader import read_table
from belowline.data.archives.warc.pages import read_warc
from belowline.data.archives.warc.records import looks_like_warc
from belowline.data.archives.xml.disqus import read_disqus
from belowline.data.archives.xml.wxr import read_wxr
from belowline.data.comment import ReadError, Reject, Report, Thread, refuse

SAMPLE_DIR = Path(__file__).resolve().parents[1] / "sample"
"""The sample archive, with invented comments."""

_OTHER_SUFFIXES = frozenset(
    {".htm", ".html", ".warc", ".xhtml", ".xml", ".zip", ".db", ".sqlite", ".sqlite3"}
)
_PACKED = frozenset({".gz", ".zst"})
_NOT_ARCHIVES = re.compile(
    r"(?:readme|licen[cs]e|copying|notice|changelog|requirements|robots)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class How:
    """Options of a call of ``read_threads``."""

    format: str | None
    mapped: Mapped
    report: Report
    rules: SideRules = field(default_factory=SideRules)


def read_threads(
    path: Path,
    *,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    statuses: Mapping[str, str] | None = None,
    time_format: str | None = None,
    on_reject: Callable[[Reject], None] | None = None,
    name: str | None = None,
) -> Iterator[Thread]:
    """The threads of a file, or of every archive in a folder and the folders below it, in sorted order.

    Args:
        path: File or folder. In a folder, the reader skips hidden files, READMEs, licences, the ``PAGE_files``
            folders of saved pages and, without ``format``, files with a suffix other than .txt .text .html .htm
            .xhtml .warc .jsonl .ndjson .json .csv .tsv .parquet .xml .db .sqlite .zip, alone or before .gz or .zst. A
            zip file is read like a folder, its members as ``FILE.zip/MEMBER``.
        format: One of ``FORMATS``, such as ``"page"`` (plain text), ``"csv"``, ``"wxr"`` or ``"reddit"``, also for
            members of gzip and zip files; None detects it from the content of each file.
        columns: For JSONL, JSON, CSV and Parquet: field (``text``, ``author``; see ``FIELDS``) to the name of its
            column, instead of the known names.
        statuses: Status words of the host to the prior status that they mean, beside the known words.
        time_format: Pattern of ``datetime.strptime`` for times, or ``"day-first"`` or ``"month-first"``. A time that
            cannot be read is None; the notes of the file's last thread count these.
        on_reject: Called with each unreadable record or file; reading continues. It must not raise ReadError. None
            stops at the first one.
        name: Name of the path in sources, errors and rejects, for a temporary file, for example.

    Raises:
        ReadError: At the call for a missing path, an unknown ``format`` or an unknown field. During the iteration,
            after the threads before, for a folder without archives and, without ``on_reject``, for a file that is
            empty, malformed or of an unknown format.
    """
    if format is not None and format not in READERS:
        raise ReadError(f"unknown format {format!r}; use one of {', '.join(FORMATS)}")
    rules = SideRules(time_format, statuses or {})
    rules.check()
    how = How(format, mapped_columns(columns), _reporting(on_reject) if on_reject else refuse, rules)
    if not path.exists():
        raise ReadError("no such file or folder; check the path", path)
    return _read(path, how) if name is None else _read_as(name, path, how)


def _reporting(on_reject: Callable[[Reject], None]) -> Report:
    def report(error: ReadError) -> None:
        reason = f"{error.part}: {error.reason}" if error.part else error.reason
        on_reject(Reject(error.source, error.position, reason))

    return report


def _read(path: Path, how: How) -> Iterator[Thread]:
    return _read_folder(path, how) if path.is_dir() else _read_file(path, how)


def _read_as(name: str, path: Path, how: How) -> Iterator[Thread]:
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


def _read_folder(folder: Path, how: How) -> Iterator[Thread]:
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
    if suffix in _PACKED:
        return _has_known_suffix(file.with_suffix("")) or not file.with_suffix("").suffix
    return suffix in PAGE_SUFFIXES or suffix in ROW_SUFFIXES or suffix in _OTHER_SUFFIXES


def _read_file(path: Path, how: How) -> Iterator[Thread]:
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
        if is_container(head) and not looks_like_warc(head):
            for member in unpack(path, lambda name: may_be_member(name, how.format), how.report):
                yield from _read_as(member.name, member.path, how)
        else:
            side = SideFields(how.rules)
            yield from _with_notes(
                READERS[format_of(path, head, how.mapped, how.format)](path, how, side), path, side
            )
    except ReadError as error:
        how.report(error)
    except OSError as error:
        how.report(ReadError(f"cannot be read ({error.strerror}); check the file", path))


def _with_notes(threads: Iterator[Thread], path: Path, side: SideFields) -> Iterator[Thread]:
    """The threads; the last one has the notes on the whole file, which are complete only then."""
    last = None
    try:
        for thread in threads:
            if last is not None:
                yield last
            last = thread
    except (ReadError, OSError):
        if last is not None:
            yield replace(last, notes=(*last.notes, *side.notes()))
        raise
    notes = tuple(side.notes())
    if last is not None:
        yield replace(last, notes=(*last.notes, *notes))
    elif notes:
        yield Thread(str(path), None, None, "", (), notes)


def may_be_member(name: PurePath, known: str | None) -> bool:
    """True for a file in a zip file that may be an archive; ``known`` is its format, if the caller named one."""
    hidden = any(part.startswith((".", "__MACOSX")) and part != ".." for part in name.parts)
    return not hidden and _may_be_archive(name, known)


def _read_page(path: Path, side: SideFields) -> Iterator[Thread]:
    yield parse_page(page_text(path, side), str(path))


def _host(path: Path, how: How, side: SideFields, host: str) -> Iterator[Thread]:
    """The threads of a file of a known host, whatever table holds its records."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    format = format_of(path, head, how.mapped)
    return read_table(path, TABLES.get(format, "jsonl"), how.mapped, how.report, side, host)


_Reader = Callable[[Path, How, SideFields], Iterator[Thread]]


def _table(format: TableFormat) -> _Reader:
    return lambda path, how, side: read_table(path, format, how.mapped, how.report, side)


def _of_host(host: str) -> _Reader:
    return lambda path, how, side: _host(path, how, side, host)


READERS: Mapping[str, _Reader] = {
    "page": lambda path, _, side: _read_page(path, side),
    "html": lambda path, _, __: read_html(path),
    "warc": lambda path, how, _: read_warc(path, how.report),
    **{name: _table(format) for name, format in TABLES.items()},
    "wxr": lambda path, _, side: read_wxr(path, side),
    "disqus": lambda path, how, side: read_disqus(path, how.report, side),
    "isso": lambda path, how, side: isso.read_isso(path, how.report, side),
    **{host: _of_host(host) for host in hosts()},
}
"""The reader of each format."""

FORMATS = tuple(READERS)
"""Names of the formats."""
