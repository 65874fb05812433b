"""Pairs of duplicates and near-duplicates among many texts."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from belowline.model.normalise import normalise
from belowline.model.signatures import BANDS, ROWS, signature_of_plain
from belowline.training.dataset.mix import fingerprint_of_plain

_NEIGHBOURS = 12
"""Texts that one is compared with in a band. Of a campaign of thousands not every pair is needed to see it."""

Integers = npt.NDArray[np.int64]


def near_duplicates(texts: Sequence[str], similar: float) -> tuple[Integers, Integers]:
    """Return pairs [p, 2] of texts that read the same, and pairs of texts whose words are ``similar`` (0..1).

    The smaller number comes first. Of many duplicates of one text, each is paired with a dozen only.
    """
    plain = [normalise(text).text for text in texts]
    prints = np.array(
        [int(fingerprint_of_plain(*pair)[:15], 16) for pair in zip(plain, texts, strict=True)], dtype=np.int64
    )
    numbers, values = _signatures(plain)
    pairs = np.zeros((0, 2), dtype=np.int64)
    for band in range(BANDS):
        names = _names(values[:, band * ROWS : (band + 1) * ROWS])
        pairs = np.unique(np.concatenate((pairs, _neighbours(names))), axis=0)
    alike = (values[pairs[:, 0]] == values[pairs[:, 1]]).mean(axis=1) >= similar
    pairs = numbers[pairs[alike]]
    return _neighbours(prints), pairs[prints[pairs[:, 0]] != prints[pairs[:, 1]]]


def _signatures(plain: Sequence[str]) -> tuple[Integers, npt.NDArray[np.uint32]]:
    """Return the numbers [k] of texts that are long enough, and their signatures [k, bands * rows]."""
    signatures = {number: signature_of_plain(text) for number, text in enumerate(plain)}
    long_enough = {
        number: signature.values for number, signature in signatures.items() if signature is not None
    }
    values = np.frombuffer(b"".join(long_enough.values()), dtype="<u4")
    return np.array(list(long_enough), dtype=np.int64), values.reshape(-1, BANDS * ROWS)


def _names(band: npt.NDArray[np.uint32]) -> Integers:
    """Return one number for the values of a band [k, rows], equal for equal values and hardly ever else."""
    factors = np.random.default_rng(0).integers(1, 2**62, size=band.shape[1], dtype=np.uint64) * 2 + 1
    return np.asarray((band * factors).sum(axis=1, dtype=np.uint64)).view(np.int64)


def _neighbours(names: Integers) -> Integers:
    """Return pairs [p, 2] of positions with equal names, each position with up to a dozen that follow it."""
    order = np.argsort(names, kind="stable")
    ranked, pairs = names[order], [np.zeros((0, 2), dtype=np.int64)]
    for distance in range(1, _NEIGHBOURS + 1):
        equal = np.flatnonzero(ranked[distance:] == ranked[:-distance])
        pairs.append(np.stack((order[equal], order[equal + distance]), axis=1))
    return np.concatenate(pairs)
