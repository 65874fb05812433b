"""What moderators decided becomes training data: ``belowline decisions export``. ``serve/DECISIONS.md`` has the rules and the format."""

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
from belowline.model import BelowlineError
from belowline.serve.batch.atomic import replacing
from belowline.serve.batch.read import in_chunks
from belowline.serve.batch.terminal import counting
from belowline.serve.settings import load_settings
from belowline.serve.store.database import Database, now
from belowline.serve.training_data import histories as decided
from belowline.serve.training_data.effective_decision import EffectiveDecision, final
from belowline.serve.training_data.histories import History
from belowline.serve.training_data.reviewed import Reviews
from belowline.serve.training_data.sampling_rates import SampleShares
from belowline.serve.training_data.training_rows import of_comment, of_feedback

_AT_ONCE = 500
_GUIDELINES = (
    "A label says only what the decision says; one that is absent is unknown. Labels are those of model/labels.py, "
    "but moderators decided by their own site's rules: see serve/DECISIONS.md before mixing sites."
)
_ERASURE = (
    "This file holds readers' comments. What is erased in belowline is absent from the next export, not from this one: "
    "delete this file, and whatever was copied from it, once a newer one is there."
)


class ExportError(BelowlineError):
    """Nothing can be exported so; the message is one line."""


@dataclass(slots=True)
class _Export:
    """An export under way: what it is asked for, and what was counted so far."""

    database: Database
    sites: tuple[str, ...]
    since: datetime | None
    until: datetime | None
    bulk: bool
    shares: SampleShares
    reviews: Reviews
    counts: Counts = field(default_factory=Counts)

    def wanted(self, one: Decided) -> bool:
        """Whether it was decided in the time asked for."""
        late = self.until is not None and one.decided_at >= self.until
        return not late and (self.since is None or one.decided_at >= self.since)


def run_export(
    target: Path,
    *,
    site: str | None = None,
    since: date | None = None,
    until: date | None = None,
    reviews: Sequence[Path] = (),
    bulk: bool = False,
) -> None:
    """Exports from the database that the settings name, and prints what was exported; raises as ``export_decisions``.

    Days are those of UTC; ``until`` is the first that is left out.
    """
    settings = load_settings()
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise ExportError(f"there is no database {url.database}; set BELOWLINE_DATABASE_URL to the service's")
    database = Database.open(settings.database_url)
    try:
        counts = export_decisions(
            database,
            target,
            site=site,
            since=_beginning(since),
            until=_beginning(until),
            reviews=reviews,
            bulk=bulk,
            policy=settings.policy,
        )
    finally:
        database.close()
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
    """Writes what was decided to ``target``, whole or not at all, in an order that depends on the store and the reviews alone.

    Args:
        database: The service's.
        target: File of ``belowline-decisions/1`` to write.
        site: Only this site's.
        since: Only what was decided then or later.
        until: Only what was decided before then.
        reviews: Reviewed samples of audits (``decisions.jsonl``) to merge.
        bulk: Also what was decided for many comments at once, which nobody need have read one by one.
        policy: The policy file of the service, for the share of random samples.

    Returns:
        What was exported and what was left out.

    Raises ExportError, ReadError for a review, StoreError.
    """
    if not target.parent.is_dir() or target.is_dir():
        raise ExportError(f"{target}: is a folder or in none; name a file in a folder that is there")
    if site is not None and not decided.has_site(database, site):
        raise ExportError(f"site {site!r} has no comments in this database; check --site")
    merged = Reviews.read(reviews, site)
    sites = (site,) if site is not None else ()
    export = _Export(database, sites, since, until, bulk, SampleShares(database, policy), merged)
    with tempfile.TemporaryFile(dir=target.parent) as body:
        for one in _examples(export):
            body.write(one.model_dump_json().encode() + b"\n")
            export.counts.add(one)
        export.counts.left_out = +export.counts.left_out  # without those of which there are none
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
    """Prints how many examples of what there are, and why others gave none."""
    console = Console(highlight=False)
    console.print(f"{target}: {counts.examples:,} examples{_listed(counts.sampled)}", soft_wrap=True)
    table = Table("label", "yes", "no", box=None, pad_edge=False)
    for label, values in sorted(counts.labels.items()):
        table.add_row(label, f"{values['yes']:,}", f"{values['no']:,}")
    if counts.labels:
        console.print(table)
    console.print(f"origin{_listed(counts.origin) or ': none'}", soft_wrap=True)
    if counts.unweighted:
        console.print(
            f"weight: {counts.unweighted:,} random draws of an unknown share count once; set BELOWLINE_POLICY to the "
            "file that the service starts with",
            soft_wrap=True,
        )
    if counts.left_out:
        console.print(f"left out{_listed(counts.left_out)}", soft_wrap=True)
    if counts.left_out["unclear reason"]:
        console.print(
            "unclear reason: an earlier version recorded spam where nobody may have chosen it; decide these comments again "
            "(console: Log, unclear reasons)",
            soft_wrap=True,
        )


