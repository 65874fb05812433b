"""Characters that look like a Latin letter or contain one, but are not compatible with it in Unicode."""

import functools
import re
import unicodedata

from confusable_homoglyphs.confusables import confusables_data

_SMALL_TWINS = dict(zip("вкмнт", "bkmht", strict=True))
"""Small Cyrillic letters that Unicode lists as confusable with Latin small capitals only."""


def _twin(character: str) -> str | None:
    """The Latin letter that Unicode's confusables give for a character beyond ASCII."""
    if len(character) > 1 or character.isascii():
        return None
    alike = (other["c"] for other in confusables_data[character])
    return next((one for one in alike if len(one) == 1 and one.isascii() and one.isalpha()), None)


@functools.cache
def latin_twins() -> dict[str, str]:
    """Letters of other scripts to the Latin letter that they resemble."""
    found = {character: _twin(character) for character in confusables_data if character.isalpha()}
    # Unicode lists the small letter l among the twins of capital I: the case of the character decides.
    twins = {c: latin.upper() if c.isupper() else latin.lower() for c, latin in found.items() if latin}
    return twins | _SMALL_TWINS


def one_script(match: re.Match[str]) -> str:
    """A word that mixes Latin letters with look-alikes of another script, in Latin letters only."""
    word = match.group()
    if not any(character.isascii() and character.isalpha() for character in word):
        return word
    twins = latin_twins()
    return "".join(twins.get(character, character) for character in word)


def _sign_twins() -> dict[str, str]:
    """Signs, foreign digits and letters that NFKC would change, to the Latin letter that they resemble.

    A digit that NFKC maps to an ASCII digit is excluded."""
    found: dict[str, str] = {}
    for character in confusables_data:
        latin, plain = _twin(character), unicodedata.normalize("NFKC", character)
        letter = character.isalpha() and plain == character
        if latin and not letter and not (len(plain) == 1 and plain.isascii()):
            found[character] = latin.lower()
    return found


_SIGN_TWINS = _sign_twins()
_CROSSES_AND_BARS = "×╳⤫⤬⨯∣￨⏽"
"""Signs that also end a word in ordinary text."""
_ALL = "".join(map(re.escape, _SIGN_TWINS))
_CLEAR = "".join(re.escape(sign) for sign in _SIGN_TWINS if sign not in _CROSSES_AND_BARS)
SIGN_IN_WORD = f"(?<=[a-zA-Z])[{_ALL}]+(?=[a-zA-Z])|(?<![a-zA-Z])[{_CLEAR}]+(?=[a-zA-Z]{{2}})|(?<=[a-zA-Z]{{2}})[{_CLEAR}]+"
"""Such signs between Latin letters, or at the start or end of a Latin word."""


def sign_as_letter(match: re.Match[str]) -> str:
    """The Latin letters that the signs resemble."""
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
"""Letters whose Unicode names contain the Latin letter that they resemble."""


def undrawn(match: re.Match[str]) -> str:
    """The Latin letter."""
    return _DRAWN_LETTERS[match.group()]


_PICTURES = "🅰🅱🅾🅿Ⓜℹ"
"""Enclosed letters that are also emoji: alone they mean blood types, parking, underground, information."""
_ENCLOSED_LETTERS = _named(_ENCLOSED_BLOCKS, _ENCLOSED) | dict(zip(_PICTURES, "abopmi", strict=True))
_ENCLOSING = "".join(_ENCLOSED_LETTERS)
_NEVER_PICTURES = "".join(set(_ENCLOSED_LETTERS) - set(_PICTURES))
_LETTER = "[^\\W\\d_]"
ENCLOSED = (
    f"(?:[{_ENCLOSING}]\ufe0f?){{2,}}|[{_NEVER_PICTURES}]\ufe0f?|(?<={_LETTER})[{_PICTURES}]\ufe0f?"
    f"|[{_PICTURES}]\ufe0f?(?={_LETTER}| [{_NEVER_PICTURES}])|(?<=[{_NEVER_PICTURES}] )[{_PICTURES}]\ufe0f?"
)
"""Letters in brackets, circles and squares; those that are also emoji only beside another letter."""


def unenclosed(match: re.Match[str]) -> str:
    """The letters without their enclosing signs."""
    return "".join(_ENCLOSED_LETTERS.get(character, "") for character in match.group())
