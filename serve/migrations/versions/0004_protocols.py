"""Feedback from callers of other protocols, and the key of pseudonyms."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables and draw the secret."""
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("site", sa.String(100), nullable=False),
        sa.Column("protocol", sa.String(20), nullable=False),
        sa.Column("caller_id", sa.String(200)),
        sa.Column("comment_id", sa.Integer, sa.ForeignKey("comments.id")),
        sa.Column("text", sa.Text),
        sa.Column("context", sa.Text),
        sa.Column("language", sa.String(10)),
        sa.Column("scores", sa.JSON, nullable=False),
        sa.Column("given", sa.JSON, nullable=False),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased", sa.DateTime(timezone=True)),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_feedback_caller_id", "feedback", ["site", "caller_id"])
    op.create_index("ix_feedback_comment", "feedback", ["comment_id"])
    op.create_table(
        "bridges",
        sa.Column("comment_id", sa.Integer, sa.ForeignKey("comments.id"), primary_key=True),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "usage",
        sa.Column("month", sa.String(7), primary_key=True),
        sa.Column("actor", sa.String(120), primary_key=True),
        sa.Column("site", sa.String(100), primary_key=True),
        sa.Column("spam", sa.Integer, nullable=False),
        sa.Column("ham", sa.Integer, nullable=False),
        sa.Column("missed_spam", sa.Integer, nullable=False),
        sa.Column("false_positives", sa.Integer, nullable=False),
    )
    pepper = op.create_table("pepper", sa.Column("secret", sa.String(64), primary_key=True))
    op.execute(sa.insert(pepper).values(secret=secrets.token_hex(32)))
