"""Common parts of XML exports: comments in HTML, identifiers, times in UTC."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urldefrag

from belowline.data.archives.html.text import html_to_text
from belowline.data.comment import Comment, PriorStatus, Thread


@dataclass(frozen=True, slots=True)
class Post:
    """A comment as the export holds it; ``markup`` is HTML, ``id`` may be empty."""

    line: int
    id: str
    markup: str
    author: str | None
    time: datetime | None
    parent: str | None
    verdict: PriorStatus | None
    author_url: str | None = None


def one_line(markup: str | None) -> str | None:
    """The plain text of HTML on one line, or None if it is empty."""
    return " ".join(html_to_text(markup or "").split()) or None


def utc_time(text: str | None) -> datetime | None:
    """An ISO 8601 time, in UTC if it names no zone; None for other values, such as ``0000-00-00``."""
    try:
        time = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def comments_of(
    posts: Sequence[Post], page: str | None = None
) -> tuple[tuple[Comment, ...], tuple[str, ...]]:
    """The posts of one thread that have text, and notes on the others.

    Identifiers become unique. A parent that is not among the comments becomes None. ``page`` is the article's address,
    on which WordPress and Disqus mark each comment as ``#comment-ID``.
    """
    address = urldefrag(page).url if page else None
    texts = [html_to_text(post.markup) for post in posts]
    kept = [(post, text) for post, text in zip(posts, texts, strict=True) if text]
    known = {post.id for post, _ in kept if post.id}
    comments = tuple(
        Comment(
            id=name,
            text=text,
            author=post.author,
            time=post.time,
            parent=post.parent if post.parent in known and post.parent != name else None,
            verdict=post.verdict,
            author_url=post.author_url,
            permalink=f"{address}#comment-{post.id}" if address and post.id else None,
            line=post.line,
        )
        for (post, text), name in zip(kept, _unique([post for post, _ in kept]), strict=True)
    )
    return comments, tuple(_notes(len(posts), comments))


def no_comments(path: Path) -> Thread:
    """The thread of an export without comments: its note makes the empty export visible."""
    return Thread(str(path), None, None, "", (), ("the export holds no comments",))


def _unique(posts: Sequence[Post]) -> Iterator[str]:
    """A unique identifier for each post: its own, with a number if taken, or its line."""
    own, given, copies = {post.id for post in posts}, set[str](), Counter[str]()
    for post in posts:
        wanted = name = post.id or f"line-{post.line}"
        while name in given or (name in own and name != post.id):
            copies[wanted] += 1
            name = f"{wanted}-{copies[wanted] + 1}"
        given.add(name)
        yield name


def _notes(posts: int, comments: Sequence[Comment]) -> Iterator[str]:
    if len(comments) < posts:
        yield f"{posts - len(comments)} of {posts} comments have no text (deleted, or a picture)"
    undated = sum(comment.time is None for comment in comments)
    if undated:
        yield f"{undated} of {len(comments)} comments have no time in UTC that can be read"
