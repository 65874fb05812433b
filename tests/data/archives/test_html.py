"""Saved HTML pages: invented ones with the markup of real comment systems."""

import json
from datetime import UTC, datetime
from html import escape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from belowline.data import ReadError, Thread
from belowline.data.archives.html.pages import decode_page, html_thread, looks_like_html, read_html

HEAD = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Bridge closed - The Harbour Post</title>
<meta property="og:site_name" content="The Harbour Post"><link rel="canonical" href="https://post.example/bridge">
<style>.x{}</style></head><body><nav>Home</nav><article class="post"><header><h1>Bridge closed</h1>by Ann</header>
<div class="entry-content"><p>Divers found cracks.</p><p>Repairs take until <b>October</b>.<script>x()</script></p>
</div></article>"""

WPDISCUZ = (
    HEAD
    + """<div id="comments"><div id="wpdcom" class="wpdiscuz_unauth"><form class="wpd_comm_form">Join in</form>
<div class="wpd-thread-list">
<div id="wpd-comm-11_0" class="comment even thread-even depth-1 wpd-comment wpd_comment_level-1">
 <div class="wpd-comment-wrap wpd-blog-guest"><div class="wpd-comment-left"><div class="wpd-avatar"></div></div>
 <div id="comment-11" class="wpd-comment-right"><div class="wpd-comment-header">
  <div class="wpd-comment-author"><a rel="noreferrer ugc" href="https://marta.example">Marta Lindqvist</a></div>
  <div class="wpd-comment-date" title="June 3, 2024 5:12 pm"><i></i> 2 days ago</div>
  <div class="wpd-comment-share wpd-hidden"><span class="wpd-comment-link"><span data-wpd-clipboard="#comment-11">
  </span></span></div></div>
 <div class="wpd-comment-text"><p>Then publish &amp; be done <img class="emoji" alt="&#x1f642;" src="x.svg"></p>
  <blockquote><p>Divers found cracks.</p></blockquote><p>See <a href="https://council.example/r">the report</a>.<br>
  Or <a href="https://www.council.example/">council.example</a></p></div>
 <div class="wpd-comment-footer"><div class="wpd-vote-result">4</div><div class="wpd-reply-button">Reply</div></div>
 </div></div>
 <div id="wpdiscuz_form_anchor-11_0"></div>
 <div id="wpd-comm-12_11" class="comment odd depth-2 wpd-comment wpd-reply wpd_comment_level-2">
  <div class="wpd-comment-wrap wpd-blog-user"><div id="comment-12" class="wpd-comment-right">
  <div class="wpd-comment-header"><div class="wpd-comment-author"><a href="/u/tom">Tom</a></div>
  <div class="wpd-comment-date" title="2024-06-03T17:20:00+02:00">2 days ago</div>
  <div class="wpd-reply-to">Reply to <a href="#comment-11">Marta Lindqvist</a></div></div>
  <div class="wpd-comment-text"><p>It is long and <span id="wpdiscuz-readmore-12_11"><span class="wpdiscuz-hellip">
  &hellip;&nbsp;</span><span class="wpdiscuz-readmore" title="Read more">Read more &raquo;</span></span></p></div>
  </div></div></div>
</div>
<div id="wpd-comm-13_0" class="comment wpd-comment wpd-unapproved-comment"><div class="wpd-comment-wrap">
 <div id="comment-13" class="wpd-comment-right"><div class="wpd-comment-author">Bo</div>
 <div class="wpd-comment-text"><p><img src="cat.png" alt="comment image"></p></div></div></div></div>
<div class="wpdiscuz-comment-pagination"><div class="wpd-load-more-submit-wrap"><button
 class="wpd-load-more-submit">Load More Comments</button></div></div>
</div></div></div></body></html>"""
)

WORDPRESS = (
    HEAD
    + """<div id="comments" class="comments-area"><h2>3 thoughts</h2><ol class="comment-list">
