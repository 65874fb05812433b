"""Near-copies: the same text with changed names, sums, links or tails, found among what came before.

MinHash (rensa) over words and pairs of words; candidates share one of twelve bands of five values, and a pair counts from an estimated
Jaccard similarity of 0.5 on.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
from rensa import RMinHash
from sqlalchemy import Connection, delete, func, insert, select

from belowline.model.normalise import normalise
from belowline.serve.store.tables import bands, comments

_BANDS, _ROWS = 12, 5
_SEED = 20261125
_FEWEST_WORDS = 5
"""Fewer say too little: "thank you very much" is no campaign."""
_SIMILAR = 0.5
_CANDIDATES = 40
_REACH = timedelta(days=30)
_LINK = re.compile(r"\blink \S+")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Signature:
    """What is compared of a text."""

    values: bytes  # 60 unsigned integers of 32 bits

    @property
    def bands(self) -> list[str]:
        """One name for each band; equal names mark candidates."""
        size = 4 * _ROWS
        return [
            f"{at:x}:" + hashlib.blake2b(self.values[at * size : (at + 1) * size], digest_size=8).hexdigest()
            for at in range(_BANDS)
        ]


def signature_of(text: str) -> Signature | None:
    """The signature of a text, None for one too short to be a copy of anything. Links, numbers and disguises do not count."""
    words = _WORD.findall(_LINK.sub(" ", normalise(text).text).casefold())
    if len(set(words)) < _FEWEST_WORDS:
        return None
    minhash = RMinHash(num_perm=_BANDS * _ROWS, seed=_SEED)
    minhash.update(sorted({*words, *(f"{one} {other}" for one, other in pairwise(words))}))
    return Signature(np.asarray(minhash.digest(), dtype="<u4").tobytes())


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
    own = np.frombuffer(signature.values, dtype="<u4")
    best, campaign = _SIMILAR, None
    for row in tx.execute(query):
        similarity = float(np.mean(own == np.frombuffer(row.signature, dtype="<u4")))
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
