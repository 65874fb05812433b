"""A cache of scores on disk, by hash of the text, so that an interrupted comparison can resume."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from belowline.training.measure.test_set import Floats, Predict


def cached_scores(
    predict: Predict, texts: Sequence[str], file: Path, chunk: int, console: Console, what: str
) -> dict[str, Floats]:
    """Return label to probabilities [n] of ``texts``, from ``file`` as far as it has them.

    Missing texts go to ``predict``, ``chunk`` at a time, and are appended. The caller chooses a file name that
    belongs to one model. NaN
    marks a text that was refused, and is cached too.
    """
    labels, known = _read(file)
    keys = [_key(text) for text in texts]
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    fresh = list(missing)
    for start in track(range(0, len(fresh), chunk), description=what, console=console):
        some = fresh[start : start + chunk]
        given = predict([missing[key] for key in some])
        labels = labels or tuple(given)
        rows = np.column_stack([given[label] for label in labels])
        _append(file, labels, dict(zip(some, rows.tolist(), strict=True)), begin=not known)
        known |= dict(zip(some, rows.tolist(), strict=True))
    values = np.array([known[key] for key in keys], dtype=np.float64).reshape(len(keys), len(labels))
    return dict(zip(labels, values.T, strict=True))


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _read(file: Path) -> tuple[tuple[str, ...], dict[str, list[float]]]:
    """Return labels, and scores by key; an incomplete last line is cut from the file."""
    if not file.is_file():
        return (), {}
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        with file.open("r+b") as open_file:
            open_file.truncate(len(whole))
    lines = [json.loads(line) for line in whole.splitlines()]
    if not lines:
        return (), {}
    nan = float("nan")
    known = {key: [nan if value is None else value for value in row] for key, row in lines[1:]}
    return tuple(lines[0]), known


def _append(file: Path, labels: Sequence[str], rows: dict[str, list[float]], *, begin: bool) -> None:
    """Append key and probabilities of each text, after a first line with the labels; NaN becomes null."""
    file.parent.mkdir(parents=True, exist_ok=True)
    begin = begin and not (file.is_file() and file.stat().st_size)
    lines: list[object] = [list(labels)] if begin else []
    lines += [[key, [None if np.isnan(value) else value for value in row]] for key, row in rows.items()]
    with file.open("a", encoding="utf-8") as open_file:
        open_file.write("".join(json.dumps(line) + "\n" for line in lines))
