"""Normalises obfuscated text and maps spans of the result back to the original text.

``normalise`` repeats a fixed list of rewriting steps until the text is stable. A step is a regular expression and a
function from a match to its replacement; a step without a match costs one scan. The edits of each step map a span
of the result back to the original (``Normalised.original_span``) without a map for each character.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass

import emoji
import ftfy
from ftfy.badness import is_bad

from belowline.model.normalise_bidi import OVERRIDDEN, as_displayed
from belowline.model.normalise_letters import (
    DRAWN,
    ENCLOSED,
    SIGN_IN_WORD,
    one_script,
    sign_as_letter,
    undrawn,
    unenclosed,
)
from belowline.model.respell import (
    BACKWARDS,
    BROKEN,
    LEET,
    LINE,
    STRETCHED,
    forwards,
    unbroken,
    unleeted,
    unstretched,
)

_MAX_PASSES = 8
"""Limit of the repetitions. One step can enable another: a repaired encoding yields an emoji."""


@dataclass(frozen=True, slots=True)
class _Edits:
    """The replacements of one step, in order: span ``before[i]`` of the input became ``after[i]`` of the output."""

    before: tuple[tuple[int, int], ...]
    after: tuple[tuple[int, int], ...]

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The input span of the output span [start, end); a replaced span counts as a whole."""
        return self._position(start, first=True), self._position(end, first=False)

    def _position(self, position: int, *, first: bool) -> int:
        if first:  # the last edit that begins at or before the position
            index = bisect_right(self.after, (position, float("inf"))) - 1
            if index >= 0 and position < self.after[index][1]:
                return self.before[index][0]
        else:  # the last edit that begins before the position, which is exclusive
            index = bisect_left(self.after, (position,)) - 1
            if index >= 0 and position <= self.after[index][1]:
                return self.before[index][1]
        if index < 0:
            return position
        return position + self.before[index][1] - self.after[index][1]


@dataclass(frozen=True, slots=True)
class Normalised:
    """A normalised text and the edits that lead back to the original."""

    text: str
    steps: tuple[_Edits, ...] = ()

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """Offsets (code points, end exclusive) in the original of the non-empty span [start, end) of ``text``."""
        for edits in reversed(self.steps):
            start, end = edits.origin(start, end)
        return start, end


def normalise(text: str) -> Normalised:
    """``text`` in the form that the model reads. Accepts any string; idempotent."""
    steps: list[_Edits] = []
    for _ in range(_MAX_PASSES):
        before = text
        for pattern, replacement, ascii_too, found in _STEPS:
            if (not ascii_too and text.isascii()) or not found(text):
                continue
            text, edits = _apply(text, pattern, replacement)
            if edits is not None:
                steps.append(edits)
        if text == before:
            break
    return Normalised(text, tuple(steps))


def masked(plain: Normalised) -> Normalised:
    """``plain`` with each number and link host replaced by one token: texts that differ only in these become equal."""
    text, edits = _apply(plain.text, _SUM_OR_HOST, lambda match: "0" if match["sum"] else "link")
    return Normalised(text, (*plain.steps, edits) if edits else plain.steps)


Replacement = Callable[[re.Match[str]], str]


def _apply(text: str, pattern: re.Pattern[str], replacement: Replacement) -> tuple[str, _Edits | None]:
    parts: list[str] = []
    before: list[tuple[int, int]] = []
    after: list[tuple[int, int]] = []
    copied = length = 0
    for match in pattern.finditer(text):
        new = replacement(match)
        start, end = match.span()
        if new == text[start:end]:
            continue
        parts += (text[copied:start], new)
        length += start - copied
        before.append((start, end))
        after.append((length, length + len(new)))
        length += len(new)
        copied = end
    if not before:
        return text, None
    parts.append(text[copied:])
    return "".join(parts), _Edits(tuple(before), tuple(after))


# --- the steps ---

_LETTER = "[^\\W\\d_]"


