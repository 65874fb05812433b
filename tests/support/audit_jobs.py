"""Small jobs for the engines of an audit."""

import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from belowline.model import ScoreInput
from belowline.serve.audit.archive import ArchiveComment
from belowline.serve.audit.score_part import Job


def jobs(count: int, comments: int = 7) -> Iterator[Job]:
    for number in range(count):
        some = [comment(f"{number} and {n} words") for n in range(comments)]
        yield Job(f"{number:06}.jsonl", some)


def comment(text: str) -> ArchiveComment:
    return ArchiveComment("s", "t", 0, None, text, None, None, None, ScoreInput(text, "an article"))


class EndsItsProcess(str):
    """A name of a part whose unpickling kills the process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.abort, ()


class Sleeps(EndsItsProcess):
    """A name of a part whose unpickling takes a minute."""

    def __reduce__(self) -> tuple[Any, ...]:
        return time.sleep, (60,)


class DiesWhileItSends(EndsItsProcess):
    """A name of a part whose process is killed when half of the result is sent."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _send_half_of_the_next, ()


def _send_half_of_the_next() -> str:
    def send_half(pipe: Connection, message: bytes) -> None:
        os.write(pipe.fileno(), message[: len(message) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    Connection._send = send_half  # type: ignore[attr-defined]
    return "000000.jsonl"
