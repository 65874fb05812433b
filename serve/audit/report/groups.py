"""The comments to review that the report shows below the worst threads and authors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from belowline.serve.audit.group_index import GroupIndex

SHOWN = 50
"""Most threads and authors with such comments."""
_EACH = 3
Row = Mapping[str, Any]


@dataclass(slots=True)
class Groups:
    """Numbers of comments for each of the worst threads and authors, and the rows of comments.jsonl for them."""

    threads: list[list[int]] = field(default_factory=list)
    authors: list[list[int]] = field(default_factory=list)
    rows: Mapping[int, Row] = field(default_factory=dict)

    @classmethod
    def of(cls, index: GroupIndex, threads: Sequence[Row], authors: Sequence[Row]) -> "Groups":
        """The groups of ``threads`` and ``authors``, still without rows."""
        by_author = index.strongest_of_authors([one["author"] for one in authors[:SHOWN]], _EACH)
        return cls(
            index.strongest_of_threads(threads[:SHOWN], _EACH),
            [by_author.get(one["author"], []) for one in authors[:SHOWN]],
        )

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of all these comments."""
        return frozenset(number for group in (*self.threads, *self.authors) for number in group)

    def rows_of(self, groups: Sequence[Sequence[int]], position: int) -> list[Row]:
        """The rows of the group at ``position`` in ``threads`` or ``authors``."""
        numbers = groups[position] if position < len(groups) else ()
        return [self.rows[number] for number in numbers if number in self.rows]
