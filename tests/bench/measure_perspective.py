"""Agreement of Perspective API attributes with annotators of real comments, and matching thresholds.

``python -m tests.bench.measure_perspective --corpora DIR [--write]``; ``--write`` puts the tables into
``serve/PROTOCOLS.md``.

Only rows outside of training are used: test splits of ``jigsaw``, ``civil-sample`` (test and validation) and
``youtube-spam``, and ``c3`` and ``appropriateness``, which are only for measuring. Google's own scores are not
available. The targets of its models replace them: the share of annotators who call a comment toxic, insulting and so on
(the scores of Civil Comments).
"""

import argparse
import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from belowline.data.corpora import read_corpus
from belowline.data.example import Example
from belowline.model import Policy, ScoreInput, Scorer, Scores, model_directory
from belowline.serve.protocols.perspective.attributes import ATTRIBUTES, value
from belowline.training.dataset.mix import split_of

PAGE = Path(__file__).resolve().parents[2] / "serve" / "PROTOCOLS.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
C3_COMMENTS = 3000
OLD = (0.5, 0.6, 0.7, 0.8, 0.9)
GRADED = ("TOXICITY", "INSULT", "IDENTITY_ATTACK", "PROFANITY", "THREAT")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """Texts with the annotators' scores, 0 to 1."""

    inputs: Sequence[ScoreInput]
    said: Floats


@dataclass(frozen=True, slots=True)
class Source:
    """Source of the annotators' scores of an attribute."""

    attribute: str
    where: str
    judged: Judged


def sources(root: Path) -> Iterator[Source]:
    """Yield each attribute's texts and annotators' scores, from every corpus that has them."""
    jigsaw = _raw(root, "jigsaw", "train.csv", lambda number, row: row["id"])
    for attribute, column in (
        ("TOXICITY", "toxic"),
        ("SEVERE_TOXICITY", "severe_toxic"),
        ("IDENTITY_ATTACK", "identity_hate"),
        ("INSULT", "insult"),
        ("PROFANITY", "obscene"),
        ("OBSCENE", "obscene"),
        ("THREAT", "threat"),
    ):
        yield Source(attribute, f"jigsaw, `{column}`", _column(jigsaw, column))
    for attribute, column in CIVIL.items():
        yield Source(attribute, f"Civil Comments, `{column}`", _column(civil(root), column))
    spam = [one for one in read_corpus("youtube-spam", root) if split_of(one) == "test"]
    yield Source("SPAM", "youtube-spam", _labels(spam, "spam"))
    yield from _c3(root)
    debates = list(read_corpus("appropriateness", root))
    off = _labels(debates, "on_topic")
    yield Source("OFF_TOPIC", "appropriateness, with its issue", Judged(off.inputs, 1 - off.said))


CIVIL = {
    "TOXICITY": "toxicity",
    "IDENTITY_ATTACK": "identity_attack",
    "INSULT": "insult",
    "PROFANITY": "obscene",
    "THREAT": "threat",
}


def civil(root: Path) -> list[tuple[Example, Mapping[str, str]]]:
    return _raw(
        root, "civil-sample", "scores.csv", lambda number, row: f"scores:{number}", ("test", "validation")
    )