def _repaired(match: re.Match[str]) -> str:
    """Mojibake such as ``â€™`` or ``ðŸ˜‚``, repaired; other text unchanged."""
    run = match.group()
    return ftfy.fix_encoding(run) if is_bad(run) else run


def _one_symbol(match: re.Match[str]) -> str:
    """The symbol of a run of symbols with single letters between them (``♥l♥♥z♥♥e``)."""
    return f" {match.group('symbol')} "


def _named(match: re.Match[str]) -> str:
    """Emoji as their names, because they are not in the encoder's vocabulary; repeats of one emoji give two
    names at most."""
    found = emoji.emoji_list(match.group())
    if not found:
        return match.group()
    words: list[str] = []
    for item in found:
        name = emoji.demojize(item["emoji"], delimiters=("", ""))
        name = re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()
        if words[-2:] != [name, name]:
            words.append(name)
    rest = emoji.replace_emoji(match.group(), " ").split()
    return f" {' '.join(words + rest)} "


_TALLEST_TOWER = 64


def _compatible(match: re.Match[str]) -> str:
    """Full-width, mathematical and circled letters as plain ones (NFKC).

    Of a long tower of accents only the letter is normalised: NFKC sorts accents in quadratic time."""
    run = match.group()
    kept = 1 if len(run) > _TALLEST_TOWER else len(run)
    return unicodedata.normalize("NFKC", run[:kept]) + run[kept:]


def _joined(match: re.Match[str]) -> str:
    """A word broken up by hyphens or dots, joined; real compounds are unchanged."""
    word = match.group()
    pieces = word.split(match.group("mark"))
    singles = [piece for piece in pieces if len(piece) == 1]
    if match.group("mark") == "." and len(singles) < len(
        pieces
    ):  # a host name, or a full stop without its space
        return word
    # One-letter pieces of real compounds: jack-o-lantern, vis-a-vis, rock-n-roll; they stand alone between longer ones.
    telling = [piece for piece in singles if piece.lower() not in "aon"]
    if telling or len(singles) > 1 or all(len(piece) <= 2 for piece in pieces):
        return "".join(pieces)
    return word


def _letters_alone(match: re.Match[str]) -> str:
    """Single letters with marks between or around them, ``l/o/a/n`` or ``[l][o][a][n]``, without the marks."""
    return "".join(character for character in match.group() if character.isalpha())


_WWW = re.compile(r"(?i)\bwww\.")


def _link(match: re.Match[str]) -> str:
    """The word ``link`` and the host of a link: the rest of the address is noise to the encoder."""
    host = _WWW.sub("", match.group("host"))
    return f" link {host[:60]} "


_SUM_OR_HOST = re.compile(r"(?P<sum>\d+(?:[.,:]\d+)*)|\blink \S+")


def _somewhere(*signs: str) -> Callable[[str], bool]:
    return lambda text: any(sign in text for sign in signs)


def _sign(pattern: str) -> Callable[[str], bool]:
    found = re.compile(pattern).search
    return lambda text: found(text) is not None


_HASH, _AT, _DOLLAR = (_somewhere(sign) for sign in "#@$")
_OVERRIDE = _somewhere("\u202e")
_BRACKET = _somewhere("[", "(", "{", "<")
_ADDRESS = _sign(r"(?i)://|www\.")
_LEET = _sign(r"[a-zA-Z][0134578$@!|][a-zA-Z0134578$@!|]|[0134578$@|][a-zA-Z]{2}")
_BROKEN = _sign(r"[^\W\d_][-._*·•|~][^\W\d_]")
_STRETCHED = _sign(r"([a-zA-Z])\1\1")
_BACKWARDS = _sign(BACKWARDS)
_ANY = _somewhere("")
"""Cheap tests for a sign that a step needs: most texts contain none, and the step is skipped."""

