"""An audit and its peers, timed from file to file on the same comments in the same run.

Peers read the same JSONL and write one line of scores for each comment: the Hugging Face pipeline on the same network
in fp32, and Detoxify's ``original`` architecture (bert-base) through its own ``predict``. Heads or weights are random
(see tests/bench/networks.py), so only time is measured. Each peer runs in its own process, so loading is included.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.figures import figure, group, ratios
from tests.bench.rounds import Setup, Step, alternate, cores, seconds

OURS = "belowline audit"
PEERS = {"Hugging Face pipeline, fp32": "pipeline", "Detoxify original (bert-base)": "detoxify"}


def run(setup: Setup, step: Step) -> dict[str, Any]:
    """Comments per second from file to file, and the ratio of our rate to each peer's."""
    texts, source = setup.texts(setup.pick(64, 4))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        comments = folder / "comments.jsonl"
        comments.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
        runs: dict[str, Callable[[], float]] = {
            OURS: lambda: len(texts) / audit_seconds(comments, folder, setup.model)
        }
        for peer, kind in PEERS.items():
            runs[peer] = lambda kind=kind: len(texts) / _peer_seconds(kind, comments, folder, setup.model)
        rates = alternate(runs, setup.pick(2, 1), step)
    return {
        "title": "Audits",
        "about": [
            f"{len(texts)} comments of {source} from file to file, each in a process of its own, loading included, {cores()} cores. In so "
            "short a file loading counts for much."
        ],
        "groups": [
            group("Comments a second, from file to file", {n: figure(v, "/s") for n, v in rates.items()}),
            group("The audit is faster by, round by round", ratios(rates, OURS)),
        ],
    }


def audit_seconds(comments: Path, folder: Path, model: Path) -> float:
    """Return the seconds that ``belowline audit`` takes, start of the program and report included."""
    command = [sys.executable, "-c", "from belowline.serve.cli import main; main()", "audit", str(comments)]
    environment = {**os.environ, "BELOWLINE_MODEL_DIR": str(model.resolve())}
    return _run_seconds([*command, "--out", str(folder / "out"), "--force"], environment)


def _peer_seconds(kind: str, comments: Path, folder: Path, model: Path) -> float:
    command = [
        sys.executable,
        "-m",
        "tests.bench.audit",
        kind,
        str(comments),
        str(folder / "peer.jsonl"),
        str(model),
    ]
    return _run_seconds(command, dict(os.environ))


def _run_seconds(command: list[str], environment: dict[str, str]) -> float:
    return seconds(
        lambda: subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
    )


def score_file(kind: str, source: Path, target: Path, model: Path) -> None:
    """Write a peer's scores of the texts in ``source``."""
    from tests.bench.networks import detoxify_run, pipeline_run, use_all_cores

    use_all_cores()
    with source.open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    if kind == "pipeline":
        scores = pipeline_run(model)(texts)
    else:
        scores = [
            {label: values[at] for label, values in one.items()}
            for one in detoxify_run("original")(texts, 32)
            for at in range(len(next(iter(one.values()))))
        ]
    with target.open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps({"text": text, "scores": one}) + "\n" for text, one in zip(texts, scores, strict=True)
        )


if __name__ == "__main__":
    score_file(sys.argv[1], *map(Path, sys.argv[2:]))
