"""The corpora of replies and threads. ``corpora.toml`` describes the column mappings."""

from collections.abc import Mapping

from belowline.data.corpora.tables import Labelling, Row
from belowline.data.example import HARMLESS, known, without

_HEATED = known(**without(HARMLESS, "toxicity", "profanity"), spam=0.0)
_ISSUE_LABELS: Mapping[str, Mapping[str, float]] = {
    "none": known(**HARMLESS, spam=0.0),
    "Insulting": known(personal_attack=1.0, toxicity=1.0, spam=0.0),
    "Vulgarity": known(profanity=1.0, spam=0.0),
    "Bitter frustration": _HEATED,
    "Impatience": _HEATED,
    "Entitlement": _HEATED,
}
_ATTACKS = {"insult": 1.0, "claim": 0.0, "request": 0.0, "justification": 0.0, "affiliation/sympathy": 0.0}


def _issue(row: Row) -> Mapping[str, float]:
    # Kinds without certain harm ("Threat" is mostly a threatened ban) only rule out spam.
    return _ISSUE_LABELS.get(row["label"], known(spam=0.0))


def _attack(row: Row) -> Mapping[str, float]:
    kind = row["Gold_label"]
    return known(personal_attack=_ATTACKS[kind]) if kind in _ATTACKS else known()


def _rude(row: Row) -> Mapping[str, float]:
    rude, intolerant = float(row["impoliteness"]), float(row["intolerance"])
    return known(personal_attack=rude, toxicity=max(rude, intolerant))


LABELLINGS: Mapping[str, Labelling] = {
    "github-incivility": _issue,
    "counterspeech/replies.csv": _attack,
    "twitcivility": _rude,
}
