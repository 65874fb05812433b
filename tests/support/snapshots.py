"""Snapshots of user-visible wording: help pages, titles of the API, titles of problems.

``python -m tests.support.snapshots --write`` rewrites the files in ``tests/snapshots`` after an intended change.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer

from belowline.serve.http.errors import PROBLEMS
from tests.support.serve_fakes import client_of

FOLDER = Path(__file__).parents[1] / "snapshots"
COMMAND = "python -m tests.support.snapshots --write"
PROGRAMS = {"belowline": "belowline.serve.cli", "belowline-train": "belowline.training.cli"}
METHODS = ("get", "put", "post", "delete", "patch")


def commands_of(program: str) -> Iterator[tuple[str, Any]]:
    """Yield the path of each command and group of a program, and the command."""
    yield from _below(program, typer.main.get_command(import_module(PROGRAMS[program]).app))


def _below(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, child in sorted(getattr(command, "commands", {}).items()):
        yield from _below(f"{path} {name}", child)


def help_pages() -> str:
    """Return each command with its help, and each option and argument with its help and default."""
    lines: list[str] = []
    for program in PROGRAMS:
        for path, command in commands_of(program):
            lines += ["", path, *(f"  {line}".rstrip() for line in (command.help or "").splitlines())]
            for option in command.params:
                names = ", ".join((*option.opts, *option.secondary_opts))
                lines.append(f"    {names}: {' '.join((option.help or '').split())}")
    return "\n".join(lines[1:]) + "\n"


def api_titles() -> str:
    """Return the API's title, its tags, and each operation with its id and summary."""
    with TemporaryDirectory() as folder, client_of(Path(folder)) as client:
        document = client.get("/openapi.json").json()
    lines = [f"{document['info']['title']}: {document['info'].get('summary', '')}"]
    lines += [f"tag {tag['name']}: {tag.get('description', '')}" for tag in document.get("tags", [])]
    for path, operations in sorted(document["paths"].items()):
        for method in (name for name in METHODS if name in operations):
            operation = operations[method]
            lines.append(f"{method.upper()} {path} ({operation['operationId']}): {operation['summary']}")
    return "\n".join(lines) + "\n"


def problem_titles() -> str:
    """Return each kind of problem with its status and title."""
    return "".join(f"{status} {kind}: {title}\n" for kind, (status, title) in PROBLEMS.items())


SURFACES: Mapping[str, Callable[[], str]] = {
    "help_pages": help_pages,
    "api_titles": api_titles,
    "problem_titles": problem_titles,
}


def snapshot(surface: str) -> str:
    """Return the text of a surface's file."""
    return (FOLDER / f"{surface}.txt").read_text("utf-8")


def write() -> None:
    """Replace the file of every surface."""
    FOLDER.mkdir(exist_ok=True)
    for surface, text in SURFACES.items():
        (FOLDER / f"{surface}.txt").write_text(text(), "utf-8")


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    write()
