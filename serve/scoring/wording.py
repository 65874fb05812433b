"""Labels, probabilities and actions in words, for the page and the report."""

import re

from markupsafe import Markup, escape

from belowline.serve.scoring.reason_codes import CODES

_CODE = re.compile(r"`([^`]+)`")
_LIKELIHOODS = ((0.05, "very unlikely"), (0.35, "unlikely"), (0.65, "possible"), (0.95, "likely"))
_UNITS = ((86_400, "day"), (3600, "h"), (60, "min"))
_ACTIONS = {
    "publish": ("Publish", "Nothing in the policy speaks against this comment."),
    "hold": ("Hold", "A moderator should look at this comment before it appears."),
    "reject": ("Reject", "The policy turns this comment away."),
}


def label_name(label: str) -> str:
    """A label as people read it: ``personal_attack`` is "Personal attack", ``on_topic`` "On topic"."""
    return label.replace("_", " ").capitalize()


def likelihood(probability: float) -> str:
    """A probability in words."""
    return next((words for bound, words in _LIKELIHOODS if probability < bound), "very likely")


def action_words(action: str) -> tuple[str, str]:
    """An action's name and what it means."""
    return _ACTIONS[action]


def with_code(text: str) -> Markup:
    """A text as HTML, escaped, with what stands between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704


def done_words(action: str) -> str:
    """What was done: "published", "held" or "rejected"."""
    return {"publish": "published", "hold": "held", "reject": "rejected"}[action]


def code_words(code: str) -> str:
    """A reason code as people read it."""
    return CODES[code].words if code in CODES else label_name(code)


def age(seconds: float | None) -> str:
    """A stretch of time in its largest unit: "3 min", "5 h", "2 days"; a dash where there is none."""
    if seconds is None:
        return "–"
    for size, unit in _UNITS:
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {unit}" + ("s" if unit == "day" and number != 1 else "")
    return "just now"
