"""The embedding head after training: the best linear map back to the base's embeddings."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from torch import Tensor, nn

from belowline.training.fit.batches import Encoder
from belowline.training.fit.network import CommentModel, load_base, mean_pool
from belowline.training.fit.post_fit import fit_embedding_head, fit_length_weight
from belowline.training.recipes.recipe import Recipe
from tests.support.tiny_training import write_base

WORDS = ("the", "you", "link", "report", "road", "bridge", "vote", "money", "song", "match")
TEXTS = [f"{a} {b} {c} {a}" for a in WORDS for b in WORDS for c in WORDS[:4]]


@pytest.fixture
def parts(tmp_path: Path) -> tuple[CommentModel, nn.Module, Encoder, Dataset]:
    """A model whose trunk has drifted from its base."""
    base, tokenizer = load_base(str(write_base(tmp_path / "base")))
    recipe = Recipe.model_validate({"name": "trial", "base": "none", "mix": {"toy": 1.0}, "max_tokens": 64})
    model = CommentModel(copy.deepcopy(base), recipe.labels)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter) * parameter.std(correction=0))
    row = {"labels": [None] * len(recipe.labels), "spans": [], "spans_known": False, "source": "toy"}
    data = Dataset.from_list([{**row, "text": text} for text in TEXTS])
    return model, base.eval(), Encoder(tokenizer, recipe), data


def likeness(model: CommentModel, base: nn.Module, encoder: Encoder) -> Tensor:
    """Return the mean cosine to the base's embeddings."""
    batch = encoder.batch(
        [{"text": text, "labels": [None] * 8, "spans": [], "spans_known": False} for text in TEXTS]
    )
    with torch.no_grad():
        states = base(input_ids=batch.input_ids, attention_mask=batch.attention_mask).last_hidden_state
        goal = nn.functional.normalize(mean_pool(states, batch.attention_mask), dim=1)
        return (model.eval()(batch.input_ids, batch.attention_mask).embedding * goal).sum(1).mean()


def test_the_head_leads_back_to_the_base(parts: tuple[CommentModel, nn.Module, Encoder, Dataset]) -> None:
    model, base, encoder, data = parts
    drifted = likeness(model, base, encoder)
    trunk = copy.deepcopy(model.encoder.state_dict())
    fit_embedding_head(model, base, encoder, data)  # type: ignore[arg-type]
    assert likeness(model, base, encoder) > max(0.99, float(drifted))
    assert all(torch.equal(trunk[name], value) for name, value in model.encoder.state_dict().items())


def test_it_is_the_same_every_time(parts: tuple[CommentModel, nn.Module, Encoder, Dataset]) -> None:
    model, base, encoder, data = parts
    other = copy.deepcopy(model)
    for one in (model, other):
        fit_embedding_head(one, base, encoder, data)  # type: ignore[arg-type]
    assert torch.equal(model.embedding_head.weight, other.embedding_head.weight)


def test_what_length_says_is_found_on_texts_that_know_the_label(
    parts: tuple[CommentModel, nn.Module, Encoder, Dataset],
) -> None:
    model, _, encoder, _ = parts
    label = model.labels.index("on_topic")
    rng = np.random.default_rng(3)
    rows = []
    for words in range(1, 60):
        for number in range(4):
            labels: list[float | None] = [None] * len(model.labels)
            labels[label] = float(rng.random() < words / 60) if number < 3 else None
            text = " ".join(rng.choice(WORDS, words))
            rows.append({"text": text, "labels": labels, "spans": [], "spans_known": False, "source": "toy"})
    before = model.length_weight.detach().clone()
    fit_length_weight(model, encoder, Dataset.from_list(rows))
    after = model.length_weight.detach().clone()
    assert after[label] > 0.3, "longer texts have the label more often"
    others = [at for at in range(len(before)) if at != label]
    assert torch.equal(after[others], before[others])
    fit_length_weight(model, encoder, Dataset.from_list(rows))
    assert torch.allclose(model.length_weight, after, rtol=1e-2), "where it begins makes no difference"
    settled = model.length_weight.detach().clone()
    fit_length_weight(model, encoder, Dataset.from_list(rows[:100]))
    assert torch.equal(model.length_weight, settled), "75 texts are too few"
