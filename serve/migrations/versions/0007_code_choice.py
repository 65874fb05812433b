"""The choice of a reason code, by a person or by default.

Earlier rejections as spam that may repeat a preselected code are marked as unclear.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
# The reasons on the console's list up to 0.7.0. The first one was sent if none was preselected.
_LISTED = (
    *("spam", "hate_speech", "antisemitism", "threat", "personal_attack", "profanity", "toxicity"),
    *("off_topic", "misinformation", "illegal", "other"),
)
_decisions = sa.table(
    "decisions",
    *(sa.column(name) for name in ("id", "comment_id", "via", "action", "labels", "code", "rule")),
    sa.column("blind", sa.Boolean),
    sa.column("code_choice"),
)
_items = sa.table("items", *(sa.column(name) for name in ("comment_id", "state", "code")))


def upgrade() -> None:
    """Add the column and mark unclear reasons."""
    op.add_column("decisions", sa.Column("code_choice", sa.String(10)))
    before = _before("code")
    bulk = _decisions.c.rule.startswith("bulk:")  # the list always began with spam
    _mark(sa.or_(_decisions.c.blind, before.not_in(_LISTED), sa.and_(bulk, before != "spam")))
    # The unclear reason was preselected for the next decision on the same comment.
    while _mark(_before("code_choice") == "unclear"):
        pass
    _forget_in_queue()


def _mark(condition: sa.ColumnElement[bool]) -> int:
    """Mark the console's unmarked decisions for spam that meet ``condition``; returns their number."""
    table = _decisions.c
    query = (
        sa.update(_decisions)
        .where(
            table.code == "spam",
            table.action != "publish",
            table.via != "api",  # the API has no preselected reason
            sa.or_(table.rule.startswith("moderator:"), table.rule.startswith("bulk:")),
            sa.cast(table.labels, sa.Text).not_like('%"spam"%'),
            table.code_choice.is_(None),
            condition,
        )
        .values(code_choice="unclear")
    )
    return op.get_bind().execute(query).rowcount


def _before(column: str) -> sa.ColumnElement[str]:
    """Return a column of the previous decision on the same comment."""
    other = _decisions.alias("before")
    query = sa.select(other.c[column]).where(
        other.c.comment_id == _decisions.c.comment_id, other.c.id < _decisions.c.id
    )
    return query.order_by(other.c.id.desc()).limit(1).scalar_subquery()


def _forget_in_queue() -> None:
    """Remove the unclear reason from the items of appeals and of moderators' holds."""
    same = _decisions.c.comment_id == _items.c.comment_id
    by_policy = sa.and_(_decisions.c.via == "policy", _decisions.c.code == "spam")
    op.execute(
        sa.update(_items)
        .where(
            _items.c.state == "open",
            _items.c.code == "spam",
            sa.exists().where(same, _decisions.c.code_choice == "unclear"),
            ~sa.exists().where(same, by_policy),
        )
        .values(code="other")
    )
