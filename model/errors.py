"""The root of belowline's exceptions."""


class BelowlineError(Exception):
    """Base of every error whose message is written for the user: one line that says what is wrong and what to do."""
