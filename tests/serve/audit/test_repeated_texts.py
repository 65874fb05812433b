import sqlite3

import numpy as np

from belowline.model import Evidence, Reading
from belowline.serve.audit.repeated_texts import RepeatedTexts, pack, unpack


def test_readings_are_kept_for_repeated_texts_only() -> None:
    texts = RepeatedTexts(sqlite3.connect(":memory:"))
    assert texts.counts() == {"comments": 0, "texts": 0}
    for text in ("a", "b", "a", "c", "b", "a", "\udcff"):
        texts.add(text)
    assert texts.counts() == {"comments": 5, "texts": 2}
    assert texts.readings(["a", "b", "c", "\udcff"]) == {"a": None, "b": None}
    texts.keep({"a": "packed", "c": "not asked for"})
    assert texts.readings(["a", "b", "c"]) == {"a": "packed", "b": None}


def test_a_reading_survives_packing_without_loss() -> None:
    numbers = np.arange(12, dtype=np.float32) / 7
    reading = Reading(
        {"spam": 0.1 + 0.2},
        (Evidence("spam", 17, 20, 0.987654321),),
        "en",
        numbers.reshape(3, 4),
        numbers[:4],
    )
    again = unpack(pack(reading))
    assert (again.probabilities, again.evidence, again.language) == (
        reading.probabilities,
        reading.evidence,
        "en",
    )
    assert (again.passages.tolist(), again.passages.dtype) == (reading.passages.tolist(), np.float32)
    assert again.embedding.tolist() == reading.embedding.tolist()
