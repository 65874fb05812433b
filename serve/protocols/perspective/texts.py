"""The texts of a request: the comment, what it was written under, and its sentences, counted as JavaScript counts."""

import re
from collections.abc import Sequence

from belowline.serve.http.service import Service
from belowline.serve.protocols.perspective.errors import refused
from belowline.serve.protocols.perspective.messages import Context, TextEntry
from belowline.serve.scoring.fault_isolation import article_context, is_json_object

MAX_TEXT_BYTES = 20_480
MOST_SPANS = 64
"""Each sentence is a pass of the model; without a limit one call could fill the queue for all others."""
_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'’”»)\]]*+(?=\s)|[\r\n]")
"""Full stops and the like, with what closes after them, before white space; or a line's end. An abbreviation ends a sentence too."""
Span = tuple[int, int]


def sentences(text: str) -> list[Span]:
    """Start and end of each sentence that is not blank, in code points; of more than ``MOST_SPANS`` the last ones are one span."""
    found: list[Span] = []
    start = 0
    for end in [*(match.end() for match in _END.finditer(text)), len(text)]:
        piece = text[start:end]
        if words := piece.strip():
            first = start + len(piece) - len(piece.lstrip())
            found.append((first, first + len(words)))
        start = end
    if len(found) > MOST_SPANS:
        found[MOST_SPANS - 1 :] = [(found[MOST_SPANS - 1][0], found[-1][1])]
    return found


def utf16(text: str, span: Span) -> Span:
    """A span of ``text`` in UTF-16 code units."""
    return _units(text[: span[0]]), _units(text[: span[1]])


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def comment_text(comment: TextEntry | None) -> str:
    """The comment's text, of any length; raises Problem where it is blank or not plain text."""
    [text] = _plain([comment]) if comment else [""]
    if not text.strip():
        raise refused("COMMENT_EMPTY", "Comment must be non-empty.")
    return text


def is_long(text: str, service: Service) -> bool:
    """True if a text is longer than Google accepts or than the service scores at once."""
    return len(text.encode()) > MAX_TEXT_BYTES or len(text) > service.settings.max_comment_chars


def texts_of(context: Context | None) -> list[str]:
    """All texts of a context: its entries', or the article's and the parent comment's; empty for a text that is a JSON object."""
    if context is None:
        return []
    both = context.article_and_parent_comment
    if both is None:
        return _without_data(_plain(context.entries or []))
    if context.entries:
        raise refused(
            "INVALID_REQUEST",
            "Context can have either entries or article_and_parent_comment, but both fields were populated.",
        )
    return _without_data(_plain([both.article or TextEntry(), both.parent_comment or TextEntry()]))


def article_and_parent(context: Context | None, service: Service) -> tuple[str | None, str | None]:
    """Article and parent comment, as far as the context tells them; of entries the first that is not empty is the article."""
    texts = texts_of(context)
    if context is not None and context.article_and_parent_comment:
        article, parent = texts
        _check_length(parent, service)
        return article_context(None, article), parent or None
    return article_context(None, next(filter(None, texts), None)), None


def _check_length(text: str, service: Service) -> None:
    if is_long(text, service):
        raise refused("COMMENT_TOO_LONG", "Comment text too long.")


def _plain(entries: Sequence[TextEntry]) -> list[str]:
    if any(entry.type == "HTML" for entry in entries):
        raise refused("INVALID_REQUEST", "Currently, only 'PLAIN_TEXT' comments are supported")
    return [entry.text or "" for entry in entries]


def _without_data(texts: Sequence[str]) -> list[str]:
    return ["" if is_json_object(text) else text for text in texts]