<li id="comment-5" class="comment even depth-1 parent"><article id="div-comment-5" class="comment-body">
 <footer class="comment-meta"><div class="comment-author vcard"><img alt="" class="avatar">
 <b class="fn"><a href="https://ann.example">Ann Lee</a></b> <span class="says">says:</span></div>
 <div class="comment-metadata"><a href="#comment-5"><time datetime="2024-05-09T07:40:00+00:00">May 9</time></a></div>
 </footer><div class="comment-content"><p>First.</p><p>Second<br />line.</p></div>
 <div class="reply"><a href="#r">Reply</a></div></article>
 <ol class="children"><li id="comment-6" class="comment depth-2"><article id="div-comment-6" class="comment-body">
  <footer class="comment-meta"><div class="comment-author vcard"><b class="fn">Bob</b></div>
  <em class="comment-awaiting-moderation">Your comment is awaiting moderation.</em></footer>
  <div class="comment-content"><p>Not so fast.</p></div></article></li></ol></li>
<li id="comment-7" class="pingback"><div class="comment-body">Pingback: </div></li></ol></div></body></html>"""
)

CLASSIC = (
    HEAD
    + """<ol class="commentlist"><li class="comment" id="li-comment-8"><div id="comment-8" class="comment-body">
<div class="comment-author vcard"><cite class="fn">Carl</cite> <span class="says">says:</span></div>
<div class="comment-meta commentmetadata"><a href="#comment-8">May 9, 2024 at 7:40 am</a></div>
<p>An old theme.</p><div class="reply">Reply</div></div>
<ul class="children"><li class="comment" id="li-comment-9"><div id="comment-9" class="comment-body">
<cite class="fn">Dora</cite><p>Still read.</p></div></li></ul></li></ol>"""
)

DISQUS = (
    HEAD
    + """<div id="posts"><ul id="post-list" class="post-list"><li class="post" id="post-501"><div data-role="post-content"
class="post-content"><div class="post-body"><header class="comment__header"><span class="post-byline"><span
class="author publisher-anchor-color"><a href="https://disqus.com/by/ann/" data-action="profile">Ann Lee</a></span>
</span><span class="post-meta"><a class="time-ago" title="Thursday, May 9, 2024 7:40 AM">a year ago</a></span></header>
<div class="post-body-inner"><div class="post-message-container"><div class="publisher-anchor-color"><div
class="post-message " data-role="message"><div><p>First.</p></div></div></div></div></div></div></div>
<ul class="children" data-role="children"><li class="post" id="post-502"><div class="post-content"><div>
<span class="post-byline"><span class="author">Bob</span> <span class="post-byline">
<a class="parent-link">Ann Lee</a></span></span><div class="post-message"><p>Second.</p></div></div></div>
<ul class="children"></ul></li></ul></li></ul></div>"""
)

FIRST, SECOND = "0a1b2c3d-0000-4000-8000-00000000000a", "0a1b2c3d-0000-4000-8000-00000000000b"
CORAL = (
    HEAD
    + f"""<div id="coral"><div><div data-testid="comment-{FIRST}" id="comment-{FIRST}" class="coral coral-comment">
<button class="coral-comment-username"><span>Ann Lee</span></button><span class="coral coral-comment-username">Ann Lee
</span><time class="coral coral-timestamp coral-comment-timestamp" dateTime="2024-05-09T07:40:00.000Z">1 year ago</time>
<div class="coral coral-content coral-comment-content"><div>First.<br><br>More.</div></div></div>
<div data-testid="commentReplyList-{FIRST}" role="log"><div data-testid="comment-{SECOND}" id="comment-{SECOND}">
<span class="coral-comment-username">Bob</span><div class="coral-comment-content">Second.</div></div></div></div></div>"""
)

MICRODATA = (
    HEAD
    + """<section><div itemprop="comment" itemscope itemtype="https://schema.org/Comment" id="c-41">
