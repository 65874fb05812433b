"""The console's queue: saved filters, replies by their parent, counts of waiting items."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the table and the indexes."""
    op.create_table(
        "saved_filters",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_saved_filters"),
        sa.UniqueConstraint("actor", "name", name="uq_saved_filters_actor_name"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_comments_parent", "comments", ["site", "parent"])
    op.create_index("ix_items_waiting", "items", ["state", "site", "language", "label", "kind"])
