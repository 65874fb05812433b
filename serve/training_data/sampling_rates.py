"""Which share of published comments a policy drew for moderators to see, at any time in the past."""

import functools
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from belowline.model import PolicyError
from belowline.model.policy import DEFAULT_POLICY
from belowline.model.policy_file import File, for_site, read_policy
from belowline.serve.active import policy_history as policies
from belowline.serve.store.database import Database


class SampleShares:
    """The shares of every policy that was in force; the file that the service starts with counts before the store's first one.

    Of that file only what stands in it now is known.
    """

    def __init__(self, database: Database, file: Path | None) -> None:
        """Raises OSError where ``file`` (None: the default policy) cannot be read."""
        with database.read() as tx:
            kept = [*reversed(policies.history(tx))]
        self._begins: Sequence[datetime] = [row.at for row in kept]
        self._texts = [(file or DEFAULT_POLICY).read_text("utf-8"), *(row.text for row in kept)]
        self._share = functools.lru_cache(maxsize=10_000)(self._read)
        self._file = functools.lru_cache(maxsize=100)(self._parsed)

    def share(self, site: str, at: datetime) -> float | None:
        """The share of a site's published comments that was drawn then; None for a policy that cannot be read any more."""
        return self._share(bisect_right(self._begins, at), site)

    def _read(self, number: int, site: str) -> float | None:
        file = self._file(number)
        if file is None:
            return None
        return for_site(file, site).sample if site in file.sites else file.sample

    def _parsed(self, number: int) -> File | None:
        try:
            return read_policy(self._texts[number], f"policy {number}", DEFAULT_POLICY.read_text("utf-8"))
        except PolicyError:
            return None
