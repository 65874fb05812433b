"""Databases as earlier releases left them."""

from datetime import UTC, datetime
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    DateTime,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    insert,
    text,
)

from belowline.serve.store.database import MIGRATIONS

_SINCE_0_7 = (
    *(("api_keys", "protocol"), ("comments", "text_hash"), ("decisions", "code_choice")),
    *(("decisions", "act_id"), ("decisions", "message"), ("items", "escalated_to")),
    ("items", "escalated_by"),
)
_SINCE_0_5 = ("models", "pepper", "usage", "bridges", "feedback")
_held = Table(
    "held_comments",
    MetaData(),
    Column("id", Integer, primary_key=True),
    *(Column(name, String(200), nullable=False) for name in ("site", "comment_id", "model", "policy")),
    Column("text", Text, nullable=False),
    *(Column(name, JSON, nullable=False) for name in ("scores", "reason", "evidence")),
    *(Column(name, String(20), nullable=False) for name in ("action", "language")),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("relevance", Float),
)


def make_0_3(url: str, rows: list[dict[str, Any]]) -> None:
    """A database of 0.3.0, which has held comments only."""
    engine = create_engine(url)
    with engine.begin() as connection:
        _held.create(connection)
        connection.execute(insert(_held), rows)
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('0002')"))
    engine.dispose()


def back_to(url: str, revision: str) -> None:
    """Take the schema of a present database back to that of 0.7.0 (``0005``) or 0.4.0 (``0003``)."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for index in ("ix_comments_text_hash", "ix_decisions_act", "ix_comments_parent", "ix_items_waiting"):
            connection.execute(text(f"DROP INDEX {index}"))
        for table in ("acts", "saved_filters"):
            connection.execute(text(f"DROP TABLE {table}"))
        for table, column in _SINCE_0_7:
            connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        if revision == "0003":
            for table in _SINCE_0_5:
                connection.execute(text(f"DROP TABLE {table}"))
            for table in ("scores", "decisions"):
                connection.execute(text(f"ALTER TABLE {table} DROP COLUMN model_digest"))
        else:
            for table in ("shadow_actions", "shadow_labels", "shadow_disagreements"):
                connection.execute(text(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY)"))
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
    engine.dispose()


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the migrations up to ``revision``."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def held(name: str, **changes: Any) -> dict[str, Any]:
    """A row of 0.3.0."""
    reason = {"code": "spam", "rule": "spam >= 0.5", "label": "spam"}
    evidence = [{"label": "spam", "start": 1, "end": 2, "strength": 0.5}]
    evidence += [{"label": "hate", "start": 4, "end": 5, "strength": 0.5}]
    scores = {"spam": 0.625, "hate": 0.25}
    row = {"site": "s", "comment_id": name, "text": "שלום 😀 it's", "scores": scores, "action": "hold"}
    row |= {"reason": reason, "evidence": evidence, "language": "he", "model": "0.1", "policy": "p1"}
    return {**row, "created": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), **changes}
