"""The tables. Rows of ``decisions``, ``revisions``, ``scores``, ``policies``, ``models`` and ``audit_log`` are only ever added."""

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
    """A time in UTC; SQLite gives it back without its zone, PostgreSQL in the server's."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Stored in UTC, so that SQLite orders times of any zone rightly."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """In UTC, with its zone."""
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
"""State of an item that waits, of an appeal that nobody has decided."""
SYSTEM = "system"
"""Who decides by the policy."""


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True, autoincrement=True)


def _comment() -> Column[int]:
    return Column("comment_id", Integer, ForeignKey("comments.id"), nullable=False)


threads = Table(
    "threads",
    metadata,
    _id(),
    Column("site", String(100), nullable=False),
    Column("caller_id", String(500), nullable=False),
    Column("title", Text),
    Column("url", Text),
    Column("lead", Text),
    UniqueConstraint("site", "caller_id"),
)
authors = Table(
    "authors",
    metadata,
    _id(),
    Column("site", String(100), nullable=False),
    Column("caller_id", String(200)),  # null once erased
    Column("name", String(200)),
    Column("role", String(50)),
    Column("first_seen", UtcDateTime(), nullable=False),
    UniqueConstraint("site", "caller_id"),
)
comments = Table(
    "comments",
    metadata,
    _id(),
    Column("site", String(100), nullable=False),
    Column("caller_id", String(200), nullable=False),
    Column("thread_id", Integer, ForeignKey("threads.id")),
    Column("author_id", Integer, ForeignKey("authors.id")),
    Column("parent", String(200)),  # the caller's id of the comment that this one answers
    Column("parent_text", Text),  # what was sent of it
    Column("text", Text),  # as it stands; null once erased
    Column(
        "text_hash", String(32)
    ),  # keyed hash of the text without its markup, for callers without ids; null once erased
    Column("language", String(10), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("action", String(20), nullable=False),  # what stands: publish, hold or reject
    Column("campaign", Integer),  # id of the first of its near-copies
    Column("signature", LargeBinary),
    Column("written", UtcDateTime()),
    Column("received", UtcDateTime(), nullable=False),
    Column("erased", UtcDateTime()),
    UniqueConstraint("site", "caller_id"),
    Index("ix_comments_author", "author_id", "action"),
    Index("ix_comments_thread", "thread_id", "id"),
    Index("ix_comments_campaign", "campaign"),
    Index("ix_comments_action", "action", "id"),
    Index("ix_comments_text_hash", "text_hash", "site"),
    sqlite_autoincrement=True,  # a cursor must not meet the id of an erased comment again
)
bands = Table(
    "bands",
    metadata,
    Column("band", String(24), primary_key=True),
    Column("comment_id", Integer, ForeignKey("comments.id"), primary_key=True),
    Index("ix_bands_comment", "comment_id"),
)
revisions = Table(
    "revisions",
    metadata,
    _id(),
    _comment(),
    Column("number", Integer, nullable=False),
    Column("text", Text),
    Column("at", UtcDateTime(), nullable=False),
    UniqueConstraint("comment_id", "number"),
)
scores = Table(
    "scores",
    metadata,
    _id(),
    _comment(),
    Column("revision", Integer, nullable=False),
    Column("model", String(100), nullable=False),
    Column("model_digest", String(64)),  # null where nobody looked
    Column("probabilities", JSON, nullable=False),
    Column("relevance", Float),
    Column("evidence", JSON, nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    Index("ix_scores_comment", "comment_id", "id"),
)
items = Table(
    "items",
    metadata,
    _id(),
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
    Column("not_for", String(120)),  # who decided first: an appeal or a second review is somebody else's
    Index("ix_items_priority", "state", "priority", "id"),
    Index("ix_items_uncertainty", "state", "uncertainty", "id"),
    Index("ix_items_age", "state", "id"),
    Index("ix_items_site", "state", "site", "priority", "id"),
    Index("ix_items_comment", "comment_id", "state"),
    Index("ix_items_label", "state", "label", "priority", "id"),
    Index("ix_items_campaign", "state", "campaign"),
    Index("ix_items_author", "state", "author_id"),
    Index("ix_items_claimed", "claimed_by", "claimed_until"),
    Index(
        "uq_items_open_comment",
        "comment_id",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    sqlite_autoincrement=True,
)
decisions = Table(
    "decisions",
    metadata,
    _id(),
    _comment(),
    Column("revision", Integer, nullable=False),
    Column("actor", String(120), nullable=False),
    Column("via", String(20), nullable=False),  # policy, console, api, bulk, undo, appeal or a protocol
    Column("action", String(20), nullable=False),
    Column("before", String(20)),  # the action that stood
    Column("labels", JSON, nullable=False),
    Column("code", String(50), nullable=False),
    # person, default (left as it was preselected) or unclear (before 0.8, see migration 0007); null where nobody could choose
    Column("code_choice", String(10)),
    Column("rule", Text, nullable=False),
    Column("spans", JSON, nullable=False),
    Column("note", Text),
    Column("policy", String(100), nullable=False),
    Column("model", String(100), nullable=False),
    Column("model_digest", String(64)),  # null where nobody looked
    Column("scores", JSON, nullable=False),
    Column("blind", Boolean, nullable=False),  # whether the scores were hidden from who decided
    Column("undoes", Integer, ForeignKey("decisions.id")),
    Column("item_id", Integer),
    Column("at", UtcDateTime(), nullable=False),
    Index("ix_decisions_comment", "comment_id", "id"),
    Index("ix_decisions_actor", "actor", "id"),
    Index("ix_decisions_at", "at"),
    sqlite_autoincrement=True,
)
appeals = Table(
    "appeals",
    metadata,
    _id(),
    _comment(),
    Column("decision_id", Integer, ForeignKey("decisions.id"), nullable=False),
    Column("text", Text),
    Column("state", String(20), nullable=False),  # open, upheld, overturned or withdrawn
    Column("created", UtcDateTime(), nullable=False),
    Column("answered_by", Integer, ForeignKey("decisions.id")),
    Index("ix_appeals_comment", "comment_id"),
)
feedback = Table(
    "feedback",
    metadata,
    _id(),
    Column("site", String(100), nullable=False),
    Column("protocol", String(20), nullable=False),
    Column("caller_id", String(200)),  # of the comment, where the caller named it
    Column("comment_id", Integer, ForeignKey("comments.id")),  # where that comment is kept
    Column("text", Text),  # null once erased
    Column("context", Text),
    Column("language", String(10)),
    Column("scores", JSON, nullable=False),  # what the caller says it is: label to 0..1
    Column("given", JSON, nullable=False),  # the same in the caller's own words
    Column("actor", String(120), nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    Column("erased", UtcDateTime()),
    Index("ix_feedback_caller_id", "site", "caller_id"),
    Index("ix_feedback_comment", "comment_id"),
    sqlite_autoincrement=True,
)
pepper = Table(
    "pepper",
    metadata,
    Column("secret", String(64), primary_key=True),  # one row: what hashes of addresses are made with
)
bridges = Table(
    "bridges",
    metadata,
    Column("comment_id", Integer, ForeignKey("comments.id"), primary_key=True),
    Column("action", String(20), nullable=False),  # what the other system last made of it
    Column("at", UtcDateTime(), nullable=False),
)
usage = Table(
    "usage",
    metadata,
    Column("month", String(7), primary_key=True),  # such as 2026-11, in UTC
    Column("actor", String(120), primary_key=True),
    Column("site", String(100), primary_key=True),
    Column("spam", Integer, nullable=False),
    Column("ham", Integer, nullable=False),
    Column("missed_spam", Integer, nullable=False),
    Column("false_positives", Integer, nullable=False),
)
golden = Table(
    "golden",
    metadata,
    Column("comment_id", Integer, ForeignKey("comments.id"), primary_key=True),
    Column("action", String(20), nullable=False),
    Column("labels", JSON, nullable=False),
    Column("actor", String(120), nullable=False),
    Column("at", UtcDateTime(), nullable=False),
)
reviews = Table(
    "reviews",
    metadata,
    _id(),
    _comment(),
    Column("kind", String(20), nullable=False),  # golden or second
    Column("actor", String(120), nullable=False),
    Column("action", String(20), nullable=False),
    Column("expected", String(20), nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    UniqueConstraint("comment_id", "kind", "actor"),
)
api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    Column("name", String(100), nullable=False, unique=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    Column("sites", JSON, nullable=False),  # empty: every site
    Column(
        "protocol", String(20)
    ),  # the only protocol that takes the key; null: all of them, and the own API
    Column("created", UtcDateTime(), nullable=False),
    Column("revoked", UtcDateTime()),
)
sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("key_digest", String(64), nullable=False),
    Column("expires", UtcDateTime(), nullable=False),
)
policies = Table(
    "policies",
    metadata,
    _id(),
    Column("text", Text, nullable=False),
    Column("note", Text),
    Column("actor", String(120), nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    sqlite_autoincrement=True,
)
models = Table(
    "models",
    metadata,
    _id(),
    Column("kind", String(20), nullable=False),  # begin, promote or rollback
    Column("version", String(100), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("folder", String(200), nullable=False),  # its name in the folder of models
    Column("previous", Integer, ForeignKey("models.id")),  # what a rollback returns to
    Column("gates", JSON, nullable=False),  # what a comparison said of it; empty where none was asked for
    Column("reason", Text),  # why it was promoted in spite of that, or rolled back
    Column("actor", String(120), nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    sqlite_autoincrement=True,
)
webhooks = Table(
    "webhooks",
    metadata,
    _id(),
    Column("url", Text, nullable=False),
    Column("events", JSON, nullable=False),
    Column("secrets", JSON, nullable=False),  # newest first; each signs while it is there
    Column("created", UtcDateTime(), nullable=False),
    Column("disabled", UtcDateTime()),
)
deliveries = Table(
    "deliveries",
    metadata,
    _id(),
    Column("webhook_id", Integer, ForeignKey("webhooks.id"), nullable=False),
    Column("event", String(50), nullable=False),
    Column("payload", JSON, nullable=False),  # ids and decisions, never a comment's text
    Column("state", String(20), nullable=False),  # pending, delivered or failed
    Column("tries", Integer, nullable=False),
    Column("next_try", UtcDateTime(), nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Column("created", UtcDateTime(), nullable=False),
    Index("ix_deliveries_due", "state", "next_try"),
    sqlite_autoincrement=True,
)
idempotency = Table(
    "idempotency",
    metadata,
    Column("actor", String(120), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("request", String(64), nullable=False),
    Column("answer", JSON, nullable=False),
    Column("at", UtcDateTime(), nullable=False),
)
audit_log = Table(
    "audit_log",
    metadata,
    _id(),
    Column("at", UtcDateTime(), nullable=False),
    Column("actor", String(120), nullable=False),
    Column("what", String(50), nullable=False),
    Column("target", String(300), nullable=False),
    Column("details", JSON, nullable=False),
    sqlite_autoincrement=True,
)
