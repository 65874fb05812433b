"""Draws that are the same for ever and on every machine: by a hash of what is drawn for."""

import hashlib


def draw(key: str) -> float:
    """A number in [0, 1), evenly spread over keys."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") / 2**32
