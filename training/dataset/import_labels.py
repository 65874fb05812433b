"""Writes a person's own labels as a file of decisions, which ``fit``, ``check``, ``compare`` and ``tune`` read."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from belowline.data.comment import ReadError, Reject
from belowline.data.decisions import Counts, Header
from belowline.data.files import rejects_path, would_replace
from belowline.data.labelled_table import LabelledTable, read_labelled
from belowline.training.files import replacing, to_plain, write_text

_GUIDELINES = "Labels of the person who imported the table; an absent label is unknown."
_ERASURE = "This file holds readers' comments: delete it when the table that it comes from is deleted."
_PRINTED = 5


def import_labels(table: LabelledTable, out: Path, console: Console) -> int:
    """Write the rows of a table to ``out`` and print the counts; returns the number of rejected rows.

    Rejected rows are listed in ``OUT.rejects.jsonl``. Raises ReadError, also if no row has a label; ``out`` is
    then as before.
    """
    listed = rejects_path(out)
    if would_replace((out, listed), table.path):
        raise ReadError(f"is the table, which --out {out} would replace; give another --out", table.path)
    counts, rejects = Counts(), list[Reject]()
    with tempfile.TemporaryFile(dir=out.parent) as body:
        for row in read_labelled(table, rejects.append):
            if row is None:
                counts.left_out["without a label"] += 1
                continue
            body.write(row.model_dump_json().encode() + b"\n")
            counts.add(row)
        if not counts.examples:
            reason = (
                f"no row has a text and a label ({len(rejects):,} cannot be read); check --text and --label"
            )
            raise ReadError(reason, table.path)
        body.seek(0)
        with replacing(out) as part, part.open("wb") as file:
            file.write(_header(table, counts).model_dump_json().encode() + b"\n")
            shutil.copyfileobj(body, file)
    _write_rejects(listed, rejects)
    console.print(f"{out}: {counts.examples:,} examples")
    for label, values in sorted(counts.labels.items()):
        console.print(f"  {label}: {values['yes']:,} yes, {values['no']:,} no")
    if counts.left_out:
        console.print(f"left out: {counts.left_out['without a label']:,} without a label")
    for reject in rejects[:_PRINTED]:
        console.print(f"rejected: {reject.source}, {reject.position}: {reject.reason}", markup=False)
    if rejects:
        console.print(f"rejected: {len(rejects):,} in all; they are listed in {listed}")
    return len(rejects)


def _header(table: LabelledTable, counts: Counts) -> Header:
    return Header(
        exported_at=datetime.now(UTC),
        belowline=version("belowline"),
        site=table.site or None,
        since=None,
        until=None,
        counts=counts,
        guidelines=_GUIDELINES,
        erasure=_ERASURE,
    )


def _write_rejects(file: Path, rejects: Sequence[Reject]) -> None:
    file.unlink(missing_ok=True)
    if rejects:
        lines = [json.dumps(to_plain(one), ensure_ascii=False) for one in rejects]
        write_text(file, "\n".join((*lines, "")))
