"""The tables.

Rows of ``decisions``, ``revisions``, ``scores``, ``policies``, ``models`` and ``audit_log`` are never
changed.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC. SQLite returns it without a zone, PostgreSQL in the server's zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Convert to UTC, so that SQLite sorts times of all zones correctly."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Add the zone UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
LIVE = "open"
"""State of a queue item or an appeal that is not decided."""
SYSTEM = "system"
"""Actor of the policy's decisions."""


def _table(name: str, *parts: Any) -> Table:
    return Table(name, metadata, *parts)


def _numbered(name: str, *parts: Any) -> Table:
    """Return a table with ids, which are never reused, because cursors and logs hold them."""
    number = Column("id", Integer, primary_key=True, autoincrement=True)
    return Table(name, metadata, number, *parts, sqlite_autoincrement=True)


def _comment() -> Column[int]:
    return Column("comment_id", Integer, ForeignKey("comments.id"), nullable=False)


def _named(size: int, *, erasable: bool = False) -> tuple[Any, ...]:
    """Return the columns of a row that its site names; ``caller_id`` is null once the row is erased."""
    caller_id = Column("caller_id", String(size), nullable=erasable)
    return Column("site", String(100), nullable=False), caller_id, UniqueConstraint("site", "caller_id")


def _by() -> tuple[Any, ...]:
    return Column("actor", String(120), nullable=False), Column("at", UtcDateTime(), nullable=False)


