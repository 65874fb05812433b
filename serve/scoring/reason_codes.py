"""Reason codes, their equivalents in Coral and in the EU's transparency database, and statements of reasons.

Fields and values of a statement are those of the database's API for Article 17 of Regulation (EU) 2022/2065; a site
adds the facts that only it knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Code:
    """A reason code in words, in Coral's terms, and as a category and a keyword of the transparency database."""

    words: str
    coral: str = "OTHER"
    category: str = "OTHER_VIOLATION_TC"
    keyword: str | None = None


_HATE = ("HATE_SPEECH", "ILLEGAL_OR_HARMFUL_SPEECH", "KEYWORD_HATE_SPEECH")
CODES: Mapping[str, Code] = {
    "spam": Code("spam or advertising", "SPAM", "SCAMS_AND_FRAUD"),
    "hate_speech": Code("hatred against people for who they are", *_HATE),
    "antisemitism": Code("hatred against Jews", *_HATE),
    "personal_attack": Code("an attack on a person", "HARASSMENT_BULLYING", "CYBER_VIOLENCE"),
    "threat": Code("a threat of violence", "HARASSMENT_BULLYING", "VIOLENCE"),
    "profanity": Code("coarse language", "OFFENSIVE"),
    "toxicity": Code("a hostile tone", "ABUSIVE"),
    "banned_word": Code("a word that the site does not allow", "BANNED_WORD"),
    "links": Code("links that the site does not allow", "AD"),
    "campaign": Code("the same text posted many times", "SPAM", "SCAMS_AND_FRAUD"),
    "off_topic": Code("not about the article", "IRRELEVANT_CONTENT"),
    "illegal": Code("content against the law", "ILLEGAL_CONTENT", "ILLEGAL_OR_HARMFUL_SPEECH"),
    "misinformation": Code("misleading claims", "MISINFORMATION"),
    "new_author": Code("first comments of an author are read before they appear"),
    "language": Code("a language that cannot be judged automatically"),
    "suspended": Code("the author is suspended for a time"),
    "banned": Code("the author is banned"),
    "pre_moderated": Code("all comments of the author are read before they appear"),
    "edited": Code("edited after it was rejected"),
    "scoring_failed": Code("could not be judged automatically"),
    "other": Code("against the site's terms"),
    "undo": Code("an earlier decision was taken back"),
    "none": Code("no reason was given"),
}
"""All reason codes, those of the policy first."""

NO_REASON = "other"
"""The code of a rejection without a reason; it implies no label."""

_BY_POLICY = (
    *("banned_word", "links", "campaign", "new_author", "language", "edited", "scoring_failed"),
    *("suspended", "banned", "pre_moderated"),
)
MODERATOR_CODES = tuple(code for code in CODES if code not in (*_BY_POLICY, "undo", "none"))
"""Codes that a moderator can choose, the labels in the order of ``model.labels``."""
REASON_KEYS: Mapping[str, str] = {
    **{code: str(at) for at, code in enumerate(MODERATOR_CODES[:9], start=1)},
    "misinformation": "m",
    NO_REASON: "0",
}
"""Code to the key that chooses it; a label and its code have the same digit."""

LABELS: Mapping[str, str] = {
    "threat": "threat",
    "antisemitism": "antisemitism",
    "hate_speech": "hate",
    "personal_attack": "personal_attack",
    "spam": "spam",
    "profanity": "profanity",
    "toxicity": "toxicity",
}
"""Codes that say that a label applies, the gravest first."""

_VISIBILITY = {
    "reject": ["DECISION_VISIBILITY_CONTENT_REMOVED"],
    "hold": ["DECISION_VISIBILITY_CONTENT_DISABLED"],
}
_ACCOUNT = {"suspended": "DECISION_ACCOUNT_SUSPENDED", "banned": "DECISION_ACCOUNT_SUSPENDED"}
"""Codes of comments that are restricted because their author is; a ban here does not end the account on the site."""


def coral_code(code: str) -> str:
    """Returns Coral's ``rejectionReason.code`` for a reason code."""
    return CODES.get(code, CODES["other"]).coral


def statement_of_reasons(decision: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the statement of reasons for a decision of ``decision_log.read``; a published comment has no restriction.

    If the reason is unclear, the statement refers to the site's terms.
    """
    unclear = decision.get("code_choice") == "unclear"
    code = CODES[NO_REASON] if unclear else CODES.get(decision["code"], CODES[NO_REASON])
    automatic, illegal = decision["via"] == "policy", decision["code"] == "illegal"
    ground = "illegal_content" if illegal else "incompatible_content"
    written = decision["written"] or decision["received"]
    restrictions = _VISIBILITY.get(decision["action"], [])
    return {
        "decision_visibility": restrictions,
        "decision_account": _ACCOUNT.get(decision["code"]) if restrictions else None,
        "decision_ground": f"DECISION_GROUND_{ground.upper()}",
        f"{ground}_explanation": f"The comment was found to be: {code.words}.",
        "incompatible_content_ground": None if illegal else "the site's terms for comments",
        "incompatible_content_illegal": None if illegal else "No",
        "content_type": ["CONTENT_TYPE_TEXT"],
        "content_language": None if decision["language"] == "und" else decision["language"].upper(),
        "category": f"STATEMENT_CATEGORY_{code.category}",
        "category_specification": [code.keyword] if code.keyword else [],
        "content_date": written.date().isoformat(),
        "application_date": decision["at"].date().isoformat(),
        "decision_facts": _facts(decision, automatic),
        "source_type": "SOURCE_VOLUNTARY",
        "automated_detection": "Yes" if automatic or decision["scores"] else "No",
        "automated_decision": f"AUTOMATED_DECISION_{'FULLY' if automatic else 'PARTIALLY'}",
        "redress": "The author can appeal (POST /v1/comments/{id}/appeals); a person who did not make this decision "
        "answers.",
        "puid": f"belowline-{decision['id']}",
    }


def _facts(decision: Mapping[str, Any], automatic: bool) -> str:
    model = decision["model"]
    if automatic:
        return (
            f"Decided by the site's policy ({decision['policy']}) with the model {model}: {decision['rule']}."
        )
    hidden = "hidden from" if decision["blind"] else "shown to"
    return f"Decided by a moderator; the scores of the model {model} were {hidden} them."
