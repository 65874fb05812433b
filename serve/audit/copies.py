"""Which texts of an archive are copies of each other, so that the model reads one of them for all; on disk, memory stays flat.

Copies are texts that are equal, and texts of five words or more that are equal once they are normalised as the model reads them, with
every sum and every link as one sign. Of the copies the one with the smallest hash is read, whichever comes first: results do not depend
on the order of the archive. Looser likeness groups comments into campaigns (ledger.py) but never lends a score: there a changed word
may be the one that matters.
"""

import base64
import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from belowline.model import Evidence, Reading, masked, normalise, text_hash
from belowline.serve.audit.temp_database import scratch_database

_FEWEST_WORDS = 5
"""In shorter texts a number is too much of what is said: "I give it 10" is not "I give it 1"."""
_WORD = re.compile(r"\S+")
_SCHEMA = """
CREATE TABLE texts (hash BLOB PRIMARY KEY, kin BLOB NOT NULL, times INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE read (kin BLOB PRIMARY KEY, hash BLOB NOT NULL, times INTEGER NOT NULL, asked INTEGER NOT NULL, reading TEXT) WITHOUT ROWID;
"""


def kin_of(text: str) -> bytes:
    """16 bytes that copies share."""
    words = _WORD.findall(masked(normalise(text)).text)
    if len(words) < _FEWEST_WORDS:
        return text_hash(text)
    return hashlib.blake2b(
        " ".join(words).casefold().encode("utf-8", "surrogatepass"), digest_size=16, person=b"kin"
    ).digest()


class Copies:
    """The texts of one archive: first all are added, then it is sealed, then the copies' readings are kept in it."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @classmethod
    @contextmanager
    def within(cls, folder: Path) -> Iterator[Self]:
        """New ones in a file in ``folder``, which is gone once the block ends."""
        with scratch_database(folder / "copies.sqlite3", _SCHEMA) as database:
            yield cls(database)

    def add(self, text: str) -> None:
        """Counts a text."""
        key = text_hash(text)
        again = self._database.execute("UPDATE texts SET times = times + 1 WHERE hash = ?", (key,))
        if not again.rowcount:
            self._database.execute("INSERT INTO texts VALUES (?, ?, 1)", (key, kin_of(text)))

    def kin(self, text: str) -> bytes:
        """What a text that was added shares with its copies, as ``kin_of``."""
        query = "SELECT kin FROM texts WHERE hash = ?"
        return bytes(self._database.execute(query, (text_hash(text),)).fetchone()[0])

    def seal(self) -> None:
        """Called once all are added, before anything is asked."""
        self._database.execute(
            "INSERT INTO read SELECT kin, MIN(hash), SUM(times), 0, NULL FROM texts GROUP BY kin HAVING SUM(times) > 1"
        )

    def counts(self) -> dict[str, int]:
        """How many comments have copies, and how many texts are read for them."""
        comments, texts = self._database.execute(
            "SELECT COALESCE(SUM(times), 0), COUNT(*) FROM read"
        ).fetchone()
        return {"comments": comments, "texts": texts}

    def ask(self, text: str) -> bool:
        """Whether this text is the one of its copies that the model reads; true only once."""
        key = text_hash(text)
        query = "UPDATE read SET asked = 1 WHERE NOT asked AND hash = ? AND kin = (SELECT kin FROM texts WHERE hash = ?)"
        return self._database.execute(query, (key, key)).rowcount == 1

    def keep(self, readings: Iterable[str]) -> None:
        """Keeps readings, as ``written_reading`` gives them."""
        rows = ((line, bytes.fromhex(json.loads(line)["hash"])) for line in readings)
        self._database.executemany(
            "UPDATE read SET reading = ? WHERE kin = (SELECT kin FROM texts WHERE hash = ?)", rows
        )

    def readings_for(self, texts: Sequence[str]) -> dict[str, str]:
        """The readings, as they were kept, that these texts share with their copies, by the hash in hexadecimal of each text."""
        found = {}
        query = "SELECT reading FROM texts JOIN read USING (kin) WHERE texts.hash = ? AND reading IS NOT NULL"
        for key in {text_hash(text) for text in texts}:
            if row := self._database.execute(query, (key,)).fetchone():
                found[key.hex()] = row[0]
        return found


def written_reading(text: str, reading: Reading) -> str:
    """A reading of ``text`` as a line of JSON, with the words that its evidence covers, for its copies."""
    return json.dumps(
        {
            "hash": text_hash(text).hex(),
            "probabilities": reading.probabilities,
            "evidence": [
                [one.label, one.start, one.end, one.strength, *covered]
                for one, covered in zip(reading.evidence, _covered(reading.evidence, text), strict=True)
            ],
            "language": reading.language,
            "windows": len(reading.passages),
            "passages": _packed(reading.passages),
            "embedding": _packed(reading.embedding),
        }
    )


def reading_for(text: str, line: str) -> Reading:
    """The reading in ``line`` for ``text``, the text itself or a copy of it, whose evidence stands elsewhere."""
    kept = json.loads(line)
    embedding = _unpacked(kept["embedding"])
    return Reading(
        kept["probabilities"],
        tuple(_evidence(kept, text)),
        kept["language"],
        _unpacked(kept["passages"]).reshape(kept["windows"], -1),
        embedding,
    )


def _evidence(kept: dict[str, Any], text: str) -> Iterator[Evidence]:
    if kept["hash"] == text_hash(text).hex():
        yield from (Evidence(*one[:4]) for one in kept["evidence"])
    elif kept["evidence"]:
        plain = masked(normalise(text))
        words = list(_WORD.finditer(plain.text))
        for label, _, _, strength, first, last in kept["evidence"]:
            start, _ = plain.original_span(*words[first].span())
            _, end = plain.original_span(*words[last].span())
            yield Evidence(label, start, end, strength)


def _covered(evidence: Sequence[Evidence], text: str) -> list[tuple[int, int]]:
    """The first and the last of the words that copies share which each piece of evidence touches."""
    if not evidence:
        return []
    plain = masked(normalise(text))
    places = [plain.original_span(*match.span()) for match in _WORD.finditer(plain.text)]
    touched = [
        [number for number, (start, end) in enumerate(places) if start < one.end and end > one.start]
        for one in evidence
    ]
    return [(numbers[0], numbers[-1]) for numbers in touched]


def _packed(numbers: Any) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers, dtype="<f4").tobytes()).decode()


def _unpacked(packed: str) -> Any:
    return np.frombuffer(base64.b64decode(packed), dtype="<f4")