threads = _numbered(
    "threads",
    *_named(500),
    Column("title", Text),
    Column("url", Text),
    Column("lead", Text),
)
authors = _numbered(
    "authors",
    *_named(200, erasable=True),
    Column("name", String(200)),
    Column("role", String(50)),
    Column("first_seen", UtcDateTime(), nullable=False),
)
comments = _numbered(
    "comments",
    *_named(200),
    Column("thread_id", Integer, ForeignKey("threads.id")),
    Column("author_id", Integer, ForeignKey("authors.id")),
    Column("parent", String(200)),  # the caller's id of the parent comment
    Column("parent_text", Text),  # text of the parent as it was sent
    Column("text", Text),  # the newest revision; null once erased
    Column(
        "text_hash", String(32)
    ),  # keyed hash of the plain text, for callers without ids; null once erased
    Column("language", String(10), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("action", String(20), nullable=False),  # current action: publish, hold or reject
    Column("campaign", Integer),  # id of the first of its near-duplicates
    Column("signature", LargeBinary),
    Column("written", UtcDateTime()),
    Column("received", UtcDateTime(), nullable=False),
    Column("erased", UtcDateTime()),
    Index("ix_comments_author", "author_id", "action"),
    Index("ix_comments_thread", "thread_id", "id"),
    Index("ix_comments_campaign", "campaign"),
    Index("ix_comments_action", "action", "id"),
    Index("ix_comments_text_hash", "text_hash", "site"),
    Index("ix_comments_site_id", "site", "id"),
    Index("ix_comments_parent", "site", "parent"),
)
bands = _table(
    "bands",
    Column("band", String(24), primary_key=True),
    Column("comment_id", Integer, ForeignKey("comments.id"), primary_key=True),
    Index("ix_bands_comment", "comment_id"),
)
revisions = _numbered(
    "revisions",
    _comment(),
    Column("number", Integer, nullable=False),
    Column("text", Text),
    Column("at", UtcDateTime(), nullable=False),
    UniqueConstraint("comment_id", "number"),
)
scores = _numbered(
    "scores",
    _comment(),
    Column("revision", Integer, nullable=False),
    Column("model", String(100), nullable=False),
    Column("model_digest", String(64)),  # null where unknown
    Column("probabilities", JSON, nullable=False),
    Column("relevance", Float),
    Column("evidence", JSON, nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    Index("ix_scores_comment", "comment_id", "id"),
)
items = _numbered(
    "items",
    _comment(),
    Column("kind", String(20), nullable=False),  # held, sample, appeal or second
    Column("state", String(10), nullable=False),  # open or closed
    Column("site", String(100), nullable=False),
    Column("thread_id", Integer),
    Column("author_id", Integer),
    Column("campaign", Integer),
    Column("label", String(50)),
    Column("code", String(50), nullable=False),
    Column("action", String(20), nullable=False),
    Column("language", String(10), nullable=False),
    Column("priority", Float, nullable=False),
    Column("uncertainty", Float, nullable=False),
    Column("created", UtcDateTime(), nullable=False),
    Column("closed", UtcDateTime()),
    Column("claimed_by", String(120)),
    Column("claimed_until", UtcDateTime()),
    Column("not_for", String(120)),  # who decided first; an appeal or a second review needs another person
    Column("escalated_to", String(130)),  # person:NAME or role:ROLE; the item is in nobody else's queue
    Column("escalated_by", String(120)),
    Index("ix_items_priority", "state", "priority", "id"),
    Index("ix_items_uncertainty", "state", "uncertainty", "id"),
    Index("ix_items_age", "state", "id"),
    Index("ix_items_site", "state", "site", "priority", "id"),
    Index("ix_items_comment", "comment_id", "state"),
    Index("ix_items_label", "state", "label", "priority", "id"),
    Index("ix_items_campaign", "state", "campaign"),
    Index("ix_items_author", "state", "author_id"),
    Index("ix_items_claimed", "claimed_by", "claimed_until"),
    Index("ix_items_waiting", "state", "site", "language", "label", "kind"),
    Index(
        "uq_items_open_comment",
        "comment_id",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)
decisions = _numbered(
    "decisions",
    _comment(),
    Column("revision", Integer, nullable=False),
    Column("actor", String(120), nullable=False),
    Column("via", String(20), nullable=False),  # policy, console, api, bulk, undo, appeal or a protocol
    Column("action", String(20), nullable=False),
    Column("before", String(20)),  # the action before
    Column("labels", JSON, nullable=False),
    Column("code", String(50), nullable=False),
    # person, default (preselected and unchanged) or unclear (before 0.8, see migration 0007); null without a choice
    Column("code_choice", String(10)),
    Column("rule", Text, nullable=False),
    Column("spans", JSON, nullable=False),
    Column("note", Text),
    Column("policy", String(100), nullable=False),
    Column("model", String(100), nullable=False),
    Column("model_digest", String(64)),  # null where unknown
    Column("scores", JSON, nullable=False),
    Column("blind", Boolean, nullable=False),  # whether the scores were hidden from the moderator
    Column("undoes", Integer, ForeignKey("decisions.id")),
    Column("item_id", Integer),
    Column("act_id", Integer),  # the act that the decision belongs to; null for the policy's
    Column("message", Text),  # a moderator's words for the author; null once erased
    Column("at", UtcDateTime(), nullable=False),
    Index("ix_decisions_act", "act_id"),
    Index("ix_decisions_comment", "comment_id", "id"),
    Index("ix_decisions_actor", "actor", "id"),
    Index("ix_decisions_at", "at"),
)
acts = _numbered(
    "acts",
    Column("kind", String(20), nullable=False),  # decision, bulk, standing, note or escalation
    Column("site", String(100)),  # null for comments of several sites
    Column("comment_id", Integer, ForeignKey("comments.id")),
    Column("author_id", Integer, ForeignKey("authors.id")),
    Column("value", String(130)),  # the action, the standing, or the receiver of an escalation
    Column("until", UtcDateTime()),  # end of a suspension
    Column("note", Text),  # null once erased
    *_by(),
    Column("state", String(10), nullable=False),  # done, undone, or kept: there was nothing left to undo
    Column("undone_by", String(120)),
    Column("undone_at", UtcDateTime()),
    Index("ix_acts_actor", "actor", "id"),
    Index("ix_acts_author", "author_id", "id"),
    Index("ix_acts_comment", "comment_id", "id"),
)
appeals = _numbered(
    "appeals",
    _comment(),
    Column("decision_id", Integer, ForeignKey("decisions.id"), nullable=False),
    Column("text", Text),
    Column("state", String(20), nullable=False),  # open, upheld, overturned or withdrawn
    Column("created", UtcDateTime(), nullable=False),
    Column("answered_by", Integer, ForeignKey("decisions.id")),
    Index("ix_appeals_comment", "comment_id"),
)
feedback = _numbered(
    "feedback",
    Column("site", String(100), nullable=False),
    Column("protocol", String(20), nullable=False),
    Column("caller_id", String(200)),  # the caller's id of the comment, if given
    Column("comment_id", Integer, ForeignKey("comments.id")),  # if that comment is stored
    Column("text", Text),  # null once erased
    Column("context", Text),
    Column("language", String(10)),
    Column("scores", JSON, nullable=False),  # label to 0..1
    Column("given", JSON, nullable=False),  # the same as the caller sent it
    *_by(),
    Column("erased", UtcDateTime()),
    Index("ix_feedback_caller_id", "site", "caller_id"),
    Index("ix_feedback_comment", "comment_id"),
)
pepper = _table(
    "pepper",
    Column("secret", String(64), primary_key=True),  # one row: the key of all pseudonyms
)
bridges = _table(
    "bridges",
    Column("comment_id", Integer, ForeignKey("comments.id"), primary_key=True),
    Column("action", String(20), nullable=False),  # the other system's last action
    Column("at", UtcDateTime(), nullable=False),
)
usage = _table(
    "usage",
    Column("month", String(7), primary_key=True),  # such as 2026-11, in UTC
    Column("actor", String(120), primary_key=True),
    Column("site", String(100), primary_key=True),
    Column("spam", Integer, nullable=False),
    Column("ham", Integer, nullable=False),
    Column("missed_spam", Integer, nullable=False),
    Column("false_positives", Integer, nullable=False),
)
golden = _table(
    "golden",
    Column("comment_id", Integer, ForeignKey("comments.id"), primary_key=True),
    Column("action", String(20), nullable=False),
    Column("labels", JSON, nullable=False),
    *_by(),
)
reviews = _numbered(
    "reviews",
    _comment(),
    Column("kind", String(20), nullable=False),  # golden or second
    Column("actor", String(120), nullable=False),
    Column("action", String(20), nullable=False),
    Column("expected", String(20), nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    UniqueConstraint("comment_id", "kind", "actor"),
)
api_keys = _numbered(
    "api_keys",
    Column("name", String(100), nullable=False, unique=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    Column("sites", JSON, nullable=False),  # empty: every site
    Column("protocol", String(20)),  # the only protocol that accepts the key; null: every call
    Column("created", UtcDateTime(), nullable=False),
    Column("revoked", UtcDateTime()),
)
saved_filters = _numbered(
    "saved_filters",
    Column("actor", String(120), nullable=False),
    Column("name", String(60), nullable=False),
    Column("query", Text, nullable=False),  # the filter as a part of the console's address
    UniqueConstraint("actor", "name"),
)
sessions = _table(
    "sessions",
    Column("digest", String(64), primary_key=True),
    Column("key_digest", String(64), nullable=False),
    Column("expires", UtcDateTime(), nullable=False),
)
policies = _numbered(
    "policies",
    Column("text", Text, nullable=False),
    Column("note", Text),
    *_by(),
)
models = _numbered(
    "models",
    Column("kind", String(20), nullable=False),  # begin, promote or rollback
    Column("version", String(100), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("folder", String(200), nullable=False),  # name in the folder of models
    Column("previous", Integer, ForeignKey("models.id")),  # the version that a rollback returns to
    Column("gates", JSON, nullable=False),  # result of the comparison; empty without one
    Column("reason", Text),  # reason of a forced promotion or a rollback
    *_by(),
)
webhooks = _numbered(
    "webhooks",
    Column("url", Text, nullable=False),
    Column("events", JSON, nullable=False),
    Column("secrets", JSON, nullable=False),  # newest first; all of them sign
    Column("created", UtcDateTime(), nullable=False),
    Column("disabled", UtcDateTime()),
)
deliveries = _numbered(
    "deliveries",
    Column("webhook_id", Integer, ForeignKey("webhooks.id"), nullable=False),
    Column("event", String(50), nullable=False),
    Column("payload", JSON, nullable=False),  # ids and decisions, no comment text
    Column("state", String(20), nullable=False),  # pending, delivered or failed
    Column("tries", Integer, nullable=False),
    Column("next_try", UtcDateTime(), nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Column("created", UtcDateTime(), nullable=False),
    Index("ix_deliveries_due", "state", "next_try"),
)
idempotency = _table(
    "idempotency",
    Column("actor", String(120), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("request", String(64), nullable=False),
    Column("answer", JSON, nullable=False),
    Column("at", UtcDateTime(), nullable=False),
)
audit_log = _numbered(
    "audit_log",
    Column("at", UtcDateTime(), nullable=False),
    Column("actor", String(120), nullable=False),
    Column("what", String(50), nullable=False),
    Column("target", String(300), nullable=False),
    Column("details", JSON, nullable=False),
)
