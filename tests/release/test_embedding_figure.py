"""Similarity of embeddings to those of the base."""

import numpy as np
import pytest
from rich.console import Console

from belowline.model import Scorer
from tests.release.embedding_figure import base_embeddings, embedding_figure
from tests.support.tiny_training import write_base

QUIET = Console(quiet=True)
TEXTS = [f"{'the link ' * (n % 7)}you and no {n} {'road' * (n % 3)}" for n in range(60)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_base(tmp_path_factory.mktemp("base") / "encoder"))


def test_base_embeddings_are_of_unit_length_and_in_order(base: str) -> None:
    found = base_embeddings(base, TEXTS, QUIET)
    assert found.shape == (60, 32)
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(60), abs=1e-5)
    alone = base_embeddings(base, [TEXTS[33]], QUIET)[0]  # padding by a longer text must not change it
    assert found[33] == pytest.approx(alone, abs=1e-5)


def test_a_text_longer_than_the_base_reads_is_cut(base: str) -> None:
    long = base_embeddings(base, ["road " * 900], QUIET)
    assert long.shape == (1, 32)


def test_the_base_itself_correlates_perfectly(
    base: str, tiny_scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = base_embeddings(base, TEXTS, QUIET).astype(np.float32)
    monkeypatch.setattr(Scorer, "embed", lambda self, texts: same)
    figure = embedding_figure(tiny_scorer, base, TEXTS, QUIET)
    assert figure.value == pytest.approx(1.0, abs=1e-3)
    assert (figure.n, figure.note) == (5000, "pairs of 60 comments")


def test_another_model_does_not(base: str, tiny_scorer: Scorer) -> None:
    figure = embedding_figure(tiny_scorer, base, TEXTS, QUIET)
    assert -1 < figure.low < figure.value < figure.high < 0.95
