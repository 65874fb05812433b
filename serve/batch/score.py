"""Scores rows for ``belowline score``."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from belowline.data import ReadError
from belowline.serve.batch.read import Row, in_chunks
from belowline.serve.batch.terminal import counting, print_result
from belowline.serve.batch.write import Write, json_line, result_writer
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.scoring.results import Result

CHUNK = 1024


def score_rows(rows: Iterable[Row], target: Path | None, pipeline: ModerationPipeline) -> None:
    """Score ``rows`` in chunks, which keeps memory flat, into the file ``target`` or to standard output.

    Raises ReadError without rows and for unreadable ones, WriteError for a target that cannot be written.
    """
    writer = result_writer(target, pipeline.scorer.labels) if target else _to_output()
    scored = 0
    with counting() as advance, writer as write:
        for chunk in in_chunks(rows, CHUNK):
            write(pipeline([row.id for row in chunk], [row.comment for row in chunk]))
            advance(len(chunk))
            scored += len(chunk)
        if not scored:
            raise ReadError("no comments in the input")


@contextmanager
def _to_output() -> Iterator[Write]:
    tables = sys.stdout.isatty()

    def write(results: Sequence[Result]) -> None:
        for result in results:
            if tables:
                print_result(result)
            else:
                sys.stdout.write(json_line(result))

    yield write
    sys.stdout.flush()
