"""One exception tree."""

import ast
from pathlib import Path

from belowline.model.errors import BelowlineError
from belowline.training import errors
from tests.conftest import ROOT

CLASSES = {name: value for name, value in vars(errors).items() if isinstance(value, type)}


def test_every_exception_has_the_common_base_and_is_in_the_drawing() -> None:
    assert len(CLASSES) > 5
    for name, kind in CLASSES.items():
        assert issubclass(kind, BelowlineError)
        assert name in (errors.__doc__ or "")


def test_no_other_file_of_training_defines_an_exception() -> None:
    def bases(path: Path) -> set[str]:
        tree = ast.parse(path.read_text("utf-8"))
        return {
            ast.unparse(base)
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
            for base in node.bases
        }

    known = {"Exception", "OSError", "ValueError", *CLASSES}
    others = [path for path in (ROOT / "training").rglob("*.py") if path.name != "errors.py"]
    assert [path for path in others if bases(path) & known] == []
