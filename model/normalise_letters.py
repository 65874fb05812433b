"""Characters that are drawn like a Latin letter, or hold one, though Unicode does not make them compatible with it."""

import functools
import re
import unicodedata

from confusable_homoglyphs.confusables import confusables_data

_SMALL_TWINS = dict(zip("вкмнт", "bkmht", strict=True))
"""Small Cyrillic letters that Unicode lists as twins of Latin small capitals only."""


def _twin(character: str) -> str | None:
    """The Latin letter that Unicode's confusables give for a character beyond ASCII."""
    if len(character) > 1 or character.isascii():
        return None
    alike = (other["c"] for other in confusables_data[character])
    return next((one for one in alike if len(one) == 1 and one.isascii() and one.isalpha()), None)


@functools.cache
def latin_twins() -> dict[str, str]:
    """Letters of other scripts to the Latin letter that they are drawn like."""
    found = {character: _twin(character) for character in confusables_data if character.isalpha()}
    # Unicode lists the small letter l among the twins of capital I: the case of the character decides.
    twins = {c: latin.upper() if c.isupper() else latin.lower() for c, latin in found.items() if latin}
    return twins | _SMALL_TWINS


def one_script(match: re.Match[str]) -> str:
    """A word that mixes Latin letters with look-alikes of another script, in Latin letters alone."""
    word = match.group()
    if not any(character.isascii() and character.isalpha() for character in word):
        return word
    twins = latin_twins()
    return "".join(twins.get(character, character) for character in word)


def _sign_twins() -> dict[str, str]:
    """Signs and digits of other scripts, and letters that compatibility makes another letter of, to the Latin letter that they are drawn
    like; a digit that is compatible with an ASCII one is a digit."""
    found: dict[str, str] = {}
    for character in confusables_data:
        latin, plain = _twin(character), unicodedata.normalize("NFKC", character)
        letter = character.isalpha() and plain == character
        if latin and not letter and not (len(plain) == 1 and plain.isascii()):
            found[character] = latin.lower()
    return found


_SIGN_TWINS = _sign_twins()
_CROSSES_AND_BARS = "×╳⤫⤬⨯∣￨⏽"
"""Signs that stand at the end of a word in ordinary text, too."""
_ALL = "".join(map(re.escape, _SIGN_TWINS))
_CLEAR = "".join(re.escape(sign) for sign in _SIGN_TWINS if sign not in _CROSSES_AND_BARS)
SIGN_IN_WORD = f"(?<=[a-zA-Z])[{_ALL}]+(?=[a-zA-Z])|(?<![a-zA-Z])[{_CLEAR}]+(?=[a-zA-Z]{{2}})|(?<=[a-zA-Z]{{2}})[{_CLEAR}]+"
"""Such signs between Latin letters, or at the start or end of a word of them."""


def sign_as_letter(match: re.Match[str]) -> str:
    """The Latin letters that the signs are drawn like."""
    return "".join(_SIGN_TWINS[sign] for sign in match.group())


_DRAWN = re.compile(r"(?:LATIN (?:CAPITAL )?LETTER SMALL CAPITAL|REGIONAL INDICATOR SYMBOL LETTER) ([A-Z])")
_ENCLOSED = re.compile(
    r"(?:PARENTHESIZED|TORTOISE SHELL BRACKETED|SQUARED|NEGATIVE CIRCLED|NEGATIVE SQUARED|CROSSED NEGATIVE SQUARED)"
    r" LATIN (?:CAPITAL|SMALL) LETTER ([A-Z])"
)
# Phonetic letters and two extensions of Latin; the letters that flags are made of.
_DRAWN_BLOCKS = (range(0x250, 0x2B0), range(0x1D00, 0x1D80), range(0xA730, 0xA800), range(0x1F1E6, 0x1F200))
_ENCLOSED_BLOCKS = (range(0x249C, 0x24B6), range(0x1F110, 0x1F1A6))


def _named(blocks: tuple[range, ...], pattern: re.Pattern[str]) -> dict[str, str]:
    names = {chr(code): unicodedata.name(chr(code), "") for block in blocks for code in block}
    found = {character: pattern.fullmatch(name) for character, name in names.items()}
    return {character: match.group(1).lower() for character, match in found.items() if match}


_DRAWN_LETTERS = _named(_DRAWN_BLOCKS, _DRAWN)
DRAWN = f"[{''.join(_DRAWN_LETTERS)}]"
"""Letters that Unicode names after the Latin one that they are drawn like."""


def undrawn(match: re.Match[str]) -> str:
    """The Latin letter."""
    return _DRAWN_LETTERS[match.group()]


_PICTURES = "🅰🅱🅾🅿Ⓜℹ"
"""Enclosed letters that are emoji, too: alone they are blood types, a car park, the underground, information."""
_ENCLOSED_LETTERS = _named(_ENCLOSED_BLOCKS, _ENCLOSED) | dict(zip(_PICTURES, "abopmi", strict=True))
_ENCLOSING = "".join(_ENCLOSED_LETTERS)
_NEVER_PICTURES = "".join(set(_ENCLOSED_LETTERS) - set(_PICTURES))
_LETTER = "[^\\W\\d_]"
ENCLOSED = (
    f"(?:[{_ENCLOSING}]\ufe0f?){{2,}}|[{_NEVER_PICTURES}]\ufe0f?|(?<={_LETTER})[{_PICTURES}]\ufe0f?"
    f"|[{_PICTURES}]\ufe0f?(?={_LETTER}| [{_NEVER_PICTURES}])|(?<=[{_NEVER_PICTURES}] )[{_PICTURES}]\ufe0f?"
)
"""Letters in brackets, circles and squares; one that is an emoji, too, beside another letter only."""


def unenclosed(match: re.Match[str]) -> str:
    """The letters without what encloses them."""
    return "".join(_ENCLOSED_LETTERS.get(character, "") for character in match.group())
