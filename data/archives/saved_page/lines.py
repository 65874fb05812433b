"""Splits a saved page into blocks of lines, without its furniture: buttons, counters, dates.

Each block keeps the number of blank lines before it, because blank lines carry the structure of the page.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from belowline.data.archives.saved_page.stamps import kind_of_stamp
from belowline.data.archives.words import pattern_of, stated_count

_FORM, _CLOSING = pattern_of("form"), pattern_of("closing")
_IN_FORM = pattern_of("form", "beside_form", "count")
_MORE_ELSEWHERE, _BADGE, _SAYS = map(pattern_of, ("more_elsewhere", "badge", "says"))
_NAME_SAYS = pattern_of("name_says")
_REPLY_TO, _REPLY_TO_NEXT = pattern_of("reply_to"), pattern_of("reply_to_next")
_BUTTON, _VOTE = pattern_of("reply_button", "beside_comment"), pattern_of("vote")
_BESIDE_ARTICLE = pattern_of("money", "of_sites", "beside_article")
_SAID = re.compile(r"\b\d{4}.* said:$")
_LONGEST_DATED = 120
_NEAR, _FAR = 4, 12  # lines with text, lines
_LONGEST_FURNITURE, _LONGEST_NAME, _LONGEST_SAYS = 250, 60, 70
_URL = re.compile(r"https?://\S+")

IMAGE = "comment image"
"""Text that wpDiscuz prints in place of an image."""


@dataclass(frozen=True, slots=True)
class Block:
    """Adjacent lines of text without a blank line between them.

    ``gap`` is the number of blank lines before it (at least 1). ``stamped`` is True if a date or "Reply to NAME"
    follows it and ``counted`` if "8 Comments" precedes it. ``reply_to`` is the author of the parent comment, if the
    page names one. ``closed`` is True if a button such as "Reply" stands above it.
    """

    text: str
    gap: int
    stamped: bool = False
    counted: bool = False
    reply_to: str | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """Line numbers (from 0) of the parts of a page.

    ``form`` is the first line of the comment form and ``comments`` the line after it, both None on a page
    without one; ``end`` is the line of the closing prompt. ``stated`` is the number of comments that the page
    states; ``partial`` is True if other pages hold further ones.
    """

    form: int | None
    comments: int | None
    end: int
    stated: int | None
    partial: bool


def find_layout(lines: Sequence[str]) -> Layout:
    """Finds the form, the closing prompt and the stated number of comments."""
    form = next((i for i, line in enumerate(lines) if _FORM.fullmatch(line)), None)
    start = None if form is None else _end_of_form(lines, form)
    end = next((i for i in range(len(lines) - 1, start or 0, -1) if _CLOSING.fullmatch(lines[i])), len(lines))
    dated = [i for i in range(end) if is_dated(lines[i])]
    announced = _announcement(lines, end, dated) if form is None else None
    if announced is not None:
        form, start = announced, announced + 1
    # Without an announcement, a line such as "4 Comments" below the second date is what a comment says.
    last = start if start is not None else dated[1] if len(dated) > 1 else end
    counts = (count for line in lines[announced or 0 : last] if (count := stated_count(line)) is not None)
    partial = any(_MORE_ELSEWHERE.fullmatch(line) for line in lines[start or 0 :])
    return Layout(form, start, end, next(counts, None), partial)


def is_dated(line: str) -> bool:
    """True if a line is a date, or ends an author line as "NAME on DATE said:" does."""
    return 0 < len(line) <= _LONGEST_DATED and (
        kind_of_stamp(line) not in (None, "month") or _SAID.search(line) is not None
    )


def _announcement(lines: Sequence[str], end: int, dated: Sequence[int]) -> int | None:
    """The line such as "8 responses to …" right above the first author line with a date, or None."""
    for i in range(end):
        if lines[i] and stated_count(lines[i]) is not None:
            before = bisect_left(dated, i)
            near = dated[before] if before < len(dated) else end
            # Most dates stand below the line; otherwise it is a comment that says "4 Comments".
            if near - i <= _FAR and sum(map(bool, lines[i + 1 : near])) < _NEAR and before * 3 <= len(dated):
                return i
    return None


def _end_of_form(lines: Sequence[str], form: int) -> int:
    last = form
    for i in range(form, len(lines)):
        if _IN_FORM.fullmatch(lines[i]):
            last = i
        elif lines[i]:
            break
    return last + 1


def is_url(line: str) -> bool:
    """True if the line is a web address and nothing else."""
    return _URL.fullmatch(line) is not None


def blocks_of(lines: Sequence[str], *, article: bool, comments: bool) -> list[Block]:
    """The blocks of a part of a page, furniture left out.

    Args:
        lines: Stripped lines.
        article: Whether the part may hold the article, where donation figures are furniture.
        comments: Whether the part may hold comments, where votes and reply buttons are furniture.
    """
    builder = _Builder(comments, saying=sum(bool(_NAME_SAYS.fullmatch(line[:100])) for line in lines) > 2)
    buttons = _buttons(lines) if comments else frozenset()
    for i, line in enumerate(lines):
        if not line:
            builder.blank()
        elif len(line) > _LONGEST_FURNITURE:
            builder.text(line)
        elif kind_of_stamp(line):
            builder.stamp()
        elif stated_count(line) is not None and article:
            builder.furniture(counted=True)
        elif article and _BESIDE_ARTICLE.fullmatch(line):
            builder.furniture()
        elif i in buttons:
            builder.button()
        elif comments and i and _REPLY_TO_NEXT.fullmatch(lines[i - 1]) and builder.is_answered(line):
            continue
        elif comments and (name := _answered(lines, i)) and builder.is_known(name):
            builder.answers(name)
        else:
            builder.text(line)
    return builder.finish()


def _answered(lines: Sequence[str], i: int) -> str | None:
    """The name in "Reply to NAME", which may stand on the line below."""
    match = _REPLY_TO.fullmatch(lines[i])
    if match:
        return match["name"]
    return lines[i + 1] if i + 1 < len(lines) and _REPLY_TO_NEXT.fullmatch(lines[i]) else None


def _buttons(lines: Sequence[str]) -> frozenset[int]:
    """The lines with buttons and votes; a number far from every button is what a comment says."""
    text = [i for i, line in enumerate(lines) if 0 < len(line) <= _LONGEST_FURNITURE]
    buttons = {i for i in text if _BUTTON.fullmatch(lines[i])}
    if len(buttons) == 1 and lines[min(buttons)].isalpha():
        return frozenset()  # a comment that says "Share"
    votes = {i for i in text if _VOTE.fullmatch(lines[i])} - buttons
    beside = {i for pair in pairwise(text) if buttons & set(pair) for i in pair}
    return frozenset(buttons | votes & beside)


def _name_in(lines: Sequence[str]) -> str | None:
    """The name in lines that hold a badge or "says:" beside it, else None."""
    rest = [line for line in lines if not _BADGE.fullmatch(line) and not _SAYS.fullmatch(line)]
    return rest[0] if len(rest) == 1 < len(lines) and len(rest[0]) <= _LONGEST_NAME else None


class _Builder:
    """Joins lines to blocks; furniture separates blocks but does not widen the gap between them."""

    def __init__(self, comments: bool, *, saying: bool) -> None:
        self._comments, self._saying = comments, comments and saying
        self._blocks: list[Block] = []
        self._known: set[str] = set()
        self._lines: list[str] = []
        self._gap = 0
        self._gap_before_furniture = 0
        self._counted = False
        self._reply_to: str | None = None
        self._closed = False

    def blank(self) -> None:
        self._flush()
        self._gap += 1

    def text(self, line: str) -> None:
        self._lines.append(line)

    def furniture(self, *, counted: bool = False) -> None:
        self._flush()
        self._gap_before_furniture = max(self._gap_before_furniture, self._gap)
        self._gap = 0
        self._counted = self._counted or counted

    def stamp(self) -> None:
        if len(self._lines) > 1 and _BADGE.fullmatch(self._lines[-1]):
            self._lines.pop()
        self.furniture()
        if self._blocks:
            self._blocks[-1] = replace(self._blocks[-1], stamped=True)

    def button(self) -> None:
        self.furniture()
        self._closed = bool(self._blocks)

    def is_answered(self, name: str) -> bool:
        return self._reply_to == name and not self._lines

    def is_known(self, name: str) -> bool:
        self._flush()
        return name.casefold() in self._known

    def answers(self, name: str) -> None:
        self.stamp()
        self._reply_to = name

    def _flush(self) -> None:
        if not self._lines:
            return
        name = _name_in(self._lines) if self._comments else None
        if self._saying and (match := _NAME_SAYS.fullmatch((name or self._lines[-1])[:_LONGEST_SAYS])):
            name = match["name"]
        text = name or "\n".join(self._lines)
        gap = max(self._gap, self._gap_before_furniture, 1)
        self._blocks.append(Block(text, gap, name is not None, self._counted, self._reply_to, self._closed))
        if len(text) <= _LONGEST_FURNITURE:
            self._known.add(text.casefold())
        self._lines, self._gap, self._gap_before_furniture = [], 0, 0
        self._counted, self._reply_to, self._closed = False, None, False

    def finish(self) -> list[Block]:
        self._flush()
        return self._blocks
