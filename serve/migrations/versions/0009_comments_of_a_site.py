"""Adds an index for the newest comments of a site."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the index."""
    op.create_index("ix_comments_site_id", "comments", ["site", "id"], if_not_exists=True)
