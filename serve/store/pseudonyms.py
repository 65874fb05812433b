"""Pseudonyms: keyed hashes of addresses and texts, with a secret of this database."""

import hashlib
import hmac

from sqlalchemy import Connection, select

from belowline.serve.store.tables import pepper


def alias(tx: Connection, address: str) -> str:
    """Return 32 hexadecimal digits, always the same for an ``address``; guessing the address needs the database."""
    secret = tx.execute(select(pepper.c.secret)).scalar_one().encode()
    return hmac.new(secret, address.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]
