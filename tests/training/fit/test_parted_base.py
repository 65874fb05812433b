"""A base split into several packages: joined once, checked, and reported clearly if it is not installed."""

import io
import shutil
import zipfile
from pathlib import Path

import pytest
from rich.console import Console

from belowline.data.corpora.fetch import checksum_of
from belowline.training.errors import RunError
from belowline.training.fit import parted_base
from belowline.training.fit.fit import fit
from belowline.training.fit.network import base_path, load_base
from belowline.training.fit.parted_base import PARTED, joined_base
from belowline.training.recipes.recipe import load_recipe
from tests.support.tiny_training import write_corpora, write_mpnet, write_recipe


class Piece:
    """A file of an installed package."""

    def __init__(self, path: Path) -> None:
        self.path, self.parent = path, path.parent

    def locate(self) -> Path:
        return self.path


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five packages that contain a tiny MPNet, and an empty cache."""
    base = write_mpnet(tmp_path / "made" / "all-mpnet-base-v2")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        for file in base.iterdir():
            out.write(file, f"all-mpnet-base-v2/{file.name}")
    whole, size = packed.getvalue(), len(packed.getvalue()) // 5 + 1
    for number in range(5):
        piece = tmp_path / "packages" / f"{PARTED}-part-{number + 1:03}" / "input" / "base.zip"
        piece.parent.mkdir(parents=True)
        piece.write_bytes(whole[number * size : (number + 1) * size])

    def files(name: str) -> list[Piece]:
        return [Piece(file) for file in (tmp_path / "packages" / name).rglob("*.zip")]

    monkeypatch.setattr(parted_base, "files", files)
    monkeypatch.setattr(parted_base, "_SHA256", checksum_of(base / "model.safetensors"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_it_is_joined_once(installed: Path) -> None:
    folder = Path(base_path(PARTED))
    assert folder.is_relative_to(installed / "cache" / "belowline")
    assert [file.name for file in folder.parent.iterdir()] == [folder.name]
    shutil.rmtree(installed / "packages")
    assert joined_base() == folder
    assert load_base(PARTED)[0].config.model_type == "mpnet"


def test_a_damaged_copy_is_joined_anew(installed: Path) -> None:
    weights = joined_base() / "model.safetensors"
    weights.write_bytes(b"cut off")
    assert checksum_of(joined_base() / "model.safetensors") == parted_base._SHA256


@pytest.mark.slow
def test_a_missing_package_is_named_with_the_command_that_gets_it(installed: Path) -> None:
    shutil.rmtree(installed / "packages" / f"{PARTED}-part-003")
    with pytest.raises(RunError, match=r"part-003 .*pip install .*-part-001 .*-part-005$"):
        joined_base()
    recipe = load_recipe(write_recipe(installed / "recipe.toml", Path(PARTED)))
    with pytest.raises(RunError, match=r"part-003 .*pip install"):
        fit(recipe, write_corpora(installed / "corpora"), installed / "run", Console(quiet=True))


@pytest.mark.parametrize("damage", [b"", b"something else"])
def test_packages_that_hold_something_else_are_refused(installed: Path, damage: bytes) -> None:
    for file in (installed / "packages").rglob("*.zip"):
        file.write_bytes(damage)
    with pytest.raises(RunError, match="force-reinstall"):
        joined_base()
    assert not (installed / "cache" / "belowline" / "all-mpnet-base-v2").exists()


def test_other_weights_are_refused(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parted_base, "_SHA256", "0" * 64)
    with pytest.raises(RunError, match="force-reinstall"):
        joined_base()


def test_any_other_name_is_taken_as_it_is() -> None:
    assert base_path("someone/some-model") == "someone/some-model"
