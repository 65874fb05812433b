"""The model's readings of the texts that occur more than once in an archive, so that each is read once."""

import json
import sqlite3
from collections.abc import Iterable, Mapping

import numpy as np

from belowline.model import Evidence, Reading, text_hash


class RepeatedTexts:
    """Counts of all texts and readings of the repeated ones, by text hash, in a database on disk."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute(
            "CREATE TABLE texts (hash BLOB PRIMARY KEY, times INTEGER, reading TEXT) WITHOUT ROWID"
        )

    def add(self, text: str) -> None:
        """Count one occurrence of ``text``."""
        query = "INSERT INTO texts VALUES (?, 1, NULL) ON CONFLICT DO UPDATE SET times = times + 1"
        self._database.execute(query, (text_hash(text),))

    def counts(self) -> dict[str, int]:
        """The number of comments with a repeated text, and of distinct repeated texts."""
        query = "SELECT COALESCE(SUM(times), 0), COUNT(*) FROM texts WHERE times > 1"
        comments, texts = self._database.execute(query).fetchone()
        return {"comments": comments, "texts": texts}

    def readings(self, texts: Iterable[str]) -> dict[str, str | None]:
        """The repeated ones of ``texts`` with their packed readings, None for a text that is not read yet."""
        query = "SELECT reading FROM texts WHERE hash = ? AND times > 1"
        rows = ((text, self._database.execute(query, (text_hash(text),)).fetchone()) for text in texts)
        return {text: row[0] for text, row in rows if row}

    def keep(self, readings: Mapping[str, str]) -> None:
        """Store packed readings by text."""
        rows = ((reading, text_hash(text)) for text, reading in readings.items())
        self._database.executemany("UPDATE texts SET reading = ? WHERE hash = ?", rows)


def pack(reading: Reading) -> str:
    """``reading`` as JSON, without loss."""
    return json.dumps(
        {
            "probabilities": reading.probabilities,
            "evidence": [[one.label, one.start, one.end, one.strength] for one in reading.evidence],
            "language": reading.language,
            "passages": reading.passages.tolist(),
            "embedding": reading.embedding.tolist(),
        }
    )


def unpack(packed: str) -> Reading:
    """The reading that ``pack`` wrote."""
    fields = json.loads(packed)
    return Reading(
        fields["probabilities"],
        tuple(Evidence(*one) for one in fields["evidence"]),
        fields["language"],
        np.array(fields["passages"], dtype=np.float32),
        np.array(fields["embedding"], dtype=np.float32),
    )
