"""What an audit groups its comments by, on disk: campaigns, authors, threads. Memory does not grow with the archive."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from belowline.serve.signatures import SIMILAR, Signature, signature_of

_CANDIDATES = 40
_NAMED = 20
"""Most authors and threads of a campaign that are named; all are counted."""
_SCHEMA = """
CREATE TABLE comments (
    number INTEGER PRIMARY KEY, campaign INTEGER, source TEXT, thread TEXT, author TEXT, time TEXT, action TEXT, text TEXT
);
CREATE TABLE firsts (number INTEGER PRIMARY KEY, signature BLOB NOT NULL);
CREATE TABLE bands (band TEXT, number INTEGER, PRIMARY KEY (band, number)) WITHOUT ROWID;
"""
_ACTIONS = (
    "SUM(action = 'publish') AS publish, SUM(action = 'hold') AS hold, SUM(action = 'reject') AS reject"
)


class Ledger:
    """Comments in their order, numbered from 1; a campaign is known by the number of its first comment."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._database.row_factory = sqlite3.Row

    @classmethod
    @contextmanager
    def within(cls, folder: Path) -> Iterator[Self]:
        """A new one in a file in ``folder``, which is gone once the block ends."""
        file = folder / "ledger.sqlite3"
        file.unlink(missing_ok=True)
        database = sqlite3.connect(file)
        try:
            # What is lost when the machine stops is made again from the parts.
            database.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _SCHEMA)
            yield cls(database)
        finally:
            database.close()
            file.unlink(missing_ok=True)

    def add(self, number: int, row: Mapping[str, Any], text: str) -> None:
        """Notes a row of comments.jsonl, and whether its ``text``, which the row may not show, is a copy of one before."""
        signature = signature_of(text)
        campaign = self._first_like(signature) if signature else None
        if signature and campaign is None:
            campaign = number
            self._database.execute("INSERT INTO firsts VALUES (?, ?)", (number, signature.values))
            self._database.executemany(
                "INSERT OR IGNORE INTO bands VALUES (?, ?)", [(band, number) for band in signature.bands]
            )
        first = row["text"] if campaign == number else None
        place = (row["source"], row["thread"], row["author"], row["time"], row["action"])
        self._database.execute(
            "INSERT INTO comments VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (number, campaign, *place, first)
        )

    def seal(self) -> None:
        """Called once all rows are noted, before anything is asked."""
        self._database.executescript(
            "CREATE TABLE sizes AS SELECT campaign, COUNT(*) AS size FROM comments WHERE campaign IS NOT NULL "
            "GROUP BY campaign HAVING COUNT(*) > 1;"
            "CREATE UNIQUE INDEX by_campaign ON sizes (campaign);"
            "CREATE INDEX by_member ON comments (campaign);"
        )

    def campaigns_of_rows(self) -> Iterator[int | None]:
        """The campaign of each comment, in their order; None for one that has no copies."""
        query = "SELECT sizes.campaign FROM comments LEFT JOIN sizes USING (campaign) ORDER BY number"
        for row in self._database.execute(query):
            yield row["campaign"]

    def campaigns(self) -> Iterator[dict[str, Any]]:
        """Every campaign, largest first: its first text, how many comments, authors and threads, first and last seen, decisions."""
        query = (
            f"SELECT campaign, COUNT(*) AS comments, MIN(time) AS first_seen, MAX(time) AS last_seen, {_ACTIONS}, "  # noqa: S608
            "COUNT(DISTINCT author) AS authors, COUNT(DISTINCT source || char(0) || thread) AS threads "
            "FROM comments JOIN sizes USING (campaign) GROUP BY campaign ORDER BY comments DESC, campaign"
        )
        for row in self._database.execute(query):
            yield self._campaign(row)

    def authors(self, most: int) -> list[dict[str, Any]]:
        """The authors with the most comments that are not published, by name; names may be shared by several people."""
        query = (
            f"SELECT author, COUNT(*) AS comments, {_ACTIONS} FROM comments WHERE author IS NOT NULL "  # noqa: S608
            "GROUP BY author HAVING SUM(action != 'publish') > 0 ORDER BY COUNT(*) - publish DESC, author LIMIT ?"
        )
        return [_with_actions(dict(row)) for row in self._database.execute(query, (most,))]

    def _first_like(self, signature: Signature) -> int | None:
        """The campaign whose first comment is the most alike, None where none is alike enough."""
        marks = ", ".join("?" * len(signature.bands))
        query = (
            f"SELECT number, signature FROM firsts WHERE number IN (SELECT number FROM bands WHERE band IN ({marks})) "  # noqa: S608
            f"ORDER BY number DESC LIMIT {_CANDIDATES}"
        )
        best, found = SIMILAR, None
        for row in self._database.execute(query, signature.bands):
            similarity = signature.similarity(row["signature"])
            if similarity >= best:
                best, found = similarity, int(row["number"])
        return found

    def _campaign(self, row: sqlite3.Row) -> dict[str, Any]:
        found = _with_actions(dict(row))
        number = found["campaign"]
        query = "SELECT text FROM comments WHERE number = ?"
        found["text"] = self._database.execute(query, (number,)).fetchone()["text"]
        found["author_names"] = self._named("author", number)
        found["thread_names"] = self._named("thread", number)
        return found

    def _named(self, column: str, campaign: int) -> list[str]:
        query = (
            f"SELECT {column} FROM comments WHERE campaign = ? AND {column} IS NOT NULL "  # noqa: S608
            f"GROUP BY {column} ORDER BY COUNT(*) DESC, MIN(number) LIMIT {_NAMED}"
        )
        return [row[column] for row in self._database.execute(query, (campaign,))]


def _with_actions(found: dict[str, Any]) -> dict[str, Any]:
    actions = {action: found.pop(action) for action in ("publish", "hold", "reject")}
    return {**found, "actions": actions}
