"""What an audit groups its comments by, on disk: campaigns, authors, threads. Memory does not grow with the archive."""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from belowline.model import text_hash
from belowline.model.signatures import SIMILAR, Signature, signature_of
from belowline.serve.audit.temp_database import scratch_database

_CANDIDATES = 40
_NAMED = 20
"""Most authors and threads of a campaign that are named; all are counted."""
_TOGETHER = 1000
"""Rows that are written at once."""
_REMEMBERED = 1 << 16
"""Texts whose signatures are kept, about 30 MB: an archive is full of repeats, and normalising is what takes long."""
_SCHEMA = """
PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-65536;
CREATE TABLE threads (number INTEGER PRIMARY KEY, source TEXT, title TEXT, url TEXT, notes TEXT, UNIQUE (source, title));
CREATE TABLE comments (
    number INTEGER PRIMARY KEY, campaign INTEGER, thread INTEGER, author TEXT, time TEXT, action TEXT, labels INTEGER, text TEXT
);
CREATE TABLE firsts (number INTEGER PRIMARY KEY, signature BLOB NOT NULL);
CREATE TABLE bands (band TEXT, number INTEGER, PRIMARY KEY (band, number)) WITHOUT ROWID;
"""
_SEAL = """
CREATE TABLE sizes AS SELECT campaign, COUNT(*) AS size FROM comments WHERE campaign IS NOT NULL
GROUP BY campaign HAVING COUNT(*) > 1;
CREATE UNIQUE INDEX by_campaign ON sizes (campaign);
CREATE INDEX by_member ON comments (campaign);
CREATE TABLE counts AS SELECT thread AS number, {counts} FROM comments GROUP BY thread;
CREATE UNIQUE INDEX by_thread ON counts (number);
"""
_ACTIONS = ("publish", "hold", "reject")
_COUNTS = ", ".join(
    ["COUNT(*) AS comments", *(f"SUM(action = '{action}') AS {action}" for action in _ACTIONS)]
)


