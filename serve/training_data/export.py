"""Exports moderators' decisions as training data: ``belowline decisions export``.

``serve/DECISIONS.md`` has the rules and the format.
"""

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Row, make_url

from belowline.data.decisions import Counts, Decided, Header
from belowline.data.files import would_replace
from belowline.model.errors import BelowlineError
from belowline.serve.batch.atomic import replacing
from belowline.serve.batch.read import in_chunks
from belowline.serve.batch.terminal import counting
from belowline.serve.settings import load_settings
from belowline.serve.store.database import Database, now
from belowline.serve.training_data import histories
from belowline.serve.training_data.effective_decision import EffectiveDecision, effective_decision
from belowline.serve.training_data.histories import History
from belowline.serve.training_data.reviewed import Reviews
from belowline.serve.training_data.sampling_rates import SamplingRates
from belowline.serve.training_data.training_rows import of_comment, of_feedback

_AT_ONCE = 500
_GUIDELINES = (
    "A label is what the decision settles; an absent label is unknown. The labels are those of model/labels.py, "
    "but moderators decided by the rules of their own site: see serve/DECISIONS.md before mixing sites."
)
_ERASURE = (
    "This file holds readers' comments. A comment that is erased in belowline is absent from the next export, "
    "not from this file: delete this file, and all copies of it, as soon as there is a newer one."
)


class ExportError(BelowlineError):
    """An export is not possible; the message is one line."""


@dataclass(slots=True)
class _Export:
    """A running export: its options, and the counts so far."""

    database: Database
    sites: tuple[str, ...]
    since: datetime | None
    until: datetime | None
    bulk: bool
    rates: SamplingRates
    reviews: Reviews
    counts: Counts = field(default_factory=Counts)

    def in_window(self, row: Decided) -> bool:
        """Return whether a row was decided in the requested time."""
        late = self.until is not None and row.decided_at >= self.until
        return not late and (self.since is None or row.decided_at >= self.since)


def run_export(
    target: Path,
    *,
    site: str | None = None,
    since: date | None = None,
    until: date | None = None,
    reviews: Sequence[Path] = (),
    bulk: bool = False,
) -> None:
    """Export from the database of the settings and print the counts; raises the errors of ``export_decisions``.

    Days are in UTC; ``until`` is the first day that is left out.
    """
    settings = load_settings()
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise ExportError(f"there is no database {url.database}; set BELOWLINE_DATABASE_URL to the service's")
    first, last = (datetime.combine(day, time.min, UTC) if day else None for day in (since, until))
    options: dict[str, Any] = {"reviews": reviews, "bulk": bulk, "policy": settings.policy}
    with Database.open(settings.database_url) as database:
        counts = export_decisions(database, target, site=site, since=first, until=last, **options)
    print_counts(counts, target)


def export_decisions(
    database: Database,
    target: Path,
    *,
    site: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    reviews: Sequence[Path] = (),
    bulk: bool = False,
    policy: Path | None = None,
) -> Counts:
    """Write all decisions to ``target``, completely or not at all.

    The order of rows depends on the store and the reviews only. Returns counts of the exported rows and of those that
    were left out. Raises ExportError, ReadError for a review, StoreError.

    Args:
        database: The service's database.
        target: The file of ``belowline-decisions/1`` to write.
        site: Only decisions of this site.
        since: Only decisions from then on.
        until: Only decisions before then.
        reviews: Reviewed samples of audits (``decisions.jsonl``) to merge.
        bulk: Include decisions on many comments at once, which nobody may have read one by one.
        policy: The service's policy file, for the share of random samples.
    """
    if not target.parent.is_dir() or target.is_dir():
        raise ExportError(
            f"{target}: is a folder, or its folder does not exist; name a file in an existing folder"
        )
    if any(would_replace([target], review) for review in reviews):
        raise ExportError(f"{target}: is a review, which the export would replace; name another file")
    if site is not None and not histories.has_site(database, site):
        raise ExportError(f"site {site!r} has no comments in this database; check --site")
    merged = Reviews.read(reviews, site)
    sites = (site,) if site is not None else ()
    export = _Export(database, sites, since, until, bulk, SamplingRates(database, policy), merged)
    with tempfile.TemporaryFile(dir=target.parent) as body:
        for row in _rows(export):
            body.write(row.model_dump_json().encode() + b"\n")
            export.counts.add(row)
        export.counts.left_out = +export.counts.left_out  # without zeros
        header = Header(
            exported_at=now(),
            belowline=version("belowline"),
            site=site,
            since=since,
            until=until,
            counts=export.counts,
            guidelines=_GUIDELINES,
            erasure=_ERASURE,
        )
        body.seek(0)
        with replacing(target) as file:
            file.write(header.model_dump_json().encode() + b"\n")
            shutil.copyfileobj(body, file)
    return export.counts


