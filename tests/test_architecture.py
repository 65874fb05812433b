"""The import table of the design, held."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.import_graph import graph

ALLOWED = {
    "data": {"data"},
    "model": {"model"},
    "training": {"training", "data", "model"},
    "serve": {"serve", "data", "model"},
}
MODULES = sorted(path for folder in ALLOWED for path in (ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Modules that a file imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_folder_may(path: Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("belowline.")}
    assert ours <= ALLOWED[folder]


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p.relative_to(ROOT).parts[0] != "training"], ids=lambda p: p.stem
)
def test_no_folder_but_training_imports_what_the_extra_brings(path: Path) -> None:
    heavy = {"torch", "transformers", "datasets", "sklearn", "detoxify", "accelerate"}
    assert not heavy & {name.split(".")[0] for name in imported(path)}


ROOMS_OF_TRAINING = (
    "cli",
    "compare",
    "tune",
    "export",
    "measure",
    "fit",
    "dataset",
    "recipes",
    "files",
    "errors",
)
"""From the top down: a room imports only rooms to its right."""


def test_rooms_of_training_import_downward_only() -> None:
    found = graph("training")
    assert set(found.rooms) <= set(ROOMS_OF_TRAINING)
    assert found.upward(ROOMS_OF_TRAINING) == []
    assert found.cycle() == []


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_scoring_loads_neither_torch_nor_transformers(tiny_model_dir: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from belowline.model import Scorer, ScoreInput;"
        f"Scorer.load(Path({str(tiny_model_dir)!r})).score([ScoreInput('some words')]);"
        "print([name for name in ('torch', 'transformers', 'sklearn') if name in sys.modules])"
    )
    assert run_python(code).strip() == "[]"


def test_importing_the_model_package_does_not_load_the_runtime() -> None:
    code = "import sys, belowline.model; print('onnxruntime' in sys.modules)"
    assert run_python(code).strip() == "False"


def test_the_namespace_has_no_init() -> None:
    import belowline

    assert belowline.__file__ is None
