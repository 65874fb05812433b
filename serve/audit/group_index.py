"""Groups of an audit's comments, in a database on disk: campaigns, authors, threads."""

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from belowline.model import text_hash
from belowline.model.signatures import CANDIDATES, most_similar, signature_of
from belowline.serve.audit.review.estimate import wilson

FEWEST = 5
"""Fewest comments of an author or a thread that is ranked: of fewer, a share says little."""
_NAMES_OF_CAMPAIGN = 20
"""Most authors and threads of a campaign that are named; all are counted."""
_signature_of = lru_cache(maxsize=1 << 14)(signature_of)  # archives repeat texts, and normalising takes long
_SCHEMA = """
CREATE TABLE threads (number INTEGER PRIMARY KEY, source TEXT, title TEXT, url TEXT, notes TEXT,
    UNIQUE (source, title));
CREATE TABLE comments (
    number INTEGER PRIMARY KEY, campaign INTEGER, thread INTEGER, author TEXT, time TEXT,
    action TEXT, labels INTEGER, hash BLOB, text TEXT, strength REAL
);
CREATE TABLE firsts (number INTEGER PRIMARY KEY, signature BLOB NOT NULL);
CREATE TABLE bands (band TEXT, number INTEGER, PRIMARY KEY (band, number)) WITHOUT ROWID;
CREATE INDEX by_campaign ON comments (campaign);
CREATE VIEW sizes AS SELECT campaign FROM comments WHERE campaign IS NOT NULL GROUP BY campaign HAVING COUNT(*) > 1;
CREATE VIEW counts AS SELECT thread AS number, {counts} FROM comments GROUP BY thread;
"""
_ACTIONS = ("publish", "hold", "reject")
_COUNTS = ", ".join(
    ["COUNT(*) AS comments", *(f"SUM(action = '{action}') AS {action}" for action in _ACTIONS)]
)


