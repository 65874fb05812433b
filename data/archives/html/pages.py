"""Reads saved HTML pages: the article and the comments below it."""

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from urllib.parse import urldefrag

from selectolax.lexbor import LexborHTMLParser, LexborNode

from belowline.data.archives.html.comments import TITLE, Found, find_comments, ids_of, stated_number
from belowline.data.archives.html.guard import refuse_slow
from belowline.data.archives.html.jsonld import find_stated_comments
from belowline.data.archives.html.text import line_of, text_of
from belowline.data.comment import Comment, ReadError, Thread

LARGEST_PAGE = 50 * 2**20
"""Limit of a page's size in bytes."""

_PROLOGUE = re.compile(r"\A(?:\s|<\?xml\b[^>]*\?>|<!--.*?-->)*+", re.DOTALL)
# Messages that PHP prints above a page.
_MESSAGE = re.compile(
    r"\A(?:(?:\s|<br ?/?>)*(?:<b>)?(?:warning|notice|deprecated|fatal error)(?:</b>)?: [^\n]*\n)+\s*(?=<)",
    re.IGNORECASE,
)
_HTML = re.compile(
    r"<!doctype\s+html\b|<(?:html|head|body|meta|link|base|script|style|div|main|ol|ul|p|h1)(?=[\s/>])",
    re.IGNORECASE,
)
_META_CHARSET = re.compile(rb"<meta\b[^>]{0,500}?\bcharset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_CHARSETS = re.compile(
    r"utf-?8|us-ascii|ascii|(?:iso-?8859|windows|cp)-?\d+(?:-\d+)?|latin-?1|koi8-[ru]|gb2312|gbk|gb18030|big5|"
    r"shift_jis|euc-jp|euc-kr|iso-2022-jp|tis-620|macintosh",
    re.IGNORECASE,
)
_BODIES = ('[itemprop~="articleBody"]', ".entry-content", ".post-content", "article", "main")
_NOT_ARTICLE = (
    "#comments, #wpdcom, #respond, #disqus_thread, #coral_thread, #coral, #posts, .comments-area, .comment-list, "
    ".commentlist, .comment-respond, .wpd-inline-icon-wrap, .wpd-inline-form-wrapper, .sharedaddy, "
    ".screen-reader-text, aside, nav, footer, header, form, h1, [hidden]"
)
_MORE = (
    ".wpd-load-more-submit, .wpd-load-comments, .load-more-button, .comment-navigation, .comments-pagination"
)
_MOST_BODIES = 20
_COUNTED = {
    "empty": "{} without text in the page (a picture, or removed) left out",
    "linkback": "{} left out as pingbacks or trackbacks",
    "pending": "{} waiting for a moderator",
    "cut": "{} cut short by the page (read more)",
    "unzoned": "{} with a date that names no time zone; the time is left open",
}


def looks_like_html(head: bytes) -> bool:
    """True if a file that starts with ``head`` is an HTML page, and not other XML."""
    text = _MESSAGE.sub("", decode_page(head).removeprefix("\ufeff").lstrip()[:65_536], count=1)
    text = _PROLOGUE.sub("", text, count=1)
    return _HTML.match(text) is not None


def read_html(path: Path) -> Iterator[Thread]:
    """The thread of a saved page; raises ReadError for a file that is too large, nested too deeply or no page."""
    with path.open("rb") as file:
        page = file.read(LARGEST_PAGE + 1)
    if len(page) > LARGEST_PAGE:
        raise ReadError(f"larger than {LARGEST_PAGE >> 20} MB; split it, or leave it out", path)
    thread = html_thread(decode_page(page), str(path))
    if thread is None:
        raise ReadError("neither a title nor any text in the page; check the file", path)
    yield thread


