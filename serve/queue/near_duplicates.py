"""Near-duplicates among the earlier comments of a site, grouped into campaigns."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from belowline.model.signatures import CANDIDATES, Signature, most_similar
from belowline.serve.store.tables import bands, comments

_REACH = timedelta(days=30)


def campaign_of(
    tx: Connection, site: str, signature: Signature | None, moment: datetime, apart_from: int | None = None
) -> int | None:
    """Return the campaign of the most similar comment of the site in the 30 days before ``moment``, if there is one.

    An edited comment is compared with all comments ``apart_from`` itself.
    """
    if signature is None:
        return None
    shared = select(bands.c.comment_id).where(bands.c.band.in_(signature.bands))
    query = (
        select(func.coalesce(comments.c.campaign, comments.c.id).label("campaign"), comments.c.signature)
        .where(comments.c.id.in_(shared), comments.c.site == site, comments.c.received > moment - _REACH)
        .where(comments.c.id != (apart_from or 0))
        .order_by(comments.c.id.desc())
        .limit(CANDIDATES)
    )
    return most_similar(signature, ((row.campaign, row.signature) for row in tx.execute(query)))


def copies_in(tx: Connection, campaign: int | None, apart_from: int | None = None) -> int:
    """Return the number of comments in a campaign ``apart_from`` one, 0 without a campaign."""
    if campaign is None:
        return 0
    query = select(func.count()).where(comments.c.campaign == campaign, comments.c.id != (apart_from or 0))
    return tx.execute(query).scalar_one()


def remember(tx: Connection, comment: int, signature: Signature | None) -> None:
    """Store the bands of a comment's present text, so that later comments are compared with it."""
    tx.execute(delete(bands).where(bands.c.comment_id == comment))
    if signature is not None:
        tx.execute(insert(bands), [{"band": band, "comment_id": comment} for band in signature.bands])
