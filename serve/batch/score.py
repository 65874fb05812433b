"""The command ``belowline score``: from a source of rows to a file of results."""

import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from belowline.data.files import rejects_path
from belowline.serve.batch.inventory import Inventory, check_rows, take_inventory
from belowline.serve.batch.merge import Layout
from belowline.serve.batch.read import (
    Columns,
    RejectedRow,
    Row,
    Source,
    file_source,
    line_source,
    text_source,
)
from belowline.serve.batch.rejects import PARTIAL, reject_writer
from belowline.serve.batch.terminal import counting
from belowline.serve.batch.write import check_columns, check_target, output_writer, result_writer
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.scoring.results import Result
from belowline.serve.scoring.wording import DONE, label_name

CHUNK = 1024
_CHUNK_CHARS = 400_000
"""Characters after which a chunk ends, so that progress is seen and long texts do not fill the memory."""


@dataclass(slots=True)
class Tally:
    """Numbers of a run: results by action, held comments by reason code, and rejected rows."""

    actions: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    rejects: int = 0
    first_reject: RejectedRow | None = None

    def add(self, results: Iterable[Result]) -> None:
        """Count results."""
        for result in results:
            self.actions[result.action] += 1
            if result.action == "hold":
                self.held[result.reason.code] += 1

    def reject(self, row: RejectedRow) -> None:
        """Count a rejected row."""
        self.rejects += 1
        self.first_reject = self.first_reject or row

    def summary(self, target: Path | None) -> str:
        """One line with the numbers and the files."""
        held = ", ".join(f"{label_name(code).lower()} {count:,}" for code, count in self.held.most_common())
        actions = {done: f"{self.actions[action]:,} {done}" for action, done in DONE.items()}
        if held:
            actions["held"] += f" ({held})"
        parts = [f"scored {self.actions.total():,}: {', '.join(actions.values())}"]
        if self.rejects:
            parts.append(f"{self.rejects:,} not readable" + (f" ({rejects_path(target)})" if target else ""))
        if target:
            parts.append(f"wrote {target}")
        return "; ".join(parts)


def score_command(
    texts: Sequence[str],
    file: Path | None,
    target: Path | None,
    columns: Columns,
    article: str | None,
    load: Callable[[], ModerationPipeline],
) -> int:
    """Score the rows of ``file``, else ``texts``, else the lines of standard input; return the exit status.

    The results go to the file ``target`` or to standard output. ``load`` is called after everything else is checked.
    Raises ReadError if nothing can be scored, WriteError for a target that cannot be written.
    """
    if target:
        check_target(target, file)
    if file:
        with file_source(file, columns) as source:
            return _score(source, target, load)
    return _score(text_source(texts, article) if texts else line_source(article), target, load)


def _score(source: Source, target: Path | None, load: Callable[[], ModerationPipeline]) -> int:
    inventory = take_inventory(source)
    if target:
        check_columns(target, inventory)
    for note in source.side.notes():
        print(f"note: {note}", file=sys.stderr)
    for name, count in inventory.unread.items():
        print(f"note: rows without a readable {name}, scored without it: {count:,}", file=sys.stderr)
    tally = score_rows(source.rows(), target, load(), inventory)
    if target or inventory.columns or not source.repeatable:
        print(tally.summary(target), file=sys.stderr)
    return PARTIAL if tally.rejects else 0


def score_rows(
    rows: Iterable[Row | RejectedRow],
    target: Path | None,
    pipeline: ModerationPipeline,
    inventory: Inventory | None = None,
) -> Tally:
    """Score rows in chunks, which keeps memory flat, and return their numbers; files are complete or unchanged.

    Raises ReadError without rows that can be scored, WriteError for a target that cannot be written.
    """
    inventory, tally = inventory or Inventory(), Tally()
    layout = Layout.of(inventory, pipeline.scorer.labels)
    writer = result_writer(target, layout) if target else output_writer(layout)
    with (
        _interruptible(tally, target),
        counting(inventory.rows) as advance,
        reject_writer(target) as reject,
        writer as write,
    ):
        for chunk in _chunks(rows, tally, reject):
            results = pipeline([row.id for row in chunk], [row.comment for row in chunk])
            write(list(zip(chunk, results, strict=True)))
            tally.add(results)
            advance(len(chunk))
        check_rows(inventory.source, tally.actions.total(), tally.rejects, tally.first_reject)
    return tally


def _chunks(
    rows: Iterable[Row | RejectedRow], tally: Tally, reject: Callable[[RejectedRow], None]
) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    chars = 0
    for row in rows:
        if isinstance(row, RejectedRow):
            tally.reject(row)
            reject(row)
            continue
        chunk.append(row)
        chars += len(row.comment.text)
        if len(chunk) == CHUNK or chars >= _CHUNK_CHARS:
            yield chunk
            chunk, chars = [], 0
    if chunk:
        yield chunk


@contextmanager
def _interruptible(tally: Tally, target: Path | None) -> Iterator[None]:
    """Say what an interruption leaves; SIGTERM also ends the block, so that no unfinished file stays."""
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _terminate) if main else None
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        left = f"; {target} is {'unchanged' if target.exists() else 'not written'}" if target else ""
        print(f"belowline: interrupted after {tally.actions.total():,} comments{left}", file=sys.stderr)
        raise
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


def _terminate(signum: int, frame: object) -> NoReturn:
    sys.exit(128 + signum)
