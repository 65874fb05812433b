"""Helper for reading an archive that a test writes."""

from pathlib import Path

import pytest

from belowline.data import ReadError, Thread, read_threads


def read(path: Path, content: str | bytes, **options: str) -> list[Thread]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_threads(path, **options))


def refusal(path: Path, content: str | bytes) -> str:
    with pytest.raises(ReadError) as caught:
        read(path, content)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path))
