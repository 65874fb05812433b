"""Labels, probabilities and actions in words, for pages and reports."""

import re

from markupsafe import Markup, escape

from belowline.serve.scoring.reason_codes import CODES

_CODE = re.compile(r"`([^`]+)`")
_NAMES = """
af Afrikaans, am Amharic, ar Arabic, as Assamese, az Azerbaijani, be Belarusian, bg Bulgarian, bn Bengali, bo Tibetan,
br Breton, bs Bosnian, ca Catalan, cs Czech, cy Welsh, da Danish, de German, dv Dhivehi, dz Dzongkha, el Greek,
en English, eo Esperanto, es Spanish, et Estonian, eu Basque, fa Persian, fi Finnish, fo Faroese, fr French, ga Irish,
gl Galician, gu Gujarati, he Hebrew, hi Hindi, hr Croatian, hu Hungarian, hy Armenian, id Indonesian, is Icelandic,
it Italian, ja Japanese, jv Javanese, ka Georgian, kk Kazakh, km Khmer, kn Kannada, ko Korean, ku Kurdish, ky Kyrgyz,
la Latin, lb Luxembourgish, lo Lao, lt Lithuanian, lv Latvian, mg Malagasy, mk Macedonian, ml Malayalam, mn Mongolian,
mr Marathi, ms Malay, mt Maltese, my Burmese, nb Norwegian, ne Nepali, nl Dutch, nn Norwegian, no Norwegian,
oc Occitan, or Odia, pa Punjabi, pl Polish, ps Pashto, pt Portuguese, qu Quechua, ro Romanian, ru Russian, sa Sanskrit,
se Sami, si Sinhala, sk Slovak, sl Slovenian, sq Albanian, sr Serbian, sv Swedish, sw Swahili, ta Tamil, te Telugu,
tg Tajik, th Thai, tl Tagalog, tr Turkish, tt Tatar, ug Uyghur, uk Ukrainian, und Unknown, ur Urdu, uz Uzbek,
vi Vietnamese, vo Volapük, wa Walloon, xh Xhosa, zh Chinese, zu Zulu
"""
_LANGUAGES = dict(pair.split() for pair in _NAMES.split(","))
_LIKELIHOODS = ((0.05, "very unlikely"), (0.35, "unlikely"), (0.65, "possible"), (0.95, "likely"))
_UNITS = ((86_400, "day"), (3600, "h"), (60, "min"))
ACTIONS = {
    "publish": ("Publish", "The policy has no objection to this comment."),
    "hold": ("Hold", "A moderator should see this comment before it appears."),
    "reject": ("Reject", "The policy rejects this comment."),
}
"""Name and meaning of each action."""
DONE = {"publish": "published", "hold": "held", "reject": "rejected"}


def label_name(label: str, substance: bool = False) -> str:
    """Returns a label in words: ``personal_attack`` is "Personal attack".

    ``substance`` is true without an article: then ``on_topic`` is the probability of substance alone.
    """
    return "Substance" if substance and label == "on_topic" else label.replace("_", " ").capitalize()


def likelihood(probability: float) -> str:
    """Returns a probability in words."""
    return next((words for bound, words in _LIKELIHOODS if probability < bound), "very likely")


def language_name(code: str) -> str:
    """Returns the English name of a language, or its code if the name is not known."""
    return _LANGUAGES.get(code, code)


def with_code(text: str) -> Markup:
    """Returns a text as escaped HTML, with code for text between backticks."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704


def code_words(code: str) -> str:
    """Returns a reason code in words."""
    return CODES[code].words if code in CODES else label_name(code)


def age(seconds: float | None) -> str:
    """Returns a duration in its largest unit: "3 min", "5 h", "2 days"; a dash for None."""
    if seconds is None:
        return "–"
    for size, unit in _UNITS:
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {unit}" + ("s" if unit == "day" and number != 1 else "")
    return "just now"
