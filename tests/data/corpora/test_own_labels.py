"""The project's own labels as examples: means of passes, spans, and the rows that they stand for."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from belowline.data.corpora import CorpusError, label_files, own_labels, read_corpus
from belowline.data.corpora.own_labels import OWN_LABELS, OwnLabels, own_labelled
from belowline.data.example import Example, Span, known
from belowline.model import DEFINITIONS


def row(labels: str, spans: str = "") -> dict[str, str]:
    return {"labels": labels, "spans": spans}


def test_a_label_that_is_not_named_does_not_hold_and_a_question_mark_is_one_half() -> None:
    own = own_labels._mean([row("threat personal_attack?", "threat:3-9 personal_attack:12-20")])
    assert own.labels == dict.fromkeys(DEFINITIONS, 0.0) | {"threat": 1.0, "personal_attack": 0.5}
    assert own.spans == (Span("threat", 3, 9, 1.0), Span("personal_attack", 12, 20, 0.5))


def test_two_passes_have_their_mean() -> None:
    own = own_labels._mean([row("spam on_topic", "spam:0-4 spam:6-9"), row("spam?", "spam:0-4")])
    assert (own.labels["spam"], own.labels["on_topic"], own.labels["hate"]) == (0.75, 0.5, 0.0)
    assert own.spans == (Span("spam", 0, 4, 0.75), Span("spam", 6, 9, 0.5))


@pytest.fixture
def corpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Example]]:
    """A corpus with three rows; the first and the last have own labels."""
    rows = [
        Example(
            "one", known(spam=1.0), "cad", "1", "thread", "test", parent="above", slice="old", weight=3.0
        ),
        Example("two", known(spam=1.0), "cad", "2", "thread"),
        Example("three", known(), "cad", "3", "other"),
    ]
    own = OwnLabels(known(hate=1.0), (Span("hate", 0, 3, 1.0),))
    labels: Mapping[tuple[str, str], OwnLabels] = {("cad", "1"): own, ("cad", "3"): own}
    monkeypatch.setattr(own_labels, "own_labels", lambda: labels)
    monkeypatch.setattr(label_files, "read_corpus", lambda name, root: rows)
    return rows


def test_text_split_and_context_stay_while_labels_and_spans_are_new(
    corpus: list[Example], tmp_path: Path
) -> None:
    first, last = own_labelled(tmp_path)
    assert first == Example(
        *("one", known(hate=1.0), OWN_LABELS, "cad:1", "thread", "test"),
        parent="above",
        spans=(Span("hate", 0, 3, 1.0),),
        slice="cad",
    )
    assert (last.text, last.row, last.split) == ("three", "cad:3", None)


def test_a_row_that_its_corpus_lacks_is_an_error(corpus: list[Example], tmp_path: Path) -> None:
    del corpus[0]
    with pytest.raises(CorpusError, match="corpus cad: 1 rows"):
        list(own_labelled(tmp_path))


@pytest.mark.slow
def test_every_row_of_the_file_is_an_example_with_all_labels(corpora: Path) -> None:
    examples = list(own_labelled(corpora))
    assert len(examples) == len({example.row for example in examples}) == 6000
    assert all(example.labels.keys() == DEFINITIONS.keys() for example in examples)
    texts = {f"cad:{example.row}": example.text for example in read_corpus("cad", corpora)}
    assert all(texts[example.row] == example.text for example in examples if example.slice == "cad")
