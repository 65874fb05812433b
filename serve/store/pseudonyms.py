"""Who an author is without saying so: hashes of addresses, with a secret of this database."""

import hashlib
import hmac

from sqlalchemy import Connection, select

from belowline.serve.store.tables import pepper


def alias(tx: Connection, address: str) -> str:
    """The same 32 hexadecimal digits for the same ``address``, from which nobody without the database can guess it."""
    secret = tx.execute(select(pepper.c.secret)).scalar_one()
    return hmac.new(secret.encode(), address.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[
        :32
    ]
