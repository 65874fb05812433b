"""Reads archives of comments in every known format and detects the format from the content."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Literal, get_args

from belowline.data.archives import isso
from belowline.data.archives.columns import (
    COLUMN_OPTION,
    Mapped,
    csv_columns,
    excel_delimiter,
    filled_columns,
    has_text_column,
    mapped_columns,
)
from belowline.data.archives.containers import is_container, unpack
from belowline.data.archives.encodings import open_utf8, utf8_head
from belowline.data.archives.hosts import text_of
from belowline.data.archives.html.pages import looks_like_html, read_html
from belowline.data.archives.json_values import parse
from belowline.data.archives.lines import decode
from belowline.data.archives.saved_page.page import has_comment_form, parse_page
from belowline.data.archives.shapes import hosts, shape_of, walk, walk_named
from belowline.data.archives.side_fields import SideFields, SideRules
from belowline.data.archives.table_reader import (
    Damaged,
    TableFormat,
    check_bytes,
    read_records,
    read_table,
    unit_of,
    values_of,
)
from belowline.data.archives.values import as_text
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
_MOST_BROKEN = 20
_PAGE_SUFFIXES = frozenset({".txt", ".text"})
_ROW_SUFFIXES: Mapping[str, TableFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
_TABLES: Mapping[str, TableFormat] = {name: name for name in get_args(TableFormat)}
_OTHER_SUFFIXES = frozenset(
    {".htm", ".html", ".warc", ".xhtml", ".xml", ".zip", ".db", ".sqlite", ".sqlite3"}
)
_PACKED = frozenset({".gz", ".zst"})
_BINARY = frozenset({"html", "parquet", "warc", "isso"})
_NOT_ARCHIVES = re.compile(
    r"(?:readme|licen[cs]e|copying|notice|changelog|requirements|robots)\b", re.IGNORECASE
)
_KNOWN = (
    "saved pages as plain text or HTML, WARC, JSONL, JSON, CSV, Parquet, exports of WordPress (WXR), Disqus, isso "
    "(its SQLite file), Commento, remark42, Coral, Discourse, YouTube, Reddit and Hacker News, and gzip, zip and "
    f"zstd files of these; for a table whose columns have other names: {COLUMN_OPTION}"
)


@dataclass(frozen=True, slots=True)
class _How:
    """Options of a call."""

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
    if format is not None and format not in _READERS:
        raise ReadError(f"unknown format {format!r}; use one of {', '.join(FORMATS)}")
    rules = SideRules(time_format, statuses or {})
    rules.check()
    how = _How(format, mapped_columns(columns), _reporting(on_reject) if on_reject else refuse, rules)
    if not path.exists():
        raise ReadError("no such file or folder; check the path", path)
    return _read(path, how) if name is None else _read_as(name, path, how)


def read_rows(
    path: Path, mapped: Mapped, optional: Mapped = (), side: SideFields | None = None
) -> Iterator[tuple[Place, Mapping[str, object] | ReadError]]:
    """The rows of a JSONL, JSON, CSV or Parquet file, alone or packed, each with its place for errors.

    The format is detected as in ``read_threads``. Raises ReadError for other formats and without a ``mapped`` column;
    a column of ``optional`` may be missing. Replaced bytes are counted in ``side``.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if is_container(head) and not looks_like_warc(head):
        for member in unpack(path, lambda name: _may_be_member(name, None)):
            try:
                for (source, number, unit), row in read_rows(member.path, mapped, optional, side):
                    yield (member.name + source.removeprefix(str(member.path)), number, unit), row
            except ReadError as error:
                raise error.at(member.name, error.position, error.unit) from error
        return
    format = _format(path, head, _How(None, mapped, refuse))
    table = _TABLES.get(format)
    if table is None:
        raise ReadError(
            f"not rows of JSONL, JSON, CSV or Parquet but the format {format!r}; use `belowline audit`", path
        )
    for number, row in read_records(path, table, mapped, optional, side=side):
        place = (str(path), number, unit_of(table))
        if isinstance(row, ReadError) or table not in ("json", "jsonl"):
            yield place, _with_text(row, mapped)
        else:
            yield from ((place, one) for one in _comments_in(row, table, mapped, side or SideFields()))


