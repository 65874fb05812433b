"""A cache of the values used last, with a size limit."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """The values used last, by key; their sizes add up to at most ``room``. Thread-safe."""

    def __init__(self, room: int, size: Callable[[Value], int]) -> None:
        self._room = room
        self._size = size
        self._values: OrderedDict[bytes, Value] = OrderedDict()
        self._taken = 0
        self._lock = threading.Lock()

    def recall(self, keys: Iterable[bytes]) -> dict[bytes, Value]:
        """The cached ones of ``keys`` with their values."""
        with self._lock:
            found = {key: self._values[key] for key in keys if key in self._values}
            for key in found:
                self._values.move_to_end(key)
        return found

    def remember(self, fresh: Mapping[bytes, Value]) -> None:
        """Add ``fresh`` and drop the least recently used values over the limit."""
        with self._lock:
            for key, value in fresh.items():
                self._drop(key)
                self._values[key] = value
                self._taken += self._size(value)
            while self._taken > self._room:
                self._drop(next(iter(self._values)))

    def forget(self) -> None:
        """Drop all values."""
        with self._lock:
            self._values.clear()
            self._taken = 0

    def _drop(self, key: bytes) -> None:
        if key in self._values:
            self._taken -= self._size(self._values.pop(key))