def print_counts(counts: Counts, target: Path) -> None:
    """Print the numbers of examples and of left out decisions."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{target}: {counts.examples:,} examples{_listed(counts.sampled)}")
    table = Table("label", "yes", "no", box=None, pad_edge=False)
    for label, values in sorted(counts.labels.items()):
        table.add_row(label, f"{values['yes']:,}", f"{values['no']:,}")
    if counts.labels:
        console.print(table, soft_wrap=False)
    console.print(f"origin{_listed(counts.origin) or ': none'}")
    if counts.unweighted:
        console.print(
            f"weight: {counts.unweighted:,} random draws have an unknown share and count once; set BELOWLINE_POLICY to "
            "the policy file that the service starts with"
        )
    if counts.left_out:
        console.print(f"left out{_listed(counts.left_out)}")
    if counts.left_out["unclear reason"]:
        console.print(
            "unclear reason: an earlier version recorded spam although nobody may have chosen it; "
            "decide these comments again (console: Log, unclear reasons)"
        )


def _listed(counted: Mapping[str, int]) -> str:
    parts = ", ".join(f"{number:,} {name}" for name, number in sorted(counted.items()))
    return f": {parts}" if parts else ""


def _rows(export: _Export) -> Iterator[Decided]:
    """Yield comments by id, then feedback, newest first, then reviews."""
    left_out = export.counts.left_out
    left_out["reviewed again"] += export.reviews.repeated
    total = histories.number(export.database, export.sites, export.since)
    with counting(total, "exporting") as advance:
        for row in chain(_of_comments(export, advance), _of_feedback(export, advance)):
            merged = export.reviews.merge(row)
            if merged is None:
                left_out["reviewed"] += 1
            elif export.in_window(merged):
                yield merged
    yield from filter(export.in_window, export.reviews.rest(export.database, left_out))


def _of_comments(export: _Export, advance: Callable[[int], None]) -> Iterator[Decided]:
    for history in histories.histories(export.database, export.sites, export.since):
        advance(1)
        effective = effective_decision(history, bulk=export.bulk)
        if isinstance(effective, EffectiveDecision):
            yield of_comment(history, effective, export.rates)
        else:
            export.counts.left_out[effective] += 1


def _of_feedback(export: _Export, advance: Callable[[int], None]) -> Iterator[Decided]:
    """Yield feedback on comments without a decision; of feedback without an id only the newest on each text."""
    seen: set[str] = set()
    for chunk in in_chunks(histories.newest_feedback(export.database, export.sites), _AT_ONCE):
        stored = _stored(export.database, chunk)
        for feedback in chunk:
            advance(1)
            row = _example(export, feedback, stored)
            if isinstance(row, Decided) and feedback.caller_id is None:
                same = f"{feedback.site} {row.text_key}"
                row = "told again" if same in seen else row
                seen.add(same)
            if isinstance(row, Decided):
                yield row
            else:
                export.counts.left_out[row] += 1


def _example(
    export: _Export, feedback: Row[Any], stored: Mapping[tuple[str, str], History | None]
) -> Decided | str:
    """Return the row of feedback, or the reason why there is none."""
    comment = (feedback.site, feedback.caller_id)
    history = stored.get(comment)
    if comment in stored and history is None:
        return "erased"
    if history is not None and isinstance(effective_decision(history, bulk=export.bulk), EffectiveDecision):
        return "told of what was decided"
    if not feedback.text.strip():
        return "blank"
    return of_feedback(feedback, history) if feedback.scores else "told of no label"


def _stored(database: Database, chunk: Sequence[Row[Any]]) -> dict[tuple[str, str], History | None]:
    """Return (site, caller's id) to the history of each stored comment, None for an erased one."""
    ids = defaultdict(list)
    for feedback in chunk:
        if feedback.caller_id is not None:
            ids[feedback.site].append(feedback.caller_id)
    return {
        (site, caller_id): history
        for site, some in ids.items()
        for caller_id, history in histories.known_as(database, site, some).items()
    }
