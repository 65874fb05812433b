"""Restores words that are obfuscated by digits, marks or repeated letters, if only one result is a word.

``words.txt`` lists the words: the whole words of the vocabulary of all-MiniLM-L6-v2 (Apache-2.0) and frequent words
of the training corpora (written by ``tests.release.words``). A spelling changes only from a non-word to a word.
"""

import functools
import re
from importlib import resources
from itertools import product

_SHORTEST = 4
"""Fewest letters of a restored word: too many shorter words are possible results."""
_DRAWN_AS = {
    "0": "o",
    "1": "il",
    "!": "il",
    "3": "e",
    "4": "a",
    "5": "s",
    "7": "t",
    "8": "b",
    "@": "a",
    "$": "s",
    "|": "il",
}
_MOST_DOUBTS = 4
_RUN = re.compile(r"(.)\1{2,}")

LEET = r"(?<![\w$@!|])(?=[a-zA-Z$@!|]*[0134578$@!|])[\w$@!|]{4,20}(?<![!|])(?![\w$@|])"
"""A word with digits or marks among its letters; the lookahead ends at the first other character."""
BROKEN = r"(?<![\w@/:.-])[^\W\d_]{1,12}(?P<part>[-._*·•|~])[^\W\d_]{1,12}(?:(?P=part)[^\W\d_]{1,12}){0,11}(?![\w@/]|[-.]\w)"
"""A word with one kind of mark inside."""
STRETCHED = r"(?<!\w)(?=\w*?([a-zA-Z])\1{2})[a-zA-Z]{4,60}(?!\w)"
"""A word with a letter three times in a row."""
LINE = r"[^\n\r]+"
BACKWARDS = r"(?i)\b(?:eht|dna|uoy|era|taht|siht|yeht|evah|htiw|ton|rof|lla|ruoy|ohw|esuaceb|dluohs|lliw|rieht|meht|elpoep|yb|fo|ot|eb|ew|ni|ti|si|os|etah|llik|erofeb|eseht)\b"
"""A frequent word typed backwards, the sign that a line may be."""
_WORD = re.compile(r"[^\W\d_]+")
_FEWEST_BACKWARDS = 3
"""Fewest words of three letters or more in a line that is read backwards: fewer can be names or abbreviations."""


@functools.cache
def words() -> frozenset[str]:
    """Every known word, in small letters."""
    return frozenset(resources.files("belowline.model").joinpath("words.txt").read_text("utf-8").split())


def unleeted(match: re.Match[str]) -> str:
    """``1d1ot`` → ``idiot``; names and numbers such as ``h1n1`` or ``14th`` are unchanged."""
    text = match.group()
    letters = sum(character.isalpha() for character in text)
    doubts = sum(len(_DRAWN_AS.get(character, "")) > 1 for character in text)
    if letters < 2 or 3 * letters < len(text) or doubts > _MOST_DOUBTS:
        return text
    readings = {"".join(reading) for reading in product(*(_DRAWN_AS.get(c, c) for c in text))}
    found = [reading for reading in readings if _is_word(reading)]
    return found[0] if len(found) == 1 else text


def unbroken(match: re.Match[str]) -> str:
    """``idi-ot`` → ``idiot``; compounds of words are unchanged (``e-mail``, ``news.example``)."""
    text = match.group()
    pieces = text.split(match.group("part"))
    if all(len(piece) == 1 or piece.lower() in words() for piece in pieces):
        return text
    joined = "".join(pieces)
    return joined if _is_word(joined) else text


def unstretched(match: re.Match[str]) -> str:
    """``stuuupid`` → ``stupid``: each run of three or more becomes two letters or one, two where both are words."""
    text = match.group()
    runs = [run.group() for run in _RUN.finditer(text)]
    if len(runs) > _MOST_DOUBTS or text.lower() in words():
        return text
    parts = _RUN.split(text)[::2]
    for lengths in product((2, 1), repeat=len(runs)):
        filled = (run[0] * length for run, length in zip(runs, lengths, strict=True))
        found = parts[0] + "".join(letter + part for letter, part in zip(filled, parts[1:], strict=True))
        if _is_word(found):
            return found
    return text


def _is_word(text: str) -> bool:
    return len(text) >= _SHORTEST and text.lower() in words()


def forwards(match: re.Match[str]) -> str:
    """``uoy etah ew`` → ``we hate you``: a line typed backwards, if nearly all its words are known only that way.

    A line that ends a sentence (``ew etah uoy.``) has its words in order, so each word is reversed in its place.
    """
    line = match.group()
    found = [word.lower() for word in _WORD.findall(line) if len(word) > 2]
    known = sum(word in words() for word in found)
    known_backwards = sum(word[::-1] in words() for word in found)
    if len(found) < _FEWEST_BACKWARDS or known_backwards < 0.8 * len(found) or known > 0.5 * known_backwards:
        return line
    if line.rstrip()[-1] in ".!?":
        return _WORD.sub(lambda word: word.group()[::-1], line)
    return line[::-1]
