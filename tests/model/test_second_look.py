"""A second model reads comments near a threshold again, the same comments on every path."""

import json
from pathlib import Path

import numpy as np
import pytest

from belowline.model import ModelError, ScoreInput, Scorer
from tests.support.tiny_model import LABELS, build_tiny_model

TEXTS = [f"you {word} the link {number}" for number, word in enumerate("abcdefghijklmnopqrst")]
INPUTS = [ScoreInput(text) for text in TEXTS]
BAND = (0.3, 0.6)


def fitted(
    directory: Path, version: str = "2.0", bands: dict[str, tuple[float, float]] | None = None
) -> Path:
    """Write a first model with bands for the second model ``version``."""
    build_tiny_model(directory, version="1.0")
    file = directory / "config.json"
    config = json.loads(file.read_text("utf-8"))
    thresholds = {label: {"hold": 0.25} for label in LABELS[:-1]}
    look = {"version": version, "bands": bands or {"spam": BAND}, "thresholds": thresholds}
    file.write_text(json.dumps(config | {"second_look": look}), "utf-8")
    return directory


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("looks")
    return fitted(root / "first"), build_tiny_model(root / "second", version="2.0", seed=8)


def test_scores_in_the_band_are_the_second_models(folders: tuple[Path, Path]) -> None:
    both = Scorer.load(folders[0], threads=2, second_look=folders[1]).score(INPUTS)
    first, second = (Scorer.load(folder, threads=1).score(INPUTS) for folder in folders)
    again = [BAND[0] <= scores.probabilities["spam"] <= BAND[1] for scores in first]
    assert 0 < sum(again) < len(TEXTS)
    for scores, one, other, read_again in zip(both, first, second, again, strict=True):
        assert scores.probabilities == (other if read_again else one).probabilities
        assert scores.model == "1.0+2.0"


def test_a_comment_scores_the_same_alone_and_in_any_order(
    folders: tuple[Path, Path],
) -> None:
    scorer = Scorer.load(folders[0], threads=2, second_look=folders[1])
    together = scorer.score(INPUTS)
    other = Scorer.load(folders[0], threads=1, second_look=folders[1])
    assert [other.score([comment])[0] for comment in reversed(INPUTS)][::-1] == together


def test_thresholds_evidence_and_embeddings(folders: tuple[Path, Path]) -> None:
    both, first = Scorer.load(folders[0], second_look=folders[1]), Scorer.load(folders[0])
    assert {label: both.thresholds[label].hold for label in LABELS[:-1]} == dict.fromkeys(LABELS[:-1], 0.25)
    assert np.array_equal(both.embed(TEXTS), first.embed(TEXTS))
    for scores in both.score(INPUTS):
        assert all(scores.probabilities[span.label] >= 0.25 for span in scores.evidence)


def test_a_pair_that_is_not_fitted_is_refused(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    with pytest.raises(ModelError, match=r"fitted for no model, not 1\.0"):
        Scorer.load(folders[1], second_look=folders[0])
    with pytest.raises(ModelError, match=r"fitted for only 3\.0, not 2\.0"):
        Scorer.load(fitted(tmp_path, "3.0"), second_look=folders[1])


def test_a_band_names_a_label(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    with pytest.raises(ModelError, match="rudeness is missing"):
        Scorer.load(fitted(tmp_path, bands={"rudeness": BAND}), second_look=folders[1])


def test_articles_and_parents_are_read_once_and_relevance_is_the_first_models(
    folders: tuple[Path, Path],
) -> None:
    both, first = Scorer.load(folders[0], second_look=folders[1]), Scorer.load(folders[0])
    second = both._second
    assert second is not None
    under = [ScoreInput(text, "a bridge is late", "the link") for text in TEXTS]
    scores = both.score(under)
    assert [one.relevance for one in scores] == [one.relevance for one in first.score(under)]
    assert len(second._readings._values) < len(TEXTS)
    again = second.score(INPUTS)
    read_again = [BAND[0] <= one.probabilities["spam"] <= BAND[1] for one in first.score(INPUTS)]
    for one, other, chosen in zip(scores, again, read_again, strict=True):
        if chosen:
            assert one.relevance is not None
            expected = other.probabilities["on_topic"] * one.relevance
            assert one.probabilities["on_topic"] == pytest.approx(expected)
