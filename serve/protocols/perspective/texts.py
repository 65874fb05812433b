"""The texts of a Perspective request: the comment, its context, and its sentences, counted as JavaScript counts."""

import re
from collections.abc import Sequence

from belowline.serve.http.service import Service
from belowline.serve.protocols.perspective.errors import Refused, too_long
from belowline.serve.protocols.perspective.messages import Context, TextEntry
from belowline.serve.scoring.fault_isolation import article_context, is_json_object

MAX_TEXT_BYTES = 20_480
MOST_SPANS = 64
"""Each sentence is one run of the model; without a limit one call could fill the queue."""
_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'’”»)\]]*+(?=\s)|[\r\n]")
"""The end of a sentence, with closing quotes and brackets, or of a line. Abbreviations end a sentence too."""
Span = tuple[int, int]


def sentences(text: str) -> list[Span]:
    """Start and end of each sentence in code points; from ``MOST_SPANS`` on the rest is one span."""
    spans: list[Span] = []
    start = 0
    for end in [*(match.end() for match in _END.finditer(text)), len(text)]:
        piece = text[start:end]
        if words := piece.strip():
            first = start + len(piece) - len(piece.lstrip())
            spans.append((first, first + len(words)))
        start = end
    if len(spans) > MOST_SPANS:
        spans[MOST_SPANS - 1 :] = [(spans[MOST_SPANS - 1][0], spans[-1][1])]
    return spans


def utf16(text: str, span: Span) -> Span:
    """A span of ``text`` in UTF-16 code units."""
    start, end = (len(text[:at].encode("utf-16-le")) // 2 for at in span)
    return start, end


def comment_text(comment: TextEntry | None) -> str:
    """The comment's text, of any length; raises Problem if it is blank or not plain text."""
    [text] = _plain([comment or TextEntry()])
    if not text.strip():
        raise Refused("COMMENT_EMPTY", "Comment must be non-empty.")
    return text


def is_long(text: str, service: Service) -> bool:
    """True if a text is longer than Google accepts or than the service scores at once."""
    return len(text.encode()) > MAX_TEXT_BYTES or len(text) > service.settings.max_comment_chars


def texts_of(context: Context | None) -> list[str]:
    """All texts of a context: entries, or article and parent comment; empty for a text that is a JSON object."""
    if context is None:
        return []
    entries, both = context.entries or [], context.article_and_parent_comment
    if both is not None:
        entries = [both.article or TextEntry(), both.parent_comment or TextEntry()]
    return ["" if is_json_object(text) else text for text in _plain(entries)]


def article_and_parent(context: Context | None, service: Service) -> tuple[str | None, str | None]:
    """The article and the parent comment of a context, None if missing."""
    texts = texts_of(context)
    if context is None or context.article_and_parent_comment is None:
        return article_context(None, next(filter(None, texts), None)), None
    article, parent = texts
    if is_long(parent, service):
        raise too_long()
    return article_context(None, article), parent or None


def _plain(entries: Sequence[TextEntry]) -> list[str]:
    if any(entry.type == "HTML" for entry in entries):
        raise Refused("INVALID_REQUEST", "Currently, only 'PLAIN_TEXT' comments are supported")
    return [(entry.text or "").replace("\x00", "\ufffd") for entry in entries]  # PostgreSQL has no NUL
