"""Finds the author lines of pages that print a date beside each name, as WordPress and wpDiscuz 7 do.

Such a header is a name with a date above or below it, and with badges, "says:" and "Reply to NAME" around them.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from belowline.data.archives.saved_page.stamps import age_of, is_day_of_year, kind_of_stamp
from belowline.data.archives.words import pattern_of

_BADGE, _SAYS, _NAME_SAYS = pattern_of("badge"), pattern_of("says"), pattern_of("name_says")
_REPLY_TO, _REPLY_TO_NEXT = pattern_of("reply_to"), pattern_of("reply_to_next")
_END_OF_COMMENT = pattern_of("reply_button", "beside_comment")
_BYLINE, _VOTE = pattern_of("byline"), pattern_of("vote")
_ONE_LINE = re.compile(
    r"(?:comment by )?(?P<name>\S.{0,80}?) ?"
    r"(?:\bon (?P<said>.+) said:|\bcommented on (?P<commented>.+):|[·•|–—,] ?(?P<dated>.+))",
    re.IGNORECASE,
)
_DATE_NAME = re.compile(r"(?P<stamp>.{6,40}?) ?[|·•–—-] (?:by )?(?P<name>\S.{0,60})", re.IGNORECASE)
_ON_SAID = re.compile(r"on (?P<stamp>.+?)(?: said:)?", re.IGNORECASE)
_BELOW_DATE = re.compile(r"\(?edit\)?|\d{1,2}[:.]\d{2} ?(?:[ap]\.?m\.?)?", re.IGNORECASE)
_LONGEST_LINE = 120
_NUMBERED = re.compile(r"\d{1,4}[.)] (?P<name>\S.*)")
_FEWEST_NUMBERED = 2
_MOST_LINES = 6
_LONGEST_NAME, _LONGEST_SAYS, _LONGEST_LABEL = 80, 160, 40


@dataclass(frozen=True, slots=True)
class Header:
    """The lines from ``first`` up to ``after`` (not included) that name the author of the next comment.

    ``age`` is that of the comment in seconds, if the page prints it.
    """

    first: int
    after: int
    author: str | None
    reply_to: str | None = None
    age: int | None = None


@dataclass(frozen=True, slots=True)
class _Style:
    """Order of the lines of a header: dates above names, blank lines between them, badges above names."""

    date_first: bool
    spaced: bool
    badge_above: bool


def find_headers(lines: Sequence[str], start: int, end: int) -> list[Header]:
    """The headers between two lines, in order; empty on a page that prints no dates beside names."""
    stamps = _with_date_first(lines, start, end) or [
        (i, kind) for i in range(start, end) if (kind := _stamp(lines[i]))
    ]
    stamps = stamps or _days_of_year(lines, start, end)
    if not stamps:
        return []
    common = Counter(kind for _, kind in stamps).most_common(1)[0][0]
    style = _style(lines, [i for i, kind in stamps if kind == common], start)
    headers: list[Header] = []
    for i, kind in stamps:
        floor = headers[-1].after if headers else start
        header = _one_line(lines, i) or _header(lines, i, floor, end, style)
        # A date of another kind, alone in a paragraph, is a part of a comment.
        if header and (kind == common or (header.author and below_button(lines, header.first))):
            headers.append(header)
    return _without_numbers(_without_labels(lines, headers, start))


def _with_date_first(lines: Sequence[str], start: int, end: int) -> list[tuple[int, str]]:
    """The lines such as "DATE | NAME" if most dates of a page stand in such lines."""
    found = [(i, kind) for i in range(start, end) if (kind := _kind_of_date_and_name(lines[i]))]
    others = sum(_stamp(lines[i]) is not None for i in range(start, end)) if found else 0
    return found if len(found) > others else []


def _kind_of_date_and_name(line: str) -> str | None:
    match = _DATE_NAME.fullmatch(line) if len(line) <= _LONGEST_LINE else None
    return kind_of_stamp(match["stamp"]) if match and not _stamp(line) else None


def _days_of_year(lines: Sequence[str], start: int, end: int) -> list[tuple[int, str]]:
    """The dates without a year if most of them stand below a name with "says:"."""
    days = [i for i in range(max(start, 1), end) if is_day_of_year(lines[i])]
    named = sum(_NAME_SAYS.fullmatch(lines[i - 1][:_LONGEST_SAYS]) is not None for i in days)
    return [(i, "day") for i in days] if named * 2 > len(days) else []


def _without_numbers(headers: Sequence[Header]) -> list[Header]:
    """The headers without the numbers of a list, such as "1. ", if every name has one."""
    matches = [_NUMBERED.fullmatch(header.author or "") for header in headers]
    if len(headers) < _FEWEST_NUMBERED or not all(matches):
        return list(headers)
    return [replace(one, author=match["name"]) for one, match in zip(headers, matches, strict=True) if match]


def _without_labels(lines: Sequence[str], headers: Sequence[Header], start: int) -> list[Header]:
    """The headers with the labels of roles that hosts make up, such as "Captain", above or below the names.

    Such a label stands alone between a name and the button of the comment before, or the beginning.
    """
    floors = [start, *(header.after for header in headers[:-1])]
    labels = {
        header: i
        for header, floor in zip(headers, floors, strict=True)
        if (i := _free_label(lines, header, floor, start)) is not None
    }
    if not labels:
        return list(headers)
    names = {header.author for header in headers if header not in labels}
    names |= {header.reply_to for header in headers}
    above = [lines[i] for i in labels.values()]
    below = [header.author for header in labels]
    named_above = (sum(name in names for name in above), len(set(above)))
    label_below = named_above > (sum(name in names for name in below), len(set(below)))
    return [
        replace(header, first=labels[header], author=lines[labels[header]] if label_below else header.author)
        if header in labels
        else header
        for header in headers
    ]


def _free_label(lines: Sequence[str], header: Header, floor: int, start: int) -> int | None:
    i = header.first - 1
    if header.author is None or i < max(floor, 1) or not 0 < len(lines[i]) <= _LONGEST_LABEL:
        return None
    at_start = i == start or _END_OF_COMMENT.fullmatch(lines[i - 1]) is not None
    return i if at_start and not (_END_OF_COMMENT.fullmatch(lines[i]) or _VOTE.fullmatch(lines[i])) else None


def below_button(lines: Sequence[str], first: int) -> bool:
    """True if a button of the comment before, such as "Reply", stands right above a line."""
    above, _ = _before(lines, first, 0)
    return _END_OF_COMMENT.fullmatch(above) is not None


def _stamp(line: str) -> str | None:
    """The kind of date that a line holds, alone or with a name."""
    if not line or len(line) > _LONGEST_LINE:
        return None
    kind = kind_of_stamp(line)
    if kind is None and (match := _ON_SAID.fullmatch(line)):
        kind = kind_of_stamp(match["stamp"])
    if kind is None and (match := _ONE_LINE.fullmatch(line)):
        kind = kind_of_stamp(match["said"] or match["commented"] or match["dated"])
    return None if kind == "month" else kind  # as in a list of archives


def _one_line(lines: Sequence[str], i: int) -> Header | None:
    """The header of "NAME on DATE said:" or "NAME · DATE"."""
    if kind_of_stamp(lines[i]) or is_day_of_year(lines[i]) or _ON_SAID.fullmatch(lines[i]):
        return None
    match = _ONE_LINE.fullmatch(lines[i])
    if match is None or _stamp(lines[i]) is None:
        match = _DATE_NAME.fullmatch(lines[i])
    return Header(i, i + 1, match["name"]) if match else None


def _style(lines: Sequence[str], places: Sequence[int], start: int) -> _Style:
    votes: Counter[str] = Counter()
    for i in places:
        before, gap = _before(lines, i, start)
        button = not before or _END_OF_COMMENT.fullmatch(before) is not None
        votes["spaced"] += gap > 0 and not button
        votes["near"] += (gap > 0 or button) and _is_name_line(lines, i + 1)
        votes["far"] += button and lines[i + 1 : i + 2] == [""] and _is_name_line(lines, i + 2)
        votes["badge above"] += i - 2 >= start and bool(_BADGE.fullmatch(lines[i - 2])) and bool(lines[i - 1])
        votes["badge below"] += i - 2 >= start and bool(_BADGE.fullmatch(lines[i - 1])) and bool(lines[i - 2])
    half = len(places) / 2
    date_first = votes["near"] + votes["far"] > half
    spaced = votes["far"] > votes["near"] if date_first else votes["spaced"] > half
    return _Style(date_first, spaced, votes["badge above"] > votes["badge below"])


def _before(lines: Sequence[str], i: int, start: int) -> tuple[str, int]:
    """The last line of text before line ``i`` and the number of blank lines between them."""
    for j in range(i - 1, max(start, i - 4) - 1, -1):
        if lines[j]:
            return lines[j], i - 1 - j
    return "", 0


def _is_name_line(lines: Sequence[str], i: int) -> bool:
    """True if line ``i`` may be a name below a date: short, with a blank line or a button below it."""
    after = lines[i + 1] if i + 1 < len(lines) else ""
    short = i < len(lines) and 0 < len(lines[i]) <= _LONGEST_NAME
    return short and (not after or _END_OF_COMMENT.fullmatch(after) is not None)


def _header(lines: Sequence[str], i: int, floor: int, end: int, style: _Style) -> Header | None:
    """The header around the date in line ``i``; None for a date that stands in a comment."""
    if style.date_first:
        name = i + 2 if style.spaced else i + 1
        named = _is_name_line(lines, name)
        return Header(i, name + 1, _bare(lines[name])) if named else Header(i, i + 1, None)
    above = list(_above(lines, i, floor, style))
    below = i + 1
    author, reply_to, first = _parsed(lines, above, style)
    if author and _BYLINE.fullmatch(author):
        return None
    if style.spaced and below < end and not lines[below]:
        below += 1
    below += _is_below_date(lines, i, below)
    if below < end and (match := _REPLY_TO.fullmatch(lines[below])) and not (style.spaced and reply_to):
        reply_to, below = match["name"], below + 1
    elif below + 1 < end and _REPLY_TO_NEXT.fullmatch(lines[below]) and lines[below + 1]:
        reply_to, below = lines[below + 1], below + 2
    return Header(i if first is None else first, below, author, reply_to, age_of(lines[i]))


def _is_below_date(lines: Sequence[str], i: int, below: int) -> bool:
    """True if a time or "Edit" stands right below the date in line ``i``, and the comment's text below that."""
    if lines[below : below + 2] != [*lines[i + 1 : i + 2], ""] or not _BELOW_DATE.fullmatch(lines[below]):
        return False
    buttons = [_END_OF_COMMENT.fullmatch(line) is not None for line in lines[below + 2 : below + 6] if line]
    return buttons[:2] not in ([True, False], [True], [])


