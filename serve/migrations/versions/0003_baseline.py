"""The schema of 0.4.0, the oldest that is upgraded step by step; ``new_database.py`` makes new ones and moves 0.3.0."""

revision = "0003"
down_revision = None


def upgrade() -> None:
    """Nothing: a database without this schema is made at the present one."""
