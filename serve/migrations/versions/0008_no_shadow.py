"""Drops the counts of shadow models: ``belowline models compare`` compares a candidate on the comments of the store."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Drop the tables of 0.6.0 and 0.7.0."""
    for table in ("shadow_disagreements", "shadow_labels", "shadow_actions"):
        op.drop_table(table, if_exists=True)
