"""Evidence against what annotators marked."""

import csv
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset, DatasetDict
from rich.console import Console

from belowline.data.corpora import CorpusError
from belowline.model import Scorer
from belowline.model.directory import EvidenceChannel
from belowline.training.export.export import _with_evidence
from belowline.training.measure.evidence import (
    FLOORS,
    Post,
    best_floor,
    character_f1,
    characters,
    evidence_figure,
    evidence_floors,
    marked_by_half,
    marked_for,
    predicted,
    worker_marks,
)

QUIET = Console(quiet=True)
TEXT = "the link is daft"


def mask(text: str) -> np.ndarray:
    """``..xx`` as a mask."""
    return np.array([letter == "x" for letter in text])


@pytest.mark.parametrize(
    ("given", "marked", "f1"),
    [
        ("....", "....", 1.0),
        ("x...", "....", 0.0),
        ("....", "x...", 0.0),
        ("xx..", "xx..", 1.0),
        ("xx..", ".xx.", 0.5),
        ("xxxx", "x...", 0.4),
    ],
)
def test_character_f1(given: str, marked: str, f1: float) -> None:
    assert character_f1(mask(given), mask(marked)) == pytest.approx(f1)


def test_the_strongest_token_counts() -> None:
    found = characters({(0, 2): 0.4, (1, 4): 0.9, (6, 9): 0.2}, 7)
    assert found.tolist() == [0.4, 0.9, 0.9, 0.9, 0.0, 0.0, 0.2]


def test_a_space_between_two_words_is_as_strong_as_the_weaker() -> None:
    assert characters({(3, 5): 0.2, (0, 2): 0.9}, 6).tolist() == [0.9, 0.9, 0.2, 0.2, 0.2, 0.0]


def test_a_channel_is_read_from_its_own_floor() -> None:
    strengths = {"hate": np.array([0.9, 0.3, 0.1]), "threat": np.array([0.1, 0.1, 0.6])}
    assert predicted(strengths, {"hate": 0.5, "threat": 0.6}).tolist() == [True, False, True]
    assert predicted(strengths, {"hate": 0.3}).tolist() == [True, True, False]


# --- what is marked ---


def test_a_worker_counts_once_however_often_he_marks() -> None:
    nested = [[(0, 6), (2, 4)], [], []]
    assert not marked_by_half(nested, 8).any()
    assert marked_by_half([[(0, 6)], [(2, 4)], []], 8).tolist() == mask("..xx....").tolist()
    assert marked_by_half([[(0, 2)], []], 3).tolist() == mask("xx.").tolist()  # half is enough


def test_marks_beyond_the_text_are_cut() -> None:
    assert marked_by_half([[(2, 99)]], 4).tolist() == mask("..xx").tolist()


def span(label: str, start: int, end: int, strength: float) -> dict[str, object]:
    return {"label": label, "start": start, "end": end, "strength": strength}


def test_what_a_channel_should_speak_for() -> None:
    third = float(np.float32(1 / 3))
    spans = [span("hate", 0, 2, third), span("hate", 0, 3, third), span("profanity", 4, 6, 2 * third)]
    assert marked_for("hate", spans, 6).tolist() == mask("xx....").tolist()
    assert marked_for("profanity", spans, 6).tolist() == mask("....xx").tolist()
    assert marked_for("toxicity", spans, 6).tolist() == mask("xx..xx").tolist()
    assert not marked_for("toxicity", [span("spam", 0, 6, 1.0)], 6).any()
    sixths = [span("threat", 0, end, float(np.float32(1 / 6))) for end in (1, 2, 3)]
    assert marked_for("threat", sixths, 3).tolist() == mask("x..").tolist()


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


# --- floors ---


def post(strength: float, marked: str) -> Post:
    """Half of the marked characters have ``strength``, or if none is marked one other has."""
    found = np.where(mask(marked) if "x" in marked else np.arange(len(marked)) == 0, strength, 0.0)
    return Post({"hate": found}, mask(marked))


def test_the_best_floor_parts_marked_from_unmarked() -> None:
    posts = [post(0.62, "xx.."), post(0.58, "..x."), post(0.44, "...."), post(0.3, "....")]
    assert best_floor(posts, "hate") == 0.45
    assert best_floor([post(0.62, "xx.."), post(0.7, "....")], "hate") is None  # no better than silence
    assert best_floor([], "hate") is None
    assert (FLOORS[0], FLOORS[-1], len(FLOORS)) == (0.1, 0.9, 17)


def channel_strengths(scorer: Scorer, channel: str) -> np.ndarray:
    return characters(scorer.token_strengths(TEXT)[channel], len(TEXT))


def test_floors_come_from_rows_in_which_words_were_to_be_marked(tiny_scorer: Scorer) -> None:
    strengths = channel_strengths(tiny_scorer, "hate")
    top = int(strengths.argmax())
    spans = [span("hate", top, top + 1, 1.0)]
    asked = {"text": TEXT, "spans": spans, "spans_known": True}
    ignored = {"text": "you you you", "spans": [], "spans_known": False}
    found = evidence_floors(tiny_scorer, Dataset.from_list([asked, ignored]), ("hate", "threat"), QUIET)
    assert set(found) == {"hate"}
    assert found["hate"] <= strengths[top]
    assert evidence_floors(tiny_scorer, Dataset.from_list([ignored]), ("hate",), QUIET) == {}


def test_the_export_takes_floors_from_validation(tiny_scorer: Scorer) -> None:
    top = int(channel_strengths(tiny_scorer, "hate").argmax())
    row = {"text": TEXT, "spans_known": True}
    train = [{**row, "spans": [span("hate", 0, 3, 1.0), span("threat", 0, 3, 1.0)]}]
    data = DatasetDict(
        {
            "train": Dataset.from_list(train),
            "validation": Dataset.from_list([{**row, "spans": [span("hate", top, top + 1, 1.0)]}]),
        }
    )
    found = _with_evidence(data, tiny_scorer.config, tiny_scorer, QUIET)
    assert {label: evidence.channel for label, evidence in found.items()} == {
        "hate": "hate",
        "antisemitism": "hate",
        "threat": "threat",
    }
    floors = evidence_floors(tiny_scorer, data["validation"], ("hate",), QUIET)
    assert found["hate"].floor == found["antisemitism"].floor == floors["hate"]
    assert found["threat"].floor == 0.5  # validation has no marks of it


# --- the figure ---


@pytest.fixture
def speaking(tiny_scorer: Scorer) -> Scorer:
    """The random model with evidence from two channels."""
    evidence = {label: EvidenceChannel(channel=label, floor=0.2) for label in ("toxicity", "hate")}
    evidence["antisemitism"] = EvidenceChannel(channel="hate", floor=0.1)
    evidence["spam"] = EvidenceChannel(channel="spam", floor=0.0)  # nobody was asked to mark spam
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
    assert figure.value == pytest.approx(2 / 3)  # two as marked, and one in which nothing is
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
