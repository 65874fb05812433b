"""Waiting for other threads and processes, and threads that run until a block ends."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait for ``condition`` to return a true value and return it; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found


class InThreads(ABC):
    """Run ``go_on`` in several threads, each with its number, until the end of the block sets ``over``."""

    def __init__(self, threads: int) -> None:
        self.over = threading.Event()
        self.threads = [
            threading.Thread(target=self.go_on, args=(number,), daemon=True) for number in range(threads)
        ]

    @abstractmethod
    def go_on(self, thread: int) -> None:
        """Run the work of thread number ``thread``; return soon after ``over`` is set."""

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()
