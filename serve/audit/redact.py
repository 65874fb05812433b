"""Keyed hashes in place of names and texts, so that results can be shared without them."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from typing import Any

KEY = "BELOWLINE_REDACT_KEY"


class Redactor:
    """Replaces equal names and texts by equal hashes, which cannot be reversed or guessed without the key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def from_environment(cls) -> "Redactor":
        """A redactor with the key in ``BELOWLINE_REDACT_KEY``, or with a random key that is not stored."""
        key = os.environ.get(KEY)
        return cls(key.encode() if key else secrets.token_bytes(32))

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row of comments.jsonl without the author's name and the text; offsets of evidence stay."""
        author = row["author"] and self._hash("author", row["author"])
        return {**row, "author": author, "text": self._hash("text", row["text"])}

    def _hash(self, kind: str, value: str) -> str:
        digest = hmac.new(self._key, f"{kind}\0{value}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        return f"{kind}-{digest.hexdigest()[:24]}"
