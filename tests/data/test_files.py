"""Files that a command would replace."""

import os
from pathlib import Path

from belowline.data.files import rejects_path, would_replace


def test_a_file_is_known_under_each_of_its_names(tmp_path: Path) -> None:
    source, other, absent = (tmp_path / name for name in ("a.csv", "b.csv", "none.csv"))
    source.touch()
    other.touch()
    (tmp_path / "soft.csv").symlink_to(source)
    os.link(source, tmp_path / "hard.csv")
    for name in ("a.csv", "soft.csv", "hard.csv"):
        assert would_replace([absent, other, tmp_path / name], source)
    assert not would_replace([absent, other], source)
    assert not would_replace([absent, source], absent)


def test_the_list_of_left_out_rows_lies_beside_the_results() -> None:
    assert rejects_path(Path("out/a.csv")) == Path("out/a.csv.rejects.jsonl")
