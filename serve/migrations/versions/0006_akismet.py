"""Recognition of comments by a hash of their text, and keys for one protocol."""

import sqlalchemy as sa
from alembic import op

from belowline.serve.queue.recognition import bare, hash_of

revision = "0006"
down_revision = "0005"
_OURS = "akismet-"
_AT_ONCE = 200


def upgrade() -> None:
    """Add the columns, hash the texts of Akismet's clients, and rename erased comments, whose ids are such hashes."""
    op.add_column("api_keys", sa.Column("protocol", sa.String(20)))
    op.add_column("comments", sa.Column("text_hash", sa.String(32)))
    op.create_index("ix_comments_text_hash", "comments", ["text_hash", "site"])
    _fill(op.get_bind())


def _fill(tx: sa.Connection) -> None:
    comments = sa.table("comments", *(sa.column(name) for name in ("id", "caller_id", "text", "text_hash")))
    mine = comments.c.caller_id.startswith(_OURS)
    last = 0
    while rows := tx.execute(
        sa.select(comments.c.id, comments.c.text)
        .where(mine, comments.c.id > last)
        .order_by(comments.c.id)
        .limit(_AT_ONCE)
    ).all():
        for row in rows:
            known = {"text_hash": hash_of(tx, bare(row.text))} if row.text is not None else None
            values = known or {"caller_id": f"{_OURS}erased-{row.id}"}
            tx.execute(sa.update(comments).where(comments.c.id == row.id).values(**values))
        last = rows[-1].id
