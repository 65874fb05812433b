"""Every notebook runs from top to bottom with the content of the repository, and is committed with its outputs."""

import ast
import importlib

import pytest
from nbformat.v4 import new_output

from tests.support.notebooks import COMMAND, NOTEBOOKS, code_cells, executed, joined, origin, read, structure

LARGEST = 250_000


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_has_the_outputs_that_are_committed(path) -> None:
    assert structure(executed(path)) == structure(read(path)), f"if this is wanted: {COMMAND}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_outputs_are_those_of_the_released_model_and_of_this_code(path) -> None:
    notebook = read(path)
    assert notebook.metadata.get("belowline") == origin(notebook), f"run {COMMAND}"
    kinds = [kind for cell in structure(notebook) for kind in cell]
    assert "image/png" in kinds
    assert "stdout" in kinds
    assert not {"stderr", "error"} & set(kinds)
    assert path.stat().st_size < LARGEST


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_defines_nothing(path) -> None:
    lines = [line for cell in code_cells(read(path)) for line in cell.source.splitlines()]
    assert not any(line.startswith(("def ", "class ")) for line in lines)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_imports_what_the_packages_have(path) -> None:
    for node in (node for cell in code_cells(read(path)) for node in ast.walk(ast.parse(cell.source))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("belowline"):
            module = importlib.import_module(str(node.module))
            assert not [name.name for name in node.names if not hasattr(module, name.name)], node.module


def test_parts_of_a_stream_are_one_output() -> None:
    parts = [new_output("stream", name="stdout", text=text) for text in ("a\n", "b\n")]
    picture = new_output("display_data", data={"image/png": ""})
    last = new_output("stream", name="stdout", text="c\n")
    assert [output.get("text") for output in joined([*parts, picture, picture, last])] == [
        "a\nb\n",
        None,
        None,
        "c\n",
    ]


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "01_first_look",
        "02_train_and_read_the_errors",
        "03_thresholds_and_calibration",
        "04_bias_by_named_group",
        "05_audit_an_archive",
        "06_active_learning",
    ]
