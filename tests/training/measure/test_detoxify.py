"""Detoxify as a peer, loaded from a checkpoint in its own format with random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from transformers import BertConfig, BertForSequenceClassification

from belowline.training.errors import ContenderError
from belowline.training.measure.detoxify import DetoxifyModel
from tests.support.detoxify_checkpoint import CLASSES, write_checkpoint
from tests.support.tiny_training import write_base

QUIET = Console(quiet=True)
TEXTS = ["you silly fool", "a fine bridge", "", "the vote " * 200, "ok"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configuration and tokenizer of an encoder, without weights."""
    folder = write_base(tmp_path_factory.mktemp("detoxify"))
    (folder / "model.safetensors").unlink()
    return folder


def test_its_classes_become_our_labels(encoder: Path) -> None:
    peer = DetoxifyModel(str(write_checkpoint(encoder, CLASSES, 6)), QUIET)
    found = peer.predict(TEXTS)
    assert list(found) == ["toxicity", "profanity", "threat", "personal_attack", "hate"]
    for values in found.values():
        assert values.shape == (len(TEXTS),)
        assert ((values > 0) & (values < 1)).all()
    assert len({round(float(values[0]), 6) for values in found.values()}) == 5


def test_each_text_gets_what_it_would_alone(encoder: Path) -> None:
    peer = DetoxifyModel(str(write_checkpoint(encoder, CLASSES, 6)), QUIET)
    together = peer.predict(TEXTS)
    for row, text in enumerate(TEXTS):
        for label, values in peer.predict([text]).items():
            assert values[0] == pytest.approx(together[label][row], abs=1e-5)


def test_the_weights_are_those_of_the_checkpoint(encoder: Path) -> None:
    checkpoint = write_checkpoint(encoder, CLASSES, 6)
    weights = torch.load(checkpoint, weights_only=True)["state_dict"]
    model = BertForSequenceClassification(BertConfig.from_pretrained(encoder, num_labels=6))
    model.load_state_dict(weights)
    peer = DetoxifyModel(str(checkpoint), QUIET)
    encoded = peer._tokenizer(TEXTS[:1], return_tensors="pt")
    with torch.no_grad():
        expected = torch.sigmoid(model.eval()(**encoded).logits[0]).numpy()
    assert peer.predict(TEXTS[:1])["toxicity"][0] == pytest.approx(expected[0], abs=1e-5)
    assert peer.predict(TEXTS[:1])["hate"][0] == pytest.approx(expected[5], abs=1e-5)


def test_older_names_and_further_outputs(encoder: Path) -> None:
    older = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
    peer = DetoxifyModel(
        str(write_checkpoint(encoder, older, 9)), QUIET
    )  # the unbiased model has more outputs than classes
    assert list(peer.predict(["a"])) == ["toxicity", "profanity", "threat", "personal_attack", "hate"]
    assert np.isfinite(list(peer.predict(["a"]).values())).all()


def test_a_missing_file_is_named(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(ContenderError, match=r"none\.ckpt"):
        DetoxifyModel(str(encoder / "none.ckpt"), QUIET)
    (tmp_path / "alone.ckpt").write_bytes(b"")
    with pytest.raises(ContenderError, match=r"config\.json"):
        DetoxifyModel(str(tmp_path / "alone.ckpt"), QUIET)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04broken"])
def test_what_is_no_checkpoint_is_refused(encoder: Path, content: bytes) -> None:
    (encoder / "other.ckpt").write_bytes(content)
    with pytest.raises(ContenderError, match=r"other\.ckpt"):
        DetoxifyModel(str(encoder / "other.ckpt"), QUIET)


def test_weights_that_do_not_fit_are_refused(encoder: Path) -> None:
    with pytest.raises(ContenderError, match="KeyError"):  # no random value may remain
        DetoxifyModel(str(write_checkpoint(encoder, CLASSES, 6, state_dict={})), QUIET)
    with pytest.raises(ContenderError, match=r"tiny\.ckpt|other\.ckpt"):
        DetoxifyModel(str(write_checkpoint(encoder, CLASSES, 6, config={})), QUIET)
