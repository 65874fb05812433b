"""Pages that a real WordPress printed with invented comments, saved as HTML and as text by Chromium.

``tests/release/saved_pages.py`` builds them.
"""

import re
from collections.abc import Callable

import pytest

from belowline.data.archives.html.pages import html_thread
from belowline.data.archives.saved_page.page import parse_page
from tests.support.saved_pages import Found, count, layouts, page_text, pages, rows_of, true_rows

LAYOUTS = layouts()
WPDISCUZ = [layout for layout in LAYOUTS if layout.startswith("wpdiscuz")]
TITLES = ["The harbour pool opens again", "A night bus for the hill", "Library roof: 3 offers, no decision"]
# A page of each kind: date below and above the name, "says:", and wpDiscuz.
KINDS = [*WPDISCUZ, "twentyfifteen", "twentytwentyone", "twentytwentytwo", "twentytwentyfive"]


def test_every_layout_is_there():
    assert len(LAYOUTS) == 18
    assert len(WPDISCUZ) == 3


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_comment_of_the_html_is_found(layout):
    assert count(layout, ".html") == Found(240, 240, 0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_but_one_comment_of_the_text_are_found(layout):
    found = count(layout, ".txt")
    assert found.rows == 240
    assert found.exact >= 239
    assert found.wrong <= 1


@pytest.mark.parametrize("suffix", [".html", ".txt"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_titles_are_found_and_articles_hold_no_furniture(layout, suffix):
    for (thread, _), title in zip(pages(layout, suffix), TITLES, strict=True):
        assert (thread.title or "").casefold() == title.casefold()
        assert not re.search(r"(?i)proudly|skip to|post navigation|subscribe|leave a reply", thread.text)
        assert thread.text.count("\n\n") >= 2


@pytest.mark.parametrize("suffix", [".html", ".txt"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_stated_number_is_met_or_noted(layout, suffix):
    for thread, comments in pages(layout, suffix):
        noted = [
            note for note in thread.notes if note.startswith(f"the page states {len(comments)} comments")
        ]
        assert bool(noted) == (len(thread.comments) != len(comments))


def test_a_page_cut_off_says_how_many_comments_are_missing():
    for suffix, read in ((".html", html_thread), (".txt", parse_page)):
        page = page_text("wpdiscuz-1", f"1{suffix}")
        thread = read(page[: len(page) // 2], "page")
        assert thread is not None
        assert 10 < len(thread.comments) < 70
        assert any(note.startswith("the page states 80 comments") for note in thread.notes)


FORM = "\n".join(
    [
        *("Subscribe", "Notify of", "guest", "80 Comments", "Oldest", "Newest", "Most Voted"),
        *("Inline Feedbacks", "View all comments", ""),
    ]
)
CHANGES: dict[str, Callable[[str], str]] = {
    "banner": lambda page: "Support our paper\n\n2,500 $\n5,000 $\n\nDonate\n\n" + page,
    "line ends": lambda page: page.replace("\n", "\r\n"),
    "form": lambda page: re.sub(r" Subscribe \n.*?Oldest ?\n", FORM, page, flags=re.DOTALL),
    "no count": lambda page: re.sub(r"(?im)^80 (?:comments|responses|thoughts)\b.*$", "", page),
    "no buttons": lambda page: re.sub(r"(?im)^ ?(?:reply|0)$\n?", "", page),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("layout", KINDS)
def test_changed_pages_hold_the_same_comments(layout, change):
    right = total = 0
    for number, (_, comments) in enumerate(pages(layout, ".txt"), start=1):
        thread = parse_page(CHANGES[change](page_text(layout, f"{number}.txt")), layout)
        true = true_rows(comments, ".txt", parents=layout in WPDISCUZ)
        right += sum(row in true for row in rows_of(thread))
        total += len(true)
        assert abs(len(thread.comments) - len(true)) <= 2
    assert right >= 0.98 * total


@pytest.mark.parametrize("layout", KINDS)
def test_comments_stay_apart_where_author_lines_were_lost(layout):
    """Every tenth name is taken out of the page; its date and its text stay."""
    for number, (whole, _) in enumerate(pages(layout, ".txt"), start=1):
        lost = {comment.author for comment in whole.comments[5::10]}
        names = "|".join(re.escape(name) for name in lost if name)
        page = re.sub(
            rf"(?m)^ ?(?:{names})(?: says:)?\n(?=says:|.*\d{{4}}|.*ago|\n)",
            "",
            page_text(layout, f"{number}.txt"),
        )
        thread = parse_page(page, layout)
        texts = [comment.text for comment in whole.comments]
        assert sum(comment.text in texts for comment in thread.comments) >= 0.9 * len(texts)
        kept = [comment.author for comment in whole.comments if comment.author not in lost]
        assert sum(comment.author in kept for comment in thread.comments) >= 0.9 * len(kept)
