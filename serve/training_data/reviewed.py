"""Reviewed samples of audits beside what the store knows: of the same comment, or the same text, one verdict counts."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from belowline.data.decisions import FEEDBACK, UNNAMED, Decided, read_reviews
from belowline.serve.batch.read import in_chunks
from belowline.serve.store.database import Database
from belowline.serve.training_data import histories as decided

_GOLDEN = "golden"


class Reviews:
    """What was judged in audits, each comment and each text once, as it was judged last; of equal times the later file counts."""

    def __init__(self, judged: Sequence[Decided]) -> None:
        by_row = {one.row: one for one in sorted(judged, key=lambda one: one.decided_at)}
        self._by_text = {(one.site, one.text_key): one for one in by_row.values()}
        self._by_row = {one.row: one for one in self._by_text.values()}
        self.repeated = len(judged) - len(self._by_row)

    @classmethod
    def read(cls, paths: Sequence[Path], site: str | None) -> "Reviews":
        """Those in files, of ``site`` alone where it is given; rows that name no site are taken for its. Raises ReadError."""
        read = [one for path in paths for one in read_reviews(path, site)]
        return cls([one for one in read if site in (None, one.site)])

    def meet(self, one: Decided) -> Decided | None:
        """What counts of ``one`` beside the reviews: itself, or None where a review of the same does and ``rest`` will give it.

        A golden answer comes first and feedback last; else the later verdict counts. Whichever does, a random draw stays one.
        """
        same_text = (self._by_text.get((site, one.text_key)) for site in (one.site, UNNAMED))
        other = next(filter(None, (self._by_row.get(one.row), *same_text)), None)
        if other is None:
            return one
        if _rank(other) > _rank(one):
            self._put(_drawn_as(other, one))
            return None
        self._by_row.pop(other.row)
        self._by_text.pop((other.site, other.text_key))
        return _drawn_as(one, other)

    def rest(self, database: Database, left_out: Counter[str]) -> Iterator[Decided]:
        """The reviews that count, in the order of their rows, but for comments that were erased in the store."""
        gone = {
            row
            for site in {one.site for one in self._by_row.values()}
            for row in self._erased(database, site)
        }
        left_out["erased"] += len(gone)
        yield from (self._by_row[row] for row in sorted(self._by_row) if row not in gone)

    def _put(self, one: Decided) -> None:
        self._by_row[one.row] = self._by_text[one.site, one.text_key] = one

    def _erased(self, database: Database, site: str) -> Iterator[str]:
        rows = [row for row, one in self._by_row.items() if one.site == site]
        for some in in_chunks(rows, 500):
            known = decided.known_as(database, site, [row.removeprefix(f"{site}:") for row in some])
            yield from (f"{site}:{caller_id}" for caller_id, history in known.items() if history is None)


def _rank(one: Decided) -> tuple[bool, bool, float]:
    return one.origin == _GOLDEN, one.origin != FEEDBACK, one.decided_at.timestamp()


def _drawn_as(one: Decided, other: Decided) -> Decided:
    if one.sampled == "picked" and other.sampled == "random":
        return one.model_copy(update={"sampled": "random", "weight": other.weight})
    return one
