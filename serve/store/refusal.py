"""Errors of the store that a caller can correct."""

from belowline.model.errors import BelowlineError


class Refusal(BelowlineError):
    """A change that is not allowed.

    Nothing was changed. ``kind`` is a key of ``belowline.serve.http.errors.PROBLEMS``.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def unknown(what: str) -> Refusal:
    """The refusal for an id that does not exist or belongs to another site."""
    return Refusal("not-found", f"there is no {what} with this id")
