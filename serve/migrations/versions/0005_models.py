"""History of models, the model of each decision, and decisions of a candidate."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
_SCORED = ("scores", "decisions")


def upgrade() -> None:
    """Create the tables; the model digest of earlier scores stays null."""
    for table in _SCORED:
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
    both = ("model", "candidate")
    op.create_table(
        "shadow_actions",
        *(sa.Column(name, sa.String(120), primary_key=True) for name in both),
        sa.Column("action", sa.String(20), primary_key=True),
        sa.Column("candidate_action", sa.String(20), primary_key=True),
        sa.Column("comments", sa.Integer, nullable=False),
    )
    op.create_table(
        "shadow_labels",
        *(sa.Column(name, sa.String(120), primary_key=True) for name in both),
        sa.Column("label", sa.String(50), primary_key=True),
        sa.Column("comments", sa.Integer, nullable=False),
        sa.Column("difference", sa.Float, nullable=False),
        sa.Column("distance", sa.Float, nullable=False),
    )
    op.create_table(
        "shadow_disagreements",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("comment_id", sa.Integer, sa.ForeignKey("comments.id"), nullable=False),
        *(sa.Column(name, sa.String(120), nullable=False) for name in both),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("candidate_action", sa.String(20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_shadow_disagreements_comment", "shadow_disagreements", ["comment_id"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("shadow_disagreements", "shadow_labels", "shadow_actions", "models"):
        op.drop_table(table)
    for table in _SCORED:
        op.drop_column(table, "model_digest")
