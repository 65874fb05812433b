"""Title, address and body of the article on a saved page."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from belowline.data.archives.saved_page.lines import Block, is_url
from belowline.data.archives.saved_page.stamps import kind_of_stamp
from belowline.data.archives.words import pattern_of, stated_count

_SKIP_LINK, _BANNER, _TITLE_IN_COUNT = (
    pattern_of("skip_link"),
    pattern_of("banner"),
    pattern_of("title_in_count"),
)
_BYLINE, _BYLINE_WITH_NAME = pattern_of("byline"), pattern_of("byline_with_name")
_BESIDE = pattern_of("beside_footer", "beside_form", "beside_article", "footer")
_LONGEST_TITLE = 250
_LONGEST_BYLINE = 100
_LINES_OF_HEAD = 40
_PARAGRAPH = re.compile(r".{50,}[.!?…”\"’:]|.{120,}", re.DOTALL)


def article_of(lines: Sequence[str], blocks: Sequence[Block]) -> tuple[str | None, str | None, str]:
    """Title, address and body.

    Args:
        lines: The page from its first line to the line that announces the comments, if there is one.
        blocks: The same without furniture.
    """
    url = next((block.text for block in blocks[:2] if is_url(block.text)), None)
    counts = Counter(block.text for block in blocks if block.text != url)
    title = _title_below_head(lines)
    if title is None:
        texts = list(counts)
        title = texts.pop(0) if texts and len(texts[0]) <= _LONGEST_TITLE and "\n" not in texts[0] else None
    else:
        texts = list(_without_head(counts, title))
    body = (text for text in texts if counts[text] == 1 or len(text) > _LONGEST_TITLE)
    return title, url, "\n\n".join(body)


def _title_below_head(lines: Sequence[str]) -> str | None:
    """The title of a page that begins with a banner or the site's name and menu; None if the title comes first."""
    top = [line for line in lines if line][:_LINES_OF_HEAD]
    skip = any(_SKIP_LINK.fullmatch(line) for line in top)
    banner = next((place for place, line in enumerate(top) if not _BANNER.fullmatch(line)), 0)
    head = list(_candidates(top[banner:]))
    for named in _titles_in_counts(lines):
        if same := [line for line in head if line.casefold() == named.casefold()]:
            return same[0]
    if not head or not (skip or banner):
        return None
    return head[-1] if skip else head[0]


def _candidates(top: Sequence[str]) -> Iterator[str]:
    """The short lines above the first paragraph that are neither menu nor byline."""
    before = ""
    for line in top:
        if _PARAGRAPH.fullmatch(line):
            return
        if not (_is_beside(line) or _BYLINE.fullmatch(before) or kind_of_stamp(line)):
            yield line
        before = line


def _is_beside(line: str) -> bool:
    beside = _BESIDE.fullmatch(line) or stated_count(line) is not None or is_url(line)
    return bool(beside) or _is_byline(line)


def _is_byline(line: str) -> bool:
    return len(line) <= _LONGEST_BYLINE and bool(_BYLINE.fullmatch(line) or _BYLINE_WITH_NAME.fullmatch(line))


def _titles_in_counts(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if len(line) <= _LONGEST_TITLE and (match := _TITLE_IN_COUNT.fullmatch(line)):
            yield match["title"]


def _without_head(texts: Counter[str], title: str) -> Iterator[str]:
    """The texts below the title without bylines; a byline below the last paragraph ends the article."""
    ordered = list(texts)
    start = next((place for place, text in enumerate(ordered) if title in text.split("\n")), -1)
    paragraphs = [place for place, text in enumerate(ordered) if _PARAGRAPH.fullmatch(text)]
    last = paragraphs[-1] if paragraphs else start
    for place, text in enumerate(ordered[start:] if start >= 0 else ordered, start=max(start, 0)):
        rest = "\n".join(_own_lines(text, title if place == start else None))
        if place > last and rest != text:
            return
        if rest:
            yield rest


def _own_lines(text: str, title: str | None) -> Iterator[str]:
    """The lines of a text that are neither byline nor navigation; of the title's block, those below it."""
    lines = text.split("\n")
    lines = lines[lines.index(title) + 1 :] if title is not None and title in lines else lines
    before = ""
    for line in lines:
        if not (_is_beside(line) or _BYLINE.fullmatch(before)):
            yield line
        before = line
