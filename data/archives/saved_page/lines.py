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
_MORE_ELSEWHERE, _BADGE, _REPLY_TO = map(pattern_of, ("more_elsewhere", "badge", "reply_to"))
_BUTTON, _VOTE = pattern_of("reply_button", "beside_comment"), pattern_of("vote")
_BESIDE_ARTICLE = pattern_of("money", "of_sites", "beside_article")
_SAID = re.compile(r"\b\d{4}.* said:$")
_NEAR, _FAR = 4, 12  # lines with text, lines
_LONGEST_FURNITURE = 250
_URL = re.compile(r"https?://\S+")

IMAGE = "comment image"
"""Text that wpDiscuz prints in place of an image."""


@dataclass(frozen=True, slots=True)
class Block:
    """Adjacent lines of text without a blank line between them.

    ``gap`` is the number of blank lines before it (at least 1). ``stamped`` is True if a date or "Reply to NAME" follows it and
    ``counted`` if "8 Comments" precedes it. ``reply_to`` is the author of the parent comment, if the page names
    one.
    """

    text: str
    gap: int
    stamped: bool = False
    counted: bool = False
    reply_to: str | None = None


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
    announced = announcement(lines, end) if form is None else None
    if announced is not None:
        form, start = announced, announced + 1
    counts = (
        count
        for line in lines[announced or 0 : end if start is None else start]
        if (count := stated_count(line)) is not None
    )
    partial = any(_MORE_ELSEWHERE.fullmatch(line) for line in lines[start or 0 :])
    return Layout(form, start, end, next(counts, None), partial)


def announcement(lines: Sequence[str], end: int) -> int | None:
    """The line such as "8 responses to …" right above the first author line with a date, or None."""
    dated = [i for i in range(end) if kind_of_stamp(lines[i]) or _SAID.search(lines[i])]
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
    builder = _Builder()
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
        elif (article and _BESIDE_ARTICLE.fullmatch(line)) or i in buttons:
            builder.furniture()
        elif comments and (match := _REPLY_TO.fullmatch(line)) and builder.is_known(match["name"]):
            builder.answers(match["name"])
        else:
            builder.text(line)
    return builder.finish()


def _buttons(lines: Sequence[str]) -> frozenset[int]:
    """The lines with buttons and votes; a number far from every button is what a comment says."""
    text = [i for i, line in enumerate(lines) if 0 < len(line) <= _LONGEST_FURNITURE]
    buttons = {i for i in text if _BUTTON.fullmatch(lines[i])}
    votes = {i for i in text if _VOTE.fullmatch(lines[i])} - buttons
    beside = {i for pair in pairwise(text) if buttons & set(pair) for i in pair}
    return frozenset(buttons | votes & beside)


class _Builder:
    """Joins lines to blocks; furniture separates blocks but does not widen the gap between them."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._known: set[str] = set()
        self._lines: list[str] = []
        self._gap = 0
        self._gap_before_furniture = 0
        self._counted = False
        self._reply_to: str | None = None

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

    def is_known(self, name: str) -> bool:
        self._flush()
        return name.casefold() in self._known

    def answers(self, name: str) -> None:
        self.stamp()
        self._reply_to = name

    def _flush(self) -> None:
        if not self._lines:
            return
        text = "\n".join(self._lines)
        gap = max(self._gap, self._gap_before_furniture, 1)
        self._blocks.append(Block(text, gap, False, self._counted, self._reply_to))
        if len(text) <= _LONGEST_FURNITURE:
            self._known.add(text.casefold())
        self._lines, self._gap, self._gap_before_furniture = [], 0, 0
        self._counted, self._reply_to = False, None

    def finish(self) -> list[Block]:
        self._flush()
        return self._blocks
