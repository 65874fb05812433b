"""Reads comments whose author lines carry a date, by their author lines and by the buttons below each comment."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from belowline.data.archives.saved_page.footer import end_of_comments, head_of
from belowline.data.archives.saved_page.headers import Header, below_button, find_headers
from belowline.data.archives.words import pattern_of

_REPLY_TO = pattern_of("reply_to")
_REPLY, _VOTE, _BESIDE = pattern_of("reply_button"), pattern_of("vote"), pattern_of("beside_comment")
_COUNTER = re.compile(r"[+\-−–]?\d{1,5}")
_COMMON = 1 / 3


@dataclass(slots=True)
class Draft:
    """A comment before its parent is known; ``author`` is None if its author line was lost, ``age`` is in seconds."""

    author: str | None
    reply_to: str | None = None
    paragraphs: list[str] = field(default_factory=list)
    age: int | None = None


@dataclass(frozen=True, slots=True)
class _Buttons:
    """Buttons that stand below most comments of a page, the most counters of votes, whether single buttons part."""

    reply: bool
    votes: int
    parting: bool
    shapes: frozenset[tuple[str, ...]] = frozenset()


def read_dated(
    lines: Sequence[str], start: int, end: int, stated: int | None
) -> tuple[int, list[Draft]] | None:
    """The line with the first author and the comments in order, including those without text.

    None for a page that does not print a date beside every name: the order of its blocks tells more.
    """
    headers = _kept(lines, find_headers(lines, start, end), stated)
    if not headers:
        return None
    stop = end_of_comments(lines, headers[-1].after, end, head_of(lines[: headers[0].first]))
    ends = [header.first for header in headers[1:]] + [stop]
    parts = [
        _with_plain_button(lines[header.after : last], header)
        for header, last in zip(headers, ends, strict=True)
    ]
    missing = None if stated is None else stated - len(headers)
    buttons = _buttons(parts, closed=stop < end, missing=missing)
    lost = sum(map(_has_wide_gap, parts))
    buttons_below = sum(_kind(line) == "reply" for line in lines[start:stop])
    # The file may hold a part of the comments that the page states: buttons count those in the file.
    covering = len(headers) * 2 >= (buttons_below or stated or 0)
    if not covering or not (buttons.reply or missing == 0 or lost * 5 < len(headers) > 1):
        return None
    if missing == 0 and stop < end and not buttons.reply and lost == 1:
        parts[-1] = _above_gap(parts[-1])
    drafts = list(_orphans(lines[start : headers[0].first], buttons))
    for header, part in zip(headers, parts, strict=True):
        drafts += _drafts(
            header, part, buttons, footer=header is headers[-1] and (stop == end or missing == 0)
        )
    return headers[0].first, drafts


def _kept(lines: Sequence[str], headers: Sequence[Header], stated: int | None) -> list[Header]:
    """The headers without dates that stand in comments and without author lines that comments quote."""
    named = sum(header.author is not None for header in headers)
    room = 0 if stated is None else stated - named
    kept = []
    for header in headers:
        if header.author is None and not below_button(lines, header.first):
            room -= 1
            if room < 0:
                continue
        kept.append(header)
    firm = kept[:1] + [header for header in kept[1:] if below_button(lines, header.first)]
    return firm if stated == len(firm) else kept


def _kind(line: str) -> str | None:
    """ "reply", "vote" or "beside" for a button or counter below a comment, else None."""
    for kind, pattern in (("reply", _REPLY), ("vote", _VOTE), ("beside", _BESIDE)):
        if len(line) < 100 and pattern.fullmatch(line):
            return kind
    return None


def _buttons(parts: Sequence[Sequence[str]], *, closed: bool, missing: int | None) -> _Buttons:
    """The buttons that end a third of the comments or more; the last one counts if its end is known."""
    ended = parts if closed else parts[:-1]
    # Likes and dislikes may have counters of their own.
    most = 2 if sum(map(_has_two_counters, ended)) * 2 > len(ended) else 1
    tails = [_tail(part, _Buttons(True, most, False)) for part in ended]
    kinds = [tuple(kind for _, kind in tail) for tail in tails]
    needed = max(1, len(tails) * _COMMON)
    reply = sum("reply" in tail for tail in kinds) >= needed
    votes = most if sum("vote" in tail for tail in kinds) >= needed else 0
    if not tails:
        reply = any(_kind(line) == "reply" for line in parts[-1])
        votes = 1 + _has_two_counters(parts[-1]) if reply else 0
    below_text = Counter(
        shape
        for part, tail, shape in zip(parts, tails, kinds, strict=False)
        if tail and any(part[: tail[0][0]])
    )
    shapes = frozenset(shape for shape, count in below_text.items() if count > 1)
    return _Buttons(reply, votes, missing is None or missing > 0, shapes)


def _has_two_counters(part: Sequence[str]) -> bool:
    """True if two counters of votes stand right above the last reply button."""
    last = next((i for i in range(len(part) - 1, -1, -1) if _kind(part[i]) == "reply"), 0)
    above = [line for line in part[max(0, last - 4) : last] if line][-2:]
    return len(above) == 2 and all(map(_COUNTER.fullmatch, above))


def _tail(part: Sequence[str], buttons: _Buttons) -> list[tuple[int, str]]:
    """Places and kinds of the buttons at the end of a part; no more votes than usual and one reply button."""
    tail: list[tuple[int, str]] = []
    room = {"reply": int(buttons.reply), "vote": buttons.votes}
    for i in range(len(part) - 1, -1, -1):
        if not part[i]:
            continue
        kind = _kind(part[i])
        if kind is None or (kind != "beside" and not room[kind]):
            break
        if kind != "beside":
            room[kind] -= 1
        tail.append((i, kind))
    return tail[::-1]


def _with_plain_button(part: Sequence[str], header: Header) -> Sequence[str]:
    """A part with "Reply" in place of "Reply to NAME" at its end, if NAME is its own author."""
    last = next((i for i in range(len(part) - 1, 0, -1) if part[i]), 0)
    match = _REPLY_TO.fullmatch(part[last]) if last and header.author else None
    own = match and match["name"].casefold() == str(header.author).casefold()
    return [*part[:last], "Reply", *part[last + 1 :]] if own else part


def _above_gap(part: Sequence[str]) -> Sequence[str]:
    """A part up to its first two blank lines below text, as above a footer that says anything."""
    places = (i for i in range(1, len(part) - 1) if any(part[:i]) and not (part[i] or part[i + 1]))
    return part[: next(places, len(part))]


def _has_wide_gap(part: Sequence[str]) -> bool:
    """True if two blank lines stand inside a part, as where an author line was lost."""
    text = "\n".join(part).strip("\n")
    return "\n\n\n" in text


def _orphans(part: Sequence[str], buttons: _Buttons) -> Iterator[Draft]:
    """Comments before the first author line, each of which ends with a button."""
    *closed, _ = _pieces(part, buttons)
    for piece in closed:
        yield Draft(None, None, _paragraphs(piece))


def _drafts(header: Header, part: Sequence[str], buttons: _Buttons, *, footer: bool) -> Iterator[Draft]:
    """The comment below an author line, and those after it whose author line was lost."""
    *closed, rest = _pieces(part, buttons)
    if not (closed and footer):
        closed.append(_without_tail(_above_footer(rest) if footer and buttons.reply else rest, buttons))
    yield Draft(header.author, header.reply_to, _paragraphs(closed[0]), header.age)
    for piece in closed[1:]:
        if any(piece):
            yield Draft(None, None, _paragraphs(piece))


def _above_footer(part: list[str]) -> list[str]:
    """A part up to its last reply button with text above it; the whole part without one."""
    places = (i for i in range(len(part) - 1, 0, -1) if _kind(part[i]) == "reply" and any(part[:i]))
    return part[: next(places, len(part)) + 1]


def _pieces(part: Sequence[str], buttons: _Buttons) -> list[list[str]]:
    """A part split below its buttons; the last piece has no button below it."""
    pieces: list[list[str]] = [[]]
    for line in part:
        piece = pieces[-1]
        kind = _kind(line)
        vote = _votes_at_end(piece, buttons.votes) if kind == "reply" else None
        parting = vote is not None or (buttons.parting and not buttons.votes)
        if kind == "reply" and buttons.reply and parting and any(piece):
            del piece[len(piece) if vote is None else vote :]
            pieces.append([])
        elif kind != "beside" or any(piece) or len(pieces) == 1:
            piece.append(line)
    return pieces


def _votes_at_end(piece: Sequence[str], most: int) -> int | None:
    """The first of up to ``most`` lines with a number of votes below the text of a comment, or None."""
    first = None
    for i in [i for i in range(len(piece) - 1, -1, -1) if piece[i]][:most]:
        if _kind(piece[i]) != "vote" or not any(piece[:i]):
            break
        first = i
    return first


def _without_tail(part: list[str], buttons: _Buttons) -> list[str]:
    tail = _tail(part, buttons)
    if not tail:
        return part
    text = part[: tail[0][0]]
    if not any(text) and tuple(kind for _, kind in tail) not in buttons.shapes:
        return part[: tail[0][0] + 1]  # "42" or "Reply" is all that the comment says
    return text


def _paragraphs(piece: Sequence[str]) -> list[str]:
    return [text for paragraph in "\n".join(piece).split("\n\n") if (text := paragraph.strip("\n"))]
