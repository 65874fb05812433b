"""Digest of a model directory."""

import errno
import hashlib
import os
from pathlib import Path


def model_digest(directory: Path) -> str:
    """SHA-256 (64 hex digits) over names and contents of all files below ``directory`` except hidden ones, sorted
    by name.

    Two directories have the same digest if and only if they hold the same files. Raises OSError for a missing or
    unreadable directory.
    """
    if not directory.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory))
    digest = hashlib.sha256()
    for name, file in _files(directory):
        # Hash the digests of name and content: plain concatenation would make different splits into files equal.
        digest.update(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())
        digest.update(_content(file))
    return digest.hexdigest()


def _files(directory: Path) -> list[tuple[str, Path]]:
    found = ((file.relative_to(directory), file) for file in directory.rglob("*") if file.is_file())
    visible = ((path, file) for path, file in found if not any(part.startswith(".") for part in path.parts))
    return sorted((path.as_posix(), file) for path, file in visible)


def _content(file: Path) -> bytes:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()
