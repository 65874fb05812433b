"""Signatures that find near-duplicates: the same text with changed names, sums, links or endings.

A signature is a MinHash (rensa) over words and pairs of words. Candidates share one of twelve bands of five values;
a pair counts from an estimated Jaccard similarity of 0.5.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from rensa import RMinHash

from belowline.model.normalise import normalise

SIMILAR = 0.5
"""Similarity from which two texts are near-duplicates."""
BANDS, ROWS = 12, 5
"""Number of bands of a signature, and of values in each; texts that share a band are candidates."""
CANDIDATES = 40
"""Most candidates to compare a text with."""
Key = TypeVar("Key")
_SEED = 20261125
_FEWEST_WORDS = 5
"""Fewest words of a text with a signature: "thank you very much" is no campaign."""
_LINK = re.compile(r"\blink \S+")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Signature:
    """The MinHash signature of a text."""

    values: bytes  # 60 unsigned integers of 32 bits

    @property
    def bands(self) -> list[str]:
        """One key for each band; texts with an equal key are candidates."""
        size = 4 * ROWS
        return [
            f"{at:x}:" + hashlib.blake2b(self.values[at * size : (at + 1) * size], digest_size=8).hexdigest()
            for at in range(BANDS)
        ]

    def similarity(self, other: bytes) -> float:
        """The estimated Jaccard similarity to a text whose signature has these values."""
        own, theirs = (np.frombuffer(values, dtype="<u4") for values in (self.values, other))
        return float(np.mean(own == theirs))


def signature_of(text: str) -> Signature | None:
    """The signature of a text, or None if it is too short. Links, numbers and obfuscation are ignored."""
    return signature_of_plain(normalise(text).text)


def signature_of_plain(plain: str) -> Signature | None:
    """The signature of a normalised text, or None if it is too short."""
    words = _WORD.findall(_LINK.sub(" ", plain).casefold())
    if len(set(words)) < _FEWEST_WORDS:
        return None
    minhash = RMinHash(num_perm=BANDS * ROWS, seed=_SEED)
    minhash.update(sorted({*words, *(f"{one} {other}" for one, other in pairwise(words))}))
    return Signature(np.asarray(minhash.digest(), dtype="<u4").tobytes())


def most_similar(signature: Signature, candidates: Iterable[tuple[Key, bytes]]) -> Key | None:
    """The key of the most similar near-duplicate among keys and signature values, None without a near-duplicate.

    Of equally similar candidates the last one counts.
    """
    best, nearest = SIMILAR, None
    for key, values in candidates:
        similarity = signature.similarity(values)
        if similarity >= best:
            best, nearest = similarity, key
    return nearest
