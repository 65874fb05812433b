"""Which language a comment is in, or ``und`` where there is too little to tell."""

import functools
import re
from typing import Any

_LETTERS = re.compile(r"[^\W\d_]")
_FEWEST_LETTERS = 20
_ENOUGH = 2000
_CERTAIN = 0.9
_NOT_A_LANGUAGE = "zxx"


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def language_of(text: str) -> str:
    """ISO 639-1 code of ``text``, or ``und`` for fewer than 20 letters or an uncertain identification.

    Two words or a row of emoji carry no language: guessing there would hold harmless comments. Never fails.
    """
    readable = text.encode("utf-8", "ignore").decode("utf-8")[:_ENOUGH]
    if len(_LETTERS.findall(readable)) < _FEWEST_LETTERS:
        return "und"
    code, certainty = _identifier().classify(readable)
    return str(code) if certainty >= _CERTAIN and code != _NOT_A_LANGUAGE else "und"
