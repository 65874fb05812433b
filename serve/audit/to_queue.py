"""Sends the comments that an audit does not publish to the moderation queue."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select

from belowline.model import PolicyDecision
from belowline.serve.audit.errors import AuditError
from belowline.serve.audit.finished import FinishedAudit, Row, article_of
from belowline.serve.audit.outputs import THREADS_TABLE
from belowline.serve.batch.read import in_chunks
from belowline.serve.batch.terminal import counting
from belowline.serve.http.schemas import SITE_PATTERN
from belowline.serve.queue.intake import Author, IncomingComment, Thread, ingest
from belowline.serve.scoring.pipeline import ModerationPipeline, overruled
from belowline.serve.scoring.results import Result
from belowline.serve.settings import Settings
from belowline.serve.store.database import Database, one_at_a_time
from belowline.serve.store.tables import comments

_AT_ONCE = 50
"""Comments of a transaction, few enough for a running service to wait only a moment."""
_SITE_CHARS, _NAME_CHARS, _THREAD_CHARS = 100, 190, 500
Urls = Mapping[tuple[str, str], str]
"""Source and title of a thread to its address."""


def queue_held(out: Path, pipeline: ModerationPipeline, settings: Settings, site: str) -> tuple[int, int]:
    """Send every comment that the audit in ``out`` does not publish to the queue, as held comments of ``site``.

    Returns the number of comments that were added, and of those that the store knew already.
    They get the audit's scores and reasons. A comment that the store knows stays as it is, also if it was decided or
    erased, so the call can be repeated. It knows a comment by ``comment_id``, or by the archive's id with its text.
    Raises AuditError for an incomplete or redacted audit, or an invalid site; StoreError.
    """
    audit = FinishedAudit.open(out)
    check_site(site)
    urls, added = _urls(out / THREADS_TABLE), 0
    total = audit.summary["comments"] - audit.summary["actions"]["publish"]
    held = audit.chosen(lambda _, row: row["action"] != "publish")
    with Database.open(settings.database_url) as database, counting(total, "queueing") as advance:
        for some in in_chunks(held, _AT_ONCE):
            with database.write() as tx:
                one_at_a_time(tx, f"comments of {site}")
                added += sum(_send(tx, pipeline, site, row, parent, urls) for _, row, parent in some)
            advance(len(some))
    return added, total - added


def check_site(site: str) -> None:
    """Raise AuditError for an invalid site."""
    if len(site) > _SITE_CHARS or not re.fullmatch(SITE_PATTERN, site):
        raise AuditError(f"invalid site {site[:_SITE_CHARS]!r}; name it like example.org")


def comment_id(row: Mapping[str, object]) -> str:
    """The id of an archive's comment in the store: the same at every reading, from every place."""
    # Ids in an archive are unique within a thread at most, and some are numbers that a reader assigned.
    return _hashed(row["thread"], row["id"], row["author"], row["text"])


def _hashed(*parts: object) -> str:
    return "audit-" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _send(
    tx: Connection, pipeline: ModerationPipeline, site: str, row: Row, parent: Row | None, urls: Urls
) -> bool:
    """Ingest a comment unless the store knows it; return if it was added."""
    caller_id = comment_id(row)
    if _is_known(tx, site, caller_id, row):
        return False
    reason = row["reason"]
    decision = PolicyDecision("hold", reason["code"], reason["rule"], reason["label"])
    audited = Result.model_validate({**{name: row[name] for name in Result.model_fields}, "id": caller_id})
    incoming = IncomingComment(
        caller_id=caller_id,
        text=row["text"],
        scores=None,
        decided=(overruled(audited, decision), decision),
        author=_author(row["author"]),
        parent=comment_id(parent) if parent else None,
        parent_text=parent["text"] if parent else None,
        written=datetime.fromisoformat(row["time"]) if row["time"] else None,
    )
    ingest(tx, pipeline, site, _thread(row, urls), [incoming])
    return True


def _is_known(tx: Connection, site: str, caller_id: str, row: Row) -> bool:
    """True for a comment that an audit or the site sent before, also for an erased one, whose text is None."""
    query = select(comments.c.caller_id, comments.c.text).where(
        comments.c.site == site, comments.c.caller_id.in_((caller_id, row["id"]))
    )
    text = row["text"].replace("\x00", "\ufffd")
    return any(known.caller_id == caller_id or known.text in (None, text) for known in tx.execute(query))


def _author(name: str | None) -> Author | None:
    """The author by name, which the prefix keeps apart from the author ids of the site."""
    return Author(f"archive:{name[:_NAME_CHARS]}", name[:_NAME_CHARS]) if name else None


def _thread(row: Row, urls: Urls) -> Thread:
    place = row["source"], row["thread"]
    url = urls.get(place)
    return Thread(url if url and len(url) <= _THREAD_CHARS else _hashed(*place), article_of(row), url)


def _urls(threads: Path) -> dict[tuple[str, str], str]:
    """Addresses of the articles with a comment that is not published."""
    from pyarrow import parquet

    with threads.open("rb") as content, parquet.ParquetFile(content) as file:
        return {
            (row["source"], row["thread"]): row["url"]
            for batch in file.iter_batches()
            for row in batch.to_pylist()
            if row["url"] and row["hold"] + row["reject"]
        }