class GroupIndex:
    """Threads, then comments in their order from number 1, then queries.

    The number of a campaign is that of its first comment. ``labels`` are the labels to count.
    """

    def __init__(self, database: sqlite3.Connection, labels: Sequence[str]) -> None:
        self._database = database
        self._database.row_factory = sqlite3.Row
        self._database.create_function("lower_bound", 2, _lower_bound, deterministic=True)
        self._bits = {label: 1 << at for at, label in enumerate(labels)}
        sums = (f"SUM(labels & {bit} != 0) AS label{bit}" for bit in self._bits.values())
        self._counts = ", ".join([_COUNTS, *sums])
        self._database.executescript(_SCHEMA.format(counts=self._counts))

    def add_thread(self, source: str, title: str, url: str | None, notes: Sequence[str]) -> None:
        """Add a thread, or its address and notes to the thread with the same source and title."""
        query = "SELECT number, url, notes FROM threads WHERE source = ? AND title = ?"
        number, known_url, known_notes = self._row(query, source, title) or (None, None, "[]")
        merged = json.dumps(list(dict.fromkeys([*json.loads(known_notes), *notes])))
        self._database.execute(
            "INSERT OR REPLACE INTO threads VALUES (?, ?, ?, ?, ?)",
            (number, source, title, known_url or url, merged),
        )

    def add(
        self,
        number: int,
        row: Mapping[str, Any],
        text: str,
        reached: Collection[str] = (),
        strength: float = 0.0,
    ) -> None:
        """Add a row of comments.jsonl and the labels that it reaches.

        ``text`` decides on the campaign: a redacted row holds a hash in place of the text. Where only some comments of
        a group are shown, those with the highest ``strength`` are.
        """
        campaign = self._campaign_of(number, text)
        thread = self._row(
            "SELECT number FROM threads WHERE source = ? AND title = ?", row["source"], row["thread"]
        )
        bits = sum(self._bits[label] for label in reached)
        first = row["text"] if campaign == number else None
        about = (row["author"], row["time"], row["action"], bits, text_hash(text), first)
        values = (number, campaign, thread and thread["number"], *about, strength)
        self._database.execute("INSERT INTO comments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def copies(self) -> dict[str, int]:
        """The number of comments with a repeated text, and of distinct repeated texts."""
        repeated = "SELECT COUNT(*) AS times FROM comments GROUP BY hash HAVING times > 1"
        query = f"SELECT COALESCE(SUM(times), 0) AS comments, COUNT(*) AS texts FROM ({repeated})"  # noqa: S608
        return dict(self._database.execute(query).fetchone())

    def campaigns_of_rows(self) -> Iterator[int | None]:
        """The campaign of each comment, in order; None for a comment without near-duplicates."""
        query = "SELECT sizes.campaign FROM comments LEFT JOIN sizes USING (campaign) ORDER BY number"
        for row in self._database.execute(query):
            yield row["campaign"]

    def campaigns(self) -> Iterator[dict[str, Any]]:
        """Every campaign as a row of campaigns.jsonl, the largest first."""
        query = (
            f"SELECT campaign, {_COUNTS}, MIN(time) AS first_seen, MAX(time) AS last_seen, "  # noqa: S608
            "COUNT(DISTINCT author) AS authors, COUNT(DISTINCT thread) AS threads "
            "FROM comments JOIN sizes USING (campaign) GROUP BY campaign ORDER BY comments DESC, campaign"
        )
        fields = ("campaign", "comments", "first_seen", "last_seen", "authors", "threads")
        for row in self._database.execute(query):
            number = row["campaign"]
            first = self._row("SELECT text FROM comments WHERE number = ?", number)
            yield {
                **{name: row[name] for name in fields},
                "actions": _actions(row),
                "text": first and first["text"],
                "author_names": self._names("author", number),
                "thread_names": self._names("title", number),
            }

    def authors(self, most: int) -> list[dict[str, Any]]:
        """The worst authors by name: those with ``FEWEST`` comments or more and one that is not published.

        They are in the order of the lower bounds of their ``interval``, which is the 95 % interval of the share of
        comments that are not published.
        """
        query = (
            f"SELECT author, {self._counts} FROM comments WHERE author IS NOT NULL "  # noqa: S608
            "GROUP BY author HAVING COUNT(*) >= ? AND SUM(action != 'publish') > 0 "
            "ORDER BY lower_bound(COUNT(*) - publish, COUNT(*)) DESC, COUNT(*) - publish DESC, author LIMIT ?"
        )
        rows = self._database.execute(query, (FEWEST, most))
        return [_with_interval({"author": row["author"], **self._counts_of(row)}) for row in rows]

    def strongest_of_authors(self, names: Sequence[str], most: int) -> dict[str, list[int]]:
        """Numbers of up to ``most`` comments of each author that are not published, the strongest first."""
        return self._strongest("author", names, most)

    def strongest_of_threads(self, threads: Sequence[Mapping[str, Any]], most: int) -> list[list[int]]:
        """As ``strongest_of_authors``, for rows of ``worst_threads``."""
        query = "SELECT number FROM threads WHERE source = ? AND title = ?"
        numbers = [self._row(query, one["source"], one["thread"])["number"] for one in threads]  # type: ignore[index]
        strongest = self._strongest("thread", numbers, most)
        return [strongest.get(number, []) for number in numbers]

    def _strongest(self, column: str, values: Sequence[Any], most: int) -> dict[Any, list[int]]:
        marks = ", ".join("?" * len(values))
        query = (
            f"SELECT {column}, number FROM (SELECT {column}, number, "  # noqa: S608
            f"ROW_NUMBER() OVER (PARTITION BY {column} ORDER BY strength DESC, number) AS place "
            f"FROM comments WHERE action != 'publish' AND {column} IN ({marks})) WHERE place <= ? ORDER BY place"
        )
        numbers: dict[Any, list[int]] = {}
        for value, number in self._database.execute(query, (*values, most)):
            numbers.setdefault(value, []).append(number)
        return numbers

    def threads(self) -> Iterator[dict[str, Any]]:
        """Every thread with its counts, in the archive's order."""
        return self._threads("ORDER BY threads.number")

    def worst_threads(self, most: int) -> list[dict[str, Any]]:
        """The worst threads, as ``authors``. Those with fewer than ``FEWEST`` comments come last, without an interval.

        Of equal ones, those with more comments that are not published come first, then the first in the archive.
        """
        order = (
            "lower_bound(IFNULL(hold + reject, 0), IFNULL(comments, 0)) DESC, IFNULL(hold + reject, 0) DESC"
        )
        return [
            _with_interval(one) for one in self._threads(f"ORDER BY {order}, threads.number LIMIT {most}")
        ]

    def thread_count(self) -> int:
        """The number of threads."""
        return int(self._database.execute("SELECT COUNT(*) FROM threads").fetchone()[0])

    def _threads(self, order: str) -> Iterator[dict[str, Any]]:
        query = f"SELECT * FROM threads LEFT JOIN counts USING (number) {order}"  # noqa: S608
        for row in self._database.execute(query):
            place = {"source": row["source"], "thread": row["title"], "url": row["url"]}
            yield {**place, **self._counts_of(row), "notes": json.loads(row["notes"])}

    def _campaign_of(self, number: int, text: str) -> int | None:
        """The campaign of a text, which may be its first; None for a text that is too short."""
        signature = _signature_of(text)
        if signature is None:
            return None
        bands = signature.bands
        marks = ", ".join("?" * len(bands))
        query = (
            f"SELECT number, signature FROM firsts WHERE number IN "  # noqa: S608
            f"(SELECT number FROM bands WHERE band IN ({marks})) ORDER BY number DESC LIMIT {CANDIDATES}"
        )
        candidates = ((row["number"], row["signature"]) for row in self._database.execute(query, bands))
        campaign = most_similar(signature, candidates)
        if campaign is not None:
            return int(campaign)
        self._database.execute("INSERT INTO firsts VALUES (?, ?)", (number, signature.values))
        self._database.executemany(
            "INSERT OR IGNORE INTO bands VALUES (?, ?)", ((band, number) for band in bands)
        )
        return number

    def _row(self, query: str, *values: object) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._database.execute(query, values).fetchone()
        return row

    def _counts_of(self, row: sqlite3.Row) -> dict[str, Any]:
        labels = {label: row[f"label{bit}"] or 0 for label, bit in self._bits.items()}
        return {"comments": row["comments"] or 0, "actions": _actions(row), "labels": labels}

    def _names(self, column: str, campaign: int) -> list[str]:
        query = (
            f"SELECT {column} FROM comments JOIN threads ON threads.number = thread "  # noqa: S608
            f"WHERE campaign = ? AND {column} IS NOT NULL "
            f"GROUP BY {column} ORDER BY COUNT(*) DESC, MIN(comments.number) LIMIT {_NAMES_OF_CAMPAIGN}"
        )
        return [row[column] for row in self._database.execute(query, (campaign,))]


def _with_interval(group: dict[str, Any]) -> dict[str, Any]:
    comments, not_published = group["comments"], group["comments"] - group["actions"]["publish"]
    bounds = wilson(not_published / comments, comments) if comments >= FEWEST else None
    return {**group, "interval": bounds and [round(bound, 4) for bound in bounds]}


def _lower_bound(not_published: int, comments: int) -> float:
    """The lower bound that ranks a group; 0 below ``FEWEST`` comments."""
    return wilson(not_published / comments, comments)[0] if comments >= FEWEST else 0.0


def _actions(row: sqlite3.Row) -> dict[str, int]:
    return {action: row[action] or 0 for action in _ACTIONS}
