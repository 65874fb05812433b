"""Acts: the stack that undo works on, with actions on authors, notes and escalations."""

import sqlalchemy as sa
from alembic import op

from belowline.serve.store.tables import UtcDateTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the table and the columns; earlier decisions belong to no act."""
    op.create_table(
        "acts",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("site", sa.String(100)),
        sa.Column("comment_id", sa.Integer, sa.ForeignKey("comments.id", name="fk_acts_comment_id_comments")),
        sa.Column("author_id", sa.Integer, sa.ForeignKey("authors.id", name="fk_acts_author_id_authors")),
        sa.Column("value", sa.String(130)),
        sa.Column("until", UtcDateTime()),
        sa.Column("note", sa.Text),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("undone_by", sa.String(120)),
        sa.Column("undone_at", UtcDateTime()),
        sqlite_autoincrement=True,
    )
    for name in ("actor", "author", "comment"):
        column = name if name == "actor" else f"{name}_id"
        op.create_index(f"ix_acts_{name}", "acts", [column, "id"])
    op.add_column("decisions", sa.Column("act_id", sa.Integer))
    op.add_column("decisions", sa.Column("message", sa.Text))
    op.create_index("ix_decisions_act", "decisions", ["act_id"])
    op.add_column("items", sa.Column("escalated_to", sa.String(130)))
    op.add_column("items", sa.Column("escalated_by", sa.String(120)))
