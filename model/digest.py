"""What a model directory is known by: one digest over its files."""

import errno
import hashlib
import os
from pathlib import Path


def model_digest(directory: Path) -> str:
    """SHA-256 (64 hex digits) over names and contents of all files below ``directory`` but hidden ones, in the order of their names.

    Two directories have the same digest exactly where they hold the same files. Raises OSError for a directory that is not there or
    cannot be read.
    """
    if not directory.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory))
    digest = hashlib.sha256()
    for name, file in _files(directory):
        # Names and contents by their own digests: no file can be cut differently to give the same whole.
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
