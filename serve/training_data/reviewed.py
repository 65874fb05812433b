"""Merges reviewed samples of audits with the store: each comment and each text counts once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from belowline.data.decisions import FEEDBACK, UNNAMED, Decided, read_reviews
from belowline.serve.batch.read import in_chunks
from belowline.serve.store.database import Database
from belowline.serve.training_data.histories import known_as

_AT_ONCE = 500


class Reviews:
    """Reviews of audits. Of several on the same comment or text the newest counts, then the one of the later file."""

    def __init__(self, reviews: Sequence[Decided]) -> None:
        by_row = {row.row: row for row in sorted(reviews, key=lambda row: row.decided_at)}
        self._by_text = {(row.site, row.text_key): row for row in by_row.values()}
        self._by_row = {row.row: row for row in self._by_text.values()}
        self.repeated = len(reviews) - len(self._by_row)

    @classmethod
    def read(cls, paths: Sequence[Path], site: str | None) -> "Reviews":
        """Read files, only ``site``'s reviews if it is given.

        Reviews without a site count as its own. Raises ReadError.
        """
        read = [row for path in paths for row in read_reviews(path, site)]
        return cls([row for row in read if site in (None, row.site)])

    def merge(self, row: Decided) -> Decided | None:
        """Return ``row``, or None if a review of the same comment or text counts instead, which ``rest`` then returns.

        A golden answer counts before all others, feedback after all others; else the later one counts. A
        random draw stays a random draw.
        """
        same_text = (self._by_text.get((site, row.text_key)) for site in (row.site, UNNAMED))
        review = next(filter(None, (self._by_row.get(row.row), *same_text)), None)
        if review is None:
            return row
        if _rank(review) > _rank(row):
            merged = _drawn_as(review, row)
            self._by_row[merged.row] = self._by_text[merged.site, merged.text_key] = merged
            return None
        self._by_row.pop(review.row)
        self._by_text.pop((review.site, review.text_key))
        return _drawn_as(row, review)

    def rest(self, database: Database, left_out: Counter[str]) -> Iterator[Decided]:
        """Yield the reviews that count, sorted by row, without comments that were erased in the store."""
        sites = {row.site for row in self._by_row.values()}
        erased = {row for site in sites for row in self._erased(database, site)}
        left_out["erased"] += len(erased)
        yield from (self._by_row[row] for row in sorted(self._by_row) if row not in erased)

    def _erased(self, database: Database, site: str) -> Iterator[str]:
        ids = [name.removeprefix(f"{site}:") for name, row in self._by_row.items() if row.site == site]
        for chunk in in_chunks(ids, _AT_ONCE):
            known = known_as(database, site, chunk)
            yield from (f"{site}:{caller_id}" for caller_id, history in known.items() if history is None)


def _rank(row: Decided) -> tuple[bool, bool, float]:
    return row.origin == "golden", row.origin != FEEDBACK, row.decided_at.timestamp()


def _drawn_as(row: Decided, other: Decided) -> Decided:
    if row.sampled == "picked" and other.sampled == "random":
        return row.model_copy(update={"sampled": "random", "weight": other.weight})
    return row
