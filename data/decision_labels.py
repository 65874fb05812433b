"""Labels that follow from a moderator's decision, as ``serve/DECISIONS.md`` documents them.

A label that the decision does not settle stays unknown: it is neither trained on nor measured.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from belowline.data.example import known

PUBLISHED: Mapping[str, float] = known(spam=0.0, hate=0.0, antisemitism=0.0, threat=0.0)
"""Labels that publishing rules out, because no site publishes them.

Some sites publish insults and profanity: these stay unknown.
"""

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
        # Rules of the site or of its workflow: they settle none of the labels.
        **dict.fromkeys(("banned_word", "links", "campaign", "illegal", "misinformation"), _NOTHING),
        **dict.fromkeys(("new_author", "language", "edited", "scoring_failed"), _NOTHING),
        **dict.fromkeys(("suspended", "banned", "pre_moderated"), _NOTHING),
        **dict.fromkeys(("other", "undo", "none"), _NOTHING),
    }
)
"""Reason code of a rejection to the labels that it settles."""


def decision_labels(
    action: str, code: str | None, ticked: Iterable[str] = (), held_for: Iterable[str] = ()
) -> dict[str, float]:
    """The labels that a decision settles, each 0 or 1, sorted by name.

    Args:
        action: ``publish`` or ``reject``; ``hold`` settles only the ticked labels.
        code: Reason code of a rejection; ignored for a published comment.
        ticked: Labels that the moderator named.
        held_for: Labels for which the policy held the comment: publishing sets them to 0.
    """
    found = dict.fromkeys(ticked, 1.0)
    said: Mapping[str, float] = _NOTHING
    if action == "publish":
        said = {**PUBLISHED, **dict.fromkeys(held_for, 0.0)}
    elif action == "reject":
        said = REJECTED.get(code or "none", _NOTHING)
    if "hate" in found:  # published although it is hate (a quotation, for example): its target is unknown
        said = {label: value for label, value in said.items() if label != "antisemitism" or value}
    for label, value in said.items():
        found.setdefault(label, value)
    return implied(found)


def implied(labels: Mapping[str, float]) -> dict[str, float]:
    """``labels`` with their implications, sorted by name: antisemitism is a kind of hate."""
    found = dict(labels)
    if found.get("antisemitism") == 1.0:
        found["hate"] = 1.0
    if found.get("hate") == 0.0:
        found.setdefault("antisemitism", 0.0)
    return dict(sorted(found.items()))
