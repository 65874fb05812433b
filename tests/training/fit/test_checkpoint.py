"""Checkpoints: the last two are kept, and a damaged one is replaced by the previous one."""

from pathlib import Path

import pytest
import torch

from belowline.training.errors import RunError
from belowline.training.fit.checkpoint import (
    load_checkpoint,
    remove_checkpoint,
    save_checkpoint,
)


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path) is None
    for step in range(3):
        save_checkpoint(tmp_path, {"step": step, "weights": torch.ones(3) * step})
    assert load_checkpoint(tmp_path) == {"step": 2, "weights": pytest.approx([2.0, 2.0, 2.0])}
    assert {folder.name for folder in tmp_path.iterdir()} == {"checkpoint", "checkpoint.old"}
    (tmp_path / "checkpoint").rename(tmp_path / "taken")  # as killed between the two renames
    before = load_checkpoint(tmp_path)
    assert before is not None
    assert before["step"] == 1


@pytest.mark.parametrize("left", [0, 10, 600])
def test_a_damaged_one_gives_way_to_the_one_before(tmp_path: Path, left: int) -> None:
    for step in range(2):
        save_checkpoint(tmp_path, {"step": step, "weights": torch.ones(300)})
    file = tmp_path / "checkpoint" / "state.pt"
    file.write_bytes(file.read_bytes()[:left])
    found = load_checkpoint(tmp_path)
    assert found is not None
    assert found["step"] == 0


def test_where_none_can_be_read_nothing_begins_anew(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, {"step": 0})
    (tmp_path / "checkpoint" / "state.pt").write_bytes(b"")
    with pytest.raises(RunError, match="damaged"):
        load_checkpoint(tmp_path)
    remove_checkpoint(tmp_path)
    assert load_checkpoint(tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_a_part_of_one_that_was_being_written_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.part").mkdir()
    (tmp_path / "checkpoint.part" / "state.pt").write_bytes(b"half")
    assert load_checkpoint(tmp_path) is None
    save_checkpoint(tmp_path, {"step": 1})
    assert load_checkpoint(tmp_path) == {"step": 1}
