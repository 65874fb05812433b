"""A cache of scores on disk, by hash of the text, so that interrupted scoring can resume."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

Floats = npt.NDArray[np.float64]
Predict = Callable[[Sequence[str]], Mapping[str, Floats]]
"""A function from texts [n] to label to probabilities [n]."""


def cached_scores(
    predict: Predict, texts: Sequence[str], file: Path, chunk: int, console: Console, description: str
) -> dict[str, Floats]:
    """Return label to probabilities [n] of ``texts``, from the database ``file`` as far as it has them.

    Missing texts go to ``predict``, ``chunk`` at a time, and are added. The caller chooses a file name that belongs to
    one model. NaN marks a text that was refused, and is cached too.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in texts]
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE IF NOT EXISTS scores (key TEXT PRIMARY KEY, by_label TEXT)")
        scores = {key: json.loads(by_label) for key, by_label in database.execute("SELECT * FROM scores")}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in scores}
        unscored = list(missing)
        for start in track(range(0, len(unscored), chunk), description=description, console=console):
            fresh = unscored[start : start + chunk]
            probabilities = predict([missing[key] for key in fresh])
            rows = zip(*(values.tolist() for values in probabilities.values()), strict=True)
            scored = {
                key: dict(zip(probabilities, row, strict=True)) for key, row in zip(fresh, rows, strict=True)
            }
            with database:
                lines = ((key, json.dumps(by_label)) for key, by_label in scored.items())
                database.executemany("INSERT INTO scores VALUES (?, ?)", lines)
            scores |= scored
    labels = scores[keys[0]] if keys else {}
    return {label: np.array([scores[key][label] for key in keys], dtype=np.float64) for label in labels}
