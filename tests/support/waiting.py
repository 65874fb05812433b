"""Waiting for what other threads and processes do, and threads that go on for as long as a block lasts."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """What ``condition`` gives once it gives something true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found


class InThreads(ABC):
    """Does ``go_on`` in several threads, each with its number, until the block ends; they should look at ``over`` now and then."""

    def __init__(self, threads: int) -> None:
        self.over = threading.Event()
        self.threads = [
            threading.Thread(target=self.go_on, args=(number,), daemon=True) for number in range(threads)
        ]

    @abstractmethod
    def go_on(self, thread: int) -> None:
        """What thread number ``thread`` does."""

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()
