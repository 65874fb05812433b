"""The card of a campaign: how its copies differ from the comment that the card shows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from sqlalchemy import Connection

from belowline.serve.queue import comments
from belowline.serve.queue.card_claims import Copies
from belowline.serve.queue.comments import CommentOut
from belowline.serve.scoring.segments import Segment, segments

_SHOWN = 8
_WORDS = 150
"""Most words of a copy that are compared and shown."""
_WORD = re.compile(r"\S+|\s+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a copy; ``differs`` if the shown comment lacks it."""

    shown: str
    differs: bool


@dataclass(frozen=True, slots=True)
class CampaignCard:
    """The copies that a card decides.

    Attributes:
        number: The campaign.
        count: Number of copies, the shown one included.
        until: The newest item that the card decides.
        authors: Number of different authors among ``copies`` and the shown comment.
        copies: The newest of the other copies with their differences.
        more: Number of copies that are neither shown nor in ``copies``.
    """

    number: int
    count: int
    until: int
    authors: int
    copies: Sequence[tuple[CommentOut, Sequence[Piece]]]
    more: int


def campaign_card(tx: Connection, shown: CommentOut, held: Copies | None) -> CampaignCard | None:
    """Returns the campaign of a shown comment if more than one copy waits, else None."""
    if shown.campaign is None or held is None or len(held.comments) < 2:
        return None
    others = [number for number in held.comments if number != shown.id]
    copies = comments.load(tx, others[: -_SHOWN - 1 : -1])
    authors = {one.author.id for one in (shown, *copies) if one.author}
    return CampaignCard(
        shown.campaign,
        len(held.comments),
        held.until,
        len(authors),
        [(copy, differences(shown.text or "", copy.text or "")) for copy in copies],
        len(others) - len(copies),
    )


def differences(shown: str, copy: str) -> list[Piece]:
    """Returns the beginning of ``copy`` in pieces, of which those that ``shown`` lacks are marked."""
    theirs, tokens = _words(shown), _words(copy)
    matcher = SequenceMatcher(
        None, [text for text, _ in theirs], [text for text, _ in tokens], autojunk=False
    )
    pieces = [
        Piece("".join(segment for _, segment in tokens[start:end]), kind != "equal")
        for kind, _, _, start, end in matcher.get_opcodes()
        if start < end
    ]
    return [*pieces, Piece(" […]", False)] if len(tokens) == 2 * _WORDS else pieces


def _words(text: str) -> list[tuple[str, str]]:
    """Returns the first words and spaces of a text as they are, and as a page shows them."""
    cut = text[: 20 * _WORDS]
    parts = [(word, part) for part in segments(cut, []) for word in _WORD.findall(part.text)]
    return [(word, Segment(word, link=part.link).shown) for word, part in parts[: 2 * _WORDS]]
