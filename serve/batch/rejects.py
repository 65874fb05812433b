"""Rows that cannot be scored, listed beside the results."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from belowline.data.files import rejects_path
from belowline.serve.batch.atomic import replacing
from belowline.serve.batch.read import RejectedRow
from belowline.serve.batch.values import json_bytes
from belowline.serve.batch.write import told

PARTIAL = 3
"""Exit status of a command that could not read everything."""
_SHOWN = 20


@contextmanager
def reject_writer(target: Path | None) -> Iterator[Callable[[RejectedRow], None]]:
    """A function that lists rejected rows beside the results in ``target``, or shows some of them without a target.

    The list replaces an earlier one at the end of the block. Without rejected rows there is none.
    """
    if target is None:
        yield _shower()
        return
    path = rejects_path(target)
    with told(path), ExitStack() as stack:
        files: list[BinaryIO] = []

        def write(row: RejectedRow) -> None:
            if not files:
                files.append(stack.enter_context(replacing(path)))
            files[0].write(_line(row))

        yield write
        if not files:
            path.unlink(missing_ok=True)


def _line(row: RejectedRow) -> bytes:
    error = row.error
    fields = {
        "source": error.source,
        "position": error.position,
        "row": row.number,
        "field": row.column,
        "reason": error.reason,
        "record": row.record,
    }
    return json_bytes(fields) + b"\n"


def _shower() -> Callable[[RejectedRow], None]:
    shown = 0

    def show(row: RejectedRow) -> None:
        nonlocal shown
        shown += 1
        if shown <= _SHOWN:
            print(f"belowline: {row.error}", file=sys.stderr)
        elif shown == _SHOWN + 1:
            print("belowline: further rows cannot be read; --out FILE lists all of them", file=sys.stderr)

    return show
