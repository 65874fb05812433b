"""A miniature checkpoint in Detoxify's own format, with random weights."""

from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertForSequenceClassification

CLASSES = ["toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack"]


def write_checkpoint(folder: Path, classes: list[str], outputs: int, **changes: Any) -> Path:
    """Write a checkpoint in the form of Detoxify's releases: weights, classes, and the encoder's name on the Hub."""
    torch.manual_seed(1)
    model = BertForSequenceClassification(BertConfig.from_pretrained(folder, num_labels=outputs))
    torch.nn.init.normal_(model.classifier.weight, std=2.0)
    arguments = {
        "num_classes": outputs,
        "model_type": "bert-base-uncased",
        "model_name": "BertForSequenceClassification",
        "tokenizer_name": "BertTokenizer",
    }
    config = {"arch": {"args": arguments}, "dataset": {"args": {"classes": classes}}}
    torch.save({"config": config, "state_dict": model.state_dict()} | changes, folder / "tiny.ckpt")
    return folder / "tiny.ckpt"
