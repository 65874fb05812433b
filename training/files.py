"""Files and folders that appear whole or not at all."""

import json
import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from belowline.training.errors import RunError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write a file to; it takes the place of ``path`` unless the block raises."""
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``folder``; it becomes ``folder``, which must not exist, unless the block raises."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    part.rename(folder)


def check_replaceable(folder: Path, *marks: str) -> None:
    """Raise RunError for a folder that holds files but none of ``marks``: a command deletes no folder of others."""
    if folder.is_dir() and any(folder.iterdir()) and not any((folder / mark).exists() for mark in marks):
        raise RunError(f"{folder}: holds other files, which would be deleted; name a new folder")


def replace_folder(new: Path, old: Path) -> None:
    """Move the folder ``new`` to ``old``; a former ``old`` is removed only after that."""
    aside = old.with_name(f"{old.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists():
        old.rename(aside)
    old.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(new, old)
    shutil.rmtree(aside, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` in UTF-8; the former content of ``path`` stays until the new one is complete."""
    with replacing(path) as part:
        part.write_text(text, "utf-8")


def write_json(path: Path, content: object) -> None:
    """Write ``content`` as JSON, after ``to_plain``."""
    write_text(path, json.dumps(to_plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def template_text(name: str) -> str:
    """Return the text of a file of ``training/templates``."""
    return resources.files("belowline.training").joinpath("templates", name).read_text("utf-8")


def without_surrogates(text: str) -> str:
    """Return ``text`` with lone surrogates, which UTF-8 cannot encode, replaced by question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def to_plain(value: Any) -> Any:
    """Convert dataclasses, mappings and sequences to plain values for JSON; NaN becomes None."""
    if hasattr(value, "as_dict"):
        return to_plain(value.as_dict())
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