def decode_page(page: bytes, charset: str | None = None) -> str:
    """Decodes a page by its byte order mark, its ``<meta charset>``, ``charset``, UTF-8 or Windows-1252, in this
    order."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
    ):
        if page.startswith(mark):
            return page[len(mark) :].decode(encoding, "replace")
    stated = _META_CHARSET.search(page, 0, 4096)
    for label in (stated and stated[1].decode("ascii", "replace"), charset):
        known = _encoding(label)
        if known:
            return page.decode(known, "replace")
    try:
        return page.decode("utf-8")
    except UnicodeDecodeError as error:
        # A page that was cut inside a character is UTF-8 all the same.
        cut = error.reason == "unexpected end of data"
        return page.decode("utf-8" if cut else "windows-1252", "replace")


def _encoding(label: str | None) -> str | None:
    if not label or not _CHARSETS.fullmatch(label):
        return None
    # Browsers take these labels for windows-1252, and pages rely on it.
    label = "windows-1252" if re.fullmatch(r"iso-?8859-1|latin-?1|(?:us-)?ascii", label.lower()) else label
    try:
        b"".decode(label)
    except LookupError:
        return None
    return label


def html_thread(text: str, source: str, url: str | None = None) -> Thread | None:
    """The thread of one page, or None if it has no title, text or comments.

    Args:
        text: The page.
        source: Origin, for the thread and for messages.
        url: The page's address, used if the page states none.

    Raises:
        ReadError: The page is larger than ``LARGEST_PAGE`` or made to be slow to read.
    """
    if len(text) > LARGEST_PAGE:
        raise ReadError(f"larger than {LARGEST_PAGE >> 20} MB; split it, or leave it out", source)
    refuse_slow(text, source)
    page = LexborHTMLParser(text.encode("utf-8", "replace"))
    found = find_comments(page) or find_stated_comments(page)
    left_out = ids_of(page, _NOT_ARTICLE) | (found.containers if found else frozenset())
    title, body = _title(page), _body(page, left_out)
    if not (title or body or found):
        return None
    address = _url(page) or url
    comments = tuple(_with_address(comment, address) for comment in found.comments) if found else ()
    return Thread(source, title, address, body, comments, tuple(_notes(page, found)))


def _with_address(comment: Comment, page: str | None) -> Comment:
    """The comment with its whole address in place of the fragment, None without the page's address."""
    link = f"{urldefrag(page).url}{comment.permalink}" if page and comment.permalink else None
    return replace(comment, permalink=link)


def _meta(page: LexborHTMLParser, name: str) -> str | None:
    node = page.css_first(f'meta[property="{name}"], meta[name="{name}"]')
    return " ".join((node.attributes.get("content") or "").split()) or None if node is not None else None


def _title(page: LexborHTMLParser) -> str | None:
    stated = _meta(page, "og:title") or _heading(page)
    if stated:
        return stated
    node = page.css_first("title")
    title = " ".join(node.text().split()) if node is not None else ""
    site = _meta(page, "og:site_name")
    if site and title.casefold() != site.casefold():
        mark = r"\s+[|\-–—·•»:]\s+"
        title = re.sub(rf"{mark}{re.escape(site)}$|^{re.escape(site)}{mark}", "", title, flags=re.IGNORECASE)
    return title or None


def _heading(page: LexborHTMLParser) -> str | None:
    """The heading that the theme marks as title, the article's h1, or the first h1 with text."""
    article = page.css_first("article")
    inside = article.css("h1")[:_MOST_BODIES] if article is not None else []
    marked = page.css(TITLE)[:_MOST_BODIES]
    headings = (line_of(node) for node in [*marked, *inside, *page.css("h1")[:_MOST_BODIES]])
    return next(filter(None, headings), None)


def _url(page: LexborHTMLParser) -> str | None:
    link = page.css_first('link[rel~="canonical"]')
    stated = ((link.attributes.get("href") or "").strip() if link is not None else "", _meta(page, "og:url"))
    return next((url for url in stated if url and re.match(r"https?://\S+$", url, re.IGNORECASE)), None)


def _body(page: LexborHTMLParser, left_out: AbstractSet[int]) -> str:
    for selector in _BODIES:
        for node in page.css(selector)[:_MOST_BODIES]:
            text = "" if _within(node, left_out) else text_of(node, drop=left_out)
            if text:
                return text
    return ""


def _within(node: LexborNode, outer: AbstractSet[int]) -> bool:
    above: LexborNode | None = node
    while above is not None and above.mem_id not in outer:
        above = above.parent
    return above is not None


def _notes(page: LexborHTMLParser, found: Found | None) -> Iterator[str]:
    stated = stated_number(page)
    number = len(found.comments) if found else 0
    if stated is not None and stated != number + (found.counts["linkback"] if found else 0):
        yield f"the page states {stated} comments; {number} with text were found"
    if found is None:
        yield "no comment markup found: the page may load its comments with a script"
    else:
        yield f"comments were read from {found.markup} markup"
        for kind, sentence in _COUNTED.items():
            if found.counts[kind]:
                yield "comments: " + sentence.format(found.counts[kind])
    if page.css_first(_MORE) is not None:
        yield "the page loads further comments with a script; the file does not contain them"
