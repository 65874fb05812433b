"""Reads a page saved as plain text by a browser or a web archive, in the layout of wpDiscuz."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from belowline.data.archives.saved_page.article import article_of
from belowline.data.archives.saved_page.dated import Draft, read_dated
from belowline.data.archives.saved_page.footer import end_of_comments, head_of
from belowline.data.archives.saved_page.lines import IMAGE, Block, Layout, blocks_of, find_layout, is_dated
from belowline.data.archives.saved_page.roles import Role, assign_roles
from belowline.data.archives.words import pattern_of
from belowline.data.comment import Comment, Thread

_LINKBACK, _PENDING = pattern_of("linkback"), pattern_of("pending")
_DEEPEST = 20  # replies to replies
_READ_MORE = re.compile(r"\s*(?:…|\.\.\.)?\s*Read more ?»$")


def parse_page(text: str, source: str) -> Thread:
    """The thread of one saved page; never fails.

    Parents are None unless the page prints "Reply to NAME". ``notes`` lists the uncertainties.
    """
    whole = _lines(text)
    lines = list(_without_notices(whole))
    pending = sum(_PENDING.fullmatch(line) is not None for line in whole)
    linkbacks = sum(map(bool, whole)) - sum(map(bool, lines)) - pending
    layout = find_layout(lines)
    if layout.stated is not None:
        layout = replace(layout, stated=max(0, layout.stated - linkbacks))
    body, drafts = _read_dated(lines, layout) or _read_undated(lines, layout)
    title, url, article = article_of(lines[: layout.comments], body)
    comments = _comments(drafts)
    notes = list(_notes(layout, len(drafts), len(comments)))
    if pending:
        notes.append(f"comments: {pending} waiting for a moderator")
    if linkbacks:
        notes.append(f"comments: {linkbacks} left out as pingbacks or trackbacks")
    return Thread(source, title, url, article, comments, tuple(notes))


def _read_dated(lines: Sequence[str], layout: Layout) -> tuple[list[Block], list[Draft]] | None:
    """Article and comments of a page with a date beside every name, else None."""
    dated = read_dated(lines, layout.comments or 0, layout.end, None if layout.partial else layout.stated)
    if dated is None:
        return None
    first, drafts = dated
    return blocks_of(
        lines[: first if layout.form is None else layout.form], article=True, comments=False
    ), drafts


def _read_undated(lines: Sequence[str], layout: Layout) -> tuple[list[Block], list[Draft]]:
    # Without a form, "Post navigation" may also stand above the comments.
    floor = len(lines) // 2 if layout.comments is None else layout.comments
    end = (
        layout.end
        if layout.end < len(lines)
        else end_of_comments(lines, floor, layout.end, head_of(lines[:floor]))
    )
    if layout.comments is None:
        blocks = blocks_of(lines[:end], article=True, comments=True)
        body = blocks
    else:
        blocks = blocks_of(lines[layout.comments : end], article=False, comments=True)
        body = blocks_of(lines[: layout.form], article=True, comments=False)
    stated = None if layout.partial else layout.stated
    spacing = min((block.gap for block in body[1:]), default=1)
    roles = assign_roles(blocks, spacing=spacing, stated=stated, after_form=layout.comments is not None)
    if layout.comments is None:
        body = [block for block, role in zip(blocks, roles, strict=True) if role is Role.ARTICLE]
    return body, list(_drafts(blocks, roles))


def has_comment_form(text: str) -> bool:
    """True if the text contains the comment form of wpDiscuz."""
    return find_layout(_lines(text)).form is not None


def _lines(text: str) -> list[str]:
    lines = [line.strip(" \t\u00a0\u200b\ufeff").strip() for line in re.split(r"\r\n|\n|\r", text)]
    return lines if "" in lines[1:-1] else [part for line in lines for part in (line, "")]


def _without_notices(lines: Sequence[str]) -> Iterator[str]:
    """The lines without pingbacks and notices, and without the blank line below each.

    What looks like a pingback right below a date is a comment's text.
    """
    before, left_out = "", False
    for line in lines:
        above = left_out
        left_out = bool(_PENDING.fullmatch(line) or (_LINKBACK.fullmatch(line) and not is_dated(before)))
        if not left_out and (line or not above):
            yield line
        before = line or before


def _drafts(blocks: Sequence[Block], roles: Sequence[Role]) -> Iterator[Draft]:
    """The comments by the roles of the blocks, including those without text."""
    draft: Draft | None = None
    for block, role in zip(blocks, roles, strict=True):
        if role is Role.AUTHOR or role is Role.ORPHAN:
            if draft:
                yield draft
            draft = Draft(block.text if role is Role.AUTHOR else None)
        if draft and role is not Role.AUTHOR:
            draft.reply_to = draft.reply_to or block.reply_to
            draft.paragraphs.append(block.text)
    if draft:
        yield draft


class _Place(NamedTuple):
    """Author, id and age of a comment; the id is None for a comment without text, which is left out."""

    author: str
    id: str | None
    age: int | None


def _comments(drafts: Sequence[Draft]) -> tuple[Comment, ...]:
    comments: list[Comment] = []
    latest: dict[str, _Place] = {}
    path: list[_Place] = []  # the last comment below those that it answers
    for position, draft in enumerate(drafts, start=1):
        text = _text_of(draft)
        path = _path_to(draft, path, latest) if draft.reply_to else []
        place = _Place((draft.author or "").casefold(), str(position) if text else None, draft.age)
        if text:
            comments.append(Comment(str(position), text, draft.author, parent=path[-1].id if path else None))
        path.append(place)
        if draft.author:
            latest[place.author] = place
    return tuple(comments)


def _path_to(draft: Draft, path: list[_Place], latest: Mapping[str, _Place]) -> list[_Place]:
    """The path up to the nearest comment that a reply may answer; replies stand right below what they answer.

    It is by the author whom the reply names, and not younger than the reply.
    """
    name = (draft.reply_to or "").casefold()
    lengths = [
        length
        for length in range(len(path), max(0, len(path) - _DEEPEST), -1)
        if path[length - 1].author == name
    ]
    older = (length for length in lengths if not _is_younger(path[length - 1], draft))
    if lengths:
        length = next(older, lengths[0])
        return path[max(0, length - _DEEPEST) : length]
    return [latest[name]] if name in latest else []


def _is_younger(place: _Place, draft: Draft) -> bool:
    return place.age is not None and draft.age is not None and place.age < draft.age


def _text_of(draft: Draft) -> str:
    paragraphs = (
        "\n".join(line for line in paragraph.split("\n") if line.casefold() != IMAGE)
        for paragraph in draft.paragraphs
    )
    return _READ_MORE.sub("", "\n\n".join(filter(None, paragraphs))).strip()


def _notes(layout: Layout, drafts: int, comments: int) -> Iterator[str]:
    if layout.partial:
        yield f"the file holds only part of the thread: {comments} of {layout.stated or 'more'} comments"
    elif layout.stated is not None and layout.stated != comments:
        yield f"the page states {layout.stated} comments; {comments} with text were found"
    elif layout.stated is None and not drafts:
        yield "no comments found"
    if drafts > comments and layout.stated != 0:
        yield f"{drafts - comments} of {drafts} comments have no text in the file (a picture, or a lost line)"
