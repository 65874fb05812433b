"""The three real pages, compared with a manual reading: author and hash of the text of every comment.

The manual count follows the pages' blank lines. In page 001 five of its 47 pieces (marked CONTINUES) read like further
paragraphs of the piece before. A line between them was lost exactly as where an author line was lost. The page does not
show the difference, so the reader splits them. By meaning the page has 42 comments.
"""

import hashlib
import re

import pytest

from belowline.data import Comment, Thread, read_threads
from belowline.data.archives.saved_page.page import parse_page
from tests.conftest import ROOT

ARCHIVES = ROOT.parent / "shared" / "archives"
CONTINUES = True

# page -> (title's hash, paragraphs of the article, (author, hash, CONTINUES) of each comment)

PAGE_000 = [
    (None, "33b768b77376"),
    ("John Whitehot", "083de3c03494"),
    (None, "1a82feb7b9df"),
    (None, "94b3b33d7da9"),
    (None, "f58ec24b65a9"),
    ("Manuel Flores Escobar", "0480db6732de"),
    (None, "513a9f99cd12"),
    ("jason sixx", "3028220c816e"),
    ("Deo Cass", "22502c6c6d47"),
    ("John Brown", "e27c1d84cbe3"),
    ("John Brown", "fb68e8fadf71"),
    ("Terence Silvestre Jr.", "b19f8c62c35d"),
    (None, "b98573e79cb9"),
    ("Floyd Hazzard", "33164b6fd044"),
    (None, "e042f558b2b9"),
    (None, "fa163d446a79"),
    (None, "d5d51ac3a218"),
]
PAGE_001 = [
    (None, "f2b3388f7194"),
    ("Doom Sternz", "6c58326fedb7"),
    ("Florian N", "17f23d8fcf4c"),
    (None, "92425a06f6ee"),
    (None, "a4d20216259b"),
    ("Terra Cotta Woolpuller", "d44c514c48e1"),
    ("Frank Behrens", "1b67a808eef6"),
    ("Gary Sellars", "d0705a6e668c"),
    ("Frank Behrens", "7fe1ae243fd9"),
    ("Tudor Miron", "b194d99dcd96"),
    ("Frank Behrens", "73a80942df3c"),
    (None, "c93f9bb0590b", CONTINUES),
    (None, "033e5bd7fa9a", CONTINUES),
    ("Florian N", "f0bbb2431f3a"),
    (None, "0f28b17ed58b"),
    (None, "42b6ae6dd90c"),
    ("Terra Cotta Woolpuller", "a8228b6ca8fd"),
    (None, "766fb340a2a7"),
    (None, "317c02349b5e"),
    ("Gary Sellars", "1779c5727453"),
    (None, "9c9469731208"),
    ("Florian N", "065b1f3192be"),
    (None, "7bad1c49eb0b"),
    ("Florian N", "64becddb17cd"),
    ("Solomon Krupacek", "bcc1853af698"),
    (None, "e64e6aee7464"),
    (None, "74319a5cd946"),
    (None, "a2f1137a9402"),
    (None, "cd1c7a13d9e4"),
    (None, "ed68bec46a3e"),
    (None, "683db6d3cb2f"),
    ("Terra Cotta Woolpuller", "fe9bcf086026"),
    (None, "7f268ea8d65c"),
    ("Langaniso Mhlobo", "3b70317e5f52"),
    ("Toni Liu", "b20455daff87"),
    (None, "b40ea4062811"),
    ("Terra Cotta Woolpuller", "cd6481b51867"),
    (None, "796dbf8a292b"),
    (None, "8e9cc2ff8980"),
    (None, "0be655035019"),
    (None, "7b5259a1ad5c"),
    (None, "605d647ff007", CONTINUES),
    (None, "1d2aa5030c78", CONTINUES),
    (None, "e21746f90b13", CONTINUES),
    (None, "f6d6a8d80892"),
    ("Hide Behind", "3300947d6a99"),
    (None, "a2d4875672ce"),
]
PAGE_002 = [
    ("Michael Qiao", "5b5fe3329693"),
    (None, "622c8597bd55"),
    ("Terra Cotta Woolpuller", "fcaffb88f3ad"),
    (None, "c8d39c7871a7"),
    (None, "8fdda9906950"),
    (None, "65e123dd6bfd"),
    (None, "7c848c2136d0"),
    (None, "568d226e6693"),
    ("Goran Grubić HardyVeles", "cba85131f88c"),
    ("Jan Tjarks", "af16510b353f"),
    (None, "701893e55b49"),
    (None, "063e7217aa44"),
    (None, "a6aa25cf5bca"),
    (None, "b0dde7657da7"),
    (None, "9cbe29265a14"),
]
PAGES = {
    "000_dc5b120c8b8451e1.txt": (PAGE_000, "eb5a7b6a4ed3", 6, "3db3892d9784"),
    "001_de064a546b838027.txt": (PAGE_001, "5fc5e290810d", 6, "109a80563696"),
    "002_29266f679b1960d9.txt": (PAGE_002, "c3dac4d63a13", 7, "af0a549bfc81"),
}
HAND_COUNTS = {"000": (17, 17), "001": (47, 42), "002": (15, 15)}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read(name: str) -> Thread:
    if not (ARCHIVES / name).is_file():
        pytest.skip("../shared/archives is not there: the real pages are never committed")
    (thread,) = read_threads(ARCHIVES / name)
    return thread


