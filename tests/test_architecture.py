"""The import table of the design, enforced."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests import import_graph
from tests.conftest import ROOT

ALLOWED = {
    "data": {"data"},
    "model": {"model"},
    "training": {"training", "data", "model"},
    "serve": {"serve", "data", "model"},
}
# From the top down: a room imports only rooms after it.
SERVE_ROOMS = (
    *(
        "cli",
        "demo",
        "server",
        "console",
        "protocols",
        "api",
        "wordpress",
        "audit",
        "training_data",
        "http",
        "active",
        "queue",
    ),
    *("webhooks", "batch", "templating", "scoring", "store", "metrics", "settings", "json_body"),
)
ERRORS = {"belowline.model.errors", "belowline.model.labels"}


def modules_of(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@cache
def imported(path: Path) -> set[str]:
    """Return the modules that a file imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("folder", ALLOWED)
def test_modules_import_only_what_their_folder_may(folder: str) -> None:
    for path in modules_of(folder):
        names = imported(path)
        ours = {name.split(".")[1] for name in names if name.startswith("belowline.")}
        if folder == "data" and ERRORS & names:
            ours -= {"model"}  # data only needs the base class of all errors, and the names of labels
            assert not {name for name in names if name.startswith("belowline.model")} - ERRORS, path
        assert ours <= ALLOWED[folder], path


@pytest.mark.parametrize("folder", ["data", "model", "serve"])
def test_no_folder_but_training_imports_what_the_extra_brings(folder: str) -> None:
    heavy = {"torch", "transformers", "datasets", "sklearn", "detoxify", "accelerate"}
    for path in modules_of(folder):
        assert not heavy & {name.split(".")[0] for name in imported(path)}, path


ROOMS = {
    "serve": SERVE_ROOMS,
    "training": (
        *(
            "cli",
            "compare",
            "tune",
            "export",
            "measure",
            "fit",
            "dataset",
            "recipes",
            "score_cache",
            "files",
            "errors",
        ),
    ),
    "data": (
        "__init__",
        "labelled_table",
        "archives",
        "corpora",
        "decisions",
        "decision_labels",
        "example",
        "comment",
        "files",
    ),
}
"""Rooms of a product folder from the top down: each imports only rooms below it."""

ARCHIVES = (
    *(
        "rows",
        "readers",
        "formats",
        "isso",
        "table_reader",
        "hosts",
        "records",
        "shapes",
        "warc",
        "saved_page",
        "xml",
        "posts",
        "values",
        "html",
    ),
    *("json_values", "encodings", "side_fields", "times", "containers", "lines", "columns", "words"),
)
"""Modules and rooms of ``data/archives`` from the top down."""


@pytest.mark.parametrize("folder", ROOMS)
def test_rooms_import_downward_only(folder: str) -> None:
    graph = import_graph.graph(folder)
    assert set(graph.rooms) <= set(ROOMS[folder])
    assert graph.upward(ROOMS[folder]) == []
    assert graph.cycle() == []


def test_readers_of_archives_import_downward_only() -> None:
    height = {name: -number for number, name in enumerate(ARCHIVES)}
    folder = ROOT / "data" / "archives"
    for path in folder.rglob("*.py"):
        room = path.relative_to(folder).parts[0].removesuffix(".py")
        names = {name.split(".")[3] for name in imported(path) if name.startswith("belowline.data.archives.")}
        if room != "__init__":
            assert all(height[name] < height[room] for name in names - {room}), path


def test_test_modules_never_import_each_other() -> None:
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for name in imported(path)
        if name.startswith("tests.") and name.rpartition(".")[2].startswith("test_")
    ]
    assert not found, "move what they share to tests/support"


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
