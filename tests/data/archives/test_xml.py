"""WordPress and Disqus exports."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from belowline.data import ReadError, Thread, html_to_text, read_threads
from belowline.data.archives.values import one_line
from belowline.data.archives.xml import safe_xml
from tests.conftest import shared
from tests.support.reading import read, refusal
from tests.support.xml_exports import disqus, entry, item, post, thread, wxr

AT = datetime(2024, 5, 9, 7, 12, tzinfo=UTC)


@pytest.fixture
def xml(tmp_path: Path) -> Path:
    return tmp_path / "export.xml"


def texts(threads: list[Thread]) -> list[list[str]]:
    return [[comment.text for comment in thread.comments] for thread in threads]


def test_every_comment_of_a_real_wordpress_export():
    path = shared("fixtures") / "wordpress.xml"
    threads = list(read_threads(path))
    raw = path.read_text("utf-8")
    ids = re.findall(r"<wp:comment_id>(\d+)<", raw)
    assert len(ids) == 8
    assert [comment.id for thread in threads for comment in thread.comments] == ids
    parents = [comment.parent or "0" for thread in threads for comment in thread.comments]
    assert parents == re.findall(r"<wp:comment_parent>(\d+)<", raw)
    written = re.findall(r"<wp:comment_content>\s*<!\[CDATA\[(.*?)\]\]>", raw, re.DOTALL)
    assert [text for thread in threads for text in texts([thread])[0]] == written
    assert {comment.verdict for thread in threads for comment in thread.comments} == {"publish"}
    assert [(thread.title, thread.url) for thread in threads] == [
        ("Hello, World…", "http://example.tld/2014/test/"),
        ("...", "http://example.tld/?p=4"),
    ]
    assert [thread.source for thread in threads] == [f"{path}:13", f"{path}:136"]


def test_every_comment_of_a_real_disqus_export():
    path = shared("fixtures") / "disqus.xml"
    threads = list(read_threads(path))
    posts = re.findall(r'<post dsq:id="(\d+)">(.*?)</post>', path.read_text("utf-8"), re.DOTALL)
    with_text = {id for id, inner in posts if "<message/>" not in inner}
    assert len(posts) == 6
    assert {comment.id for thread in threads for comment in thread.comments} == with_text
    assert [[(c.id, c.parent) for c in thread.comments] for thread in threads] == [
        [("4", None), ("5", "4"), ("11", None)],
        [("8", None)],
        [("6", None)],
    ]
    assert [thread.title for thread in threads] == ["Hello, World!", None, None]
    assert threads[0].notes[0].startswith("1 of 4 comments")
    assert "thread" in threads[2].notes[0]


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_every_field_of_wxr(xml, version):
    reply = entry(
        "<p>Yes &amp; no,</p><p>says<br />he.</p>",
        id="9",
        parent="7",
        author="Bob &quot;B&quot;",
        author_url="https://b.example",
    )
    content = "<!-- wp:paragraph -->\n<p>The council</p>\n<p>voted.</p>"
    one = item(entry("Well."), reply, title="Tram &amp; bus", content=content)
    (thread,) = read(xml, wxr(one, version=version))
    assert (thread.title, thread.url, thread.text) == (
        "Tram & bus",
        "https://example.com/tram",
        "The council\n\nvoted.",
    )
    first, second = thread.comments
    assert (first.id, first.text, first.author, first.time, first.parent) == ("7", "Well.", "Ann", AT, None)
    assert (second.text, second.author, second.parent) == ("Yes & no,\n\nsays\nhe.", 'Bob "B"', "7")
    assert (first.author_url, second.author_url) == (None, "https://b.example")


@pytest.mark.parametrize(
    ("approved", "verdict"),
    [
        ("1", "publish"),
        ("0", "hold"),
        ("spam", "spam"),
        ("trash", "reject"),
        ("post-trashed", "reject"),
        ("", None),
        ("odd", None),
    ],
)
def test_verdicts_of_wxr(xml, approved, verdict):
    (thread,) = read(xml, wxr(item(entry(approved=approved))))
    assert thread.comments[0].verdict == verdict


def test_what_wxr_leaves_out_is_noted(xml):
    entries = [
        entry(id="1", type="pingback"),
        entry(id="2", type="trackback"),
        entry(id="3", type="pingback"),
        entry(" <img src='x'> ", id="4"),
        entry(id="5", type="comment", parent="4", date_gmt="0000-00-00 00:00:00", date="2024-05-09 09:12:00"),
        entry(id="6", type="review", parent="99"),
    ]
    (thread,) = read(xml, wxr(item(*entries)))
    assert [(c.id, c.parent, c.time) for c in thread.comments] == [("5", None, None), ("6", None, AT)]
    assert thread.notes == (
        "1 of 3 comments have no text (deleted, or a picture)",
        "left out, not written by readers: 2 pingback",
        "left out, not written by readers: 1 trackback",
        thread.notes[-1],
    )
    assert thread.notes[-1].startswith("1 of 3 times ")


def test_exports_without_comments_do_not_pass_in_silence(xml):
    for content in (wxr(item()), wxr(), disqus(thread("1")), disqus()):
        (only,) = read(xml, content)
        assert (only.comments, len(only.notes)) == ((), 1)


def test_items_without_comments_yield_nothing(xml):
    assert texts(read(xml, wxr(item(), item(entry()), item()))) == [["Well."]]


def test_identifiers_are_unique_in_their_thread(xml):
    entries = [entry(id=id, parent="7") for id in ("7", "7", "7-2", "", "7", "", " ")]
    (thread,) = read(xml, wxr(item(*entries)))
    ids = [comment.id for comment in thread.comments]
    assert ids == ["7", "7-3", "7-2", "line-5", "7-4", "line-5-2", "line-5-3"]
    assert [comment.parent for comment in thread.comments] == [None, *["7"] * 6]


def test_blank_lines_before_the_declaration_are_a_common_slip(xml):
    (thread,) = read(xml, "\ufeff\n\n" + wxr(item(entry())))
    assert thread.source == f"{xml}:7"


def test_prefixes_are_the_files_own_choice(xml):
    swapped = re.sub(r"\bwp:", "x:", wxr(item(entry()))).replace("xmlns:wp", "xmlns:x")
    assert texts(read(xml, swapped)) == [["Well."]]
    assert texts(read(xml, re.sub(r"\bdsq:", "d:", disqus(post("1", "2"))).replace(":dsq", ":d"))) == [
        ["Well."]
    ]


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "windows-1252", "UTF-8"])
def test_declared_encodings(xml, encoding):
    (thread,) = read(xml, wxr(item(entry("Çok güzel")), encoding=encoding).encode(encoding))
    assert thread.comments[0].text == "Çok güzel"


def test_posts_of_disqus_are_gathered_and_sorted(xml):
    records = [
        post("1", "b", "<p>late</p>", at="09:00"),
        thread("a", "First"),
        post("2", "a", "a1"),
        thread("b", "Second"),
        post("3", "b", "early", parent="1", at="08:00"),
        post("4", "a", "a2", parent="1"),
        post("5", "b", "same", parent="5", at="08:00"),
        post("6", "c", "lost"),
    ]
    threads = read(xml, disqus(*records))
    assert texts(threads) == [["a1", "a2"], ["early", "same", "late"], ["lost"]]
    assert [thread.title for thread in threads] == ["First", "Second", None]
    assert [comment.parent for comment in threads[1].comments] == ["1", None, None]
    assert threads[0].comments[1].parent is None
    assert [thread.source.rpartition(":")[2] for thread in threads] == ["4", "6", "10"]
    assert threads[1].comments[1].time == AT.replace(hour=8, minute=0)


@pytest.mark.parametrize(
    ("flags", "verdict"),
    [
        ({}, "publish"),
        ({"isSpam": "true"}, "spam"),
        ({"isDeleted": "true"}, "reject"),
        ({"isSpam": "true", "isDeleted": "true"}, "spam"),
        ({"isApproved": "false"}, "hold"),
        ({"isApproved": "true"}, "publish"),
        ({"isApproved": "false", "isDeleted": "true"}, "reject"),
    ],
)
def test_verdicts_of_disqus(xml, flags, verdict):
    (thread,) = read(xml, disqus(post("1", "2", **flags)))
    assert thread.comments[0].verdict == verdict


def test_what_a_disqus_post_may_lack(xml):
    (thread,) = read(xml, disqus("<post><message>&lt;b&gt;Hi&lt;/b&gt;</message></post>", "<post/>"))
    (comment,) = thread.comments
    assert (comment.id, comment.text, comment.author, comment.time) == ("line-3", "Hi", None, None)
    assert comment.verdict is None


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("plain\nlines\n\n\n\nand more ", "plain\nlines\n\nand more"),
        ("<p>One</p><p>two<br>three<br />\nfour</p>five", "One\n\ntwo\nthree\nfour\n\nfive"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        ('<a href="http://x.example/?a>b" title=\'"\'>link</a>', "link"),
        ("1 < 2 <3 &lt;b&gt; a&nbsp;b &#x1F600; &unknown;", "1 < 2 <3 <b> a\u00a0b 😀 &unknown;"),
        ("a<script>if (a < b) {}</script>b<style>p{}</style>c<!-- <p> -->d", "abcd"),
        ("<SCRIPT>x</script >y<![CDATA[z]]><?php x ?>", "y"),
        ("a<b and c", "a<b and c"),
        ("&#0;&#xD800;&#1;", "\ufffd\ufffd"),
    ],
)
def test_html_as_text(markup, text):
    assert html_to_text(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ('<a href="https://x.example/?a=1&amp;b=2">this <b>one</b></a>!', "this one (https://x.example/?a=1&b=2)!"),
        ("<A HREF='//x.example'>it</A>", "it (//x.example)"),
        ('<a title="href=//good.example" href=https://x.example>open', "open (https://x.example)"),
        ('<a href="&#104;ttps://x.example/?q=&amp;lt;">it</a>', "it (https://x.example/?q=&lt;)"),
        ('<a href=" https://x.example/a\tb ">it</a>', "it (https://x.example/a%20b)"),
        ('<a href="https://x.example/">x.example</a>', "x.example"),
        ('<a href="https://x.example"></a>', "https://x.example"),
        ('<a href="https://x.example">a<a href="https://y.example">b</a>', "a (https://x.example)b (https://y.example)"),
        ('<a href="javascript:x">a</a> <a>b</a> <a href="/c">c</a></a>', "a b c"),
    ],
)  # fmt: skip
def test_html_as_text_with_links(markup, text):
    assert html_to_text(markup, links=True) == text


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        '<a href="',
        "<a href=",
        "</a>",
        "<a href=//x>",
        "<",
        "<a ",
        "<a '",
        '<a "',
        "<!--",
        "<!",
        "<script",
        "<script>",
        "</script",
        "&",
        "&#",
        "\n ",
        "<p>",
    ],
)
def test_html_as_text_takes_linear_time(piece):
    html_to_text(piece * 200_000)
    html_to_text("<script>" + piece * 200_000)
    html_to_text(piece * 20_000, links=True)
    html_to_text("<a href=//x" + piece * 20_000, links=True)


@given(st.text(st.sampled_from("<>/!-&;'\" apbr\n#0")))
def test_html_as_text_never_fails(markup):
    text = html_to_text(markup)
    html_to_text(markup, links=True)
    assert text == text.strip()
    assert "\n\n\n" not in text
    assert one_line(markup) is None or "\n" not in one_line(markup)


BOMB = '<!DOCTYPE rss [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
EXTERNAL = '<!DOCTYPE rss SYSTEM "file:///etc/passwd">'


@pytest.mark.parametrize("doctype", [BOMB, EXTERNAL, "<!DOCTYPE rss>"])
@pytest.mark.parametrize("name", ["a.xml", "a"])
def test_doctypes_are_refused(tmp_path, doctype, name):
    for content in (wxr(item(entry("&b;"))), disqus(post("1", "2"))):
        hostile = content.replace("?>\n", f"?>\n{doctype}\n", 1)
        message = refusal(tmp_path / name, hostile)
        assert message.startswith(", line 2, column")
        assert "XML with a DTD" in message


@pytest.mark.parametrize(
    ("broken", "parts"),
    [
        ("a & b", ["line 6, column", "not well-formed"]),
        ("</b>", ["line 6, column", "mismatched tag"]),
        ("<!ENTITY x 'y'>", ["line 6, column", "not well-formed"]),
    ],
)
def test_malformed_xml_is_placed_and_what_went_before_was_read(xml, broken, parts):
    xml.write_text(wxr(item(entry()), f"<item><title>{broken}</title></item>"))
    threads = read_threads(xml)
    assert next(threads).title == "Tram"
    with pytest.raises(ReadError) as caught:
        next(threads)
    assert str(caught.value).startswith(f"{xml}, line")
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_refusals_do_not_repeat_comments(xml):
    assert "secret" not in refusal(xml, wxr(item(entry("secret")), "secret & secret"))


@pytest.mark.parametrize("end", [-3, -30, 600])
def test_cut_off_files(xml, end):
    assert "early" in refusal(xml, wxr(item(entry("x" * 500)))[:end])
    assert "early" in refusal(xml, disqus(post("1", "2", "x" * 500))[: end if end < 0 else 300])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (wxr(item(entry()), encoding="no-such").encode(), "encoding"),
        (wxr(item(entry()), encoding="hex").encode(), "encoding"),
    ],
)
def test_wrong_encodings(xml, content, reason):
    assert reason in refusal(xml, content)


def test_other_xml_is_named(tmp_path):
    feed = '<?xml version="1.0"?><rss version="2.0"><channel/></rss>'
    assert "root element 'rss'" in refusal(tmp_path / "a.xml", feed)
    assert "root element 'feed'" in refusal(tmp_path / "a", '<feed xmlns="http://www.w3.org/2005/Atom"/>')
    assert "without a root" in refusal(tmp_path / "a.xml", "<!-- nothing -->")
    assert "root element 'aaaa" in refusal(tmp_path / "a.xml", f"<{'a' * 500}>")


def test_a_named_format_is_not_guessed(xml):
    assert texts(read(xml, wxr(item(entry())), format="wxr")) == [["Well."]]
    assert texts(read(xml, disqus(post("1", "2")), format="disqus")) == [["Well."]]


def test_deep_nesting_is_refused(xml):
    assert "100" in refusal(xml, wxr("<a>" * 100_000))
    assert "100" in refusal(xml, wxr("<item>" + "<a>" * 100_000))


def test_endless_tags_and_names_are_refused(xml):
    assert "more than 1048576 bytes" in refusal(xml, wxr(f'<item a="{"x" * 3_000_000}"/>'))
    assert "more than 1048576 bytes" in refusal(xml, wxr(f"<!--{'x' * 3_000_000}"))
    assert "different names" in refusal(xml, wxr(*(f"<n{i}/>" for i in range(20_000))))


def test_huge_records_are_refused_and_long_texts_are_not(xml, monkeypatch):
    assert len(read(xml, wxr(item(entry("long " * 400_000))))[0].comments[0].text) == 1_999_999
    monkeypatch.setattr(safe_xml, "MAX_RECORD", 100_000)
    assert len(read(xml, wxr("x" * 200_000, *[item(entry("x" * 50_000))] * 4))) == 4
    assert "more than 100000 characters" in refusal(xml, wxr(item(entry("x" * 100_000))))
    assert "more than 100000 characters" in refusal(xml, disqus("<post>" + "<a/>" * 2_000 + "</post>"))


def test_records_are_handed_on_before_the_file_is_read(xml):
    xml.write_text(wxr(item(entry()), "<pad/>" * 50_000, "<broken"))
    threads = read_threads(xml)
    assert len(next(threads).comments) == 1
    with pytest.raises(ReadError):
        next(threads)


TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="<>&\ufffe\uffff"),
    min_size=1,
    max_size=30,
).filter(lambda text: text.strip() and "]]>" not in text)


@given(st.lists(st.lists(TEXTS, min_size=1, max_size=4), min_size=1, max_size=4))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_exports_give_back_what_was_written(tmp_path, written):
    expected = [[text.strip() for text in thread] for thread in written]
    wordpress = wxr(*(item(*(entry(t, id=str(i)) for i, t in enumerate(ts))) for ts in written))
    posts = [post(f"{n}-{i}", str(n), text) for n, ts in enumerate(written) for i, text in enumerate(ts)]
    assert texts(read(tmp_path / "w.xml", wordpress)) == expected
    assert texts(read(tmp_path / "d.xml", disqus(*posts))) == expected


GOOD = [
    wxr(item(entry(), entry("<p>So &amp; so</p>", id="8", parent="7")), item(entry())).encode(),
    disqus(thread("1"), post("2", "1"), post("3", "1", parent="2")).encode(),
]
SPLICED = st.binary(max_size=12) | st.sampled_from(
    [
        b"<",
        b"&",
        b"]]>",
        b"<![CDATA[",
        b"<item>",
        b"</item>",
        b"<post>",
        b"<!DOCTYPE a>",
        b"<wp:comment>",
        b"\0",
    ]
)


def read_or_refused(path: Path) -> list[Thread]:
    """Return the threads up to a refusal."""
    found: list[Thread] = []
    try:
        found.extend(read_threads(path))
    except ReadError as error:
        found.append(Thread(str(path), None, None, "", (), (str(error),)))
    return found


@pytest.mark.slow
@given(st.sampled_from(GOOD), st.integers(0, 1_000), st.integers(0, 60), SPLICED, st.booleans())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_spliced_exports_are_read_or_refused_in_one_line(tmp_path, good, start, length, spliced, named):
    content = good[:start] + spliced + good[start + length :]
    path = tmp_path / ("a.xml" if named else "a")
    path.write_bytes(content)
    for found in read_or_refused(path):
        assert "\n" not in "".join(found.notes)
        ids = [comment.id for comment in found.comments]
        assert len(ids) == len(set(ids))
        assert all(comment.text.strip() for comment in found.comments)
        assert {comment.parent for comment in found.comments} <= {None, *ids}


def test_comments_have_their_address_and_their_line(xml):
    xml.write_text(wxr(item(entry(id="7"), entry(id=""))))
    [found] = read_threads(xml)
    assert [comment.permalink for comment in found.comments] == ["https://example.com/tram#comment-7", None]
    xml.write_text(disqus(thread("1"), post("4", "1"), post("5", "unknown")))
    known, unknown = read_threads(xml)
    assert [(one.permalink, one.line) for one in known.comments] == [("https://example.com/1#comment-4", 4)]
    assert [one.permalink for one in unknown.comments] == [None]


SPELLINGS = [
    "http://wordpress.org/export/1.0/",
    "https://wordpress.org/export/1.2/",
    "HTTP://WWW.WordPress.org/export/1.3",
    "https://wordpress.org/export/2.0/",
    "http://wordpress.org/export/1.2",
]


@pytest.mark.parametrize("address", SPELLINGS)
def test_wxr_in_any_spelling_of_its_namespace(xml, address):
    content = wxr(item(entry("Well."), content="The council voted."))
    content = content.replace("http://wordpress.org/export/1.2/", address)
    content = content.replace(
        "http://purl.org/rss/1.0/modules/content/", "https://purl.org/rss/1.0/modules/content"
    )
    (thread,) = read(xml, content)
    assert (thread.text, texts([thread]), thread.comments[0].author) == (
        "The council voted.",
        [["Well."]],
        "Ann",
    )
    assert thread.comments[0].verdict == "publish"


NOISE = [
    "\n\n \t\n",
    "<br />\n<b>Warning</b>:  Undefined variable $x in <b>/srv/wp/x.php</b> on line <b>7</b><br />\n",
    "PHP Notice:  Function called <strong>incorrectly</strong>.\n",
    "<!-- cached --><div class='error'>Deprecated</div>",
    "\ufeff",
]


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("name", ["a.xml", "a", "a.txt", "a.html"])
def test_messages_of_the_server_around_the_xml(tmp_path, noise, name):
    (thread,) = read(tmp_path / name, noise + wxr(item(entry())) + noise)
    assert texts([thread]) == [["Well."]]
    assert thread.source.endswith(f":{5 + noise.count(chr(10))}")
    assert bool(thread.notes) == bool(noise.strip("\ufeff \n\t"))
    (thread,) = read(tmp_path / name, noise + disqus(post("1", "2")))
    assert texts([thread]) == [["Well."]]


def test_control_characters_are_removed_and_noted_and_nothing_after_them_is_lost(xml):
    controls = "".join(map(chr, (*range(9), 11, 12, *range(14, 32)))) + "\ufffe\uffff"
    entries = [entry(f"One{controls}.", author="A\x0bnn"), entry("Two&#x0B;."), entry("Three.")]
    threads = read(xml, wxr(item(*entries, title="Tr&#8;am\x1b"), item(entry("Four."))))
    assert texts(threads) == [["One.", "Two.", "Three."], ["Four."]]
    assert (threads[0].title, threads[0].comments[0].author) == ("Tram", "Ann")
    assert threads[1].notes[0].endswith(f": {len(controls) + 4}")
    assert texts(read(xml, disqus(post("1", "2", "a\x00b")))) == [["ab"]]


def test_control_characters_at_the_ends_of_parts_are_removed(xml):
    padding = "x" * 65_000
    for size in range(500, 560, 3):
        (thread,) = read(xml, wxr(item(entry("One&#x1F;."), title=padding + "y" * size + "&#11;&#12;\x01")))
        assert (thread.title, texts([thread])) == (padding + "y" * size, [["One."]])


def test_entities_of_html_are_characters(xml):
    (thread,) = read(xml, wxr(item(entry("Well."), title="Tram&nbsp;&amp;&eacute;&hellip; &unknown;")))
    assert (thread.title, texts([thread])) == ("Tram &é… &unknown;", [["Well."]])


def test_bytes_of_another_encoding_cost_nothing(xml):
    content = wxr(item(entry("Çok güzel – “evet”", author="Zoë")))
    (thread,) = read(xml, content.encode("cp1252"))
    assert (texts([thread]), thread.comments[0].author) == ([["Çok güzel – “evet”"]], "Zoë")
    assert "Windows-1252" in thread.notes[0]
    (thread,) = read(xml, content.encode().replace("ç".encode(), b"").replace(b"evet", b"ev\xe9t"))
    assert texts([thread]) == [["Çok güzel – “ev\ufffdt”"]]
    assert thread.notes[0].endswith(": 1")
    for encoding in ("utf-16", "shift_jis", "koi8-r"):
        words = {"shift_jis": "日本", "koi8-r": "Да"}.get(encoding, "Çok")
        declared = wxr(item(entry(words)), encoding=encoding)
        assert texts(read(xml, declared.encode(encoding))) == [[words]]
    for declared in ("utf-16", "US-ASCII", "iso-8859-1"):
        assert texts(read(xml, wxr(item(entry("Well.")), encoding=declared))) == [["Well."]]


OF_READERS = ["", "comment", "review", "Comment", "product_review", "wpdiscuz_sticky", "user-reply"]
OF_OTHERS = [
    "pingback",
    "trackback",
    "note",
    "webmention",
    "like",
    "repost",
    "order_note",
    "action_log",
    "webhook_delivery",
]


@pytest.mark.parametrize("kind", OF_READERS)
def test_types_that_readers_write(xml, kind):
    (thread,) = read(xml, wxr(item(entry(type=kind))))
    assert (len(thread.comments), thread.notes) == (1, ())


def test_types_that_readers_do_not_write_are_left_out_and_counted(xml):
    (thread,) = read(xml, wxr(item(entry("Kept."), *(entry(type=kind) for kind in OF_OTHERS * 2))))
    assert texts([thread]) == [["Kept."]]
    assert thread.notes == tuple(f"left out, not written by readers: 2 {kind}" for kind in OF_OTHERS)


def test_status_words_of_wxr_may_be_named(xml):
    xml.write_text(wxr(item(entry(approved="delayed"), entry(approved="1", id="8"))))
    (thread,) = read_threads(xml)
    assert [comment.verdict for comment in thread.comments] == [None, "publish"]
    assert "delayed" in thread.notes[0]
    (thread,) = read_threads(xml, statuses={"delayed": "hold"})
    assert [comment.verdict for comment in thread.comments] == ["hold", "publish"]


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("one <b>bold</b> text", "one bold text"),
        ("<p>a &lt; b</p> tail", "a < b\n\ntail"),
        ("up<br/>down", "up\ndown"),
        ("<wp:p>odd</wp:p> name", "odd name"),
    ],
)
def test_texts_written_as_elements(xml, written, read_as):
    body = (
        '<rss xmlns:wp="http://wordpress.org/export/1.2/"><channel><item><title>A <i>b</i></title>'
        f"<wp:comment><wp:comment_content>{written}</wp:comment_content></wp:comment></item></channel></rss>"
    )
    [thread] = read(xml, body)
    assert (thread.title, [comment.text for comment in thread.comments]) == ("A b", [read_as])
    disqus_body = (
        '<disqus xmlns="http://disqus.com" xmlns:dsq="http://disqus.com/disqus-internals" '
        'xmlns:wp="http://example.com/x"><thread dsq:id="1"/>'
        f'<post dsq:id="5"><message>{written}</message><thread dsq:id="1"/></post></disqus>'
    )
    [thread] = read(xml, disqus_body)
    assert [comment.text for comment in thread.comments] == [read_as]


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("&#55357;&#56832;", "😀"),
        ("&#xD83D;&#xDE00;&#xd83d;&#xde00;", "😀😀"),
        ("&#xD83D; and &#56832;", "\ufffd and \ufffd"),
        ("&#233;&#60;&#xE9;", "é<é"),
        ("&#65534;&#1114112;&#999999999;", ""),
    ],
)
@pytest.mark.parametrize("size", [0, *range(65_536 - 40, 65_536)])
def test_references_to_halves_of_a_character(xml, written, read_as, size):
    start = '<rss xmlns:wp="http://wordpress.org/export/1.2/"><channel><item><title>'
    middle = "</title><wp:comment><wp:comment_content>Oh "
    end = f"{written}!</wp:comment_content></wp:comment></item></channel></rss>"
    (thread,) = read(xml, f"{start}{'t' * max(0, size - len(start) - len(middle))}{middle}{end}")
    assert [comment.text for comment in thread.comments] == [f"Oh {read_as}!"]


@pytest.mark.parametrize("name", ["<name/>", "<name> </name>", ""])
def test_a_disqus_author_without_a_name_has_the_username(xml: Path, name: str) -> None:
    record = post("1", "t").replace("<name>Ann</name>", f"{name}<username>ann42</username>")
    (found,) = read(xml, disqus(thread("t"), record))
    assert found.comments[0].author == "ann42"