@pytest.mark.parametrize("name", PAGES)
def test_comments_are_those_that_a_person_found(name):
    comments = [(comment.author, digest(comment.text)) for comment in read(name).comments]
    assert comments == [row[:2] for row in PAGES[name][0]]


@pytest.mark.parametrize("name", PAGES)
def test_article_is_whole_and_free_of_furniture(name):
    thread = read(name)
    _, title, paragraphs, text = PAGES[name]
    assert digest(thread.title or "") == title
    assert len(thread.text.split("\n\n")) == paragraphs
    assert digest(thread.text) == text
    for furniture in (
        "Support SouthFront",
        "Click to see",
        "2,500 $",
        "Notify of",
        "MARCH 2025",
        "JUNE 2021",
    ):
        assert furniture not in thread.text


@pytest.mark.parametrize("name", PAGES)
def test_hand_counts(name):
    pieces, by_sense = HAND_COUNTS[name[:3]]
    table = PAGES[name][0]
    assert (len(table), sum(len(row) == 2 for row in table)) == (pieces, by_sense)
    assert len(read(name).comments) == pieces


@pytest.mark.parametrize("name", PAGES)
def test_no_furniture_in_comments(name):
    for comment in read(name).comments:
        assert "comment image" not in comment.text
        assert "Would love your thoughts" not in comment.text
        assert comment.parent is None


def test_author_that_looks_like_a_button_is_an_author():
    authors = [comment.author for comment in read("001_de064a546b838027.txt").comments]
    assert authors.count("Hide Behind") == 1


def test_whole_folder():
    if not ARCHIVES.is_dir():
        pytest.skip("../shared/archives is not there: the real pages are never committed")
    assert [len(thread.comments) for thread in read_threads(ARCHIVES)] == [17, 47, 15]


def where_comments_begin(page: str, comments: tuple[Comment, ...]) -> int:
    return page.find("View all comments") + 1 or page.index(f"\n{comments[0].author}\n")


def below_texts(page: str, comments: tuple[Comment, ...], below: str) -> str:
    """The page with lines below every comment."""
    start = where_comments_begin(page, comments)
    for comment in comments:
        last = comment.text.rpartition("\n\n")[2]
        start = page.index(last, start) + len(last)
        page = page[:start] + below + page[start:]
    return page


def below_names(page: str, comments: tuple[Comment, ...], below: str) -> str:
    """The page with lines below every author's name."""
    start = where_comments_begin(page, comments)
    for name in filter(None, (comment.author for comment in comments)):
        start = page.index(f"\n{name}\n", start) + 1 + len(name)
        page = page[:start] + below + page[start:]
    return page


KIN = {
    "oldest first": lambda page, _: page.replace("Newest Most Voted", "Oldest"),
    "all orders": lambda page, _: page.replace("Newest Most Voted", "Oldest | Newest | Most Voted"),
    "other figures": lambda page, _: re.sub(r"\A(?:[\d,]+ \$\n)+", "€ 0\n€ 9.000\n€ 2.210\n", page),
    "a stated count": lambda page, found: page.replace("Notify of", f"Notify of\n{len(found)} Comments"),
    "votes": lambda page, found: below_texts(page, found, "\n\n3\n\nReply"),
    "votes down": lambda page, found: below_texts(page, found, "\n-1\n| Reply\n- Share"),
    "replies": lambda page, found: below_texts(page, found, "\n\n0\n\nReply\n\nHide Replies (2)"),
    "dates": lambda page, found: below_names(page, found, "\n\nDecember 14, 2017 3:21 pm"),
    "ages and badges": lambda page, found: below_names(page, found, "\nGuest\n7 years ago"),
    "other line ends": lambda page, _: page.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("kin", KIN)
@pytest.mark.parametrize("name", PAGES)
def test_kin_of_the_pages_hold_the_same_comments(name, kin):
    thread = read(name)
    changed = parse_page(KIN[kin]((ARCHIVES / name).read_text("utf-8"), thread.comments), name)
    said = [(comment.author, comment.text) for comment in thread.comments]
    assert [(comment.author, comment.text) for comment in changed.comments] == said
    assert (changed.title, changed.text) == (thread.title, thread.text)
