"""What an audit would hold goes to the moderators: into the queue of the store, once, and nowhere else."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select

from belowline.model import BelowlineError, Context, Policy, PolicyDecision, Scores
from belowline.model.directory import Thresholds
from belowline.serve.audit.finished import FinishedAudit, Row, article_of
from belowline.serve.audit.outputs import THREADS_TABLE
from belowline.serve.batch.read import in_chunks
from belowline.serve.batch.terminal import counting
from belowline.serve.http.schemas import SITE_PATTERN
from belowline.serve.queue.intake import Author, IncomingComment, Thread, ingest
from belowline.serve.scoring.pipeline import overruled
from belowline.serve.scoring.results import Result
from belowline.serve.settings import Settings
from belowline.serve.store.database import Database, one_at_a_time
from belowline.serve.store.tables import comments

_AT_ONCE = 50
"""Comments of a transaction: few enough that a service beside it waits a moment only."""
_SITE_CHARS, _NAME_CHARS, _THREAD_CHARS = 100, 190, 500


class QueueError(BelowlineError):
    """An audit's comments cannot be sent to the queue; the message is one line."""


@dataclass(slots=True)
class Queued:
    """How many comments came into the queue, and how many the store knew already, which were left as they are."""

    added: int = 0
    known: int = 0


@dataclass(frozen=True, slots=True)
class _AsAudited:
    """Answers with what the audit found of one comment: nothing is scored again, and nothing decided anew by another policy."""

    policy: Policy
    result: Result
    decision: PolicyDecision
    digest: str | None = None

    def evaluate(
        self, comment_id: str | None, scores: Scores | None, context: Context
    ) -> tuple[Result, PolicyDecision]:
        """The audit's result, whatever is asked."""
        return self.result, self.decision


def queue_held(out: Path, settings: Settings, site: str) -> Queued:
    """Sends every comment that the finished audit in ``out`` would hold or reject to the queue of ``settings.database_url``, as ``site``'s.

    All of them are held, with the scores and the reason of the audit; none is published or rejected. A comment that the store knows is left
    as it is, whether it waits, was decided, or was erased: it is known by ``comment_id``, or by the archive's own id with the same text. So
    the same call again adds nothing, and one that was cut off is made good by the next.

    Raises AuditFolderError for an audit that is unfinished or redacted, QueueError for a name that no site can have, StoreError.
    """
    audit = FinishedAudit.open(out, why="can be moderated")
    if len(site) > _SITE_CHARS or not re.fullmatch(SITE_PATTERN, site):
        raise QueueError(f"a site cannot be called {site[:_SITE_CHARS]!r}; name it like example.org")
    actions = audit.summary["actions"]
    policy = _policy_of(audit)
    queued = Queued()
    database = Database.open(settings.database_url)
    try:
        urls = _urls(out / THREADS_TABLE)
        held = audit.chosen(lambda _, row: row["action"] != "publish")
        with counting(actions["hold"] + actions["reject"], "queueing") as advance:
            for some in in_chunks(held, _AT_ONCE):
                with database.write() as tx:
                    one_at_a_time(tx, f"comments of {site}")
                    added = sum(_send(tx, policy, site, row, parent, urls) for _, row, parent in some)
                queued.added += added
                queued.known += len(some) - added
                advance(len(some))
    finally:
        database.close()
    return queued


def comment_id(row: Mapping[str, object]) -> str:
    """The id under which the store keeps an archive's comment: the same whenever and from wherever the archive is read.

    Ids in an archive are unique within a thread at most, and some are but numbers that a reader gave. So it is a hash of the thread's
    title, the id, the author and the text: a comment that was edited, or that another save numbers otherwise, is another one. A thread
    without title goes by its file.
    """
    return _name_of(row["thread"], row["id"], row["author"], row["text"])


def _name_of(*parts: object) -> str:
    return "audit-" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _send(
    tx: Connection,
    policy: Policy,
    site: str,
    row: Row,
    parent: Row | None,
    urls: Mapping[tuple[str, str], str],
) -> bool:
    """Takes a comment in, unless the store knows it; whether it did."""
    caller_id = comment_id(row)
    if _is_known(tx, site, caller_id, row):
        return False
    reason = row["reason"]
    decision = PolicyDecision("hold", reason["code"], reason["rule"], reason["label"])
    found = Result.model_validate({**{name: row[name] for name in Result.model_fields}, "id": caller_id})
    pipeline = _AsAudited(policy, overruled(found, decision), decision)
    incoming = IncomingComment(
        caller_id=caller_id,
        text=row["text"],
        scores=None,  # they come with the judge's result
        author=_author(row["author"]),
        parent=comment_id(parent) if parent else None,
        parent_text=parent["text"] if parent else None,
        written=datetime.fromisoformat(row["time"]) if row["time"] else None,
    )
    ingest(tx, pipeline, site, _thread(row, urls.get((row["source"], row["thread"]))), [incoming])
    return True


def _is_known(tx: Connection, site: str, caller_id: str, row: Row) -> bool:
    """Whether the store has it: as sent before, or as the site itself sent it; an erased one must not come back."""
    query = select(comments.c.caller_id, comments.c.text).where(
        comments.c.site == site, comments.c.caller_id.in_((caller_id, row["id"]))
    )
    text = row["text"].replace("\x00", "\ufffd")
    return any(known.caller_id == caller_id or known.text in (None, text) for known in tx.execute(query))


def _author(name: str | None) -> Author | None:
    """An archive tells names alone; they are kept apart from the ids that a site gives its authors."""
    return Author(f"archive:{name[:_NAME_CHARS]}", name[:_NAME_CHARS]) if name else None


def _thread(row: Row, url: str | None) -> Thread:
    named = url if url and len(url) <= _THREAD_CHARS else _name_of(row["source"], row["thread"])
    return Thread(named, article_of(row), url)


def _policy_of(audit: FinishedAudit) -> Policy:
    """The version that decided, and the thresholds by which the queue is put in order."""
    thresholds = {label: Thresholds(hold=hold) for label, hold in audit.thresholds.items()}
    return Policy(audit.policy_version, False, thresholds, "hold")


def _urls(threads: Path) -> dict[tuple[str, str], str]:
    """Addresses of the articles, by source and thread, where the archive tells them and a comment is held."""
    from pyarrow import parquet

    with parquet.ParquetFile(threads) as file:
        return dict(_addresses(row for batch in file.iter_batches() for row in batch.to_pylist()))


def _addresses(threads: Iterable[Row]) -> Iterable[tuple[tuple[str, str], str]]:
    for one in threads:
        if one["url"] and one["hold"] + one["reject"]:
            yield (one["source"], one["thread"]), one["url"]