def _beginning(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time.min, UTC)


def _listed(counted: dict[str, int]) -> str:
    parts = ", ".join(f"{number:,} {name}" for name, number in sorted(counted.items()))
    return f": {parts}" if parts else ""


def _examples(export: _Export) -> Iterator[Decided]:
    """Comments in the order of their ids, then feedback, the newest first, then reviews."""
    export.counts.left_out["reviewed again"] += export.reviews.repeated
    total = decided.number(export.database, export.sites, export.since)
    with counting(total, "exporting") as count:
        for one in chain(_of_comments(export, count), _of_feedback(export, count)):
            counts = export.reviews.meet(one)
            if counts is None:
                export.counts.left_out["reviewed"] += 1
            elif export.wanted(counts):
                yield counts
    yield from filter(export.wanted, export.reviews.rest(export.database, export.counts.left_out))


def _of_comments(export: _Export, count: Callable[[int], None]) -> Iterator[Decided]:
    for history in decided.histories(export.database, export.sites, export.since):
        count(1)
        found = final(history, bulk=export.bulk)
        if isinstance(found, EffectiveDecision):
            yield of_comment(history, found, export.shares)
        else:
            export.counts.left_out[found] += 1


def _of_feedback(export: _Export, count: Callable[[int], None]) -> Iterator[Decided]:
    """What was told of comments that nobody decided; of a text whose comment was not named only what was told last."""
    seen: set[str] = set()
    for some in in_chunks(decided.told(export.database, export.sites), _AT_ONCE):
        kept = _kept(export.database, some)
        for row in some:
            count(1)
            found = _told(export, row, kept)
            if isinstance(found, Decided) and row.caller_id is None:
                same = f"{row.site} {found.text_key}"
                found = "told again" if same in seen else found
                seen.add(same)
            if isinstance(found, Decided):
                yield found
            else:
                export.counts.left_out[found] += 1


def _told(export: _Export, row: Row[Any], kept: Mapping[tuple[str, str], History | None]) -> Decided | str:
    """The line of what was told, or why there is none."""
    same = (row.site, row.caller_id)
    history = kept.get(same)
    if same in kept and history is None:
        return "erased"
    if history is not None and isinstance(final(history, bulk=export.bulk), EffectiveDecision):
        return "told of what was decided"
    if not row.text.strip():
        return "blank"
    return of_feedback(row, history) if row.scores else "told of no label"


def _kept(database: Database, told: Sequence[Row[Any]]) -> dict[tuple[str, str], History | None]:
    """Site and caller's id to the history of each comment that is kept, None for one that was erased."""
    named = defaultdict(list)
    for row in told:
        if row.caller_id is not None:
            named[row.site].append(row.caller_id)
    return {
        (site, caller_id): history
        for site, ids in named.items()
        for caller_id, history in decided.known_as(database, site, ids).items()
    }
