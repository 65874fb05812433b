"""Commands of README.md with the outputs that it shows, and its figures, which come from the model card.

``python -m tests.support.readme --write`` runs the commands and renews outputs and figures after a new model.
"""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from belowline.model.directory import DEFAULT_MODEL_DIR, read_config
from tests.conftest import ROOT
from tests.support.golden import TOLERANCE
from tests.support.served_process import served

README = ROOT / "README.md"
CARD = ROOT / "model" / "release" / "README.md"
SERVICE = "http://127.0.0.1:8000"
"""Address of the service in the README; the commands run against another one."""
COMMAND = "python -m tests.support.readme --write"
TARGETS = {
    "personal attacks on Wikipedia talk pages (jigsaw): AUC": "personal attack, jigsaw: AUC",
    "hate in sentences written to fool models (dghs): accuracy at the hold threshold": "hate, dghs dev: accuracy",
    "comment spam on a blog that was left out of training, text and author: AUC": (
        "spam, the blog left out, with author lines: AUC"
    ),
}
"""Rows of the README's table to measures of the card's table of targets."""

_BLOCK = re.compile(r"^```(sh|python|json|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LABEL_ROW = re.compile(r"^(\| `(\w+)` \|[^|]*\| )([\w-]+) [\d.]+( \|)", re.MULTILINE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of commands (``sh`` or ``python``), and the block of output directly below it if there is one."""

    language: str
    commands: str
    output: str | None
    span: tuple[int, int] | None
    """First and last character of the output within the document."""


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of commands in their order."""
    found = list(_BLOCK.finditer(text))
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block[1] in ("sh", "python"):
            shown = following is not None and following[1] in ("json", "text")
            output = following if shown and not text[block.end() : following.start()].strip() else None
            yield Block(block[1], block[2], output and output[2], output and output.span(2))


@contextmanager
def workplace() -> Iterator[tuple[Path, str]]:
    """Yield a temporary folder with the data of the checkout, and the address of a service."""
    with TemporaryDirectory() as name:
        (Path(name) / "data").symlink_to(ROOT / "data")
        with served(Path(name), settings={"threads": 1}) as service:
            yield Path(name), service.url


def output_of(block: Block, folder: Path, service: str) -> str:
    """Return the standard output of a block; raises CalledProcessError if a command fails."""
    commands = block.commands.replace(SERVICE, service)
    program = [sys.executable] if block.language == "python" else ["bash", "-euo", "pipefail"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BELOWLINE_")}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        [*program, "-c", commands], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.rstrip("\n") + "\n"


def alike(shown: str, real: str) -> bool:
    """Return True for the same words and numbers; numbers may differ as scores do between processors."""
    if _NUMBER.sub("#", shown) != _NUMBER.sub("#", real):
        return False
    numbers = zip(_NUMBER.findall(shown), _NUMBER.findall(real), strict=True)
    return all(abs(float(one) - float(other)) <= TOLERANCE for one, other in numbers)


def with_outputs(text: str) -> str:
    """Return the document with the outputs that its commands have now."""
    with workplace() as (folder, service):
        shown = [block for block in blocks(text) if block.span]
        for block, output in reversed([(block, output_of(block, folder, service)) for block in shown]):
            assert block.span
            text = text[: block.span[0]] + output + text[block.span[1] :]
    return text


def with_figures(text: str) -> str:
    """Return the document with the figures of the model card and the versions of the project and the model."""
    card = CARD.read_text("utf-8")
    text = _LABEL_ROW.sub(lambda row: f"{row[1]}{row[3]} {_auc(card, row[2], row[3])}{row[4]}", text)
    for row, measure in TARGETS.items():
        [value] = re.findall(rf"^\| {re.escape(measure)} \| [^|]+ \| ([\d.]+)", card, re.MULTILINE)
        text, changed = re.subn(
            rf"^(\| {re.escape(row)} \| )[^|]*( \|)$", rf"\g<1>{value}\2", text, flags=re.M
        )
        assert changed == 1, f"README.md has no row {row}"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    model = read_config(DEFAULT_MODEL_DIR).version
    megabytes = (DEFAULT_MODEL_DIR / "model.onnx").stat().st_size / 1e6
    text = re.sub(
        r"!\[version .*", f"![version {project['version']}]({_badge('version', project['version'])})", text
    )
    badge = _badge("model", f"{model},_{megabytes:.0f}_MB,_int8")
    return re.sub(r"!\[model .*", f"![model {model}]({badge})", text)


def _badge(name: str, value: str) -> str:
    return f"https://img.shields.io/badge/{name}-{value.replace('-', '--')}-blue"


def _auc(card: str, label: str, corpus: str) -> str:
    """Return the AUC of a label on the test rows of a corpus, from the card's table of every label and corpus."""
    [value] = re.findall(rf"^\| {label} \| {corpus} \| \d+ \| \d+ \| ([\d.]+) \(", card, re.MULTILINE)
    return str(value)


def write() -> None:
    """Replace outputs and figures of the README."""
    README.write_text(with_outputs(with_figures(README.read_text("utf-8"))), "utf-8")


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    write()
