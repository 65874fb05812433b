"""Reason codes, their equivalents in Coral and in the EU's transparency database, and statements of reasons.

Fields and values of a statement are those of the database's API for Article 17 of Regulation (EU) 2022/2065; a site
adds the facts that only it knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_OTHER = "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"


@dataclass(frozen=True, slots=True)
class Code:
    """A reason code in words, and its equivalents in other systems."""

    words: str
    coral: str
    category: str
    keywords: tuple[str, ...] = ()


CODES: Mapping[str, Code] = {
    "spam": Code("spam or advertising", "SPAM", "STATEMENT_CATEGORY_SCAMS_AND_FRAUD"),
    "hate_speech": Code(
        "hatred against people for who they are",
        "HATE_SPEECH",
        "STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH",
        ("KEYWORD_HATE_SPEECH",),
    ),
    "antisemitism": Code(
        "hatred against Jews",
        "HATE_SPEECH",
        "STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH",
        ("KEYWORD_HATE_SPEECH",),
    ),
    "threat": Code("a threat of violence", "HARASSMENT_BULLYING", "STATEMENT_CATEGORY_VIOLENCE"),
    "personal_attack": Code(
        "an attack on a person", "HARASSMENT_BULLYING", "STATEMENT_CATEGORY_CYBER_VIOLENCE"
    ),
    "profanity": Code("coarse language", "OFFENSIVE", _OTHER),
    "toxicity": Code("a tone that drives others out of the discussion", "ABUSIVE", _OTHER),
    "banned_word": Code("a word that the site does not allow", "BANNED_WORD", _OTHER),
    "links": Code("links that the site does not allow", "AD", _OTHER),
    "campaign": Code("the same text posted many times", "SPAM", "STATEMENT_CATEGORY_SCAMS_AND_FRAUD"),
    "off_topic": Code("not about the article", "IRRELEVANT_CONTENT", _OTHER),
    "illegal": Code(
        "content against the law", "ILLEGAL_CONTENT", "STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH"
    ),
    "misinformation": Code("misleading claims", "MISINFORMATION", _OTHER),
    "new_author": Code("first comments of an author are read before they appear", "OTHER", _OTHER),
    "language": Code("a language that cannot be judged automatically", "OTHER", _OTHER),
    "edited": Code("edited after it was rejected", "OTHER", _OTHER),
    "scoring_failed": Code("could not be judged automatically", "OTHER", _OTHER),
    "other": Code("against the site's terms", "OTHER", _OTHER),
    "undo": Code("an earlier decision was taken back", "OTHER", _OTHER),
    "none": Code("no reason was given", "OTHER", _OTHER),
}
"""All reason codes, those of the policy first."""

NO_REASON = "other"
"""The code of a rejection without a reason; it implies no label."""

MODERATOR_CODES = (
    "spam",
    "hate_speech",
    "antisemitism",
    "threat",
    "personal_attack",
    "profanity",
    "toxicity",
    "off_topic",
    "misinformation",
    "illegal",
    NO_REASON,
)
"""Codes that a moderator can choose."""

_VISIBILITY = {
    "reject": "DECISION_VISIBILITY_CONTENT_REMOVED",
    "hold": "DECISION_VISIBILITY_CONTENT_DISABLED",
}


def coral_code(code: str) -> str:
    """Returns Coral's ``rejectionReason.code`` for a reason code."""
    return CODES.get(code, CODES["other"]).coral


def statement_of_reasons(decision: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the statement of reasons for a decision of ``decision_log.one``; a published comment has no restriction.

    If the reason is unclear, the statement refers to the site's terms.
    """
    unclear = decision.get("code_choice") == "unclear"
    code = CODES[NO_REASON] if unclear else CODES.get(decision["code"], CODES[NO_REASON])
    automatic = decision["via"] == "policy"
    visibility = _VISIBILITY.get(decision["action"])
    written = decision["written"] or decision["received"]
    illegal = decision["code"] == "illegal"
    return {
        "decision_visibility": [visibility] if visibility else [],
        "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT"
        if illegal
        else "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "illegal_content_explanation"
        if illegal
        else "incompatible_content_explanation": f"The comment was found to be: {code.words}.",
        "incompatible_content_ground": None if illegal else "the site's terms for comments",
        "incompatible_content_illegal": None if illegal else "No",
        "content_type": ["CONTENT_TYPE_TEXT"],
        "content_language": None if decision["language"] == "und" else decision["language"].upper(),
        "category": code.category,
        "category_specification": list(code.keywords),
        "content_date": written.date().isoformat(),
        "application_date": decision["at"].date().isoformat(),
        "decision_facts": _facts(decision, automatic),
        "source_type": "SOURCE_VOLUNTARY",
        "automated_detection": "Yes" if automatic or decision["scores"] else "No",
        "automated_decision": "AUTOMATED_DECISION_FULLY" if automatic else "AUTOMATED_DECISION_PARTIALLY",
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