def _comments_in(
    record: Mapping[str, object], table: TableFormat, mapped: Mapped, side: SideFields
) -> Iterator[Mapping[str, object] | ReadError]:
    """The comments of a record: those of known hosts with their plain text, else those known by their names."""
    known = () if "text" in dict(mapped) else [found for found in walk(record) if found.shape]
    comments = [
        (found.record, found.shape) for found in known if found.shape and found.shape.kind == "comment"
    ]
    for comment, shape in comments:
        column = filled_columns(comment, mapped).get("text", "text")
        text = text_of(comment, shape, as_text(comment.get(column), "text"))
        yield (
            {**comment, column: text} if text else ReadError("deleted, or without a text; leave the row out")
        )
    if known and not comments and not has_text_column(record, mapped):
        side.count("records left out that are no comments")
    elif not comments and table == "json":
        # One object may hold all comments.
        yield from (found.record for found in walk_named(record, mapped))
    elif not comments:
        yield _with_text(record, mapped)


def _with_text(record: Mapping[str, object] | ReadError, mapped: Mapped) -> Mapping[str, object] | ReadError:
    """The record, or the error of a text that is mostly broken bytes."""
    try:
        if isinstance(record, Damaged):
            check_bytes(record, values_of(record, mapped, ("text",))["text"] or "")
    except ReadError as error:
        return error
    return record


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
    if suffix in _PACKED:
        return _has_known_suffix(file.with_suffix("")) or not file.with_suffix("").suffix
    return suffix in _PAGE_SUFFIXES or suffix in _ROW_SUFFIXES or suffix in _OTHER_SUFFIXES


def _read_file(path: Path, how: _How) -> Iterator[Thread]:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if is_container(head) and not looks_like_warc(head):
            yield from _read_container(path, how)
        else:
            side = SideFields(how.rules)
            yield from _with_notes(_READERS[_format(path, head, how)](path, how, side), path, side)
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


def _format(path: Path, head: bytes, how: _How) -> str:
    """The format of a file that is no container; raises ReadError."""
    format = how.format
    if format is None and head.startswith(b"PAR1"):
        format = "parquet"
    elif format is None and head.startswith(isso.MAGIC):
        format = "isso"
    elif format is None and looks_like_warc(head):
        format = "warc"
    if format in _BINARY:
        return format
    head = utf8_head(path, head)
    if len(head) < _HEAD and not head.removeprefix(b"\xef\xbb\xbf").strip():
        raise ReadError("empty; nothing to read", path)
    return format or _sniff(path, head, how.mapped)


def _read_container(path: Path, how: _How) -> Iterator[Thread]:
    for member in unpack(path, lambda name: _may_be_member(name, how.format), how.report):
        yield from _read_as(member.name, member.path, how)


def _may_be_member(name: PurePath, known: str | None) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) and part != ".." for part in name.parts)
    return not hidden and _may_be_archive(name, known)


def _read_page(path: Path, side: SideFields) -> Iterator[Thread]:
    yield parse_page(_page_text(path, side), str(path))


def _page_text(path: Path, side: SideFields | None = None) -> str:
    size = path.stat().st_size
    if size > LARGEST_PAGE:
        raise ReadError(f"{size} bytes, too long for a saved page; split it, or export JSONL or CSV", path)
    with open_utf8(path, side) as file:
        content = file.read()
    text = content.decode("utf-8", "replace").removeprefix("\ufeff")
    broken = text.count("\ufffd")
    if broken * _MOST_BROKEN > len(text):
        decode(content, path)  # names the first wrong byte
    if broken and side:
        side.count("characters that are not UTF-8, replaced by \ufffd", broken)
    return text


