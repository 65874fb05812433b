"""Similarity of the model's embeddings to those of its base model."""

from collections.abc import Sequence

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from scipy.stats import spearmanr

from belowline.model import Scorer
from belowline.training.fit.network import load_base, mean_pool
from belowline.training.measure.intervals import Floats
from tests.release.bootstrap import Measurement, bootstrapped

_PAIRS = 5000
_BATCH = 32
_LONGEST = 512


def embedding_figure(scorer: Scorer, base: str, texts: Sequence[str], console: Console) -> Measurement:
    """Return the Spearman correlation of the cosines of 5,000 random pairs of ``texts`` in both models.

    At least three texts are needed. The base reads texts unchanged, up to 512 tokens at once. The model reads them
    normalised and in windows.
    """
    rng = np.random.default_rng(0)
    first = rng.integers(0, len(texts), _PAIRS)
    second = (first + rng.integers(1, len(texts), _PAIRS)) % len(texts)  # never the same text
    ours = scorer.embed(texts).astype(np.float64)
    theirs = base_embeddings(base, texts, console)
    cosines = [(rows[first] * rows[second]).sum(1) for rows in (ours, theirs)]
    return bootstrapped(_spearman, *cosines, note=f"pairs of {len(texts)} comments")


def _spearman(first: Floats, second: Floats) -> float:
    return float(spearmanr(first, second).statistic)


def base_embeddings(base: str, texts: Sequence[str], console: Console) -> Floats:
    """Return the embeddings [n, hidden] of the base model, mean-pooled, unit length."""
    encoder, tokenizer = load_base(base)
    encoder.train(False)
    longest = min(_LONGEST, encoder.config.max_position_embeddings)
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    found = np.zeros((len(texts), encoder.config.hidden_size))
    for start in track(range(0, len(order), _BATCH), description="base", console=console):
        rows = order[start : start + _BATCH]
        encoded = tokenizer(
            [texts[row] for row in rows],
            truncation=True,
            max_length=longest,
            padding=True,
            return_tensors="pt",
        )
        ids, mask = encoded["input_ids"], encoded["attention_mask"]
        with torch.inference_mode():
            states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            found[rows] = torch.nn.functional.normalize(mean_pool(states, mask), dim=1).numpy()
    return found
