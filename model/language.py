"""Language identification; ``und`` for a text that is too short."""

import functools
import re
import unicodedata
from collections import Counter
from itertools import groupby
from typing import Any

_WORD = re.compile(r"[^\W\d_]+")
_FEWEST_WORDS = 3
_FEWEST_LETTERS = 7
_CERTAIN = 0.7
_UNREAD = 1 / 3
_OFTEN_ENOUGH, _BEYOND_DOUBT = 200, 0.99
"""Characters that are read first: an answer of that certainty is final. None of 19,328 comments changes with
``_ENOUGH``."""
_ENOUGH = 500
"""Limit of the characters read: 3 of 13,664 comments change with a limit of 2,000."""
_LANGUAGES = {
    "ARABIC": ("ar", "fa", "ps", "ug", "ur"),
    "ARMENIAN": ("hy",),
    "BENGALI": ("bn", "as"),
    "CJK": ("zh", "ja"),
    "CYRILLIC": ("ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "tg", "tt", "ba", "mn"),
    "DEVANAGARI": ("hi", "mr", "ne", "sa"),
    "ETHIOPIC": ("am",),
    "GEORGIAN": ("ka",),
    "GREEK": ("el",),
    "GUJARATI": ("gu",),
    "GURMUKHI": ("pa",),
    "HANGUL": ("ko",),
    "HEBREW": ("he",),
    "HIRAGANA": ("ja",),
    "KANNADA": ("kn",),
    "KATAKANA": ("ja",),
    "KHMER": ("km",),
    "LAO": ("lo",),
    "MALAYALAM": ("ml",),
    "MYANMAR": ("my",),
    "ORIYA": ("or",),
    "SINHALA": ("si",),
    "TAMIL": ("ta",),
    "TELUGU": ("te",),
    "THAANA": ("dv",),
    "THAI": ("th",),
    "TIBETAN": ("bo", "dz"),
}
"""Script (first word of its characters' Unicode names) to its languages, the most used first."""
_OWN_SCRIPT = frozenset(code for codes in _LANGUAGES.values() for code in codes)


def language_of(text: str) -> str:
    """ISO 639-1 code of the language of ``text``, or ``und`` if the text is too short. Never fails.

    One word is enough if more than a third of the letters belong to another script than Latin (Cyrillic, Hebrew,
    Arabic, Han); then only the language within that script can be wrong. Latin text needs three different words,
    seven different letters and a certain identifier: emoji, names, laughter and "So true!" have no language, and a
    guess would hold harmless comments.
    """
    readable = text.encode("utf-8", "ignore").decode("utf-8")[:_ENOUGH]
    script = None if readable.isascii() else _other_script(readable)
    if script is not None:
        return _best(readable, _LANGUAGES[script])
    words = set(_WORD.findall(readable.lower()))
    if len(words) < _FEWEST_WORDS or len(set("".join(words))) < _FEWEST_LETTERS:
        return "und"
    return _certain(readable)


def _other_script(text: str) -> str | None:
    """The most frequent script other than Latin, if such scripts have more than a third of the letters, else None."""
    letters = 0
    found: Counter[str] = Counter()
    for script, run in groupby(text, _script):
        length = len(list(run))
        letters += length if script else 0
        if script in _LANGUAGES and length > 1:  # faces are drawn with single letters: ¯\\_(ツ)_/¯
            found[script] += length
    if not found or sum(found.values()) <= _UNREAD * letters:
        return None
    return found.most_common(1)[0][0]


@functools.lru_cache(maxsize=4096)
def _script(character: str) -> str:
    """First word of the Unicode name of a letter or mark, mostly its script; empty for other characters."""
    is_letter = unicodedata.category(character)[0] in "LM"
    return unicodedata.name(character, "").partition(" ")[0] if is_letter else ""


def _best(text: str, languages: tuple[str, ...]) -> str:
    """The certain one of ``languages``, else the first: the identifier is rarely certain of a word or two."""
    likely = {code: certainty for code, certainty in _identifier().rank(text) if code in languages}
    best = max(likely, key=likely.__getitem__, default=languages[0])
    return best if likely and likely[best] >= _CERTAIN * sum(likely.values()) else languages[0]


def _certain(text: str) -> str:
    """The likeliest language in Latin script, or ``und`` if it is not certain.

    Three-letter codes are ignored: the identifier takes short texts for relatives of larger languages (English for
    Nigerian Pidgin).
    """
    code, certainty = _likeliest(text[:_OFTEN_ENOUGH])
    if certainty < _BEYOND_DOUBT and len(text) > _OFTEN_ENOUGH:
        code, certainty = _likeliest(text)
    return code if certainty >= _CERTAIN else "und"


def _likeliest(text: str) -> tuple[str, float]:
    likely = _identifier().rank(text)
    return next((one for one in likely if len(one[0]) == 2 and one[0] not in _OWN_SCRIPT), ("und", 0.0))


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
