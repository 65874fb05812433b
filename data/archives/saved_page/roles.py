"""Assigns each block of a saved page its role: article, author line or comment text.

The page is plain text, in which an author's name looks like any other short line. The order of blocks (name, blank
line, comment), the number of blank lines (see ``data/README.md``) and the form of a name tell them apart. A dynamic
program finds the roles with the lowest total cost in one pass. A stated number of comments restricts it to results
with that number.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from belowline.data.archives.saved_page.lines import IMAGE, Block
from belowline.data.archives.words import pattern_of


class Role(Enum):
    """Role of a block."""

    ARTICLE = "article"
    AUTHOR = "author"
    OPENING = "opening"  # first text of the comment whose author line stands before it
    ORPHAN = "orphan"  # first text of a comment whose author line was lost
    MORE = "more"  # a further paragraph


class _After(Enum):
    """State of the search after a block."""

    FORM = "form"
    ARTICLE = "article"
    AUTHOR = "author"
    TEXT = "text"
    PICTURE = "picture"  # a comment that is only a picture, left out of the count


_AFTER = {
    Role.ARTICLE: _After.ARTICLE,
    Role.AUTHOR: _After.AUTHOR,
    Role.OPENING: _After.TEXT,
    Role.ORPHAN: _After.TEXT,
    Role.MORE: _After.TEXT,
}

# Costs, in the unit of "one heading inside an article". Only their order of size matters.
_HEADING = 1.0  # a line in the article that could be a name
_CARELESS = 0.7  # a paragraph in the article without capital or full stop
_ARTICLE_BREAK = 1.5  # two blank lines inside the article
_ARTICLE_PAST_COUNT = 1.5  # article after the line "8 Comments"
_SWITCH = 1.0  # comments begin, at an author line
_SWITCH_UNNAMED = 3.0  # comments begin, at a comment without author line
_MORE = 0.3  # one more paragraph in a comment
_JOIN = 1.2  # ... although a line was lost before it
_SPLIT = 4.0  # a lost author line that left no second blank line
_NAME_AFTER_LOSS = 0.7  # a line was lost between a comment and the next author line
_TEXT_AFTER_LOSS = 2.2  # ... between an author line and the text
_LOST_COMMENT = 1.0  # a whole comment was lost
_UNANSWERED = 2.0  # the page ends with an author line

_PARAGRAPH = 50
_LONGEST_NAME = 60
_NOT_IN_NAMES = re.compile(r"[,;:!?\"“”«»„<>=…\[\]{}$%€£/\\\n]|\.\.|\.\w")
_FINAL_DOT = re.compile(r"(?:^|[\s.])(?:\w|[JjSsDd]r)\.$")
_IN_BRACKETS = re.compile(r"(?<=\S) ?(?:\([^()]*\)|\[[^\[\]]*\])$|(?<=\w) [“\"(][\w .-]+[”\")](?= \w)")
_PARTICLE = pattern_of("name_particles")
_ODD_NAME = 3.0  # a name such as "Yes, Minister" or "42"
_WORDS_OF_ODD_NAME = 4
_COMMON = pattern_of("common_words")
_MAX_CORRECTION = 64
_MAX_CELLS = 200_000


@dataclass(frozen=True, slots=True)
class _Facts:
    """Costs of a block as author line (infinite if it cannot be one), comment text, article and first paragraph of
    a comment.

    The last cost is small, but decides where a stated count joins or splits paragraphs.
    """

    as_author: float
    as_text: float
    as_article: float
    as_beginning: float
    gap: int
    counted: bool
    picture: bool
    closed: bool


@dataclass(frozen=True, slots=True)
class _Step:
    """A possible role of the next block.

    A page may or may not count comments without text: such steps exist in both forms.
    """

    role: Role
    cost: float
    comments: int = 0
    picture: bool = False

    @property
    def after(self) -> _After:
        return _After.PICTURE if self.picture else _AFTER[self.role]


_State = tuple[_After, int]
_Layer = dict[_State, tuple[float, _State | None, Role | None]]


def assign_roles(
    blocks: Sequence[Block], *, spacing: int, stated: int | None, after_form: bool
) -> list[Role]:
    """The role of each block, with ``stated`` comments if the blocks allow it.

    Args:
        blocks: The blocks of the page, or of the part after the comment form.
        spacing: Blank lines between the paragraphs of the page, usually 1.
        stated: Number of comments that the page states, or None.
        after_form: True if all blocks follow the comment form, so that none is article.
    """
    facts = _facts(blocks, spacing)
    start = _After.FORM if after_form else _After.ARTICLE
    roles = _cheapest(facts, start, None, None)
    if stated is None or not roles:
        return roles
    running = _running_count(roles)
    excess = abs(stated - running[-1])
    if excess == 0 or excess > _MAX_CORRECTION or len(blocks) * excess > _MAX_CELLS:
        return roles
    return _cheapest(facts, start, running, stated) or roles


def _running_count(roles: Sequence[Role]) -> list[int]:
    counts, count = [], 0
    for i, role in enumerate(roles):
        lost = i > 0 and roles[i - 1] is Role.AUTHOR and role in (Role.AUTHOR, Role.ORPHAN)
        count += (role in (Role.OPENING, Role.ORPHAN)) + lost
        counts.append(count)
    return counts


def _cheapest(
    facts: Sequence[_Facts], start: _After, running: list[int] | None, stated: int | None
) -> list[Role]:
    """Viterbi search. With ``running``, the count is part of the state and stays near it; else it is 0."""
    layer: _Layer = {(start, 0): (0.0, None, None)}
    layers: list[_Layer] = []
    margin = 0 if running is None or stated is None else abs(stated - running[-1]) + 2
    for i, fact in enumerate(facts):
        following: _Layer = {}
        for state, (cost, _, _) in layer.items():
            for step in _steps(state[0], fact, first=i == 0):
                count = state[1] + step.comments if running is not None else 0
                if running is not None and abs(count - running[i]) > margin:
                    continue
                target, total = (step.after, count), cost + step.cost
                if target not in following or total < following[target][0]:
                    following[target] = (total, state, step.role)
        layers.append(following)
        layer = following
    ends = {
        state: entry[0] + (_UNANSWERED if state[0] is _After.AUTHOR else 0.0)
        for state, entry in layer.items()
        if running is None or state[1] == stated
    }
    return _trace(layers, min(ends, key=lambda state: ends[state])) if ends and layers else []


def _trace(layers: Sequence[_Layer], state: _State) -> list[Role]:
    roles: list[Role] = []
    for layer in reversed(layers):
        _, previous, role = layer[state]
        if previous is None or role is None:
            break
        roles.append(role)
        state = previous
    return roles[::-1]


def _steps(after: _After, fact: _Facts, *, first: bool) -> Iterator[_Step]:
    for step in _plain_steps(after, fact, first=first):
        yield step
        if fact.picture and step.role in (Role.OPENING, Role.ORPHAN):
            yield replace(step, comments=step.comments - 1, picture=True)


def _plain_steps(after: _After, fact: _Facts, *, first: bool) -> Iterator[_Step]:
    if after is _After.ARTICLE:
        yield from _from_article(fact, first=first)
    elif after is _After.FORM:
        yield _Step(Role.AUTHOR, fact.as_author)
        yield _Step(Role.ORPHAN, fact.as_text, 1)
    elif after is _After.AUTHOR:
        yield from _from_author(fact)
    else:
        yield from _from_text(fact, more=after is _After.TEXT)


def _from_article(fact: _Facts, *, first: bool) -> Iterator[_Step]:
    stay = 0.0 if first else fact.as_article
    yield _Step(Role.ARTICLE, stay + (_ARTICLE_PAST_COUNT if fact.counted and not first else 0.0))
    if first:
        return
    yield _Step(Role.AUTHOR, fact.as_author + (0.0 if fact.counted else _SWITCH))
    if fact.gap > 1 or fact.counted:
        yield _Step(Role.ORPHAN, fact.as_text + (0.0 if fact.counted else _SWITCH_UNNAMED), 1)


def _from_author(fact: _Facts) -> Iterator[_Step]:
    if fact.gap < 3:
        yield _Step(Role.OPENING, fact.as_text + (_TEXT_AFTER_LOSS if fact.gap == 2 else 0.0), 1)
    if fact.gap > 1:
        yield _Step(Role.AUTHOR, fact.as_author + _TEXT_AFTER_LOSS)
        yield _Step(Role.AUTHOR, fact.as_author + _TEXT_AFTER_LOSS, 1)
    if fact.gap > 2:
        yield _Step(Role.ORPHAN, fact.as_text + _LOST_COMMENT, 1)
        yield _Step(Role.ORPHAN, fact.as_text + _LOST_COMMENT, 2)


def _from_text(fact: _Facts, *, more: bool) -> Iterator[_Step]:
    beginning = fact.as_text + fact.as_beginning
    if fact.gap == 1 and fact.closed:
        yield _Step(Role.AUTHOR, fact.as_author)
        yield _Step(Role.ORPHAN, beginning + _LOST_COMMENT, 1)
        return
    if fact.gap == 1:
        yield _Step(Role.AUTHOR, fact.as_author)
        if more:
            yield _Step(Role.MORE, fact.as_text + _MORE)
        yield _Step(Role.ORPHAN, beginning + _SPLIT, 1)
        return
    yield _Step(Role.AUTHOR, fact.as_author + _NAME_AFTER_LOSS)
    yield _Step(Role.ORPHAN, beginning, 1)
    if more:
        yield _Step(Role.MORE, fact.as_text + _JOIN)
    if fact.gap > 2:
        yield _Step(Role.AUTHOR, fact.as_author + _LOST_COMMENT, 1)
        yield _Step(Role.ORPHAN, beginning + _LOST_COMMENT, 2)


def _facts(blocks: Sequence[Block], spacing: int) -> list[_Facts]:
    answered = {block.reply_to.casefold() for block in blocks if block.reply_to}
    seen = Counter(block.text for block in blocks if len(block.text) <= _LONGEST_NAME)
    # "8 Comments" also stands below titles: it announces comments only where a paragraph came before.
    body = next((i for i, block in enumerate(blocks) if i and len(block.text) >= _PARAGRAPH), len(blocks))
    return [
        _facts_of(
            replace(block, gap=_single_spaced(block.gap, spacing), counted=block.counted and i > body),
            _Evidence(seen[block.text] > 1, block.text.casefold() in answered),
            blocks[i - 1].text if i else "",
        )
        for i, block in enumerate(blocks)
    ]


class _Evidence(NamedTuple):
    """Evidence of the rest of the page for a name: the line stands there again, or a "Reply to" names it."""

    repeated: bool
    answered: bool


def _single_spaced(gap: int, spacing: int) -> int:
    """The gap, scaled to a page with one blank line between paragraphs."""
    return max(1, round((gap + 1) * 2 / (spacing + 1)) - 1)


def _facts_of(block: Block, evidence: _Evidence, before: str) -> _Facts:
    as_author, as_text = _name_costs(block.text)
    if math.isfinite(as_author):
        if block.stamped or evidence.answered:
            as_author, as_text = 0.0, as_text + 2.0
        if evidence.repeated and as_author < _ODD_NAME:
            as_author, as_text = as_author * 0.5, as_text + 1.5
        elif evidence.repeated:
            as_author *= 0.3
    careless = not block.text[0].isupper() or block.text[-1] not in ".!?…:;)\"”’'"
    as_article = _HEADING if as_author < 1.5 else _CARELESS if careless else 0.0
    runs_on = before[-1:] not in ".!?…)\"”’'" and not block.text[0].isupper()
    as_beginning = 0.6 if runs_on else 0.3 if not block.text[0].isupper() else 0.0
    return _Facts(
        as_author,
        as_text,
        as_article + (_ARTICLE_BREAK if block.gap > 1 else 0.0),
        as_beginning,
        block.gap,
        block.counted,
        block.text.casefold() == IMAGE,
        block.closed,
    )


def _name_costs(text: str) -> tuple[float, float]:
    """The costs of reading a block as an author line (infinite: it cannot be one) and as comment text."""
    name = _IN_BRACKETS.sub("", text)
    parts = [part for part in name.split() if part != "&"]
    long = len(text) > _LONGEST_NAME or not 0 < len(parts) <= 6 or "\n" in text
    if long or text.casefold() == IMAGE or _ends_a_sentence(name) or "://" in text:
        return math.inf, 0.0
    if not any(map(str.isalpha, name)) or _NOT_IN_NAMES.search(name):
        return (_ODD_NAME if len(parts) <= _WORDS_OF_ODD_NAME else math.inf), 0.0
    common = sum(_COMMON.fullmatch(word.replace("’", "'")) is not None for word in parts)
    lower = sum(word[0].islower() and not _PARTICLE.fullmatch(word) for word in parts)
    if common and len(parts) > 1 and all(word[0].isupper() for word in parts):
        return 0.3 + 0.25 * common, 0.8  # "Just Me"
    if common:
        return 0.3 + 1.5 * common + 0.6 * lower, 0.3 if common > 1 or lower else 0.8
    if len(parts) == 1:
        return (1.0, 0.7) if lower else (0.5, 1.2)
    if lower == len(parts):
        return 0.7 + 0.15 * lower, 2.0
    return 0.3 + 0.6 * lower + 0.4 * max(0, len(parts) - 4), 2.0 if lower < 2 else 0.5


def _ends_a_sentence(name: str) -> bool:
    return name.endswith(".") and not _FINAL_DOT.search(name)