def _above(lines: Sequence[str], i: int, floor: int, style: _Style) -> Iterator[int]:
    """The lines above a date that may belong to its header, the nearest first."""
    seen = 0
    for j in range(i - 1, floor - 1, -1):
        line = lines[j]
        if not line and style.spaced and j + 1 < i and not lines[j - 1 if j else 0]:
            return
        if not line and not style.spaced:
            return
        if line:
            long = len(line) > _LONGEST_NAME and not _NAME_SAYS.fullmatch(line[:_LONGEST_SAYS])
            if _END_OF_COMMENT.fullmatch(line) or long or seen == _MOST_LINES:
                return
            seen += 1
            yield j


def _parsed(
    lines: Sequence[str], above: Sequence[int], style: _Style
) -> tuple[str | None, str | None, int | None]:
    """Author, author of the parent and first line of the header from the lines above a date."""
    reply_to, badges, parent = None, [], None
    for place, j in enumerate(above):
        line = lines[j]
        if match := _REPLY_TO.fullmatch(line):
            reply_to = match["name"]
        elif place + 1 < len(above) and _REPLY_TO_NEXT.fullmatch(lines[above[place + 1]]):
            parent = line
        elif _REPLY_TO_NEXT.fullmatch(line):
            reply_to = parent
        elif _SAYS.fullmatch(line):
            continue
        elif _BADGE.fullmatch(line):
            badges.append(j)
        elif badges and _VOTE.fullmatch(line):  # "0" below the comment before; "Guest" is a name
            break
        else:
            first = _with_badge_above(lines, above, place, style)
            return _bare(line), reply_to, first
    if badges:
        chosen = badges[0 if style.badge_above else -1]
        return lines[chosen], reply_to, badges[-1]
    return None, reply_to, above[-1] if above else None


def _with_badge_above(lines: Sequence[str], above: Sequence[int], place: int, style: _Style) -> int:
    """The line of the badge above a name, or the name's own."""
    badge = above[place + 1] if place + 1 < len(above) else None
    if badge is None or not _BADGE.fullmatch(lines[badge]):
        return above[place]
    adjacent = badge == above[place] - 1 or (style.spaced and below_button(lines, badge))
    return badge if adjacent else above[place]


def _bare(name: str) -> str:
    match = _NAME_SAYS.fullmatch(name)
    return match["name"] if match else name
