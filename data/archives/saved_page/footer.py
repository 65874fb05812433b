"""Finds where the comments of a page end: its closing prompt, or the footer, sidebars and navigation below them."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from belowline.data.archives.words import pattern_of

_SKIP = pattern_of("beside_article")
_FOOTER, _BESIDE_FOOTER = pattern_of("footer"), pattern_of("beside_footer")
_LINES_OF_HEAD = 12
_LONGEST = 200
_SHORT, _NEAR = 4, 8  # lines with text


def head_of(lines: Sequence[str]) -> tuple[str, ...]:
    """The first lines of a page, such as the site's name and menu, which footers repeat."""
    head: list[str] = []
    for line in lines:
        if len(head) == _LINES_OF_HEAD:
            break
        if line and not _SKIP.fullmatch(line):
            head.append(line)
    return tuple(head)


def end_of_comments(lines: Sequence[str], start: int, end: int, head: Sequence[str]) -> int:
    """The line between ``start`` and ``end`` with which a footer begins, or ``end``.

    At least one line of text stands before it.
    """
    first = next((i for i in range(start, end) if lines[i]), end)
    known = frozenset(head)
    below = [i for i in range(first + 1, end) if lines[i]]
    kinds = [_kind(lines[i], known) for i in below]
    # One line alone may be a comment: a footer has more than one, or stands at the very end.
    marks = (
        i
        for place, i in enumerate(below)
        if kinds[place] == "footer"
        and (len(below) - place <= _SHORT or any(kinds[place + 1 : place + 1 + _NEAR]))
    )
    mark = next(marks, None)
    if mark is None:
        mark = next((i for i in below if lines[i] in head[:1]), None)
    return end if mark is None else _first_beside(lines, first, mark, known)


def _kind(line: str, head: AbstractSet[str]) -> str | None:
    """ "footer", or "beside" for what stands near one, else None."""
    if len(line) > _LONGEST:
        return None
    beside = line in head or _BESIDE_FOOTER.fullmatch(line) is not None
    return "footer" if _FOOTER.fullmatch(line) else "beside" if beside else None


def _first_beside(lines: Sequence[str], first: int, mark: int, head: AbstractSet[str]) -> int:
    """The first of the lines right above ``mark`` that belong to a footer as well."""
    for i in range(mark - 1, first, -1):
        if lines[i] and _kind(lines[i], head) is None:
            break
        if lines[i]:
            mark = i
    return mark
