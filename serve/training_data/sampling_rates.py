"""The shares of published comments that the policies drew for moderators, at any time."""

from bisect import bisect_right
from datetime import datetime
from pathlib import Path

from belowline.model import PolicyError
from belowline.model.policy_file import DEFAULT_POLICY, File, for_site, read_policy
from belowline.serve.active import policy_history
from belowline.serve.store.database import Database


class SamplingRates:
    """The sampling rates of every policy that was active.

    Before the store's first policy the service's policy file counts, as it is now.
    """

    def __init__(self, database: Database, file: Path | None) -> None:
        """Raises OSError if ``file`` (None: the default policy) cannot be read."""
        with database.read() as tx:
            policies = [*reversed(policy_history.history(tx))]
        texts = [(file or DEFAULT_POLICY).read_text("utf-8"), *(row.text for row in policies)]
        self._begins = [row.at for row in policies]
        self._files = [_parsed(text) for text in texts]

    def rate(self, site: str, at: datetime) -> float | None:
        """Return the share of a site's published comments that was drawn then.

        None if the policy can no longer be read.
        """
        file = self._files[bisect_right(self._begins, at)]
        if file is None:
            return None
        return for_site(file, site).sample if site in file.sites else file.sample


def _parsed(text: str) -> File | None:
    try:
        return read_policy(text, "an earlier policy")
    except PolicyError:
        return None
