"""Notebooks with their outputs: ``python -m tests.support.notebooks --write`` runs and saves all, after a new model.

Names after ``--write`` select some of them: ``--write 01_first_look``.
"""

import base64
import hashlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

from belowline.model.directory import DEFAULT_MODEL_DIR, read_config
from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
COMMAND = "python -m tests.support.notebooks --write"
_COLOURS = 64
_CELL_S = 3600
"""Time limit of a cell: the command may run beside other work."""


def read(path: Path) -> Any:
    """Return a notebook."""
    return nbformat.read(path, as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    """Return the cells with code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def executed(path: Path) -> Any:
    """Return the notebook with the outputs that it has now; raises CellExecutionError if a cell fails."""
    notebook = read(path)
    client = NotebookClient(
        notebook, timeout=_CELL_S, record_timing=False, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    for cell in code_cells(notebook):
        # Warnings of libraries and progress bars differ between machines.
        cell.outputs = joined([output for output in cell.outputs if output.get("name") != "stderr"])
        for output in cell.outputs:
            _shrink(output.get("data", {}))
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "belowline": origin(notebook),
    }
    return notebook


def joined(outputs: list[Any]) -> list[Any]:
    """Return the outputs with adjacent parts of a stream as one; where a stream is parted depends on time."""
    whole: list[Any] = []
    for output in outputs:
        if whole and output.get("name", "") == whole[-1].get("name"):
            whole[-1].text += output.text
        else:
            whole.append(output)
    return whole


def origin(notebook: Any) -> dict[str, str]:
    """Return the model and the digest of the code by which outputs are recognised as those of this notebook."""
    code = "\0".join(cell.source for cell in code_cells(notebook))
    return {
        "model": read_config(DEFAULT_MODEL_DIR).version,
        "code": hashlib.sha256(code.encode()).hexdigest()[:16],
    }


def structure(notebook: Any) -> list[list[str]]:
    """Return the kinds of outputs of each code cell: streams by name, others by their media types."""
    return [list(_kinds(cell)) for cell in code_cells(notebook)]


def _kinds(cell: Any) -> Iterator[str]:
    for output in cell.outputs:
        yield output.get("name") or " ".join(sorted(output.get("data", {}))) or output.output_type


def _shrink(data: Any) -> None:
    """Reduce a picture to few colours, and leave out its description, which has an address in memory."""
    if "image/png" in data:
        data.pop("text/plain", None)
        with Image.open(io.BytesIO(base64.b64decode(data["image/png"]))) as whole:
            few = whole.convert("RGB").quantize(_COLOURS)
        small = io.BytesIO()
        few.save(small, "png", optimize=True)
        data["image/png"] = base64.b64encode(small.getvalue()).decode()


def write(names: list[str]) -> None:
    """Run notebooks (all without names) and replace their files."""
    for path in (path for path in NOTEBOOKS if not names or path.stem in names):
        nbformat.write(executed(path), path)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__" and sys.argv[1:2] == ["--write"]:
    write(sys.argv[2:])
