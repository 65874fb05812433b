"""Reference scores of the models in the package for the comments of the sample.

Run ``python -m tests.support.golden --write`` after a new release. Tests compare Scorer, HTTP and audit with the file.
"""

import json
import sys
from pathlib import Path
from typing import Any

from belowline.data import SAMPLE_DIR
from belowline.model import ScoreInput, Scorer
from belowline.model.directory import SHIPPED, model_directory
from belowline.serve.audit.archive import Archive

FILE = Path(__file__).with_name("golden.json")
TOLERANCE = 0.03
"""Tolerance between processors, whose int8 kernels differ; on one machine scores are equal to the last bit."""


def comments() -> list[ScoreInput]:
    """Return the comments of the invented sample under their articles, in reading order."""
    return [one.comment for one in Archive([SAMPLE_DIR]).comments()]


def reference(name: str) -> dict[str, Any]:
    """Return version, probabilities, relevance and spam of the model of that name.

    Probabilities are those of the texts alone. Relevance and spam are those of the comments with articles and authors.
    """
    content: dict[str, dict[str, Any]] = json.loads(FILE.read_text("utf-8"))
    return content[name]


def write() -> None:
    """Score the sample with each model and replace the file."""
    content = {name: _scored(Scorer.load(model_directory(Path(name)))) for name in SHIPPED}
    part = FILE.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    part.replace(FILE)


def _scored(scorer: Scorer) -> dict[str, Any]:
    alone = scorer.score([ScoreInput(comment.text) for comment in comments()])
    whole = scorer.score(comments())
    return {
        "model": scorer.version,
        "probabilities": [{label: round(p, 4) for label, p in one.probabilities.items()} for one in alone],
        "relevance": [None if one.relevance is None else round(one.relevance, 4) for one in whole],
        "spam": [round(one.probabilities["spam"], 4) for one in whole],
    }


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    write()
