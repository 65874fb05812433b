"""Counts of a reader's messages that differ only in their numbers."""

import re
from dataclasses import dataclass, field
from typing import Any

_NUMBER = re.compile(r"\d+")
_COUNT = re.compile(r"(?<![\w\-:./'\"#])\d{1,15}(?![\w\-:/'\"]|[.,]\d)")
"""A number that counts something, unlike those in UTF-8, 12:30 and 2024-05-09."""
_KINDS = 200
_OTHER = "other reasons"
_NAMED_FILES = 3


@dataclass(slots=True)
class _Kind:
    first: str
    times: int = 0
    files: list[str] = field(default_factory=list)
    in_files: int = 0
    last: str = ""
    sums: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Messages:
    """Messages by kind; memory is bounded: kinds beyond the first ``_KINDS`` are counted together."""

    _kinds: dict[str, _Kind] = field(default_factory=dict)

    def add(self, message: str, file: str = "") -> None:
        """Count a message and the ``file`` that it is about; all messages of a file come one after the other."""
        key = _NUMBER.sub("#", message)
        if key not in self._kinds and len(self._kinds) >= _KINDS:
            key = message = _OTHER
        kind = self._kinds.setdefault(key, _Kind(message))
        kind.times += 1
        if file != kind.last:
            kind.in_files, kind.last = kind.in_files + 1, file
            kind.files = [*kind.files, file][:_NAMED_FILES]
        numbers = [int(number) for number in _COUNT.findall(message)]
        kind.sums = [a + b for a, b in zip(kind.sums, numbers, strict=False)] if kind.sums else numbers

    def most_common(self, most: int) -> list[dict[str, Any]]:
        """The first message of each of the most frequent kinds, and its ``times``; of equal ones the first."""
        return [{"message": kind.first, "times": kind.times} for kind in self._most(most)]

    def summed(self, most: int) -> list[dict[str, Any]]:
        """As ``most_common``, with the first files and their number.

        Each number that counts something is the sum over all messages of the kind.
        """
        return [
            {"message": _with_sums(kind), "times": kind.times, "files": kind.files, "in_files": kind.in_files}
            for kind in self._most(most)
        ]

    def _most(self, most: int) -> list[_Kind]:
        return sorted(self._kinds.values(), key=lambda kind: -kind.times)[:most]


def _with_sums(kind: _Kind) -> str:
    sums = iter(kind.sums)
    return _COUNT.sub(lambda number: str(next(sums, number[0])), kind.first)