class GroupIndex:
    """Comments in their order, numbered from 1; a campaign is known by the number of its first comment."""

    def __init__(
        self, database: sqlite3.Connection, labels: Sequence[str], kin: Callable[[str], bytes]
    ) -> None:
        self._database = database
        self._kin = kin
        self._database.row_factory = sqlite3.Row
        self._labels = {label: 1 << at for at, label in enumerate(labels)}
        sums = (f"SUM(labels & {bit} != 0) AS label{bit}" for bit in self._labels.values())
        self._counts = ", ".join([_COUNTS, *sums])
        self._signatures: dict[bytes, Signature | None] = {}
        self._thread: tuple[tuple[str, str], int] | None = None
        self._waiting: list[tuple[Any, ...]] = []

    @classmethod
    @contextmanager
    def within(
        cls, folder: Path, labels: Sequence[str], kin: Callable[[str], bytes] = text_hash
    ) -> Iterator[Self]:
        """A new one in a file in ``folder``, which is gone once the block ends; ``labels`` are those that are counted. Texts that have
        the same ``kin`` have the same signature."""
        with scratch_database(folder / "ledger.sqlite3", _SCHEMA) as database:
            yield cls(database, labels, kin)

    def add_threads(self, threads: Iterable[Mapping[str, Any]]) -> None:
        """Notes threads in their order, with ``source``, ``thread``, ``url`` and ``notes``; those of one source and title are one."""
        for one in threads:
            number = self._number_of(one["source"], one["thread"])
            query = "SELECT url, notes FROM threads WHERE number = ?"
            url, notes = self._database.execute(query, (number,)).fetchone()
            told = list(dict.fromkeys([*json.loads(notes), *one["notes"]]))
            self._database.execute(
                "UPDATE threads SET url = ?, notes = ? WHERE number = ?",
                (url or one["url"], json.dumps(told), number),
            )

    def add(self, number: int, row: Mapping[str, Any], text: str, reached: Collection[str] = ()) -> None:
        """Notes a row of comments.jsonl, the labels that it reaches, and whether its ``text``, which the row may not show, is a copy of
        one before."""
        campaign = self._campaign_of(number, text)
        first = row["text"] if campaign == number else None
        thread = self._number_of(row["source"], row["thread"])
        bits = sum(self._labels[label] for label in reached)
        self._waiting.append(
            (number, campaign, thread, row["author"], row["time"], row["action"], bits, first)
        )
        if len(self._waiting) == _TOGETHER:
            self._write()

    def seal(self) -> None:
        """Called once all rows are noted, before anything is asked."""
        self._write()
        self._database.executescript(_SEAL.format(counts=self._counts))

    def campaigns_of_rows(self) -> Iterator[int | None]:
        """The campaign of each comment, in their order; None for one that has no copies."""
        query = "SELECT sizes.campaign FROM comments LEFT JOIN sizes USING (campaign) ORDER BY number"
        for row in self._database.execute(query):
            yield row["campaign"]

    def campaigns(self) -> Iterator[dict[str, Any]]:
        """Every campaign, largest first: its first text, how many comments, authors and threads, first and last seen, decisions."""
        query = (
            f"SELECT campaign, {_COUNTS}, MIN(time) AS first_seen, MAX(time) AS last_seen, "  # noqa: S608
            "COUNT(DISTINCT author) AS authors, COUNT(DISTINCT thread) AS threads "
            "FROM comments JOIN sizes USING (campaign) GROUP BY campaign ORDER BY comments DESC, campaign"
        )
        for row in self._database.execute(query):
            yield self._campaign(row)

    def authors(self, most: int) -> list[dict[str, Any]]:
        """The authors with the most comments that are not published, by name; names may be shared by several people."""
        query = (
            f"SELECT author, {self._counts} FROM comments WHERE author IS NOT NULL "  # noqa: S608
            "GROUP BY author HAVING SUM(action != 'publish') > 0 ORDER BY COUNT(*) - publish DESC, author LIMIT ?"
        )
        return [
            self._counted({"author": row["author"]}, row) for row in self._database.execute(query, (most,))
        ]

    def threads(self) -> Iterator[dict[str, Any]]:
        """Every thread in the archive's order, one without comments too: its counts of decisions and of labels."""
        return self._threads("ORDER BY threads.number")

    def worst_threads(self, most: int) -> list[dict[str, Any]]:
        """The threads with the most comments that are not published; of equal ones the first in the archive."""
        worst = f"ORDER BY IFNULL(hold + reject, 0) DESC, threads.number LIMIT {most}"
        return list(self._threads(worst))

    def thread_count(self) -> int:
        """How many threads there are."""
        return int(self._database.execute("SELECT COUNT(*) FROM threads").fetchone()[0])

    def _threads(self, order: str) -> Iterator[dict[str, Any]]:
        query = f"SELECT * FROM threads LEFT JOIN counts USING (number) {order}"  # noqa: S608
        for row in self._database.execute(query):
            place = {"source": row["source"], "thread": row["title"], "url": row["url"]}
            yield {**self._counted(place, row), "notes": json.loads(row["notes"])}

    def _campaign_of(self, number: int, text: str) -> int | None:
        """The campaign that a text belongs to, which it may be the first of; None for one too short for any."""
        signature = self._signature(text)
        if signature is None:
            return None
        bands = signature.bands
        found = self._first_like(signature, bands)
        if found is None:
            self._database.execute("INSERT INTO firsts VALUES (?, ?)", (number, signature.values))
            self._database.executemany(
                "INSERT OR IGNORE INTO bands VALUES (?, ?)", [(band, number) for band in bands]
            )
        return number if found is None else found

    def _signature(self, text: str) -> Signature | None:
        key = self._kin(text)
        if key not in self._signatures:
            if len(self._signatures) == _REMEMBERED:
                self._signatures.clear()
            self._signatures[key] = signature_of(text)
        return self._signatures[key]

    def _first_like(self, signature: Signature, bands: Sequence[str]) -> int | None:
        """The campaign whose first comment is the most alike, None where none is alike enough."""
        marks = ", ".join("?" * len(bands))
        query = (
            f"SELECT number, signature FROM firsts WHERE number IN (SELECT number FROM bands WHERE band IN ({marks})) "  # noqa: S608
            f"ORDER BY number DESC LIMIT {_CANDIDATES}"
        )
        best, found = SIMILAR, None
        for row in self._database.execute(query, bands):
            similarity = signature.similarity(row["signature"])
            if similarity >= best:
                best, found = similarity, int(row["number"])
        return found

    def _number_of(self, source: str, title: str) -> int:
        """The number of a thread, which is new where nobody told of it; comments of one thread mostly follow each other."""
        if self._thread is None or self._thread[0] != (source, title):
            place = (source, title)
            self._database.execute(
                "INSERT OR IGNORE INTO threads (source, title, notes) VALUES (?, ?, '[]')", place
            )
            query = "SELECT number FROM threads WHERE source = ? AND title = ?"
            self._thread = place, int(self._database.execute(query, place).fetchone()["number"])
        return self._thread[1]

    def _write(self) -> None:
        self._database.executemany("INSERT INTO comments VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self._waiting)
        self._waiting.clear()

    def _counted(self, what: dict[str, Any], row: sqlite3.Row) -> dict[str, Any]:
        labels = {label: row[f"label{bit}"] or 0 for label, bit in self._labels.items()}
        return {**what, "comments": row["comments"] or 0, "actions": _actions(row), "labels": labels}

    def _campaign(self, row: sqlite3.Row) -> dict[str, Any]:
        number = row["campaign"]
        told = ("campaign", "comments", "first_seen", "last_seen", "authors", "threads")
        first = self._database.execute("SELECT text FROM comments WHERE number = ?", (number,)).fetchone()
        return {
            **{name: row[name] for name in told},
            "actions": _actions(row),
            "text": first["text"],
            "author_names": self._named("author", number),
            "thread_names": self._named("title", number),
        }

    def _named(self, column: str, campaign: int) -> list[str]:
        query = (
            f"SELECT {column} FROM comments JOIN threads ON threads.number = thread "  # noqa: S608
            f"WHERE campaign = ? AND {column} IS NOT NULL "
            f"GROUP BY {column} ORDER BY COUNT(*) DESC, MIN(comments.number) LIMIT {_NAMED}"
        )
        return [row[column] for row in self._database.execute(query, (campaign,))]


def _actions(row: sqlite3.Row) -> dict[str, int]:
    return {action: row[action] or 0 for action in _ACTIONS}
