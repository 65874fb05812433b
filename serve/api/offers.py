"""What the queue offers, as the API tells it: comments, and in the order ``learn`` why each is among them."""

from collections.abc import Sequence

from pydantic import Field
from sqlalchemy import Connection

from belowline.serve.api.messages import CommentOut, CommentPage
from belowline.serve.queue import comments as reading
from belowline.serve.queue import learning
from belowline.serve.queue.items import Order
from belowline.serve.queue.learning import Offered


class Offer(CommentOut):
    """A comment that the queue offers."""

    offered: Offered | None = Field(
        None, description="Why, in the order `learn`: `uncertain` or `random`; null in other orders."
    )


class OfferPage(CommentPage):
    """A page of the queue."""

    items: list[Offer]  # type: ignore[assignment]


def offers(tx: Connection, ids: Sequence[int], following: str | None, order: Order) -> OfferPage:
    """The comments with these ids as a page of ``order``; ``following`` is the cursor of the next."""
    found = [Offer.model_validate(one) for one in reading.load(tx, ids)]
    if order == learning.ORDER:
        for one in found:
            if one.item is not None:
                one.offered = learning.offered(one.item.id, one.item.kind, one.item.code)
    return OfferPage(items=found, next=following)
