"""Finds the format of a file from its content; the suffix decides only if the content does not."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from belowline.data.archives import isso
from belowline.data.archives.columns import (
    COLUMN_OPTION,
    Mapped,
    csv_columns,
    excel_delimiter,
    has_text_column,
)
from belowline.data.archives.encodings import open_utf8, utf8_head
from belowline.data.archives.html.pages import looks_like_html
from belowline.data.archives.json_values import parse
from belowline.data.archives.lines import decode
from belowline.data.archives.records import TableFormat
from belowline.data.archives.saved_page.page import has_comment_form
from belowline.data.archives.shapes import shape_of
from belowline.data.archives.side_fields import SideFields
from belowline.data.archives.warc.records import looks_like_warc
from belowline.data.archives.xml.disqus import is_disqus
from belowline.data.archives.xml.safe_xml import find_root
from belowline.data.archives.xml.wxr import is_wxr
from belowline.data.comment import ReadError

LARGEST_PAGE = 2**26
"""Limit in bytes of a page saved as plain text, which is read as a whole; a page has a few kilobytes."""

HEAD = 65_536
"""Bytes of a file that tell its format."""
_LONGEST_NAME = 40
_MOST_BROKEN = 20
PAGE_SUFFIXES = frozenset({".txt", ".text"})
"""Suffixes of saved pages as plain text."""
ROW_SUFFIXES: Mapping[str, TableFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
"""Suffixes of tables, with their formats."""
TABLES: Mapping[str, TableFormat] = {name: name for name in get_args(TableFormat)}
"""Names of the formats of tables."""
_BINARY = frozenset({"html", "parquet", "warc", "isso"})
_KNOWN = (
    "saved pages as plain text or HTML, WARC, JSONL, JSON, CSV, Parquet, exports of WordPress (WXR), Disqus, isso "
    "(its SQLite file), Commento, remark42, Coral, Discourse, YouTube, Reddit and Hacker News, and gzip, zip and "
    f"zstd files of these; for a table whose columns have other names: {COLUMN_OPTION}"
)


def format_of(path: Path, head: bytes, mapped: Mapped, format: str | None = None) -> str:
    """The format of a file that is no container, from its first ``HEAD`` bytes unless it is given; raises ReadError."""
    if format is None and head.startswith(b"PAR1"):
        format = "parquet"
    elif format is None and head.startswith(isso.MAGIC):
        format = "isso"
    elif format is None and looks_like_warc(head):
        format = "warc"
    if format in _BINARY:
        return format
    head = utf8_head(path, head)
    if len(head) < HEAD and not head.removeprefix(b"\xef\xbb\xbf").strip():
        raise ReadError("empty; nothing to read", path)
    return format or _sniff(path, head, mapped)


def page_text(path: Path, side: SideFields | None = None) -> str:
    """The text of a page saved as plain text; raises ReadError for one that is too long or mostly not UTF-8."""
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
    by_suffix = ROW_SUFFIXES.get(path.suffix.lower())
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
    if path.suffix.lower() not in PAGE_SUFFIXES and not has_comment_form(page_text(path)):
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
        return len(first) > HEAD // 2 and first.startswith('{"')


def _starts_csv(text: str, mapped: Mapped) -> bool:
    first = text.partition("\n")[0]
    if excel_delimiter(first.rstrip("\r")):
        return True
    _, columns = csv_columns(first, mapped)
    if len(columns) > 1 and shape_of(dict.fromkeys(columns)):
        return True
    return has_text_column(columns, mapped) and (len(columns) > 1 or "text" in dict(mapped))
