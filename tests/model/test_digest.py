"""The digest of a model directory: which changes affect it, and its availability to every part of the program."""

import ast
import shutil
import sys
from pathlib import Path

import pytest

from belowline.model import digest
from belowline.model.digest import model_digest


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "further").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"one" * 700_000)  # more than one read
    (folder / "b.txt").write_bytes(b"two")
    (folder / "further" / "c.txt").write_bytes(b"")
    return folder


def test_a_copy_elsewhere_has_the_same(directory: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(directory, tmp_path / "elsewhere")
    assert model_digest(copy) == model_digest(directory)
    assert len(model_digest(copy)) == 64


def test_every_change_of_a_file_changes_it(directory: Path) -> None:
    seen = [model_digest(directory)]
    (directory / "b.txt").write_bytes(b"twp")
    seen.append(model_digest(directory))
    (directory / "b.txt").rename(directory / "d.txt")
    seen.append(model_digest(directory))
    (directory / "further" / "c.txt").rename(directory / "c.txt")
    seen.append(model_digest(directory))
    (directory / "c.txt").unlink()
    seen.append(model_digest(directory))
    with (directory / "a.txt").open("ab") as file:
        file.write(b".")
    seen.append(model_digest(directory))
    assert len(set(seen)) == len(seen)


def test_bytes_that_move_from_one_file_to_the_next_change_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"xy")
    (tmp_path / "b").write_bytes(b"z")
    before = model_digest(tmp_path)
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"yz")
    assert model_digest(tmp_path) != before


def test_hidden_files_do_not_count(directory: Path) -> None:
    before = model_digest(directory)
    (directory / ".cache").mkdir()
    (directory / ".cache" / "x").write_bytes(b"x")
    (directory / ".DS_Store").write_bytes(b"x")
    assert model_digest(directory) == before


def test_a_directory_that_is_not_there_has_none(directory: Path) -> None:
    for other in (directory / "none", directory / "a.txt"):
        with pytest.raises(NotADirectoryError, match=other.name):
            model_digest(other)


def test_it_needs_the_standard_library_alone() -> None:
    tree = ast.parse(Path(digest.__file__).read_text("utf-8"))
    froms = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert {str(name).split(".")[0] for name in (*froms, *names)} <= sys.stdlib_module_names