def _c3(root: Path) -> Iterator[Source]:
    """Shares of the votes for a characteristic."""
    rows = _raw(root, "c3", "C3_anonymized.csv", lambda number, row: row["comment_counter"])
    rows = rows[:: max(1, len(rows) // C3_COMMENTS)][:C3_COMMENTS]
    for attribute, kind, name in (
        ("ATTACK_ON_COMMENTER", "toxicity", "personal_attack"),
        ("ATTACK_ON_AUTHOR", "toxicity", "personal_attack"),
        ("INFLAMMATORY", "toxicity", "inflammatory"),
        ("UNSUBSTANTIAL", "non_constructive", "unsubstantial"),
        ("OFF_TOPIC", "non_constructive", "non_relevant"),
    ):
        pipelines = f"njudgements_{'toxicity' if kind == 'toxicity' else 'constructiveness'}_expt"
        known = [(one, row) for one, row in rows if float(row[pipelines] or 0)]
        votes = [_votes(row[f"{kind}_characteristics"], name) / float(row[pipelines]) for _, row in known]
        inputs = [ScoreInput(one.text) for one, _ in known]
        yield Source(attribute, f"c3, votes for `{name}`", Judged(inputs, np.minimum(1, np.array(votes))))
    said = np.array([float(row["constructive"]) for _, row in rows])
    inputs = [ScoreInput(one.text) for one, _ in rows]
    yield Source("CONSTRUCTIVE_EXPERIMENTAL", "c3, votes for `constructive`", Judged(inputs, said))


def _votes(cell: str, name: str) -> float:
    return sum(float(line.rsplit(":", 1)[1]) for line in cell.splitlines() if line.startswith(f"{name}:"))


def _raw(
    root: Path,
    corpus: str,
    file: str,
    row_id: Callable[[int, Mapping[str, str]], str],
    splits: Sequence[str] = ("test",),
) -> list[tuple[Example, Mapping[str, str]]]:
    """Return the examples of ``splits``, each with its row of ``file``."""
    with (root / corpus / file).open(encoding="utf-8", newline="") as lines:
        raw = {row_id(number, row): row for number, row in enumerate(csv.DictReader(lines))}
    examples = [one for one in read_corpus(corpus, root) if one.row in raw and split_of(one) in splits]
    return [(one, raw[one.row]) for one in examples]


def _column(rows: Iterable[tuple[Example, Mapping[str, str]]], name: str) -> Judged:
    kept = list(rows)
    said = np.array([float(row[name]) for _, row in kept])
    return Judged([ScoreInput(one.text) for one, _ in kept], said)


def _labels(examples: Sequence[Example], label: str) -> Judged:
    said = np.array([one.labels[label] for one in examples])
    return Judged([ScoreInput(one.text, one.article) for one in examples], said)


class Reader:
    """Attributes of texts by a model; each text is scored once."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._policy = Policy.load(None, scorer.thresholds)
        self._scores: dict[ScoreInput, Scores] = {}

    def values(self, attribute: str, inputs: Sequence[ScoreInput]) -> Floats:
        """Return the scores of an attribute, shape [n], 0 to 1."""
        new = list(dict.fromkeys(one for one in inputs if one not in self._scores))
        self._scores.update(zip(new, self._scorer.score(new), strict=True))
        return np.array([value(attribute, self._scores[one], self._policy) for one in inputs])


def agreement(readers: Mapping[str, Reader], root: Path) -> Iterator[str]:
    """Yield the lines of a table of attributes: source of each, and each model's agreement with the annotators."""
    yield f"| attribute | our labels | people's word | n | called so | {' | '.join(readers)} |"
    yield "| --- | --- | --- | --- | --- |" + " --- |" * len(readers)
    for source in sources(root):
        said, so = source.judged.said, source.judged.said >= 0.5
        graded = len(set(said.tolist())) > 2
        labels = ", ".join(f"`{label}`" for label in ATTRIBUTES[source.attribute].labels or ())
        cells = [source.attribute, labels, source.where, len(said), so.sum()]
        for reader in readers.values():
            ours = reader.values(source.attribute, source.judged.inputs)
            auc = f"{roc_auc_score(so, ours):.3f}" if 0 < so.sum() < len(so) else "–"
            cells.append(f"{auc}, {spearmanr(said, ours).statistic:.2f}" if graded else auc)
        yield f"| {' | '.join(map(str, cells))} |"


def thresholds(readers: Mapping[str, Reader], root: Path) -> Iterator[str]:
    """Yield the lines of a table of old thresholds, with each model's threshold that flags as many comments.

    The interval of that threshold and the share of c3 that it flags follow.
    """
    yield f"| attribute | old threshold | comments that readers put there | {' | '.join(readers)} |"
    yield "| --- | --- | --- |" + " --- |" * len(readers)
    rows = civil(root)
    news = [ScoreInput(one.text) for one in read_corpus("c3", root)[:: 11899 // C3_COMMENTS][:C3_COMMENTS]]
    for attribute in GRADED:
        judged = _column(rows, CIVIL[attribute])
        read = [
            (reader.values(attribute, judged.inputs), reader.values(attribute, news))
            for reader in readers.values()
        ]
        for old in OLD:
            count = int((judged.said >= old).sum())
            cells = [attribute, old, f"{count} of {len(judged.said)}"]
            for ours, of_news in read:
                cells.append("too few to say" if count < 10 else _threshold(judged.said, ours, old, of_news))
            yield f"| {' | '.join(map(str, cells))} |"


def _threshold(said: Floats, ours: Floats, old: float, of_news: Floats) -> str:
    at = matched(said, ours, old)
    low, high = _interval(said, ours, old)
    return f"**{at:.2f}** ({low:.2f} to {high:.2f}), {100 * float((of_news >= at).mean()):.1f} %"


def matched(said: Floats, ours: Floats, old: float) -> float:
    """Return the threshold of ``ours`` that flags the same share as ``old`` does of ``said``."""
    return float(np.quantile(ours, 1 - float((said >= old).mean())))


def _interval(said: Floats, ours: Floats, old: float) -> tuple[float, float]:
    rng = np.random.default_rng(11)
    drawn = [rng.integers(0, len(said), len(said)) for _ in range(500)]
    low, high = np.quantile([matched(said[one], ours[one], old) for one in drawn], [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    parser.add_argument("--models", nargs="+", default=["release", "small"])
    parser.add_argument("--write", action="store_true", help=f"put them into {PAGE.name}")
    arguments = parser.parse_args()
    scorers = [Scorer.load(model_directory(Path(name))) for name in arguments.models]
    readers = {scorer.version: Reader(scorer) for scorer in scorers}
    text = "\n".join([*agreement(readers, arguments.corpora), "", *thresholds(readers, arguments.corpora)])
    print(text)
    if arguments.write:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", "utf-8")
        print(f"written into {PAGE}", file=sys.stderr)


if __name__ == "__main__":
    main()