<span itemprop="author" itemscope itemtype="https://schema.org/Person"><a itemprop="url" href="/u"><i
itemprop="name">Ann Lee</i></a> (12 points)</span><meta itemprop="dateCreated" content="2024-05-09T07:40:00Z">
<div itemprop="text"><p>First.</p></div>
<div itemprop="comment" itemscope itemtype="http://schema.org/UserComments"><meta itemprop="creator" content="Bob">
<div itemprop="commentText">Second.</div></div></div></section>"""
)

STATED = (
    HEAD
    + f"""<script type="application/ld+json">{
        json.dumps(
            {
                "@type": "NewsArticle",
                "comment": [
                    {
                        "@type": "Comment",
                        "@id": "https://post.example/bridge#comment-1",
                        "text": "<p>First.</p><p>&lt;3</p>",
                        "author": {"@type": "Person", "name": "Ann Lee"},
                        "dateCreated": "2024-05-09T07:40:00Z",
                        "comment": {
                            "@type": "Comment",
                            "text": "1 < 2",
                            "author": "Bob",
                            "dateCreated": "2024-05-09",
                        },
                    }
                ],
            }
        )
    }</script>"""
)
PAGES = [WPDISCUZ, WORDPRESS, CLASSIC, DISQUS, CORAL, MICRODATA, STATED]
MORNING = datetime(2024, 5, 9, 7, 40, tzinfo=UTC)


def read(page: str) -> Thread:
    thread = html_thread(page, "page.html")
    assert thread is not None
    return thread


def said(thread: Thread) -> list[tuple[str, str | None, str, str | None]]:
    return [(comment.id, comment.author, comment.text, comment.parent) for comment in thread.comments]


@pytest.mark.parametrize("page", PAGES)
def test_the_article_is_read_without_furniture_and_comments(page):
    thread = read(page)
    assert (thread.source, thread.title, thread.url) == (
        "page.html",
        "Bridge closed",
        "https://post.example/bridge",
    )
    assert thread.text == "Divers found cracks.\n\nRepairs take until October."


def test_wpdiscuz():
    thread = read(WPDISCUZ)
    assert said(thread) == [
        (
            "11",
            "Marta Lindqvist",
            "Then publish & be done \U0001f642\n\n> Divers found cracks.\n\nSee the report (https://council.example/r).\n"
            "Or council.example",
            None,
        ),
        ("12", "Tom", "It is long and", "11"),
    ]
    assert [comment.author_url for comment in thread.comments] == ["https://marta.example", None]
    assert [comment.time for comment in thread.comments] == [
        None,
        datetime.fromisoformat("2024-06-03T17:20:00+02:00"),
    ]
    markup, *counted, further = thread.notes
    assert "wpDiscuz" in markup
    assert [note.partition(" ")[2][:1] for note in counted] == ["1", "1", "1"]
    assert "further comments" in further


def test_native_wordpress():
    thread = read(WORDPRESS)
    assert said(thread) == [
        ("5", "Ann Lee", "First.\n\nSecond\nline.", None),
        ("6", "Bob", "Not so fast.", "5"),
    ]
    assert "comments: 1 left out as pingbacks or trackbacks" in thread.notes
    assert not any("states" in note for note in thread.notes)
    assert thread.comments[0].time == MORNING
    assert any(note.startswith("comments: 1 ") for note in thread.notes)


def test_older_wordpress_themes_without_an_element_for_the_text():
    thread = read(CLASSIC)
    assert said(thread) == [("8", "Carl", "An old theme.", None), ("9", "Dora", "Still read.", "8")]
    assert thread.comments[0].time is None
    assert any("time zone" in note for note in thread.notes)


BARE = (
    HEAD
    + """<h2>2 Comments</h2><ol><li class="comment" id="li-comment-7"><div id="comment-7">
