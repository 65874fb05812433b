"""The network's outputs, and weights that survive a round trip."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from belowline.model.labels import DEFINITIONS, HARMFUL
from belowline.training.errors import RunError
from belowline.training.fit.network import CommentModel, embedding_layers, freeze, load_base, mean_pool
from belowline.training.fit.weights import load_model, save_model
from tests.support.tiny_training import write_base, write_mpnet

LABELS = tuple(DEFINITIONS)
IDS = torch.tensor([[2, 10, 11, 12, 3, 0, 0, 0], [2, 20, 21, 22, 23, 24, 25, 3]])
MASK = (IDS != 0).long()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("network"))


@pytest.fixture
def model(folder: Path) -> CommentModel:
    torch.manual_seed(1)
    return CommentModel(load_base(str(folder))[0], LABELS).eval()


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    return load_base(str(folder))[1]


def test_the_mean_ignores_padding() -> None:
    states = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [99.0, -99.0]], [[5.0, 6.0]] * 3])
    mask = torch.tensor([[1, 1, 0], [0, 0, 0]])
    assert mean_pool(states, mask).tolist() == [[2.0, 3.0], [0.0, 0.0]]


def test_shapes(model: CommentModel) -> None:
    out = model(IDS, MASK)
    assert out.logits.shape == (2, len(LABELS))
    assert out.evidence.shape == (2, 8, len(HARMFUL))
    assert out.embedding.shape == (2, 32)
    assert model.harmful == HARMFUL


def test_padding_changes_nothing(model: CommentModel) -> None:
    with torch.inference_mode():
        alone, beside = model(IDS[:1, :5], MASK[:1, :5]), model(IDS, MASK)
    torch.testing.assert_close(alone.logits, beside.logits[:1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(alone.evidence, beside.evidence[:1, :5], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(alone.embedding, beside.embedding[:1], atol=1e-5, rtol=1e-4)


def test_the_embedding_starts_as_the_base_models_own(model: CommentModel) -> None:
    with torch.inference_mode():
        found = model(IDS, MASK).embedding
        states = model.encoder(input_ids=IDS, attention_mask=MASK).last_hidden_state
    own = torch.stack([states[0, :5].mean(0), states[1].mean(0)])
    torch.testing.assert_close(found, own / own.norm(dim=1, keepdim=True))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


def test_the_embedding_keeps_unit_length_whatever_the_head(model: CommentModel) -> None:
    with torch.inference_mode():
        model.embedding_head.weight.mul_(7).add_(0.3)
        torch.testing.assert_close(model(IDS, MASK).embedding.norm(dim=1), torch.ones(2))


def test_dropout_only_while_training(model: CommentModel) -> None:
    with torch.inference_mode():
        assert torch.equal(model(IDS, MASK).logits, model(IDS, MASK).logits)
        model.train()
        assert not torch.equal(model(IDS, MASK).logits, model(IDS, MASK).logits)


def test_the_base_comes_without_pooler_and_with_the_dropout_asked_for(folder: Path) -> None:
    encoder, tokenizer = load_base(str(folder), dropout=0.25)
    assert not [name for name, _ in encoder.named_parameters() if "pooler" in name]
    assert encoder.config.hidden_dropout_prob == 0.25
    assert encoder.config.attention_probs_dropout_prob == 0.0
    assert tokenizer("the you")["input_ids"][0] == 2


def test_a_model_without_harmful_labels_still_has_its_three_outputs(folder: Path) -> None:
    out = CommentModel(load_base(str(folder))[0], ("on_topic",))(IDS, MASK)
    assert (out.logits.shape, out.evidence.shape) == ((2, 1), (2, 8, 1))


def test_saved_and_loaded_it_is_the_same_model(
    model: CommentModel, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    save_model(model, tokenizer, tmp_path / "run" / "model")
    loaded, its_tokenizer = load_model(tmp_path / "run" / "model")
    assert loaded.labels == LABELS
    assert not loaded.training
    state = loaded.state_dict()
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    with torch.inference_mode():
        torch.testing.assert_close(loaded(IDS, MASK).logits, model(IDS, MASK).logits)
    text = "The you-link, 2nd time"
    assert its_tokenizer(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["model"]


def test_what_an_interrupted_save_left_is_swept_away(
    model: CommentModel, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    (tmp_path / "model.part").mkdir()
    (tmp_path / "model.part" / "junk").write_text("half", "utf-8")
    save_model(model, tokenizer, tmp_path / "model")
    assert not (tmp_path / "model" / "junk").exists()
    assert not (tmp_path / "model.part").exists()


def test_loading_what_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no trained model"):
        load_model(tmp_path / "model")


def test_only_labels_that_are_not_harmful_read_the_length(model: CommentModel) -> None:
    ids, mask = torch.tensor([[2, 10, 11, 3] * 8]), torch.ones(1, 32, dtype=torch.int64)
    halved = mask.clone()
    halved[:, 16:] = 0
    with torch.inference_mode():
        before = [model(ids, given).logits[0] for given in (mask, halved)]
        model.length_weight.fill_(2.0)
        after = [model(ids, given).logits[0] for given in (mask, halved)]
    assert torch.allclose(before[0], after[0])  # a length of 32 tokens has no effect
    gained = dict(zip(LABELS, (after[1] - before[1]).tolist(), strict=True))
    assert gained.pop("on_topic") == pytest.approx(-2 * 0.6931, abs=1e-3)
    assert set(gained.values()) == {0.0}


@pytest.mark.parametrize(("count", "layers"), [(1, (1,)), (2, (1, 2)), (6, (2, 4, 6)), (12, (4, 8, 12))])
def test_the_embedding_reads_the_end_of_each_third(count: int, layers: tuple[int, ...]) -> None:
    assert embedding_layers(count) == layers


@pytest.fixture(scope="module")
def mpnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mpnet(tmp_path_factory.mktemp("mpnet"))


def test_mpnet_reads_a_text_alike_alone_and_beside_a_longer_one(mpnet: Path) -> None:
    encoder, tokenizer = load_base(str(mpnet))
    encoder.set_attn_implementation("eager")
    model = CommentModel(encoder, LABELS).eval()
    texts = ["The you", "The you-link, 2nd time, and more"]
    alone, both = (tokenizer(given, padding=True, return_tensors="pt") for given in (texts[:1], texts))
    assert both["input_ids"][0, 0] == 0
    assert both["input_ids"][0, -1] == tokenizer.pad_token_id == 1
    length = alone["input_ids"].shape[1]
    with torch.inference_mode():
        one, two = (model(given["input_ids"], given["attention_mask"]) for given in (alone, both))
    torch.testing.assert_close(one.logits, two.logits[:1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(one.evidence, two.evidence[:1, :length], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(one.embedding, two.embedding[:1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["folder", "mpnet"])
def test_below_a_frozen_layer_nothing_learns_and_nothing_is_dropped(
    kind: str, request: pytest.FixtureRequest
) -> None:
    encoder, _ = load_base(str(request.getfixturevalue(kind)), dropout=0.5)
    model = CommentModel(encoder, LABELS)
    freeze(model.encoder, 1)
    model.train()
    layers = [
        model.encoder(input_ids=IDS, attention_mask=MASK, output_hidden_states=True).hidden_states
        for _ in range(2)
    ]
    assert torch.equal(layers[0][1], layers[1][1])
    assert not layers[0][1].requires_grad
    assert not torch.equal(layers[0][2], layers[1][2])
    model(IDS, MASK).logits.sum().backward()
    learned = {name for name, parameter in model.encoder.named_parameters() if parameter.grad is not None}
    assert learned
    assert not [name for name in learned if ".layer.0." in name or "layer" not in name]
    assert not [name for name in learned if "relative" in name]


def test_more_frozen_layers_than_there_are_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="freeze_layers = 3"):
        freeze(load_base(str(folder))[0], 3)