_STEPS: tuple[tuple[re.Pattern[str], Replacement, bool, Callable[[str], bool]], ...] = tuple(
    (re.compile(pattern), replacement, ascii_too, sign)
    for pattern, replacement, ascii_too, sign in (
        (r"[\ud800-\udfff]", lambda match: " ", False, _ANY),
        (r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", lambda match: "", True, _ANY),
        (r"[\x80-\uffff\U00010000-\U0010ffff]+", _repaired, False, _ANY),
        (OVERRIDDEN, as_displayed, False, _OVERRIDE),
        (ENCLOSED, unenclosed, False, _ANY),
        # Pictures only: an invisible character, dash or dot between letters breaks up a word; a vowel sign is part
        # of one.
        (r"(?:(?P<symbol>[\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff])[^\x00-\x7f\w\s]{0,3}\w){4,}[^\x00-\x7f\w\s]*", _one_symbol,
         False, _ANY),
        (r"[\xa9\xae\u200d\u203c-\u3299\ufe0f\U0001f000-\U0001faff\U000e0020-\U000e007f]+", _named, False, _ANY),
        # Zero-width and bidirectional controls, soft hyphens, variation selectors, tags.
        (r"[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
         r"\ufff9-\ufffb\U000e0000-\U000e01ef]+", lambda match: "", False, _ANY),
        (SIGN_IN_WORD, sign_as_letter, False, _ANY),
        (r"[^\x00-\x7f][\u0300-\u036f]*", _compatible, False, _ANY),
        (DRAWN, undrawn, False, _ANY),
        (r"[\u2018\u2019\u201a\u201b\u2032]", lambda match: "'", False, _ANY),
        (r"[\u201c\u201d\u201e\u201f\u2033\xab\xbb]", lambda match: '"', False, _ANY),
        (r"[\u2010-\u2015\u2212]", lambda match: "-", False, _ANY),
        # From a word's first letter only: looking ahead from each letter of a very long word would take quadratic time.
        (r"(?<!\w)(?=\w*[^\x00-\x7f])\w{2,}", one_script, False, _ANY),
        (r"(?i)\b(?:https?://|www\.)(?P<host>[^\s/?#<>\"']+)[^\s<>\"']*", _link, True, _ADDRESS),
        # Words run together by hashtags; a single tag stays, and so do C#, F#m and a number's sign.
        (r"(?<!\w)#(?=\w+#\w)|(?<=\w\w)#(?=\w\w)", lambda match: " ", True, _HASH),
        (r"(?<![\w@])@\w{2,30}", lambda match: "@user", True, _AT),
        (rf"(?<={_LETTER})@(?={_LETTER}{{1,12}}\b(?!\.\w))", lambda match: "a", True, _AT),
        (rf"(?<={_LETTER})\$+(?={_LETTER})|(?<!\w)\$(?={_LETTER}{{2}})", lambda match: "s" * len(match.group()), True, _DOLLAR),
        (rf"(?<![\w@/:-]){_LETTER}{{1,12}}(?P<mark>[-._*·•|]){_LETTER}{{1,12}}(?:(?P=mark){_LETTER}{{1,12}})+(?![\w@/])", _joined, True,
         _ANY),
        (rf"(?<!\w){_LETTER}(?P<mark>[^\w\s]){_LETTER}(?:(?P=mark){_LETTER}){{2,}}(?!\w)", _letters_alone, True, _ANY),
        (rf"(?<!\w)(?:[\[({{<]{_LETTER}[\])}}>]){{4,}}", _letters_alone, True, _BRACKET),
        (rf"(?<![\w'])(?:{_LETTER} ){{3,}}{_LETTER}(?![\w'])", lambda match: match.group().replace(" ", ""), True, _ANY),
        (LEET, unleeted, True, _LEET),
        (BROKEN, unbroken, True, _BROKEN),
        (STRETCHED, unstretched, True, _STRETCHED),
        (LINE, forwards, True, _BACKWARDS),
        (rf"({_LETTER})\1{{3,}}", lambda match: match.group(1) * 2, True, _ANY),
        (r"([^\w\s])\1{3,}", lambda match: match.group(1) * 3, True, _ANY),
    )
)  # fmt: skip
