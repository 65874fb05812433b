"""Invented comments for queues: ordinary ones, each unlike the others, and copies of a campaign."""

import random
import re

_WORDS = re.findall(
    r"\w+",
    "harbour council money steel ferry summer fish boat price people rain tram depot page report mayor bridge winter "
    "garden lamp ticket river school market paper letter coffee window street train field music chair clock stone",
)
_OFFER = "spam: my {} made {} in a week from home with this simple trick, look at my page for the whole story"
_RUMOUR = "{}, whoever is against the tram should go and live in a forest, says my {} and everybody else in street {}"
_WHO = ("aunt", "uncle", "sister", "friend", "neighbour", "boss", "cousin", "dentist")


def ordinary(name: str, label: str) -> str:
    """Return a comment to which the scorer for tests gives ``label``; each name has a text of its own."""
    return f"{' '.join(random.Random(name).sample(_WORDS, 12))}, which is {label}"


def offer(number: int) -> str:
    """Return a copy of an advertisement, with differences."""
    return _OFFER.format(_WHO[number % len(_WHO)], 900 + number)


def rumour(number: int, label: str) -> str:
    """Return a copy of a rumour, with differences."""
    return _RUMOUR.format(label, _WHO[number % len(_WHO)], number)