<div class="comment-author vcard"><cite class="fn">Ann</cite> <span class="badge">Staff</span><p>Since 2019</p></div>
<p>One.</p><blockquote><p>Quoted.</p></blockquote><p>Two.</p><div class="reply"><p>Reply</p></div></div>
<ul class="children"><li class="comment" id="li-comment-8"><div id="comment-8"><cite class="fn">Bo</cite><p>Three.</p>
</div></li></ul></li><li class="comment" id="li-comment-9"><div id="comment-9"><cite class="fn">Cy</cite></div></li></ol>"""
)


def test_paragraphs_without_an_element_around_them_are_the_text():
    thread = read(BARE)
    assert said(thread) == [("7", "Ann", "One.\n\n> Quoted.\n\nTwo.", None), ("8", "Bo", "Three.", "7")]
    assert "comments: 1 without text in the page (a picture, or removed) left out" in thread.notes
    assert not any("states" in note for note in thread.notes)


@pytest.mark.parametrize("tag", ["h2", "h3", "h4"])
def test_the_number_in_a_heading_is_what_the_page_states(tag):
    page = CLASSIC.replace("<ol", f"<{tag}>7 Comments</{tag}><ol", 1)
    assert "the page states 7 comments; 2 with text were found" in read(page).notes


@pytest.mark.parametrize("kind", ["badge", "wpd-user-badge", "role", "wpd-comment-label"])
def test_a_badge_in_the_authors_element_is_no_part_of_the_name(kind):
    page = CLASSIC.replace("Carl</cite>", f'Carl <span class="{kind}">Staff</span></cite>')
    assert read(page).comments[0].author == "Carl"
    page = CLASSIC.replace("Carl</cite>", f'<span class="{kind}">Carl</span></cite>')
    assert read(page).comments[0].author == "Carl"
    page = WPDISCUZ.replace("Lindqvist</a></div>", f'Lindqvist</a><span class="{kind}">VIP</span></div>')
    assert [comment.author for comment in read(page).comments] == [
        comment.author for comment in read(WPDISCUZ).comments
    ]


def test_disqus():
    assert said(read(DISQUS)) == [("501", "Ann Lee", "First.", None), ("502", "Bob", "Second.", "501")]


def test_coral():
    thread = read(CORAL)
    assert said(thread) == [(FIRST, "Ann Lee", "First.\n\nMore.", None), (SECOND, "Bob", "Second.", FIRST)]
    assert thread.comments[0].time == MORNING


def test_microdata():
    thread = read(MICRODATA)
    assert said(thread) == [("41", "Ann Lee", "First.", None), ("2", "Bob", "Second.", "41")]
    assert thread.comments[0].time == MORNING


def test_json_ld():
    thread = read(STATED)
    assert said(thread) == [("1", "Ann Lee", "First.\n\n<3", None), ("n-2", "Bob", "1 < 2", "1")]
    assert [comment.time for comment in thread.comments] == [MORNING, None]
    assert "JSON-LD" in thread.notes[0]


def test_a_page_without_comments():
    thread = read(HEAD)
    assert thread.comments == ()
    assert len(thread.notes) == 1


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ('<meta property="og:title" content="A &amp; B"><title>Other</title>', "A & B"),
        ('<title>Post: All day | Post</title><meta property="og:site_name" content="Post">', "Post: All day"),
        ("<title> All\n day </title>", "All day"),
        ("<title>Site</title></head><body><h1>Top</h1><article><h1>Own</h1></article>", "Own"),
    ],
)
def test_title(head, title):
    assert read(f"<html><head>{head}<body><main>x</main>").title == title


def test_only_whole_addresses_are_taken_and_the_given_one_is_the_last_choice():
    page = '<title>x</title><link rel="canonical" href="/here">{}'
    assert html_thread(page.format(""), "p", "https://a.example/").url == "https://a.example/"
    og = '<meta property="og:url" content="https://b.example/">'
    assert html_thread(page.format(og), "p", "https://a.example/").url == "https://b.example/"


def test_nothing_in_a_page():
    assert html_thread("<html></html>", "p") is None


def body(text: str) -> str:
    page = f'<ol><li id="comment-1"><div class="comment-content">{text}</div></li></ol>'
    return read(page).comments[0].text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a<p>b</p>c", "a\n\nb\n\nc"),
        ("a<br>b<br><br>c<br><br><br>d", "a\nb\n\nc\n\nd"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("<blockquote>a<br>b<blockquote>c</blockquote></blockquote>d", "> a\n> b\n\n> > c\n\nd"),
        ("<pre>a\n  b\n\nc</pre>", "a\n  b\n\nc"),
        ('<a href="https://x.example/a?b=1&amp;c">see</a>', "see (https://x.example/a?b=1&c)"),
        (
            '<a href="https://x.example/long">https://x.example/lo…</a>',
            "https://x.example/lo… (https://x.example/long)",
        ),
        ('<a href="#top">up</a> <a href="javascript:x()">run</a>', "up run"),
        ('<a href="//x.example/p"><img src="p.png"></a>', "//x.example/p"),
        ("a<script>b</script><style>c</style><!-- d -->&nbsp;&lt;e&gt;", "a <e>"),
        ("caf&eacute; &#128077;\U0001f44d", "café \U0001f44d\U0001f44d"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
    ],
)
def test_text(html, text):
    assert body(html) == text


@pytest.mark.parametrize(
    ("page", "charset", "text"),
    [
        ("é".encode(), None, "é"),
        (b"\xe9\x93 x", None, "é“"),
        (b"\xef\xbb\xbf" + "é<meta charset=latin-1>".encode(), "latin-1", "é"),
        ("\ufeffé".encode("utf-16-le"), None, "é"),
        ('<meta charset="koi8-r">я'.encode("koi8-r"), "utf-8", "я"),
        ("я".encode("windows-1251"), "windows-1251", "я"),
        ("é".encode(), "unicode_escape", "é"),
        ("é".encode(), "utf-9", "é"),
        ("aé".encode()[:-1], None, "a\ufffd"),
    ],
)
def test_charset(page, charset, text):
    assert text in decode_page(page, charset)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (HEAD.encode(), True),
        (b"\xef\xbb\xbf\n<!-- saved -->\n<HTML>", True),
        (b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "x"><html>', True),
        (b'<div class="a">', True),
        ("\ufeff<html>".encode("utf-16-le"), True),
        (b'<?xml version="1.0"?><rss version="2.0">', False),
        (b'<?xml version="1.0"?><disqus>', False),
        (
            b"<br />\n<b>Warning</b>:  Undefined in <b>/x.php</b> on line <b>3</b><br />\n<!doctype html><p>",
            True,
        ),
        (b"Notice: Undefined variable\nWarning: also\n<!doctype html><html>", True),
        (b"Notice: the bridge is closed\nuntil May <html>", False),
        (b"<directory>", False),
        (b"Plain text <html>", False),
        (b"", False),
    ],
)
def test_looks_like_html(head, expected):
    assert looks_like_html(head) is expected


def test_read_html(tmp_path):
    file = tmp_path / "a.html"
    file.write_bytes(WORDPRESS.encode())
    (thread,) = read_html(file)
    assert thread.source == str(file)
    assert len(thread.comments) == 2
    file.write_bytes(b"<html>")
    with pytest.raises(ReadError, match="title"):
        list(read_html(file))


def test_too_large_a_page_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("belowline.data.archives.html.pages.LARGEST_PAGE", 1 << 20)
    file = tmp_path / "a.html"
    file.write_bytes(b"<p>" + b"x" * (1 << 20))
    with pytest.raises(ReadError, match="larger than 1 MB"):
        list(read_html(file))


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 100_000,
        "<a " + " ".join(f"a{number}" for number in range(100_000)) + ">",
        "".join(f"<font color=c{number}>" for number in range(5_000)) + "<p>x" * 5_000,
    ],
)
def test_pages_made_to_be_slow_are_refused(page):
    with pytest.raises(ReadError, match="nested too deeply"):
        html_thread("<p>text" + page, "p")


def test_deep_nesting_is_read_without_recursion():
    opened = "".join(f'<li id="comment-{n}"><p class="comment-content">t<ul>' for n in range(1, 3_001))
    thread = read(opened + "</ul>" * 3_000)
    assert len(thread.comments) == 3_000
    assert thread.comments[-1].parent == "2999"
    assert body("<blockquote>" * 10_000 + "deep").startswith("> > > > > deep")
    assert read("<title>x</title>" + "<i>" * 9_000 + "x" + "[" * 100_000).title == "x"


def test_deep_json_ld_is_passed_over():
    page = '<title>x</title><script type="application/ld+json">' + '{"comment":[' * 50_000 + "</script>"
    assert read(page).comments == ()


WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=8)
LINES = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
COMMENTS = st.lists(st.tuples(LINES, st.lists(LINES, min_size=1, max_size=3), st.integers(0, 5)), max_size=8)


@given(COMMENTS)
@settings(max_examples=60)
def test_pages_built_from_comments_are_taken_apart_again(comments):
    children: dict[int, list[int]] = {}
    for number, (_, _, back) in enumerate(comments, start=1):
        children.setdefault(number - back if 0 < back < number else 0, []).append(number)

    def markup(number: int) -> str:
        author, lines, _ = comments[number - 1]
        text = "".join(f"<p>{escape(line)}</p>" for line in lines)
        return (
            f'<li id="comment-{number}"><b class="fn">{escape(author)}</b><div class="comment-content">{text}</div>'
            f'<ol class="children">{"".join(map(markup, children.get(number, [])))}</ol></li>'
        )

    thread = read(HEAD + "<ol>" + "".join(map(markup, children.get(0, []))) + "</ol>")
    found = {comment.id: (comment.author, comment.text, comment.parent) for comment in thread.comments}
    parents = {
        str(child): str(parent) if parent else None for parent in children for child in children[parent]
    }
    assert found == {
        str(number): (author, "\n\n".join(lines), parents[str(number)])
        for number, (author, lines, _) in enumerate(comments, start=1)
    }


@st.composite
def mutated(draw):
    page = draw(st.sampled_from(PAGES))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(page)))
        end = min(len(page), start + draw(st.integers(0, 200)))
        piece = draw(
            st.sampled_from(
                ["", "<", ">", '"', "</div>", "<li id=comment-5>", "<!--", "\0", "\ud800", "&#xd800;"]
            )
        )
        page = page[:start] + draw(st.sampled_from([piece, page[start:end] * 3])) + page[end:]
    return page


@example('<li class="comment"><p><ol>')
@given(mutated() | st.text())
@settings(max_examples=200)
def test_damaged_pages_never_raise_anything_else(page):
    try:
        thread = html_thread(page, "p")
    except ReadError:
        return
    if thread is not None:
        ids = [comment.id for comment in thread.comments]
        assert len(set(ids)) == len(ids)
        for comment in thread.comments:
            assert comment.text.strip()
            (comment.text + comment.id + (comment.author or "")).encode()
            assert comment.parent is None or comment.parent in ids


@given(st.binary(max_size=300))
def test_any_bytes_decode(page):
    assert isinstance(decode_page(page), str)
    looks_like_html(page)


def test_comments_have_their_address_if_the_page_states_its_own():
    found = {name: [one.permalink for one in read(page).comments][:1] for name, page in ANCHORED.items()}
    assert found == {name: [f"https://post.example/bridge#{name}"] for name in ANCHORED}
    assert read(WORDPRESS.replace("https://post.example/bridge", "")).comments[0].permalink is None


ANCHORED = {"comment-11": WPDISCUZ, "comment-5": WORDPRESS, "post-501": DISQUS}


@pytest.mark.parametrize("id", ["", 'id="comment-a1b2"', 'id="comment-1"'])
def test_comments_without_an_id_of_their_own_are_read(id):
    comment = '<li class="comment" {}><article class="comment-body"><b class="fn">{}</b><div class="comment-content">{}</div></article></li>'
    first = comment.format('id="comment-1"', "Ann Lee", "One.")
    page = HEAD + f"<ol>{first}{comment.format(id, 'Bob Ray', 'Two.')}{first}</ol>"
    thread = read(page)
    assert [(comment.author, comment.text) for comment in thread.comments] == [
        ("Ann Lee", "One."),
        ("Bob Ray", "Two."),
    ]
    assert len({comment.id for comment in thread.comments}) == 2
