"""Sources of a contender, with real models made here: directories, the baseline, Detoxify by file and by package."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from belowline.model import DEFAULT_MODEL_DIR, ModelError, ScoreInput, Scorer
from belowline.model.digest import model_digest
from belowline.training.errors import ContenderError, RunError
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.measure.contenders import load_contenders
from belowline.training.measure.detoxify import DetoxifyModel
from tests.support.compare_world import write_run
from tests.support.detoxify_checkpoint import CLASSES, write_checkpoint
from tests.support.tiny_model import LABELS, build_tiny_model
from tests.support.tiny_training import write_base

QUIET = Console(quiet=True)

TEXTS = ["you silly fool", "a fine bridge", "the vote " * 100]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("contenders"))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(write_base(tmp_path / "detoxify"), CLASSES, 6)


def test_a_model_directory_is_scored_by_the_scorer(tiny_model_dir: Path, tiny_scorer: Scorer) -> None:
    one, other = load_contenders([f"{tiny_model_dir}/", str(tiny_model_dir)], threads=1)
    assert (one.name, other.name) == (str(tiny_model_dir), f"{tiny_model_dir} #2")
    assert one.identity == other.identity
    assert one.digest == model_digest(tiny_model_dir)
    assert one.size == sum(file.stat().st_size for file in tiny_model_dir.iterdir())
    assert (one.kind, one.version, one.languages) == ("model", "0.0.1-tiny", ("en",))
    expected = [score.probabilities for score in tiny_scorer.score([ScoreInput(text) for text in TEXTS])]
    found = one.predict(TEXTS)
    assert tuple(found) == LABELS
    for label, values in found.items():
        np.testing.assert_array_equal(values, [row[label] for row in expected])
    assert one.thresholds["spam"].hold == 0.7


def test_models_of_the_package_are_contenders_by_name() -> None:
    one, other = load_contenders(["release", "small"], threads=1)
    assert (one.name, other.name) == ("release", "small")
    assert one.digest == model_digest(DEFAULT_MODEL_DIR)
    assert (one.size or 0) > (other.size or 0) > 0


def test_other_weights_have_another_identity(tiny_model_dir: Path, tmp_path: Path) -> None:
    build_tiny_model(tmp_path / "other", seed=8)
    one, other = load_contenders([str(tiny_model_dir), str(tmp_path / "other")], threads=1)
    assert one.identity != other.identity


def test_the_baseline_learns_the_train_split_of_a_run(run: Path, tiny_model_dir: Path) -> None:
    _, tfidf = load_contenders([str(tiny_model_dir), f"tfidf:{run}"], threads=1)
    found = tfidf.predict(
        ["Cheap bridge offer, click the link now, no 1.", "Good point about the road, no 2."]
    )
    assert found["spam"][0] > 0.5 > found["spam"][1]
    assert set(found) <= set(RunDirectory(run).labels)
    assert (tfidf.digest, tfidf.size, tfidf.thresholds["spam"].hold) == (None, None, 0.5)


def test_a_detoxify_checkpoint(checkpoint: Path, tiny_model_dir: Path) -> None:
    _, peer = load_contenders([str(tiny_model_dir), f"detoxify:{checkpoint}"], threads=1)
    expected = DetoxifyModel(str(checkpoint), QUIET).predict(TEXTS)
    for label, values in peer.predict(TEXTS).items():
        np.testing.assert_array_equal(values, expected[label])
    assert peer.size == checkpoint.stat().st_size
    with pytest.raises(ContenderError, match=r"none\.ckpt"):
        load_contenders([str(tiny_model_dir), "detoxify:none.ckpt"], threads=1)


def test_a_published_detoxify_comes_by_its_own_package(
    checkpoint: Path, tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package loads a file from Torch's download cache.

    Our checkpoint names its encoder by folder; published ones name it on the Hub.
    """
    import torch
    from detoxify.detoxify import MODEL_URLS

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    kept = tmp_path / "torch" / "hub" / "checkpoints" / MODEL_URLS["unbiased"].rpartition("/")[2]
    kept.parent.mkdir(parents=True)
    content = torch.load(checkpoint, weights_only=True)
    content["config"]["arch"]["args"] |= {
        "model_type": str(checkpoint.parent),
        "tokenizer_name": "PreTrainedTokenizerFast",
    }
    torch.save(content, kept)
    _, peer = load_contenders([str(tiny_model_dir), "detoxify:unbiased"], threads=1)
    texts = [*TEXTS, *(f"the link {n}" for n in range(40))]
    found = peer.predict(texts)
    assert set(found) == {"toxicity", "profanity", "threat", "personal_attack", "hate"}
    for label, values in DetoxifyModel(str(checkpoint), QUIET).predict(texts).items():
        np.testing.assert_allclose(found[label], values, atol=1e-5)
    assert peer.predict(TEXTS[:1])["hate"] == pytest.approx(found["hate"][:1], abs=1e-5)
    assert peer.size == kept.stat().st_size


def test_what_cannot_be_fetched_is_said_in_a_line(
    tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing listens there
    with pytest.raises(ContenderError, match=r"detoxify:original.*URLError") as caught:
        load_contenders([str(tiny_model_dir), "detoxify:original"], threads=1)
    assert "\n" not in str(caught.value)
    assert "detoxify:PATH.ckpt" in str(caught.value)


def test_what_cannot_be_compared_is_refused(tiny_model_dir: Path, run: Path, tmp_path: Path) -> None:
    with pytest.raises(ContenderError, match="one contender only"):
        load_contenders([str(tiny_model_dir)], threads=1)
    with pytest.raises(ModelError, match="missing"):
        load_contenders([str(tiny_model_dir), str(tmp_path)], threads=1)
    with pytest.raises(RunError, match="no dataset"):
        load_contenders([str(tiny_model_dir), f"tfidf:{tmp_path}"], threads=1)
    bare = tmp_path / "bare"
    shutil.copytree(run / "data", bare / "data")
    with pytest.raises(RunError, match="not a run directory"):
        load_contenders([str(tiny_model_dir), f"tfidf:{bare}"], threads=1)