def _sniff(path: Path, head: bytes, mapped: Mapped) -> str:
    """The format of a file by its content; the suffix decides only if the content does not."""
    text = head.decode("utf-8", "replace").removeprefix("\ufeff").lstrip()
    if export := _export(path, text):
        return export
    if looks_like_html(head):
        return "html"
    first = text.partition("\n")[0]
    by_suffix = _ROW_SUFFIXES.get(path.suffix.lower())
    if re.match(r"<[!?a-zA-Z]", text):
        raise _unknown_xml(path)
    if by_suffix != "csv" and (json := _sniff_json(text, first, by_suffix)):
        return json
    if by_suffix is None and _starts_csv(text, mapped):
        return "csv"
    return by_suffix or _sniff_page(path, head)


def _export(path: Path, text: str) -> str | None:
    """The format of an export in XML, also after messages of the server; None for other files."""
    if not re.search(r"<(?:rss|disqus)[\s>]", text):
        return None
    try:
        root = find_root(path)
    except ReadError:
        if text.startswith(("<?xml", "<rss", "<disqus")):
            raise
        return None
    if root is not None and is_wxr(root):
        return "wxr"
    return "disqus" if root is not None and is_disqus(root) else None


def _sniff_json(text: str, first: str, by_suffix: str | None) -> TableFormat | None:
    if text.startswith("["):
        return "json" if re.match(r"\[\s*(?:[\[{\]]|$)", text) or by_suffix == "json" else None
    if not text.startswith("{"):
        return None
    if _starts_jsonl(first):
        rest = text.partition("\n")[2].lstrip()
        return "json" if by_suffix == "json" and not rest.startswith("{") else "jsonl"
    if by_suffix == "jsonl" and not re.match(r"\{\s*\n", text):
        return "jsonl"
    return "json" if by_suffix or re.match(r"\{\s*[\"}]", text) else None


def _sniff_page(path: Path, head: bytes) -> str:
    if b"\0" in head:
        raise ReadError(f"unknown format (binary); belowline reads {_KNOWN}", path)
    if path.suffix.lower() not in _PAGE_SUFFIXES and not has_comment_form(_page_text(path)):
        raise ReadError(f"unknown format; belowline reads {_KNOWN}; --format NAME forces one", path)
    return "page"


def _unknown_xml(path: Path) -> ReadError:
    root = find_root(path)
    name = f"XML or HTML with the root element {_short(root.name)}" if root else "XML without a root element"
    return ReadError(f"unknown format ({name}); belowline reads {_KNOWN}", path)


def _short(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…")


def _starts_jsonl(first: str) -> bool:
    try:
        return isinstance(parse(first), dict)
    except ReadError:
        return len(first) > _HEAD // 2 and first.startswith('{"')


def _starts_csv(text: str, mapped: Mapped) -> bool:
    first = text.partition("\n")[0]
    if excel_delimiter(first.rstrip("\r")):
        return True
    _, columns = csv_columns(first, mapped)
    if len(columns) > 1 and shape_of(dict.fromkeys(columns)):
        return True
    return has_text_column(columns, mapped) and (len(columns) > 1 or "text" in dict(mapped))


def _host(path: Path, how: _How, side: SideFields, host: str) -> Iterator[Thread]:
    """The threads of a file of a known host, whatever table holds its records."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    format = _format(path, head, replace(how, format=None))
    return read_table(path, _TABLES.get(format, "jsonl"), how.mapped, how.report, side, host)


_Reader = Callable[[Path, _How, SideFields], Iterator[Thread]]


def _table(format: TableFormat) -> _Reader:
    return lambda path, how, side: read_table(path, format, how.mapped, how.report, side)


def _of_host(host: str) -> _Reader:
    return lambda path, how, side: _host(path, how, side, host)


_READERS: Mapping[str, _Reader] = {
    "page": lambda path, _, side: _read_page(path, side),
    "html": lambda path, _, __: read_html(path),
    "warc": lambda path, how, _: read_warc(path, how.report),
    **{name: _table(format) for name, format in _TABLES.items()},
    "wxr": lambda path, _, side: read_wxr(path, side),
    "disqus": lambda path, how, side: read_disqus(path, how.report, side),
    "isso": lambda path, how, side: isso.read_isso(path, how.report, side),
    **{host: _of_host(host) for host in hosts()},
}

FORMATS = tuple(_READERS)
"""Names of the formats."""
