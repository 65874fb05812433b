"""A model directory of random weights, created in a second without torch.

It has the same files and outputs as a released one.
"""

import json
import string
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

LABELS = ("spam", "hate", "antisemitism", "personal_attack", "threat", "profanity", "toxicity", "on_topic")
HARMFUL = LABELS[:-1]
_HIDDEN = 8


def build_tiny_model(
    directory: Path, *, version: str = "0.0.1-tiny", seed: int = 7, **changes: object
) -> Path:
    """Write the directory, with ``changes`` to its ``config.json``, and return it."""
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer = tiny_tokenizer()
    tokenizer.save(str(directory / "tokenizer.json"))
    onnx.save(_graph(tokenizer.get_vocab_size(), np.random.default_rng(seed)), str(directory / "model.onnx"))
    (directory / "config.json").write_text(json.dumps(_config(version) | changes), "utf-8")
    (directory / "README.md").write_text("A random model for tests.\n", "utf-8")
    return directory


def _config(version: str) -> dict[str, object]:
    return {
        "version": version,
        "labels": LABELS,
        "harmful": HARMFUL,
        "calibration": {label: {"scale": 1.0, "shift": 0.0} for label in LABELS},
        "thresholds": {
            label: {"hold": 0.7, "reject": 0.95} if label in HARMFUL else {"hold": None, "reject": None}
            for label in LABELS
        },
        "window": {
            "tokens": 64,
            "overlap": 16,
            "aggregate": {label: "mean" if label == "on_topic" else "max" for label in LABELS},
        },
        "languages": ["en"],
        "evidence": {label: {"channel": label, "floor": 0.6} for label in HARMFUL},
        "relevance": {"scale": 4.0, "shift": -1.0},
    }


def tiny_tokenizer() -> Tokenizer:
    letters = string.ascii_lowercase + string.digits + string.punctuation
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *letters,
        *(f"##{letter}" for letter in letters),
        "the",
        "you",
        "link",
        "##ing",
    ]
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def _graph(vocabulary: int, rng: np.random.Generator) -> onnx.ModelProto:
    weights = {
        "table": rng.normal(0, 1, (vocabulary, _HIDDEN)),
        "labels_w": rng.normal(0, 3, (_HIDDEN, len(LABELS))),
        "evidence_w": rng.normal(0, 1, (_HIDDEN, len(HARMFUL))),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["states"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["states", "mask3"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "second"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "second"], ["count"], keepdims=1),
        helper.make_node("Div", ["total", "count"], ["mean"]),
        helper.make_node("LpNormalization", ["mean"], ["text_embedding"], axis=1),
        helper.make_node("MatMul", ["mean", "labels_w"], ["label_logits"]),
        helper.make_node("MatMul", ["states", "evidence_w"], ["evidence_logits"]),
        helper.make_node("Sigmoid", ["evidence_logits"], ["token_evidence"]),
    ]
    constants = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    constants += [
        numpy_helper.from_array(np.array([axis], np.int64), name)
        for name, axis in (("last", 2), ("second", 1))
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [
        helper.make_tensor_value_info("label_logits", TensorProto.FLOAT, ["batch", len(LABELS)]),
        helper.make_tensor_value_info("token_evidence", TensorProto.FLOAT, ["batch", "tokens", len(HARMFUL)]),
        helper.make_tensor_value_info("text_embedding", TensorProto.FLOAT, ["batch", _HIDDEN]),
    ]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
