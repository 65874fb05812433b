"""Spam in kinds of obfuscation that training never sees, for measuring only.

These kinds must never be used in training. They measure whether the model recognises spam in obfuscation that it was
not trained on. Neither ``augment`` nor ``generate`` makes these kinds, and the offers have their own wording
(``templates/unseen_spam.toml``). ``normalise`` undoes some kinds (compatibility letters) and ignores others.
"""

import random
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from belowline.training.dataset.generate import spin

Disguise = Callable[[str, random.Random], str]

_TEMPLATES: Mapping[str, list[str]] = tomllib.loads(
    Path(__file__).with_name("unseen_spam.toml").read_text("utf-8")
)
_WORD = re.compile(r"[A-Za-z]{4,}")
_PLACE = re.compile(r"[a-z-]+\.(?:example|test|invalid)")
_SMALL_CAPITALS = dict(zip("abcdefghijklmnoprstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", strict=True))
_SUPERSCRIPTS = dict(zip("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ", strict=True))
_OVERLAYS = "\u0336\u0332\u0307\u0323\u0305"
_PICTURES = "💰🔥💎🎁⚡🚀"


class Unseen(NamedTuple):
    """A spam text before and after obfuscation, and the kind of obfuscation."""

    kind: str
    plain: str
    text: str


def unseen_spam(count: int, seed: int = 0) -> list[Unseen]:
    """Return ``count`` spam texts, obfuscated in each way in turn; the same for the same seed."""
    rng = random.Random(seed)  # reproducible, not secret
    kinds = list(DISGUISES)
    found = []
    for number in range(count):
        kind, plain = kinds[number % len(kinds)], _offer(rng)
        found.append(Unseen(kind, plain, DISGUISES[kind](plain, rng)))
    return found


def _offer(rng: random.Random) -> str:
    text = rng.choice(_TEMPLATES["offers"])
    slots: tuple[tuple[str, Callable[[], str]], ...] = (
        ("{sum}", lambda: str(rng.randrange(20, 9000))),
        ("{num}", lambda: f"+1 555 {rng.randrange(1000000, 9999999)}"),
        ("{address}", lambda: f"{rng.choice(_TEMPLATES['places'])}.{rng.choice(_TEMPLATES['endings'])}"),
    )
    for slot, value in slots:
        text = text.replace(slot, value())
    return spin(text, rng)


def _words(change: Disguise) -> Disguise:
    """Apply ``change`` to half, most or all words of four letters or more, to each in the same manner."""

    def disguise(text: str, rng: random.Random) -> str:
        share, manner = rng.choice((0.5, 0.8, 1.0)), rng.getrandbits(32)
        return _WORD.sub(
            lambda word: (
                change(word.group(), random.Random(manner)) if rng.random() < share else word.group()
            ),
            text,
        )

    return disguise


def fullwidth(word: str, rng: random.Random) -> str:
    """``loan`` → ``ｌｏａｎ``."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in word)


def mathematical(word: str, rng: random.Random) -> str:
    """``loan`` → ``𝗹𝗼𝗮𝗻``: bold, sans-serif bold or monospace letters of mathematics."""
    capitals = rng.choice((0x1D400, 0x1D5D4, 0x1D670))
    return "".join(
        chr(capitals + 26 + ord(c) - 97) if c.islower() else chr(capitals + ord(c) - 65) for c in word
    )


def small_capitals(word: str, rng: random.Random) -> str:
    """``loan`` → ``ʟᴏᴀɴ``, of phonetic letters."""
    return "".join(_SMALL_CAPITALS.get(letter, letter) for letter in word.lower())


def superscripts(word: str, rng: random.Random) -> str:
    """``loan`` → ``ˡᵒᵃⁿ``."""
    return "".join(_SUPERSCRIPTS.get(letter, letter) for letter in word.lower())


def overlaid(word: str, rng: random.Random) -> str:
    """``loan`` → ``l̶o̶a̶n̶``: a combining stroke, line or dot on each letter."""
    mark = rng.choice(_OVERLAYS)
    return "".join(letter + mark for letter in word)


def regional(word: str, rng: random.Random) -> str:
    """``loan`` → regional-indicator letters, kept from pairing into flags by a thin space."""
    return "\u2009".join(chr(0x1F1E6 + ord(letter) - 97) for letter in word.lower())


def bracketed(word: str, rng: random.Random) -> str:
    """``loan`` → ``[l][o][a][n]``."""
    before, after = rng.choice(("[]", "()", "{}", "<>"))
    return "".join(f"{before}{letter}{after}" for letter in word)


def slashed(word: str, rng: random.Random) -> str:
    """``loan`` → ``l/o/a/n``, with marks that no obfuscation of training uses."""
    return rng.choice("/~+,:=^").join(word)


def vowelless(word: str, rng: random.Random) -> str:
    """``loan`` → ``ln``: without any of its inner vowels."""
    return word[0] + re.sub("[aeiou]", "", word[1:-1]) + word[-1]


def _pictured(text: str, rng: random.Random) -> str:
    """An emoji instead of every space."""
    return text.replace(" ", rng.choice(_PICTURES))


def _tagged(text: str, rng: random.Random) -> str:
    """Make every word a hashtag and remove the spaces."""
    return "".join(f"#{word}" for word in text.split())


def _keycaps(text: str, rng: random.Random) -> str:
    """Replace digits with keycaps."""
    return re.sub(r"\d", lambda digit: f"{digit.group()}\ufe0f\u20e3", text)


def _spelled_address(text: str, rng: random.Random) -> str:
    """The address in a form that filters of links do not recognise: spelled out, spaced, or reversed."""
    dot = rng.choice((" dot ", "(dot)", "[.]", " . ", " d0t "))
    ways: tuple[Callable[[str], str], ...] = (
        lambda place: place.replace(".", dot),
        lambda place: f"hxxps:// {' '.join(place)}",
        lambda place: f"{place[::-1]} (read it backwards)",
    )
    way = rng.choice(ways)
    return _PLACE.sub(lambda place: way(place.group()), text)


DISGUISES: Mapping[str, Disguise] = MappingProxyType(
    {
        "fullwidth": _words(fullwidth),
        "mathematical": _words(mathematical),
        "small capitals": _words(small_capitals),
        "superscripts": _words(superscripts),
        "overlaid": _words(overlaid),
        "regional indicators": _words(regional),
        "bracketed": _words(bracketed),
        "slashed": _words(slashed),
        "vowels removed": _words(vowelless),
        "pictures for spaces": _pictured,
        "hashtags": _tagged,
        "address and digits": lambda text, rng: _keycaps(_spelled_address(text, rng), rng),
    }
)
"""Obfuscation of a whole text, by kind."""
