"""How relevant a held comment is to its article or parent; unknown of those held before."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the column."""
    op.add_column("held_comments", sa.Column("relevance", sa.Float))


def downgrade() -> None:
    """Drops the column."""
    with op.batch_alter_table("held_comments") as table:
        table.drop_column("relevance")
