"""Relevance of a held comment to its article or parent; null for earlier comments."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    op.add_column("held_comments", sa.Column("relevance", sa.Float))


def downgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("held_comments") as table:
        table.drop_column("relevance")
