"""Augmentation of training texts that keeps their labels: obfuscation, and another group named.

Every function takes a ``random.Random`` and returns the same result for the same state.
"""

import random
import re
from collections.abc import Callable

_HOMOGLYPHS = dict(zip("aeopcxyikst", "аеорсхуікѕт", strict=True))
_LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "l": "1", "b": "8"}
_INVISIBLE = "\u200b\u200c\u2060\u00ad"
_WORD = re.compile(r"[A-Za-z]{3,}")

Change = Callable[[str, random.Random], str]


def broken(word: str, rng: random.Random) -> str:
    """``hour`` → ``ho-u-r``: one kind of mark between the letters of a word."""
    mark = rng.choice("-.*_ ")
    pieces = [word[0]]
    for letter in word[1:]:
        pieces.append(mark + letter if rng.random() < 0.6 else letter)
    return "".join(pieces)


def leet(word: str, rng: random.Random) -> str:
    """``idiot`` → ``1d1ot``."""
    return "".join(
        rng.choice(_LEET[c.lower()]) if c.lower() in _LEET and rng.random() < 0.5 else c for c in word
    )


def homoglyphs(word: str, rng: random.Random) -> str:
    """Some letters replaced by Cyrillic look-alikes."""
    return "".join(_HOMOGLYPHS.get(c, c) if rng.random() < 0.5 else c for c in word)


def invisible(word: str, rng: random.Random) -> str:
    """An invisible character inside the word."""
    cut = rng.randrange(1, len(word))
    return word[:cut] + rng.choice(_INVISIBLE) + word[cut:]


def doubled(word: str, rng: random.Random) -> str:
    """A letter repeated."""
    at = rng.randrange(len(word))
    return word[:at] + word[at] * rng.choice((2, 3, 5)) + word[at + 1 :]


def dropped(word: str, rng: random.Random) -> str:
    """An inner letter left out."""
    at = rng.randrange(1, len(word) - 1)
    return word[:at] + word[at + 1 :]


def masked(word: str, rng: random.Random) -> str:
    """Inner letters starred, as in ``id**t``."""
    start = rng.randrange(1, len(word) - 1)
    end = min(len(word) - 1, start + rng.choice((1, 2)))
    return word[:start] + "*" * (end - start) + word[end:]


def swapped(word: str, rng: random.Random) -> str:
    """Two neighbouring letters exchanged."""
    at = rng.randrange(len(word) - 1)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def upper(word: str, rng: random.Random) -> str:
    """In capitals."""
    return word.upper()


WORD_DISGUISES: tuple[Change, ...] = (
    broken,
    leet,
    homoglyphs,
    invisible,
    doubled,
    dropped,
    masked,
    swapped,
    upper,
)


def random_tail(text: str, rng: random.Random) -> str:
    """Append random letters and symbols, as link spam does against filters of copies."""
    symbol = rng.choice("♥★➮•~")
    letters = rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(6, 24))
    tail = symbol + "".join(letter + symbol * rng.randrange(1, 4) for letter in letters)
    return f"{text} {tail}:::::!{''.join(rng.choices('abcdefhijklux0123456789', k=6))}"


def joined(text: str, rng: random.Random) -> str:
    """Some spaces left out."""
    return re.sub(" ", lambda _: "" if rng.random() < 0.15 else " ", text)


def disguised(text: str, rng: random.Random) -> str:
    """Return a copy of ``text`` with some words obfuscated, sometimes with missing spaces or a random tail."""
    changes = rng.sample(WORD_DISGUISES, k=rng.choice((1, 2)))
    share = rng.choice((0.1, 0.3, 0.6))
    text = _WORD.sub(
        lambda m: rng.choice(changes)(m.group(), rng) if rng.random() < share else m.group(), text
    )
    chance = rng.random()
    return joined(text, rng) if chance < 0.1 else random_tail(text, rng) if chance < 0.15 else text


# --- another group named ---

# Rows give the plural of people, the singular and the adjective, so that a swap stays grammatical. Neutral names only.
GROUPS: tuple[tuple[str, str, str], ...] = (
    ("jews", "jew", "jewish"),
    ("jewish people", "jewish person", "jewish"),
    ("muslims", "muslim", "muslim"),
    ("christians", "christian", "christian"),
    ("hindus", "hindu", "hindu"),
    ("arabs", "arab", "arab"),
    ("africans", "african", "african"),
    ("black people", "black person", "black"),
    ("white people", "white person", "white"),
    ("asians", "asian", "asian"),
    ("indians", "indian", "indian"),
    ("chinese people", "chinese person", "chinese"),
    ("latinos", "latino", "latino"),
    ("mexicans", "mexican", "mexican"),
    ("immigrants", "immigrant", "immigrant"),
    ("refugees", "refugee", "refugee"),
    ("gay people", "gay person", "gay"),
    ("lesbians", "lesbian", "lesbian"),
    ("trans people", "trans person", "trans"),
    ("disabled people", "disabled person", "disabled"),
    ("women", "woman", "female"),
)
_JEWISH = frozenset({"jews", "jew", "jewish", "jewish people", "jewish person"})
_FORM = {name: form for row in GROUPS for form, name in enumerate(row)}
_NAMED = re.compile(rf"\b(?:{'|'.join(sorted(_FORM, key=len, reverse=True))})\b", re.IGNORECASE)


def swap_group(text: str, rng: random.Random) -> tuple[str, bool | None]:
    """Replace the one group that ``text`` names by another; also return True if Jews are named now.

    Jews are in the list twice, so a swapped text names them about one time in ten, harmful and harmless
    alike. A text that names no group, or several, is unchanged, and the second value is None.
    """
    named = {match.group().lower() for match in _NAMED.finditer(text)}
    rows = {row for row in GROUPS for name in named if name in row}
    if not named or len({row[2] for row in rows}) != 1:
        return text, None
    target = rng.choice([row for row in GROUPS if row[2] not in {other[2] for other in rows}])
    swapped_text = _NAMED.sub(lambda match: _cased(target[_FORM[match.group().lower()]], match.group()), text)
    return swapped_text, target[1] in _JEWISH


def _cased(new: str, old: str) -> str:
    if len(old) > 1 and old.isupper():
        return new.upper()
    return new[0].upper() + new[1:] if old[0].isupper() else new
