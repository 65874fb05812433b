"""The sites whose comments are stored."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from belowline.serve.store.tables import comments

MOST = 200


def known_sites(tx: Connection, sites: Sequence[str] = ()) -> list[str]:
    """Return up to ``MOST`` sites with comments, in order; of ``sites`` only, if any are named."""
    found: list[str] = []
    # Each step finds the next name in an index: the number of rows that are read is the number of sites.
    following = select(func.min(comments.c.site))
    name = tx.execute(following).scalar()
    while name is not None and len(found) < MOST:
        found.append(name)
        name = tx.execute(following.where(comments.c.site > name)).scalar()
    return [site for site in found if not sites or site in sites]
