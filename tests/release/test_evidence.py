"""The evidence figure of a release."""

import csv
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset, DatasetDict
from rich.console import Console

from belowline.data.corpora import CorpusError
from belowline.model import Scorer
from belowline.model.directory import EvidenceChannel
from belowline.training.measure.character_f1 import characters
from tests.release.evidence import evidence_figure, marked_by_half, worker_marks

QUIET = Console(quiet=True)
TEXT = "the link is daft"


def mask(text: str) -> np.ndarray:
    """``..xx`` as a mask."""
    return np.array([letter == "x" for letter in text])


def channel_strengths(scorer: Scorer, channel: str) -> np.ndarray:
    return characters(scorer.token_strengths(TEXT)[channel], len(TEXT))


def test_a_worker_counts_once_however_often_he_marks() -> None:
    nested = [[(0, 6), (2, 4)], [], []]
    assert not marked_by_half(nested, 8).any()
    assert marked_by_half([[(0, 6)], [(2, 4)], []], 8).tolist() == mask("..xx....").tolist()
    assert marked_by_half([[(0, 2)], []], 3).tolist() == mask("xx.").tolist()  # half is enough


def test_marks_beyond_the_text_are_cut() -> None:
    assert marked_by_half([[(2, 99)]], 4).tolist() == mask("..xx").tolist()


def write_posts(folder: Path, posts: dict[str, list[list[tuple[int, int]]]]) -> Path:
    """``toxic-spans`` in its real files: post to its workers' marks."""
    folder.mkdir(parents=True)
    annotations, spans = [], []
    for post, workers in posts.items():
        for marks in workers:
            annotations.append((len(annotations), post, 7, "USA", False, not marks))
            spans += [(annotations[-1][0], "Insult", start, end) for start, end in marks]
    comments = [(post, TEXT) for post in posts]
    for name, header, lines in (
        (
            "annotations",
            ("annotation", "comment_id", "worker", "country", "all toxic", "not toxic"),
            annotations,
        ),
        ("spans", ("annotation", "type", "start", "end"), spans),
        ("comments", ("comment_id", "comment_text"), comments),
    ):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *lines])
    return folder


def test_workers_without_marks_are_known_too(tmp_path: Path) -> None:
    marks = worker_marks(write_posts(tmp_path / "t", {"a": [[(0, 3), (1, 2)], []], "b": [[]]}))
    assert {post: [list(map(tuple, own)) for own in workers] for post, workers in marks.items()} == {
        "a": [[(0, 3), (1, 2)], []],
        "b": [[]],
    }


@pytest.fixture
def speaking(tiny_scorer: Scorer) -> Scorer:
    """The random model with evidence from two channels."""
    evidence = {label: EvidenceChannel(channel=label, floor=0.2) for label in ("toxicity", "hate")}
    evidence["antisemitism"] = EvidenceChannel(channel="hate", floor=0.1)
    evidence["spam"] = EvidenceChannel(channel="spam", floor=0.0)  # no worker was asked to mark spam
    config = tiny_scorer.config.model_copy(update={"evidence": evidence})
    return Scorer(config, tiny_scorer._session, tiny_scorer.tokenizer, 1)


def split(*posts: str) -> Dataset:
    rows = [{"text": TEXT, "source": "toxic-spans", "row": post} for post in posts]
    return Dataset.from_list([*rows, {"text": TEXT, "source": "cat", "row": "z"}])


def test_evidence_is_measured_as_it_is_read_best_on_validation(speaking: Scorer, tmp_path: Path) -> None:
    toxicity, hate = (channel_strengths(speaking, name) for name in ("toxicity", "hate"))
    alone = [(at, at + 1) for at in np.flatnonzero(toxicity >= 0.2).tolist()]
    assert (hate >= 0.1).sum() > (toxicity >= 0.2).sum() > 0
    write_posts(
        tmp_path / "toxic-spans", {"a": [alone], "b": [alone, alone, []], "c": [[], []], "d": [alone]}
    )
    data = DatasetDict({"validation": split("d"), "test": split("a", "b", "c")})
    figure = evidence_figure(speaking, data, tmp_path, None, QUIET)
    assert figure.value == pytest.approx(2 / 3)  # two comments as marked, and one without marks
    assert figure.n == 3
    assert figure.note.startswith("read: toxicity alone (validation: all channels 0.")
    assert "floors: toxicity 0.2; marking nothing gives 0.333" in figure.note
    assert evidence_figure(speaking, data, tmp_path, 2, QUIET).value == 1.0


def test_what_cannot_be_measured_says_why(speaking: Scorer, tmp_path: Path) -> None:
    data = DatasetDict({"validation": split(), "test": split()})
    assert evidence_figure(speaking, data, tmp_path, None, QUIET).note.endswith("toxic-spans is not there")
    write_posts(tmp_path / "toxic-spans", {"a": [[]]})
    assert evidence_figure(speaking, data, tmp_path, None, QUIET).note.startswith("no posts of toxic-spans")
    silent = speaking.config.model_copy(update={"evidence": {}})
    mute = Scorer(silent, speaking._session, speaking.tokenizer, 1)
    assert evidence_figure(mute, data, tmp_path, None, QUIET).note == "the model gives no evidence"


def test_a_run_on_other_files_is_refused(speaking: Scorer, tmp_path: Path) -> None:
    write_posts(tmp_path / "toxic-spans", {"a": [[]]})
    data = DatasetDict({"validation": split("a"), "test": split("q")})
    with pytest.raises(CorpusError, match="post q of the run is not in it; fetch the pinned version"):
        evidence_figure(speaking, data, tmp_path, None, QUIET)
