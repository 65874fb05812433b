"""What is compared of a text to find near-copies: the same text with changed names, sums, links or tails.

MinHash (rensa) over words and pairs of words; candidates share one of twelve bands of five values, and a pair counts from an estimated
Jaccard similarity of 0.5 on.
"""

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from rensa import RMinHash

from belowline.model.normalise import normalise

SIMILAR = 0.5
"""From this similarity on two texts are copies of each other."""
BANDS, ROWS = 12, 5
"""Bands of a signature, and values of each; texts that share a band are candidates."""
_SEED = 20261125
_FEWEST_WORDS = 5
"""Fewer say too little: "thank you very much" is no campaign."""
_LINK = re.compile(r"\blink \S+")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Signature:
    """What is compared of a text."""

    values: bytes  # 60 unsigned integers of 32 bits

    @property
    def bands(self) -> list[str]:
        """One name for each band; equal names mark candidates."""
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
    """The signature of a text, None for one too short to be a copy of anything. Links, numbers and disguises do not count."""
    return signature_of_plain(normalise(text).text)


def signature_of_plain(plain: str) -> Signature | None:
    """As ``signature_of``, of a text that is normalised already."""
    words = _WORD.findall(_LINK.sub(" ", plain).casefold())
    if len(set(words)) < _FEWEST_WORDS:
        return None
    minhash = RMinHash(num_perm=BANDS * ROWS, seed=_SEED)
    minhash.update(sorted({*words, *(f"{one} {other}" for one, other in pairwise(words))}))
    return Signature(np.asarray(minhash.digest(), dtype="<u4").tobytes())
