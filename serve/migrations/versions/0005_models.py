"""History of models, and the model of each decision."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table and the columns; the model digest of earlier scores stays null."""
    for table in ("scores", "decisions"):
        op.add_column(table, sa.Column("model_digest", sa.String(64)))
    op.create_table(
        "models",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("version", sa.String(100), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("folder", sa.String(200), nullable=False),
        sa.Column("previous", sa.Integer, sa.ForeignKey("models.id")),
        sa.Column("gates", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("actor", sa.String(120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sqlite_autoincrement=True,
    )
