"""Saved pages: invented ones in the layout of wpDiscuz."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belowline.data import Thread
from belowline.data.archives.saved_page.page import parse_page
from belowline.data.archives.words import stated_count

ARTICLE = """Bridge Closed To Lorries

The bridge was closed on Monday after divers found cracks in two of its pillars.

Repairs are expected to take until October, the authority said on Tuesday."""
FORM = "\n\n\nNotify of\nNewest Most Voted\nInline Feedbacks\nView all comments\n\n"
CLOSING = "\n\nWould love your thoughts, please comment.x"


def read(text: str) -> Thread:
    return parse_page(text, "page.txt")


def said(thread: Thread) -> list[tuple[str | None, str]]:
    return [(comment.author, comment.text) for comment in thread.comments]


def below(comments: str, form: str = FORM) -> list[tuple[str | None, str]]:
    return said(read(ARTICLE + form + comments + CLOSING))


def test_author_line_one_blank_line_text():
    assert below("Ann Lee\n\nFirst of all.\n\nBob Ray\n\nNot so fast.") == [
        ("Ann Lee", "First of all."),
        ("Bob Ray", "Not so fast."),
    ]


def test_first_author_may_stand_right_below_the_form():
    form = "\n\nNotify of\nInline Feedbacks\nView all comments\n"
    assert below("Ann Lee\n\nFirst of all.", form) == [("Ann Lee", "First of all.")]


def test_two_blank_lines_are_a_lost_author_line():
    assert below("Nobody knows me.\n\n\nNor me.\n\nAnn Lee\n\nBut me.") == [
        (None, "Nobody knows me."),
        (None, "Nor me."),
        ("Ann Lee", "But me."),
    ]


def test_paragraphs_of_one_comment_stay_together():
    (comment,) = below("Ann Lee\n\nOne thing is certain.\n\nanother is not\n\nA third I forgot.")
    assert comment == ("Ann Lee", "One thing is certain.\n\nanother is not\n\nA third I forgot.")


def test_lines_of_one_paragraph_stay_lines():
    assert below("Ann Lee\n\nOne line.\nAnother line.") == [("Ann Lee", "One line.\nAnother line.")]


def test_short_comment_between_author_lines_is_no_author():
    page = (
        "jason smith\n\nNever learn\n\nDeo Marsh\n\n"
        "One has to understand that this is an old bridge.\n\nBo Lind\n\nWell said"
    )
    assert [author for author, _ in below(page)] == ["jason smith", "Deo Marsh", "Bo Lind"]
    assert below(page)[0][1] == "Never learn"


def test_short_comment_without_author_is_no_author():
    page = (
        "Ann Lee\n\nIt is an old bridge, and nobody cared.\n\n\nHaha sounds good bruh\n\n\nPlease repair it."
    )
    assert below(page)[1] == (None, "Haha sounds good bruh")


@pytest.mark.parametrize(
    "name",
    [
        "Hide Behind",
        "Terence Hill Jr.",
        "J. R. Smith",
        "Goran Grubić Hardy",
        "Иван Петров",
        "rob_77",
        "The Old Man",
        "王小明",
    ],
)
def test_names(name):
    page = f"{name}\n\nIt is an old bridge, and nobody cared.\n\nAnn Lee\n\nThat is true.\n\n{name}\n\nIt is."
    assert [author for author, _ in below(page)] == [name, "Ann Lee", name]


def test_author_whose_comment_was_lost_does_not_take_the_next_one():
    page = "Ann Lee\n\nThat is true.\n\nHide Behind\n\n\n\nIt warms the heart to see.\n\nAnn Lee\n\nIt does."
    thread = read(ARTICLE + FORM + page)
    assert said(thread)[1] == (None, "It warms the heart to see.")
    assert len(thread.comments) == 3
    [note] = thread.notes
    assert note.startswith("1 of 4 comments")


def test_picture_alone_is_no_text():
    thread = read(
        ARTICLE
        + FORM
        + "Ann Lee\n\nLook at this.\n\n\ncomment image\n\nBob Ray\n\ncomment image\n\nWhat a crack."
    )
    assert said(thread) == [("Ann Lee", "Look at this."), ("Bob Ray", "What a crack.")]
    assert thread.notes


def test_votes_dates_and_buttons_are_left_out():
    page = (
        "Ann Lee\n\n7 years ago\n\nIt is an old bridge.\n\n3\n\nReply\n\n"
        "Hide Replies (2)\n\nRob\n\nJanuary 14, 2018 10:32 am\n\nlol\n\n"
        "-1\n\nReply\n\nLast edited 6 years ago by Rob\n\nBob Ray\n\n"
        "2018-01-14\n\nTrue, very old … Read more »\n\n0\nReply\n- Share\n\nVote Up\n5\nVote Down"
    )
    assert below(page) == [("Ann Lee", "It is an old bridge."), ("Rob", "lol"), ("Bob Ray", "True, very old")]


def test_date_below_a_line_makes_it_an_author():
    assert below("thanks for nothing\n\n2 days ago\n\nIt is an old bridge.") == [
        ("thanks for nothing", "It is an old bridge.")
    ]


def test_a_badge_between_name_and_date_is_no_part_of_the_name():
    page = "Ann Lee\nNoble Member\n7 years ago\n\nIt is old.\n\n3\n\nGuest\n2 days ago\n\nVery."
    assert below(page) == [("Ann Lee", "It is old."), ("Guest", "Very.")]


def test_parent_only_where_the_page_names_it():
    page = (
        "Ann Lee\n\nIt is old.\n\nBob Ray\n\nReply to  Ann Lee\n\n"
        "How old is it?\n\nCarl Foe\n\nReply to everybody here\n\nCalm down."
    )
    thread = read(ARTICLE + FORM + page)
    assert [comment.parent for comment in thread.comments] == [None, thread.comments[0].id, None]
    assert thread.comments[2].text == "Reply to everybody here\n\nCalm down."


def test_quote_inside_a_comment():
    page = (
        "Ann Lee\n\n“Repairs take until October”\n\nI doubt it.\n\n\n"
        "> I doubt it.\n\nSo do I.\n\nBob Ray\n\nNo."
    )
    assert [author for author, _ in below(page)] == ["Ann Lee", None, "Bob Ray"]
    assert below(page)[1][1] == "> I doubt it.\n\nSo do I."


@pytest.mark.parametrize(
    "order",
    ["Oldest", "Newest", "Most Voted", "Oldest Newest Most Voted", "Newest | Oldest", "Sort by: Oldest"],
)
def test_sort_orders(order):
    form = f"\n\n\nNotify of\n2 Comments\n{order}\nInline Feedbacks\nView all comments\n\n"
    assert below("Ann Lee\n\nOne.\n\nBob Ray\n\nTwo.", form) == [("Ann Lee", "One."), ("Bob Ray", "Two.")]


@pytest.mark.parametrize(
    "figures",
    ["0 $\n2,500 $\n5,000 $\n640 $", "€ 120\n€ 3.000", "$1,200 of $5,000", "1 500 £", "2,500 USD\nEUR 640"],
)
def test_article_is_free_of_furniture(figures):
    page = (
        f"{figures}\nMARCH 2025\n\nBridge Closed To Lorries\n\n"
        f"Support SouthFront\n\nBridge Closed To Lorries\n\n"
        "Click to see the full-size image\n\nDivers found cracks.\n\n"
        "A pillar of the bridge\n\nClick to see the full-size map\n\n"
        "A pillar of the bridge\n\nRepairs take long.\n\nSupport SouthFront"
    )
    thread = read(page + FORM + "Ann Lee\n\nOne.")
    assert thread.title == "Bridge Closed To Lorries"
    assert thread.text == "Divers found cracks.\n\nRepairs take long."


def test_figures_and_dates_in_comments_that_say_something_stay():
    assert below("Ann Lee\n\n2,500 $ is too much.\n\nMARCH 2025 it was.") == [
        ("Ann Lee", "2,500 $ is too much.\n\nMARCH 2025 it was.")
    ]


def test_address_at_the_top():
    thread = read("https://courier.example.com/bridge\n\n" + ARTICLE + FORM + "Ann Lee\n\nOne.")
    assert (thread.url, thread.title) == ("https://courier.example.com/bridge", "Bridge Closed To Lorries")


def test_page_without_form_splits_where_authors_begin():
    thread = read(
        ARTICLE + "\n\nAnn Lee\n\nseems to be an old bridge\n\n\ni think so too\n\nBob Ray\n\nSo what?"
    )
    assert thread.text.endswith("on Tuesday.")
    assert said(thread) == [
        ("Ann Lee", "seems to be an old bridge"),
        (None, "i think so too"),
        ("Bob Ray", "So what?"),
    ]


def test_page_without_form_whose_first_author_was_lost():
    thread = read(ARTICLE + "\n\n\nAn old bridge.\n\n\nVery old.\n\n\nToo old.\n\nBob Ray\n\nSo what?")
    assert len(thread.comments) == 4
    assert thread.text.endswith("on Tuesday.")


def test_headings_are_no_authors():
    page = (
        "A Long War\n\nNorthern Front\n\nThe army moved.\n\nIt went on.\n\n"
        "Southern Front\n\nIt rained.\n\nThen it stopped."
    )
    thread = read(page)
    assert thread.comments == ()
    assert thread.notes == ("no comments found",)


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("8 Comments", 8),
        ("8 COMMENTS", 8),
        ("Comments (8)", 8),
        ("Comments: 8", 8),
        ("1,204 comments", 1204),
        ("One comment", 1),
        ("No comments", 0),
        ("8 comments on “Bridge closed”", 8),
        ("8 comments were deleted", None),
        ("Comments", None),
    ],
)
def test_stated_count(line, count):
    assert stated_count(line) == count


EIGHT = (
    "Ann Lee\n\nFirst text here.\n\n\nSecond without author.\n\n\n"
    "Third one is\n\n\ncontinued here.\n\nBob Ray\n\nYes.\n\n\nNo.\n\n\n"
    "Sixth?\n\n\nSeventh!\n\nCarl Foe\n\nEighth."
)


@pytest.mark.parametrize("line", ["8 Comments", "8 COMMENTS", "Comments (8)"])
@pytest.mark.parametrize(
    "form", ["\n\n\nNotify of\n{}\nNewest Most Voted\nView all comments\n\n", "\n\n{}\n\n"]
)
def test_stated_count_joins_what_runs_on(line, form):
    comments = below(EIGHT, form.format(line))
    assert len(comments) == 8
    assert comments[2:4] == [(None, "Third one is\n\ncontinued here."), ("Bob Ray", "Yes.")]


def test_without_a_stated_count_a_lost_line_parts():
    assert len(below(EIGHT)) == 9


def test_stated_count_splits_paragraphs_where_blank_lines_do_not():
    page = (
        "One is here.\n\nTwo.\n\nThree is this.\n\nFour stands here.\n\n"
        "Five too.\n\nSix as well.\n\nSeven more.\n\nEight at last."
    )
    assert len(below(page, "\n\n\nNotify of\n8 Comments\nView all comments\n\n")) == 8
    assert len(below(page)) == 1


def test_stated_count_below_the_title_announces_nothing():
    page = (
        ARTICLE.replace("\n\n", "\n\n3 Comments\n\n", 1)
        + "\n\nAnn Lee\n\nfirst text\n\nBob Ray\n\nsecond text\n\nCarl Foe\n\nthird"
    )
    thread = read(page)
    assert [comment.author for comment in thread.comments] == ["Ann Lee", "Bob Ray", "Carl Foe"]
    assert thread.text.startswith("The bridge")


@pytest.mark.parametrize("stated", [2, 3])
@pytest.mark.parametrize("empty", ["\n\n\ncomment image\n\nBob Ray\n\n", "\n\nHide Behind\n\n\n\n"])
def test_stated_count_may_include_comments_without_text_or_not(stated, empty):
    page = f"Ann Lee\n\nAn old bridge.\n\nVery old.{empty}What a crack.\n\nA wide one."
    thread = read(ARTICLE + f"\n\n{stated} Comments" + FORM + page)
    assert [comment.text for comment in thread.comments] == [
        "An old bridge.\n\nVery old.",
        "What a crack.\n\nA wide one.",
    ]
    assert len(thread.notes) == stated - 1


def test_stated_count_that_cannot_be_met_is_noted():
    thread = read(ARTICLE + "\n\n9 Comments" + FORM + "Ann Lee\n\nOne.\n\nBob Ray\n\nTwo.")
    assert len(thread.comments) == 2
    [note] = thread.notes
    assert re.findall(r"\d+", note) == ["9", "2"]


def test_stated_count_of_a_thread_on_several_pages_is_no_constraint():
    thread = read(ARTICLE + "\n\n3 Comments" + FORM + "Ann Lee\n\nOne.\n\nStill mine.\n\nLoad More Comments")
    assert said(thread) == [("Ann Lee", "One.\n\nStill mine.")]
    [note] = thread.notes
    assert note.endswith("1 of 3 comments")


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\r\r\n"])
def test_line_endings(newline):
    page = ARTICLE + FORM + "Ann Lee\n\nOne.\n\n\nTwo.\n\nBob Ray\n\nThree."
    assert said(read(page.replace("\n", newline))) == said(read(page))


def test_page_without_any_blank_line():
    page = (
        "Bridge Closed\nDivers found cracks.\nNotify"
        " of\nView all comments\nAnn Lee\nIt is old.\nBob Ray\nVery."
    )
    assert said(read(page)) == [("Ann Lee", "It is old."), ("Bob Ray", "Very.")]


def test_what_stands_below_the_closing_prompt_is_left_out():
    page = ARTICLE + FORM + "Ann Lee\n\nOne." + CLOSING + "\n()\nx\n| Reply\nInsert\n\nOther Article\n\nText"
    assert said(read(page)) == [("Ann Lee", "One.")]


def test_all_authors_lost_is_not_a_page_with_wide_spacing():
    assert below("One.\n\n\nTwo.\n\n\nThree.") == [(None, "One."), (None, "Two."), (None, "Three.")]


def test_wide_spacing():
    page = ARTICLE + FORM + "Ann Lee\n\nOne.\n\n\nTwo.\n\nMore of two."
    assert said(read(page.replace("\n", "\n\n"))) == [("Ann Lee", "One."), (None, "Two.\n\nMore of two.")]


@pytest.mark.slow
def test_linear_time():
    page = ARTICLE + FORM + "Ann Lee\n\nIt is an old bridge.\n\n\nVery old indeed.\n\n" * 10_000
    start = time.process_time()
    assert len(read(page).comments) == 20_000
    assert time.process_time() - start < 20


def test_stated_count_far_off_does_not_take_long():
    page = ARTICLE + "\n\n50000 Comments" + FORM + "Ann Lee\n\nIt is an old bridge.\n\n" * 5_000
    assert len(read(page).comments) == 5_000


WORDS = st.sampled_from(
    [
        "bridge",
        "pillar",
        "repair",
        "river",
        "nothing",
        "water",
        "council",
        "lorry",
        "report",
        "winter",
        "because",
        "stands",
    ]
)
SENTENCES = st.lists(WORDS, min_size=4, max_size=12).map(lambda words: " ".join(words).capitalize() + ".")
PARAGRAPHS = st.lists(SENTENCES, min_size=1, max_size=3)
AUTHORS = st.none() | st.builds(
    "{} {}".format,
    st.sampled_from(["Ann", "Bob", "Carl", "Dora"]),
    st.sampled_from(["Lee", "Ray", "Foe", "Marsh"]),
)
COMMENTS = st.lists(st.tuples(AUTHORS, PARAGRAPHS), min_size=1, max_size=8)


def write_comments(comments) -> str:
    text = ""
    for author, paragraphs in comments:
        text += (f"\n\n{author}\n\n" if author else "\n\n\n" if text else "\n\n") + "\n\n".join(paragraphs)
    return text


@given(PARAGRAPHS, COMMENTS, st.booleans())
@settings(max_examples=60, deadline=None)
def test_page_built_from_parts_is_taken_apart_again(body, comments, stated):
    form = f"\n\n\nNotify of\n{len(comments)} Comments\nView all comments" if stated else FORM.rstrip()
    thread = read("Bridge Closed\n\n" + "\n\n".join(body) + form + write_comments(comments) + CLOSING)
    assert said(thread) == [(author, "\n\n".join(paragraphs)) for author, paragraphs in comments]
    assert thread.text.split("\n\n") == list(dict.fromkeys(body)) or len(set(body)) < len(body)
    assert thread.title == "Bridge Closed"


@given(st.lists(SENTENCES, min_size=1, max_size=6, unique=True), COMMENTS)
@settings(max_examples=60, deadline=None)
def test_article_is_never_a_comment_on_a_page_without_form(body, comments):
    named = [("Ann Lee", ["so it begins"]), (None, ["it does"]), *comments]
    thread = read("Bridge Closed\n\n" + "\n\n".join(body) + write_comments(named))
    assert thread.text == "\n\n".join(body)
    assert said(thread) == [(author, "\n\n".join(paragraphs)) for author, paragraphs in named]


LINES = st.sampled_from(
    [
        "",
        "",
        "Ann Lee",
        "8 Comments",
        "Reply",
        "View all comments",
        "comment image",
        "Text, long.",
        "2 days ago",
    ]
)


@given(st.text() | st.lists(LINES | st.text(max_size=20), max_size=30).map("\n".join))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_and_every_comment_says_something(text):
    thread = read(text)
    assert all(comment.text.strip() for comment in thread.comments)
    ids = [comment.id for comment in thread.comments]
    assert len(set(ids)) == len(ids)
    kept = re.sub(r"\s", "", "".join(comment.text for comment in thread.comments))
    assert len(kept) <= len(re.sub(r"\s", "", text))


def test_a_badge_above_or_below_the_name_is_no_part_of_it():
    page = (
        "Editor\nAnn Lee\n2 days ago\n\nIt is old.\n\n0\nReply\nBob Ray\nAdmin\n1 day ago\n\nVery.\n\n2\nReply\n"
        "Guest\n1 day ago\n\nToo old.\n\n0\nReply"
    )
    assert below(page) == [("Ann Lee", "It is old."), ("Bob Ray", "Very."), ("Guest", "Too old.")]


@pytest.mark.parametrize(
    "reply",
    ["Reply to  Ann Lee\n2 days ago", "Reply to\nAnn Lee\n2 days ago", "2 days ago\nReply to Ann Lee"],
)
def test_reply_to_and_name_may_stand_on_two_lines(reply):
    page = f"Ann Lee\n3 days ago\n\nIt is old.\n\n0\nReply\nBob Ray\n{reply}\n\nHow old?\n\n0\nReply"
    thread = read(ARTICLE + FORM + page)
    assert said(thread) == [("Ann Lee", "It is old."), ("Bob Ray", "How old?")]
    assert [comment.parent for comment in thread.comments] == [None, thread.comments[0].id]


def test_reply_belongs_to_the_nearest_comment_above_that_it_can_answer():
    page = "".join(
        f"{name}\n{f'Reply to {parent}{chr(10)}' if parent else ''}2 days ago\n\n{text}\n\n0\nReply\n"
        for name, parent, text in (
            *(
                ("Ann", None, "One."),
                ("Bob", "Ann", "Two."),
                ("Carl", "Bob", "Three."),
                ("Dora", "Ann", "Four."),
            ),
            *(("Ann", None, "Five."), ("Bob", None, "comment image"), ("Carl", "Bob", "Seven.")),
        )
    )
    ids = {comment.text: comment.id for comment in read(ARTICLE + FORM + page).comments}
    parents = {comment.text: comment.parent for comment in read(ARTICLE + FORM + page).comments}
    one, two = ids["One."], ids["Two."]
    assert parents == {"One.": None, "Two.": one, "Three.": two, "Four.": one, "Five.": None, "Seven.": None}


FOOTER = (
    "\n\nPost navigation\n\nPrevious post\n\nA bus for the hill\n\nRecent Posts\nBridge Closed To Lorries\nA bus for the hill"
    "\n\nThe Courier\nProudly powered by WordPress"
)


@pytest.mark.parametrize("date", ["", "\nMay 3, 2024 at 5:12 pm"])
@pytest.mark.parametrize("button", ["", "\n\nReply"])
def test_footer_never_joins_the_last_comment(date, button):
    page = "".join(
        f"{name}{date}\n\n{text}{button}\n\n" for name, text in (("Ann Lee", "One."), ("Bob Ray", "Two."))
    )
    assert said(read(ARTICLE + FORM + page.rstrip() + FOOTER)) == [("Ann Lee", "One."), ("Bob Ray", "Two.")]


@pytest.mark.parametrize("word", ["Recent Posts", "Search", "Archives", "Categories"])
def test_a_comment_that_sounds_like_a_footer_cuts_nothing_off(word):
    page = f"Ann Lee\n\n{word}\n\nBob Ray\n\nTwo is more than that.\n\nCarl Foe\n\nThree is enough.\n\nDora Marsh\n\nFour it is."
    assert [author for author, _ in below(page)] == ["Ann Lee", "Bob Ray", "Carl Foe", "Dora Marsh"]


@pytest.mark.parametrize(
    "head",
    [
        "Skip to content\n\nThe Courier\n\nHome\n\nAbout us\n\n",
        "Skip to main content\nThe Courier\n\n",
        "Help us: donate today and keep the presses running!\n\n2,500 $\n640 $\n\n",
        "We use cookies to make this site work.\n\nAccept all\n\n",
    ],
)
def test_title_below_the_head_of_a_site(head):
    thread = read(head + ARTICLE + FORM + "Ann Lee\n\nOne.\n\nBob Ray\n\nTwo.")
    assert thread.title == "Bridge Closed To Lorries"
    assert thread.text.startswith("The bridge was closed")
    assert said(thread) == [("Ann Lee", "One."), ("Bob Ray", "Two.")]


SINGLE_LINES = "\nSubscribe\nNotify of\nguest\n3 Comments\nOldest\nNewest\nMost Voted\nInline Feedbacks\nView all comments\n"


@pytest.mark.parametrize("date", ["", "3 years ago\n"])
def test_form_on_single_lines_right_above_the_first_name(date):
    page = f"Ann Lee\n{date}\nOne.\n\nTom (the other one)\n{date}\nTwo.\n\nJust Me\n{date}\nThree."
    assert below(page, SINGLE_LINES) == [
        ("Ann Lee", "One."),
        ("Tom (the other one)", "Two."),
        ("Just Me", "Three."),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "Tom (the other one)",
        "Anna [away]",
        "Just Me",
        "Not You Again",
        "Me & You",
        "Jan “Ace” Visser",
        "Greta van der Meer",
    ],
)
@pytest.mark.parametrize("stated", ["", "3 Comments\n"])
def test_names_with_brackets_or_common_words(name, stated):
    form = f"\n\nNotify of\n{stated}View all comments\n\n"
    page = f"Ann Lee\n\nIt is an old bridge.\n\n{name}\n\nThat was long ago, and nobody cared.\n\nBob Ray\n\nTrue."
    assert [author for author, _ in below(page, form)] == ["Ann Lee", name, "Bob Ray"]


@pytest.mark.parametrize(
    "text",
    [
        "42",
        "-1",
        "4 Comments",
        "Reply",
        "Share",
        "Agreed",
        "no",
        "👍",
        "1. Bread\n2. Butter",
        "• one\n\n• two",
        "Ann Lee says:\n\nno.",
    ],
)
@pytest.mark.parametrize("buttons", ["\n\n0\n Reply", "\n\nReply"])
def test_comments_that_are_a_list_a_number_or_a_word(text, buttons):
    page = "".join(
        f"{name}\nMay {day}, 2024 5:12 pm\n\n{said_there}{buttons}\n"
        for day, (name, said_there) in enumerate(
            (("Ann Lee", "One is here."), ("Bob Ray", text), ("Carl Foe", "Three is here.")), start=1
        )
    )
    assert below(page) == [("Ann Lee", "One is here."), ("Bob Ray", text), ("Carl Foe", "Three is here.")]


@pytest.mark.parametrize("text", ["42", "-1", "Share", "Reply"])
def test_numbers_and_words_without_buttons(text):
    page = f"Ann Lee\n\nIt is an old bridge.\n\nBob Ray\n\n{text}\n\nCarl Foe\n\nThat was long ago."
    assert below(page)[1] == ("Bob Ray", text)


def test_buttons_part_comments_whose_author_lines_were_lost():
    page = "Ann Lee\n2 days ago\n\nOne.\n\n0\nReply\nThis was said by nobody.\n\n0\nReply\n1 day ago\n\nNor was this.\n\n0\nReply\nBob Ray\n1 day ago\n\nTwo.\n\n0\nReply"
    assert below(page) == [
        ("Ann Lee", "One."),
        (None, "This was said by nobody."),
        (None, "Nor was this."),
        ("Bob Ray", "Two."),
    ]


def test_a_date_in_a_comment_is_no_author_line():
    page = "".join(
        f"{name}\nMay {day}, 2024\n\n{text}\n\nReply\n"
        for day, (name, text) in enumerate(
            (
                ("Ann Lee", "It closed on\n\nMay 3, 2021\n\nfor good."),
                ("Bob Ray", "No."),
                ("Carl Foe", "Yes."),
            ),
            start=1,
        )
    )
    assert said(read(ARTICLE + "\n\n3 responses to “Bridge”\n" + page))[0] == (
        "Ann Lee",
        "It closed on\n\nMay 3, 2021\n\nfor good.",
    )


@pytest.mark.parametrize(
    "date",
    [
        *(
            "May 3, 2024 at 5:12 pm",
            "May 3, 2024",
            "3 May 2024",
            "3. May 2024 17:12",
            "2024-05-03 17:12",
            "03/05/2024 17:12",
            "3 May 2024 at 17:12",
        ),
        *(
            "Friday, May 3, 2024 5:12 PM",
            "MAY 3, 2024 AT 5:12 PM",
            "2 months ago",
            "just now",
            "May 3rd, 2024 @ 5:12 pm",
            "on May 3, 2024 at 5:12 pm said:",
            "May 3, 2024 at 5:12 pm Edit",
            "May 3, 2024 at 5:12 pm (Edit)",
        ),
        *(
            "2 years, 3 months ago",
            "2y ago",
            "3 d ago",
            "5/3/24",
            "May 3, 2024 at 17:12 CET",
            "3 May 2024 17:12 UTC+2",
            "May 3, 2024 | Reply",
            "May 3, 2024 at 5:12 pm — Reply",
        ),
    ],
)
def test_dates_of_sites(date):
    page = "".join(
        f"{name}\n{date}\n\n{text}\n\n"
        for name, text in (("Ann Lee", "one word"), ("Bob Ray", "More of it.\n\nAnd more."), ("x", "no"))
    )
    assert below(page) == [("Ann Lee", "one word"), ("Bob Ray", "More of it.\n\nAnd more."), ("x", "no")]


def test_dated_pages_take_linear_time():
    comment = "Ann Lee\nMay 3, 2024 at 5:12 pm\n\nIt is an old bridge.\n\nVery old indeed.\n\n0\nReply\n"
    start = time.process_time()
    assert len(read(ARTICLE + FORM + comment * 5_000).comments) == 5_000
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    "line",
    [
        "Reply\n\n",
        "0\nReply\n",
        "May 3, 2024\n",
        "Ann\nReply to\n",
        "8 Comments\nMay 3, 2024\n",
        "\n",
        "2024" * 100 + " said:\n",
        "1,",
    ],
)
def test_repeated_marks_take_linear_time(line):
    start = time.process_time()
    read(ARTICLE + FORM + "Ann Lee\nMay 3, 2024\n\nText.\n" + line * 5_000)
    assert time.process_time() - start < 20


ABOVE = "\n\n3 responses to “Bridge”\n"
THREE = [
    ("Ann Lee", "One is here."),
    ("Bob Ray", "Two, or\n\nReply\n\nor so."),
    ("Carl Foe", "Three\n\nis here."),
]
CLASSIC = "{name} says:\nMay 3, 2024 at 5:12 pm\n\n{text}\n\nReply\n"
FOOTERS = {
    "imprint": "\nImprint\nContact us\nPrivacy\n",
    "letter": "\n\nGet our letter\nYour name\n\nWritten in ink\n",
    "one line": "\nLeave a Reply Cancel reply\nComment *\n",
    "known": "\nGet our letter\nSign up\n© 2024 The Courier",
}


def written(form: str, rows: list[tuple[str, str]] = THREE) -> str:
    return "".join(form.format(name=name, text=text) for name, text in rows)


@pytest.mark.parametrize("footer", FOOTERS)
@pytest.mark.parametrize("above", [ABOVE, "\n\nComments\n"])
@pytest.mark.parametrize("form", [CLASSIC, CLASSIC.replace("Reply", "0\nReply")])
def test_an_unknown_footer_is_no_comment(footer, above, form):
    found = said(read(ARTICLE + above + written(form) + FOOTERS[footer]))
    assert found[0] == THREE[0]
    assert above != ABOVE or found == THREE


@pytest.mark.parametrize(
    "prompt", ["Leave a Reply Cancel reply", "Leave a Comment Cancel Reply", "Post a comment"]
)
def test_a_prompt_on_one_line_ends_a_page_without_buttons(prompt):
    page = written(CLASSIC.replace("\n\nReply", "\n"), [THREE[0], THREE[2]])
    assert said(read(ARTICLE + f"\n\nComments\n{page}\n{prompt}\nComment *\nName *")) == [THREE[0], THREE[2]]


@pytest.mark.parametrize("buttons", ["\n\nReply", ""])
def test_pingbacks_are_left_out_and_counted(buttons):
    form = CLASSIC.replace("\n\nReply", buttons)
    rows = [THREE[0], ("Bob Ray", "Pingback: a word I do not know."), THREE[2]]
    first, rest = written(form, rows[:1]), written(form, rows[1:])
    page = (
        f"Pingback: Another blog\n\n{first}\nTrackback: Boats\n\n{rest}\nPingback: Nets\nPingback: Ropes\n\n"
    )
    thread = read(f"{ARTICLE}\n\n7 thoughts on “Bridge”\n{page}Leave a Reply\nComment *")
    assert said(thread) == rows
    assert thread.notes == ("comments: 4 left out as pingbacks or trackbacks",)


@pytest.mark.parametrize("above", [ABOVE.replace("3", "60"), f"{FORM}60 Comments\n"])
@pytest.mark.parametrize("form", [CLASSIC, CLASSIC.replace("Reply", "0\nReply")])
def test_a_file_with_few_of_the_stated_comments_holds_them(above, form):
    rows = [THREE[0], THREE[2], ("Dora Marsh", "4"), ("Tim [guest]", "Reply")]
    assert said(read(ARTICLE + above + written(form, rows) + "\nLeave a Reply\nComment *\n")) == rows


@pytest.mark.parametrize("place", ["says:\n{}\n", "5:12 pm\n{}\n", "5:12 pm\n\n{}\n"])
def test_a_notice_to_the_writer_is_neither_author_nor_text(place):
    before = place.partition("{")[0]
    page = written(CLASSIC, [THREE[0], THREE[2]])
    page = page.replace(before.rstrip("\n") + "\n", place.format("Your comment is awaiting moderation."), 1)
    thread = read(f"{ARTICLE}\n\n2 thoughts on “Bridge”\n{page}\nLeave a Reply\n")
    assert said(thread) == [THREE[0], THREE[2]]
    assert thread.notes == ("comments: 1 waiting for a moderator",)


@pytest.mark.parametrize(
    "header",
    [
        "{name} says:\nMay 3, 2024 at 5:12 pm\nEdit",
        "{name}\nMay 3, 2024\n5:12 pm",
        "{name} commented on May 3, 2024 at 5:12 pm:",
        "Comment by {name} — May 3, 2024",
        "May 3, 2024 at 5:12 pm | {name}",
        "May 3, 2024 – by {name}",
        "{name} says:\nMay 3",
        "{name} said:\n3 May at 5:12 pm",
    ],
)
def test_author_lines_of_sites(header):
    rows = [*THREE, ("Dora Marsh", "Edit"), ("Tim [guest]", "5:12")]
    page = written(header + "\n\n{text}\n\nReply\n", rows)
    assert said(read(f"{ARTICLE}\n\n5 thoughts on “Bridge”\n{page}\nLeave a Reply\n")) == rows


def test_a_number_of_likes_in_words_is_no_text():
    page = written(CLASSIC.replace("Reply", "Liked by 3 people\nReply"), [THREE[0], THREE[2]])
    assert said(read(f"{ARTICLE}\n\n2 thoughts on “Bridge”\n{page}\nLeave a Reply\n")) == [THREE[0], THREE[2]]


DISCUZ = "{label}{name}\n2 years ago{parent}\n\n{text}\n\n0\nReply\n"
ROLES = {"Ann Lee": "Captain", "Carl Foe": "Top Commenter", "Dora Marsh": "Captain"}


@pytest.mark.parametrize("stated", ["", "5 Comments\n"])
@pytest.mark.parametrize("below_name", [False, True])
def test_the_label_of_a_role_is_neither_a_comment_nor_a_name(stated, below_name):
    rows = [*THREE, ("Dora Marsh", "Captain"), ("Ann Lee", "Me\n\nagain.")]
    page = ""
    for name, text in rows:
        label = f"{ROLES[name]}\n" if name in ROLES else ""
        shown = f"{name}\n{label}".rstrip("\n") if below_name else name
        page += DISCUZ.format(label="" if below_name else label, name=shown, parent="", text=text)
    assert said(read(ARTICLE + FORM.rstrip("\n") + "\n" + stated + page + CLOSING)) == rows


@pytest.mark.parametrize("counters", ["+1\n-0", "0\n0", "+12\n−3"])
def test_two_counters_of_votes_are_no_text(counters):
    rows = [*THREE, ("Dora Marsh", "42"), ("Tim [guest]", "+1"), ("Ann Lee", "Reply")]
    page = written("{name}\n2 years ago\n\n{text}\n\n0\nReply\n".replace("0\nR", f"{counters}\nR"), rows)
    assert below(page) == rows


def test_long_names_are_names():
    name = "Somebody Who Likes To Write All The Titles That She Ever Had In Her Name, MSc, PhD"
    rows = [THREE[0], (name, "Two."), THREE[2]]
    thread = read(f"{ARTICLE}{ABOVE}{written(CLASSIC, rows)}\nLeave a Reply\n")
    assert said(thread) == rows


def test_a_page_without_comments_has_no_note_on_lost_ones():
    thread = read(
        ARTICLE
        + FORM.rstrip("\n")
        + "\n0 Comments\nOldest\n\nPost navigation\nOlder boats\nRecent Posts\nNets"
    )
    assert (thread.comments, thread.notes) == ((), ())


def test_a_button_with_the_name_of_its_comment_is_no_text():
    rows = [*THREE, ("Dora Marsh", "Reply to Ann Lee")]
    page = "".join(
        written(CLASSIC.replace("Reply", f"Reply to {name}"), [(name, text)]) for name, text in rows
    )
    assert said(read(f"{ARTICLE}\n\n4 thoughts on “Bridge”\n{page}\nLeave a Reply\n")) == rows


def test_the_numbers_of_a_list_are_no_part_of_names():
    rows = [(f"{number}. {name}", text) for number, (name, text) in enumerate(THREE, 1)]
    assert said(read(f"{ARTICLE}{ABOVE}{written(CLASSIC, rows)}\nLeave a Reply\n")) == THREE


def test_a_gap_ends_the_last_comment_of_a_page_without_buttons():
    rows = [THREE[0], THREE[2]]
    page = written("{name}\n2 years ago\n\n{text}\n\n", rows)
    form = FORM.rstrip("\n") + "\n2 Comments\nOldest\n"
    footer = "\nGet our letter every Friday\nSign up\n\nContact\n© 2024 The Courier"
    assert said(read(ARTICLE + form + page + footer)) == rows


@pytest.mark.parametrize(
    ("ages", "parent"),
    [
        (("3 days", "2 days", "1 day", "20 hours"), "3"),
        (("3 days", "2 days", "20 hours", "1 day"), "1"),
        (("1 year, 2 months", "1 year", "3 weeks", "1 month"), "1"),
        (("2 years", "2 years", "2 years", "2 years"), "3"),
        (("1 day", "1 day", "1 day", "2 days"), "3"),
    ],
)
def test_a_reply_is_not_older_than_what_it_answers(ages, parent):
    rows = (("Ann Lee", ""), ("Bob Ray", "Ann Lee"), ("Ann Lee", "Bob Ray"), ("Carl Foe", "Ann Lee"))
    page = "".join(
        f"{name}\n{age} ago\n"
        + (f"Reply to {answered}\n" if answered else "")
        + f"\nNumber {number}.\n\n0\nReply\n"
        for number, ((name, answered), age) in enumerate(zip(rows, ages, strict=True))
    )
    comments = read(ARTICLE + FORM + page + CLOSING).comments
    assert [comment.parent for comment in comments] == [None, "1", "2", parent]
