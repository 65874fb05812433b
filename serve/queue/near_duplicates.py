"""Near-copies among the comments of a site that came before."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from belowline.model.signatures import SIMILAR, Signature
from belowline.serve.store.tables import bands, comments

_CANDIDATES = 40
_REACH = timedelta(days=30)


def campaign_of(
    tx: Connection, site: str, signature: Signature | None, moment: datetime, apart_from: int | None = None
) -> int | None:
    """The campaign of the most similar comment of the site in the 30 days before ``moment``, None where there is none.

    A comment that was edited is compared with all ``apart_from`` itself.
    """
    if signature is None:
        return None
    query = (
        select(comments.c.id, comments.c.campaign, comments.c.signature)
        .where(
            comments.c.id.in_(select(bands.c.comment_id).where(bands.c.band.in_(signature.bands))),
            comments.c.site == site,
            comments.c.received > moment - _REACH,
        )
        .order_by(comments.c.id.desc())
        .limit(_CANDIDATES)
    )
    if apart_from is not None:
        query = query.where(comments.c.id != apart_from)
    best, campaign = SIMILAR, None
    for row in tx.execute(query):
        similarity = signature.similarity(row.signature)
        if similarity >= best:
            best, campaign = similarity, row.campaign or row.id
    return campaign


def copies_in(tx: Connection, campaign: int | None, apart_from: int | None = None) -> int:
    """How many comments a campaign has, 0 for none; ``apart_from`` one that is known already."""
    if campaign is None:
        return 0
    query = select(func.count()).where(comments.c.campaign == campaign)
    if apart_from is not None:
        query = query.where(comments.c.id != apart_from)
    return tx.execute(query).scalar_one()


def remember(tx: Connection, comment: int, signature: Signature | None) -> None:
    """Has later comments compared with this one, by its present text alone."""
    tx.execute(delete(bands).where(bands.c.comment_id == comment))
    if signature is not None:
        tx.execute(insert(bands), [{"band": band, "comment_id": comment} for band in signature.bands])
