"""The error of an audit."""

from belowline.model import BelowlineError


class AuditError(BelowlineError):
    """An audit, or its sample, review or queueing, failed; the message names the file or option and the remedy."""
