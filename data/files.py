"""Files that a command writes, and files that it reads."""

from collections.abc import Iterable
from pathlib import Path


def rejects_path(target: Path) -> Path:
    """The list of the rows that the results in ``target`` leave out."""
    return target.with_name(f"{target.name}.rejects.jsonl")


def would_replace(targets: Iterable[Path], source: Path) -> bool:
    """True if one of ``targets`` is the file ``source``, also under another name, such as a link or another case."""
    return source.exists() and any(target.exists() and target.samefile(source) for target in targets)
