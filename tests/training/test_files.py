"""Atomic writes of files and folders."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from belowline.training.errors import RunError
from belowline.training.files import (
    check_replaceable,
    new_folder,
    replace_folder,
    replacing,
    to_plain,
    write_json,
    write_text,
)


def test_the_former_content_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_text(file, "old")

    def break_off() -> None:
        with replacing(file) as part:
            part.write_text("half", "utf-8")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        break_off()
    assert file.read_text("utf-8") == "old"
    write_text(file, "new ü")
    assert file.read_text("utf-8") == "new ü"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_was_not_finished_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    def break_off() -> None:
        with new_folder(folder) as part:
            (part / "half").touch()
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        break_off()
    assert not folder.exists()
    with new_folder(folder) as part:
        (part / "whole").touch()
    assert [path.name for path in folder.iterdir()] == ["whole"]


def test_a_folder_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    replace_folder(tmp_path / "new", tmp_path / "old")
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["old", "old/new"]
    (tmp_path / "next").mkdir()
    replace_folder(tmp_path / "next", tmp_path / "below" / "other")
    assert (tmp_path / "below" / "other").is_dir()


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    names: tuple[str, ...]


def test_values_become_plain_and_nan_becomes_null(tmp_path: Path) -> None:
    value = {"points": [Point(float("nan"), ("a",)), Point(0.5, ())], "n": 3}
    plain = {"points": [{"x": None, "names": ["a"]}, {"x": 0.5, "names": []}], "n": 3}
    assert to_plain(value) == plain
    write_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == plain


def test_only_a_folder_of_its_own_kind_is_replaced(tmp_path: Path) -> None:
    check_replaceable(tmp_path / "none", "config.json")
    check_replaceable(tmp_path, "config.json")
    (tmp_path / "mine.txt").touch()
    with pytest.raises(RunError, match="would be deleted"):
        check_replaceable(tmp_path, "config.json", "other.json")
    (tmp_path / "config.json").touch()
    check_replaceable(tmp_path, "other.json", "config.json")
