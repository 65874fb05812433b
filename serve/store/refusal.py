"""What the store refuses to do, by the kind of problem that a caller gets."""

from belowline.model import BelowlineError


class Refusal(BelowlineError):
    """A change that cannot be made; nothing was changed. ``kind`` is a key of ``belowline.serve.http.errors.PROBLEMS``."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def unknown(what: str) -> Refusal:
    """There is no such thing, or it is another site's."""
    return Refusal("not-found", f"no {what} with that id is kept")
