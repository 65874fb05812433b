"""Drops the counts of shadow models: ``belowline models compare`` compares a candidate on the comments of the store."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
_BOTH = ("model", "candidate")


def upgrade() -> None:
    """Drops the tables."""
    for table in ("shadow_disagreements", "shadow_labels", "shadow_actions"):
        op.drop_table(table)


def downgrade() -> None:
    """Creates the tables of 0005 again, empty."""
    op.create_table(
        "shadow_actions",
        *(sa.Column(name, sa.String(120), primary_key=True) for name in _BOTH),
        *(sa.Column(name, sa.String(20), primary_key=True) for name in ("action", "candidate_action")),
        sa.Column("comments", sa.Integer, nullable=False),
    )
    op.create_table(
        "shadow_labels",
        *(sa.Column(name, sa.String(120), primary_key=True) for name in _BOTH),
        sa.Column("label", sa.String(50), primary_key=True),
        sa.Column("comments", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Float, nullable=False) for name in ("difference", "distance")),
    )
    op.create_table(
        "shadow_disagreements",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("comment_id", sa.Integer, sa.ForeignKey("comments.id"), nullable=False),
        *(sa.Column(name, sa.String(120), nullable=False) for name in _BOTH),
        *(sa.Column(name, sa.String(20), nullable=False) for name in ("action", "candidate_action")),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_shadow_disagreements_comment", "shadow_disagreements", ["comment_id"])
