"""Keyed hashes in place of names and texts: what an audit found can be handed on without what was said, or by whom."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from typing import Any

KEY = "BELOWLINE_REDACT_KEY"


class Redactor:
    """The same name or text always becomes the same hash; who does not have the key can neither undo nor guess it."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def from_environment(cls) -> "Redactor":
        """With the key in ``BELOWLINE_REDACT_KEY``, so that audits can be compared; else with one that nobody will know."""
        given = os.environ.get(KEY)
        return cls(given.encode() if given else secrets.token_bytes(32))

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row of comments.jsonl without its author's name and its text; offsets of evidence stay."""
        author = row["author"]
        return {
            **row,
            "author": None if author is None else self._hash("author", author),
            "text": self._hash("text", row["text"]),
        }

    def _hash(self, kind: str, value: str) -> str:
        digest = hmac.new(self._key, f"{kind}\0{value}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        return f"{kind}-{digest.hexdigest()[:24]}"
