"""Every help page is shown, is quick, explains each option, and has its command in a document."""

import resource
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.support.snapshots import PROGRAMS, commands_of

HEAVY = (
    "onnxruntime",
    "fastapi",
    "sqlalchemy",
    "alembic",
    "pyarrow",
    "torch",
    "transformers",
    "sklearn",
    "datasets",
)


IMPLIED = {"belowline audit run"}
"""Commands that users write without their last word."""


def all_commands() -> list[Any]:
    return [
        pytest.param(path, command, id=path) for program in PROGRAMS for path, command in commands_of(program)
    ]


@pytest.mark.parametrize(("path", "command"), all_commands())
def test_every_command_and_option_is_explained(path: str, command: Any) -> None:
    assert command.help, path
    for option in command.params:
        assert option.help, f"{path} {option.name}"
        assert option.help[0].isupper(), f"{path} {option.name}: {option.help}"
        assert option.help.rstrip().endswith("."), f"{path} {option.name}: {option.help}"


@pytest.mark.slow
@pytest.mark.parametrize(("path", "command"), all_commands())
def test_the_page_shows_quickly(path: str, command: Any) -> None:
    program, *names = path.split()
    code = (
        f"import sys; sys.argv = {[program, *names, '--help']!r}\n"
        f"from {PROGRAMS[program]} import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"loaded = sorted(set({HEAVY!r}) & set(sys.modules)); assert not loaded, loaded"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Processor time, because other work on the machine must not fail a test.
    assert after.ru_utime - before.ru_utime < 3, "loads something heavy"
    assert "Usage" in done.stdout
    for option in command.params:
        for name in getattr(option, "opts", ()):
            assert not name.startswith("--") or name in done.stdout


def test_the_documents_name_every_command() -> None:
    documents = [
        ROOT / "README.md",
        *(ROOT / "serve").glob("*.md"),
        ROOT / "training/README.md",
        ROOT / "data/README.md",
    ]
    text = "\n".join(path.read_text("utf-8") for path in documents)
    paths = {path for program in PROGRAMS for path, _ in commands_of(program)}
    missing = sorted(path for path in paths - IMPLIED if path not in text)
    assert not missing, f"no document mentions: {', '.join(missing)}"
