"""A cache of scores on disk, by hash of the text, so that an interrupted comparison can resume."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from belowline.training.measure.intervals import Floats
from belowline.training.measure.rows import Predict


def cached_scores(
    predict: Predict, texts: Sequence[str], file: Path, chunk: int, console: Console, description: str
) -> dict[str, Floats]:
    """Return label to probabilities [n] of ``texts``, from ``file`` as far as it has them.

    Missing texts go to ``predict``, ``chunk`` at a time, and are appended. The caller chooses a file name that
    belongs to one model. NaN
    marks a text that was refused, and is cached too.
    """
    labels, scores = _read(file)
    keys = [_key(text) for text in texts]
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in scores}
    unscored = list(missing)
    for start in track(range(0, len(unscored), chunk), description=description, console=console):
        keys_of_chunk = unscored[start : start + chunk]
        probabilities = predict([missing[key] for key in keys_of_chunk])
        labels = labels or tuple(probabilities)
        rows = np.column_stack([probabilities[label] for label in labels])
        _append(file, labels, dict(zip(keys_of_chunk, rows.tolist(), strict=True)), begin=not scores)
        scores |= dict(zip(keys_of_chunk, rows.tolist(), strict=True))
    values = np.array([scores[key] for key in keys], dtype=np.float64).reshape(len(keys), len(labels))
    return dict(zip(labels, values.T, strict=True))


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _read(file: Path) -> tuple[tuple[str, ...], dict[str, list[float]]]:
    """Return labels, and scores by key; an incomplete last line is cut from the file."""
    if not file.is_file():
        return (), {}
    content = file.read_bytes()
    complete = content[: content.rfind(b"\n") + 1]
    if complete != content:
        with file.open("r+b") as open_file:
            open_file.truncate(len(complete))
    lines = [json.loads(line) for line in complete.splitlines()]
    if not lines:
        return (), {}
    nan = float("nan")
    scores = {key: [nan if value is None else value for value in row] for key, row in lines[1:]}
    return tuple(lines[0]), scores


def _append(file: Path, labels: Sequence[str], rows: dict[str, list[float]], *, begin: bool) -> None:
    """Append key and probabilities of each text, after a first line with the labels; NaN becomes null."""
    file.parent.mkdir(parents=True, exist_ok=True)
    begin = begin and not (file.is_file() and file.stat().st_size)
    lines: list[object] = [list(labels)] if begin else []
    lines += [[key, [None if np.isnan(value) else value for value in row]] for key, row in rows.items()]
    with file.open("a", encoding="utf-8") as open_file:
        open_file.write("".join(json.dumps(line) + "\n" for line in lines))
