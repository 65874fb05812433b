"""The order ``learn``, for training: the items of which the model is least sure, mixed with some that chance chose.

``serve/LEARNING.md`` says what it is for. ``ranked`` is the order itself and needs no database; ``page`` and ``first`` give the same of
the items that wait without reading them all.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count, islice
from typing import Any, Literal, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, cast, not_, or_, select, true, tuple_

from belowline.serve.store import cursor
from belowline.serve.store.tables import items

ORDER = "learn"
EVERY = 4
"""One of so many places is filled by chance."""
WINDOW = 2_000
"""Of more items than this that chance may choose, it chooses among the newest so many."""
Offered = Literal["uncertain", "random"]
START = (0, 2.0, 0, 2**31)
"""Before the first place: how many places were filled, modulo ``EVERY``, and what is above all keys of the two kinds."""
_PRIME, _SHIFT = 2**31 - 1, 1_234_567_890


def _lot(item: Any) -> Any:
    """Of an id or of a column of them. A power that has a root: no two ids share a number, and neighbours are nothing alike."""
    moved = (item + _SHIFT) % _PRIME
    square = moved * moved % _PRIME
    return square * square % _PRIME * moved % _PRIME


_LOT = _lot(cast(items.c.id, BigInteger))
_BY_CHANCE = or_(items.c.kind != "held", items.c.code == "scoring_failed", _LOT % EVERY == 0)


class Candidate(NamedTuple):
    """What the order needs to know of an item."""

    id: int
    campaign: int | None
    uncertainty: float
    offered: Offered


def uncertainty(probabilities: Mapping[str, float], holds: Mapping[str, float | None]) -> float:
    """1 where a label's probability is just at its threshold in ``holds``, towards 0 the further all are from theirs; 1 where none has
    both."""
    gaps = [
        abs(probabilities[label] - hold)
        for label, hold in holds.items()
        if hold is not None and label in probabilities
    ]
    return 1 - min(gaps, default=0.0)


def lot(item: int) -> int:
    """The number, below 2**31 - 1, by which chance orders an item: the same for ever, and whatever the comment says."""
    return int(_lot(item))


def offered(item: int, kind: str, code: str) -> Offered:
    """Why the order offers an item. A quarter of what is held is left to chance, and so is all that waits for another reason or has no
    scores: offering the random samples by their scores would make them random no longer."""
    by_chance = kind != "held" or code == "scoring_failed" or lot(item) % EVERY == 0
    return "random" if by_chance else "uncertain"


def ranked(candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """All in the order, but of each campaign only the first that comes."""
    best = sorted(candidates, key=_key, reverse=True)
    uncertain = (one for one in best if one.offered == "uncertain")
    return _mixed(uncertain, (one for one in best if one.offered == "random"), 0, set())


def page(
    tx: Connection, clauses: Sequence[ColumnElement[bool]], limit: int, after: str | None
) -> tuple[list[Candidate], str | None]:
    """Up to ``limit`` items for which ``clauses`` hold behind the cursor ``after``, and the next cursor.

    No two are of one campaign; what is passed over for that, above the last of its kind, comes on no later page. Raises Refusal for a
    strange cursor.
    """
    position = START if after is None else cursor.decode(after, ORDER, len(START))
    found = _from(tx, clauses, limit + 1, position, set())
    if len(found) <= limit:
        return found, None
    return found[:limit], cursor.encode(ORDER, _position(found[:limit], position))


def first(
    tx: Connection, clauses: Sequence[ColumnElement[bool]], limit: int, place: int, passed: set[int]
) -> list[Candidate]:
    """Up to ``limit`` items for which ``clauses`` hold, to fill the places from ``place`` on; none of the campaigns in ``passed``, to which
    theirs are added."""
    return _from(tx, clauses, limit, (place, *START[1:]), passed)


def _from(
    tx: Connection,
    clauses: Sequence[ColumnElement[bool]],
    limit: int,
    position: Sequence[float],
    passed: set[int],
) -> list[Candidate]:
    place, *uncertain, random = position
    what = (items.c.id, items.c.campaign, items.c.uncertainty)
    known = select(*what).where(*clauses, not_(_BY_CHANCE))
    window = select(*what, _LOT.label("lot")).where(*clauses, _BY_CHANCE)
    drawn = window.order_by(items.c.id.desc()).limit(WINDOW).subquery()
    streams = (
        _stream(tx, known, (items.c.uncertainty, items.c.id), "uncertain", uncertain, passed, limit),
        _stream(tx, select(drawn), (drawn.c.lot,), "random", [random], passed, 1 + limit // EVERY),
    )
    return list(islice(_mixed(*streams, int(place), passed), limit))


def _stream(
    tx: Connection,
    query: Select[Any],
    columns: Sequence[ColumnElement[Any]],
    why: Offered,
    after: Sequence[float],
    passed: set[int],
    size: int,
) -> Iterator[Candidate]:
    """Rows of ``query`` in falling order of ``columns``, ``size`` at a time; campaigns in ``passed`` by then are left to the database."""
    campaign = query.selected_columns.campaign
    ordered = query.order_by(*(column.desc() for column in columns)).limit(size)
    while True:
        fresh = or_(campaign.is_(None), campaign.not_in(passed)) if passed else true()
        rows = tx.execute(ordered.where(tuple_(*columns) < tuple_(*after), fresh)).all()
        found = [Candidate(row.id, row.campaign, row.uncertainty, why) for row in rows]
        yield from found
        if len(found) < size:
            return
        after = _key(found[-1])


def _mixed(
    uncertain: Iterator[Candidate], random: Iterator[Candidate], place: int, passed: set[int]
) -> Iterator[Candidate]:
    """Both streams, every fourth place from the second; once one is at its end the other fills all places."""
    for number in count(place):
        by_chance = number % EVERY == EVERY - 1
        wanted, other = (random, uncertain) if by_chance else (uncertain, random)
        one = _fresh(wanted, passed) or _fresh(other, passed)
        if one is None:
            return
        if one.campaign is not None:
            passed.add(one.campaign)
        yield one


def _fresh(stream: Iterator[Candidate], passed: set[int]) -> Candidate | None:
    return next((one for one in stream if one.campaign not in passed), None)


def _key(one: Candidate) -> tuple[float, ...]:
    """What its kind is ordered by, falling."""
    return (one.uncertainty, one.id) if one.offered == "uncertain" else (lot(one.id),)


def _position(found: Sequence[Candidate], before: Sequence[float]) -> list[float]:
    """Behind ``found``, which began at ``before``."""
    place, *keys = before
    last = {one.offered: _key(one) for one in found}
    uncertain, random = last.get("uncertain", keys[:2]), last.get("random", keys[2:])
    return [(int(place) + len(found)) % EVERY, *uncertain, *random]
