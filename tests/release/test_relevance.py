"""The measurement of relevance."""

import csv
from pathlib import Path

import pytest

from belowline.data.corpora import read_corpus
from belowline.model import Scorer
from belowline.training.dataset.mix import split_of
from tests.release.relevance import main, measure_relevance
from tests.support.replies import REPLIES, WORDS


def write(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The three corpora in their formats: what belongs together shares its words."""
    replies = [(f"{number}.1", text, parent, 0) for number, (text, parent) in enumerate(REPLIES * 4)]
    write(tmp_path / "cat" / "gc.csv", ("id", "text", "parent", "label"), replies)
    write(tmp_path / "cat" / "cat_small.csv", ("text", "parent_text", "label_ic"), [])
    bodies = [(number, f"{word} {word} b") for number, word in enumerate(WORDS)]
    write(tmp_path / "fnc1" / "competition_test_bodies.csv", ("Body ID", "articleBody"), bodies)
    stances = [
        (word, number, "discuss" if word == other else "unrelated")
        for word in WORDS
        for number, other in enumerate(WORDS)
    ]
    write(tmp_path / "fnc1" / "competition_test_stances.csv", ("Headline", "Body ID", "Stance"), stances)
    header = ("post_id", "issue", "post_text", "Missing Relevance", "Missing Seriousness")
    posts = [
        (f"{word}{other}", word, f"{word} {word} {other}" if off == "0" else other, off, "0")
        for word in WORDS
        for other in WORDS
        for off in "01"
        if word != other
    ]
    write(tmp_path / "appropriateness" / "corpus.csv", header, posts)
    return tmp_path


def test_what_belongs_together_is_told_from_strangers(tiny_scorer: Scorer, root: Path) -> None:
    found = measure_relevance(tiny_scorer, root, 5000)
    headlines = found["fnc1: body or stranger"]
    assert (headlines.examples, headlines.positives) == (len(WORDS) ** 2, len(WORDS))
    assert headlines["auc"].value > 0.9
    replies = found["cat: parent or stranger"]
    assert replies.examples == 2 * replies.positives
    assert 0.8 < replies["auc"].value < 1
    bare, under = (found[f"appropriateness: on_topic {how} the issue"] for how in ("without", "with"))
    assert bare.examples == under.examples == 2 * len(WORDS) * (len(WORDS) - 1)
    assert bare["auc"].value != under["auc"].value
    assert found["appropriateness: relevance"]["auc"].value > 0.7


def test_replies_of_the_test_split_only_and_no_more_than_the_limit(tiny_scorer: Scorer, root: Path) -> None:
    test = [example for example in read_corpus("cat", root) if split_of(example) == "test"]
    assert 20 < len(test) < 200
    assert measure_relevance(tiny_scorer, root, 5000)["cat: parent or stranger"].positives == len(test)
    few = measure_relevance(tiny_scorer, root, 12)
    assert few["cat: parent or stranger"].positives == 12
    assert few["fnc1: body or stranger"].examples == few["appropriateness: relevance"].examples == 12


def test_the_command_shows_every_measurement(
    tiny_model_dir: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(tiny_model_dir, root, 100)
    shown = capsys.readouterr().out
    assert shown.count("appropriateness:") == 3
    assert "cat: parent or stranger" in shown
    assert "0." in shown
