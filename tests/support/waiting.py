"""Waiting for what other threads and processes do, and threads that go on for as long as a block lasts."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Waits for ``condition`` to return something true and returns it; fails after ``seconds``."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found


class InThreads(ABC):
    """Runs ``go_on`` in several threads, each with its number, until the block ends, which sets ``over``."""

    def __init__(self, threads: int) -> None:
        self.over = threading.Event()
        self.threads = [
            threading.Thread(target=self.go_on, args=(number,), daemon=True) for number in range(threads)
        ]

    @abstractmethod
    def go_on(self, thread: int) -> None:
        """The work of thread number ``thread``; returns soon after ``over`` is set."""

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()
