"""Reproducible draws: a hash of the key replaces a random number."""

import hashlib


def draw(key: str) -> float:
    """A number in [0, 1), uniform over keys, the same on every machine."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") / 2**32
