"""Reference scores of the released model: the sample's comments and what the model gives them.

``python -m tests.golden --write`` after a new release; the tests hold Scorer, HTTP and audit to the file.
"""

import json
import sys
from pathlib import Path

from belowline.data import SAMPLE_DIR, read_threads
from belowline.model import ScoreInput, Scorer

FILE = Path(__file__).with_name("golden.json")
TOLERANCE = 0.03
"""int8 kernels differ between processors; on one machine scores are equal to the last bit."""


def texts() -> list[str]:
    """The comments of the invented sample, in reading order."""
    return [comment.text for thread in read_threads(SAMPLE_DIR) for comment in thread.comments]


def reference() -> dict[str, list[dict[str, float]]]:
    """``{"model": version, "probabilities": [...]}`` as written."""
    content: dict[str, list[dict[str, float]]] = json.loads(FILE.read_text("utf-8"))
    return content


def write() -> None:
    """Score the sample with the released model and replace the file."""
    scorer = Scorer.load()
    scores = scorer.score([ScoreInput(text) for text in texts()])
    rows = [{label: round(p, 4) for label, p in score.probabilities.items()} for score in scores]
    FILE.write_text(json.dumps({"model": scorer.version, "probabilities": rows}, indent=1) + "\n", "utf-8")


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    write()
