"""Definitions of the labels. ``config.json`` of a model lists the labels that it gives."""

import math
from collections.abc import Mapping
from types import MappingProxyType

DEFINITIONS: Mapping[str, str] = MappingProxyType(
    {
        "spam": (
            "advertises or lures: money offers, shops, pills, channel promotion, copied praise with a"
            " link. A reader's own link to a source is not spam."
        ),
        "hate": (
            "attacks, dehumanises or calls for harm to people for what they are: religion, ethnicity,"
            " origin, sex, orientation, disability. Naming a group, criticising a government or an "
            "armed group, quoting hate to object to it is not hate."
        ),
        "antisemitism": (
            "hate of Jews as Jews, a kind of hate (IHRA working definition). Criticism of Israel like"
            " that of any other country is not antisemitism."
        ),
        "personal_attack": "insults or belittles a person: the author, another reader, somebody named.",
        "threat": "announces, wishes or incites violence against people.",
        "profanity": "swear words or obscenity, whether or not anybody is attacked.",
        "toxicity": "rude or disrespectful enough to make people leave the discussion.",
        "on_topic": (
            "moves the discussion of the article forward: reasons, facts, questions, experience. "
            "Where article or parent are known, the probability of such substance times that of being"
            " about them. The one label that is good."
        ),
    }
)

HARMFUL: tuple[str, ...] = tuple(label for label in DEFINITIONS if label != "on_topic")
"""Labels that can hold a comment."""


def log_odds(probability: float) -> float:
    """Return ln(p / (1 - p)) of a probability, which is kept 1e-9 away from 0 and 1."""
    probability = min(max(probability, 1e-9), 1 - 1e-9)
    return math.log(probability / (1 - probability))
