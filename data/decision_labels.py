"""What a moderator's decision says of a comment's labels: one table, and the rules beside it, as ``serve/DECISIONS.md`` explains them.

It is held to what was said. A label of which a decision says nothing stays unknown, which is neither trained on nor measured.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from belowline.data.example import known

PUBLISHED: Mapping[str, float] = known(spam=0.0, hate=0.0, antisemitism=0.0, threat=0.0)
"""What publishing rules out: no site lets these stand. Insults, coarse words and a rude tone some sites do, so nothing is said of them."""

_NOTHING = known()
REJECTED: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "spam": known(spam=1.0),
        "hate_speech": known(hate=1.0),
        "antisemitism": known(antisemitism=1.0, hate=1.0),
        "threat": known(threat=1.0),
        "personal_attack": known(personal_attack=1.0),
        "profanity": known(profanity=1.0),
        "toxicity": known(toxicity=1.0),
        "off_topic": known(on_topic=0.0),
        # A rule of the site's, or of how it works: none of our labels is meant.
        "banned_word": _NOTHING,
        "links": _NOTHING,
        "campaign": _NOTHING,
        "illegal": _NOTHING,
        "misinformation": _NOTHING,
        "new_author": _NOTHING,
        "language": _NOTHING,
        "edited": _NOTHING,
        "scoring_failed": _NOTHING,
        "other": _NOTHING,
        "undo": _NOTHING,
        "none": _NOTHING,
    }
)
"""Reason code of a rejection to what it says."""


def decision_labels(
    action: str, code: str | None, ticked: Iterable[str] = (), held_for: Iterable[str] = ()
) -> dict[str, float]:
    """Label to 0 or 1 for what a decision says, in the order of their names.

    Args:
        action: ``publish`` or ``reject``; holding says nothing but what was ticked.
        code: The reason code; that of a published comment does not count.
        ticked: Labels that the moderator named.
        held_for: Labels for which the policy had held the comment: publishing it answers no to them.
    """
    found = dict.fromkeys(ticked, 1.0)
    said: Mapping[str, float] = _NOTHING
    if action == "publish":
        said = {**PUBLISHED, **dict.fromkeys(held_for, 0.0)}
    elif action == "reject":
        said = REJECTED.get(code or "none", _NOTHING)
    if "hate" in found:  # what was published although it is hate, a quotation say, may be of Jews or not
        said = {label: value for label, value in said.items() if label != "antisemitism" or value}
    for label, value in said.items():
        found.setdefault(label, value)
    return implied(found)


def implied(labels: Mapping[str, float]) -> dict[str, float]:
    """``labels`` with what follows, in the order of their names: antisemitism is a kind of hate."""
    found = dict(labels)
    if found.get("antisemitism") == 1.0:
        found["hate"] = 1.0
    if found.get("hate") == 0.0:
        found.setdefault("antisemitism", 0.0)
    return dict(sorted(found.items()))
