"""Texts that appear whole or not at all."""

from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """``text`` in UTF-8; what stood in ``path`` stays until it is written."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, "utf-8")
    part.replace(path)
