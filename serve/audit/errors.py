"""The error of an audit."""

from belowline.model import BelowlineError


class AuditError(BelowlineError):
    """An audit, or the sample, review or queueing of one, failed. The message names the file or option and the remedy."""
