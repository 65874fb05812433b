"""The bridge and a faulty WordPress: each error is one line, and the password goes nowhere else."""

import html
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from belowline.serve.active.active import Active
from belowline.serve.cli import run
from belowline.serve.store.database import Database
from belowline.serve.wordpress import command
from belowline.serve.wordpress import links as bridges
from belowline.serve.wordpress import sync as polling
from belowline.serve.wordpress.client import (
    Refused,
    Unreachable,
    WordPress,
    WordPressError,
    address_of,
)
from belowline.serve.wordpress.kses import survives
from belowline.serve.wordpress.remote_comment import RemoteComment, plain
from belowline.serve.wordpress.sync import Bridge
from tests.support.fake_wordpress import PASSWORD, ROOT, SITE, USER, FakeWordPress, rounds
from tests.support.serve_fakes import fake_scorer
from tests.support.sqlite_store import sqlite_url
from tests.support.store_fakes import Desk, everything

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def paper() -> FakeWordPress:
    return FakeWordPress()


def failing(status: int, code: str | None = None, **more: Any) -> Answer:
    """Return an error in WordPress's own format, whose message may contain anything."""
    body = {"code": code, "message": "a message with pass word of mona", "data": {"status": status}}
    return lambda _: httpx.Response(status, json=body if code else None, **more)


def page(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, headers={"Content-Type": "text/html"}, text="<html>Parked</html>")


def refused_line(paper: FakeWordPress, kind: type[WordPressError] = WordPressError) -> str:
    """Return the one line with which listing the comments on hold fails."""
    with pytest.raises(kind) as caught, paper.remote() as remote:
        remote.held()
    line = str(caught.value)
    assert PASSWORD not in line
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (failing(401, "incorrect_password"), "does not accept user mona with this application password (incorrect_password)"),
        (failing(401, "rest_not_logged_in"), "Authorization header"),
        (failing(401, "\x1b[31m"), "(no code)"),
        (failing(403, "rest_forbidden_context"), "mona may not moderate these comments"),
        (failing(404, "rest_no_route"), "is switched off (https://paper.example/ answers 404 (rest_no_route))"),
        (failing(301, headers={"Location": "/wp-json/x"}), "answers 301 (no code)"),
        (page, "answers with a web page"),
        (lambda _: httpx.Response(200, content=b"\xff{"), "answers with something else"),
        (lambda _: httpx.Response(200, content=b"[" * 100_000), "answers with something else"),
        (lambda _: httpx.Response(200, json={"namespaces": ["oembed/1.0"]}), "no WordPress REST API with comments"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(paper: FakeWordPress, answer: Answer, said: str) -> None:
    paper.broken = answer
    assert said in refused_line(paper)
    assert paper.waits == []


@pytest.mark.parametrize("answer", [failing(429), failing(503), failing(500, "internal_server_error")])
def test_what_passes_is_tried_again(paper: FakeWordPress, answer: Answer) -> None:
    paper.broken = answer
    assert f"answers {answer(httpx.Request('GET', SITE)).status_code}, 4 times" in refused_line(
        paper, Unreachable
    )
    assert paper.waits == [1, 2, 4]
    paper.broken = lambda request: answer(request) if len(paper.requests) < 8 else None
    with paper.remote() as remote:
        assert remote.held() == []


def test_a_wait_that_is_asked_for_is_kept_to_a_minute(paper: FakeWordPress) -> None:
    asked = iter(["7", "99999", "Wed, 21 Oct 2026 07:28:00 GMT", "1"])
    paper.broken = lambda _: httpx.Response(429, headers={"Retry-After": next(asked)})
    refused_line(paper, Unreachable)
    assert paper.waits == [7, 60, 4]


def test_a_site_that_is_not_there(paper: FakeWordPress) -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("a message with pass word of mona", request=request)

    paper.broken = nobody
    assert "cannot be reached (ConnectError), 4 times" in refused_line(paper, Unreachable)


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "http://paper.example/", "https://paper.example:444/"]
)
def test_redirects_to_elsewhere_get_nothing(paper: FakeWordPress, to: str) -> None:
    paper.broken = lambda _: httpx.Response(302, headers={"Location": f"{to}?x=1"})
    assert f"redirects to {to};" in refused_line(paper)
    assert {(one.url.scheme, one.url.netloc) for one in paper.requests} == {("https", b"paper.example")}


def test_plain_permalinks_and_a_blog_below_a_path(paper: FakeWordPress) -> None:
    def by_parameter(request: httpx.Request) -> httpx.Response:
        route = request.url.params.get("rest_route")
        if route is None:
            return httpx.Response(404, text="<html>")
        return httpx.Response(200, json=ROOT if route == "/" else [])

    paper.broken = by_parameter
    with paper.remote(f"{SITE}/blog") as remote:
        assert remote.held() == []
        assert remote.name == "paper.example-blog"
    assert [one.url.path for one in paper.requests] == ["/blog/wp-json/", "/blog/", "/blog/"]
    assert paper.requests[-1].url.params["rest_route"] == "/wp/v2/comments"


@pytest.mark.parametrize(
    ("site", "said"),
    [
        ("paper.example", "takes an address such as"),
        ("ftp://paper.example", "takes an address such as"),
        ("https://", "takes an address such as"),
        ("https://paper.example:x", "takes an address such as"),
        ("https://mona:secret@paper.example", "without user, password or query"),
        ("http://paper.example", "is not https"),
        ("http://127.0.0.1.paper.example", "is not https"),
    ],
)
def test_addresses_that_no_password_is_sent_to(site: str, said: str) -> None:
    with pytest.raises(WordPressError, match=said) as caught:
        address_of(site)
    assert "secret" not in str(caught.value)


def test_addresses_that_will_do() -> None:
    assert str(address_of("https://paper.example/blog")) == "https://paper.example/blog/"
    for local in ("http://localhost:8080", "http://127.0.0.1", "http://[::1]:80"):
        assert address_of(local).path == "/"
    assert FakeWordPress().remote("http://[::1]:81").name == "1-81"


def test_html_becomes_text() -> None:
    assert plain("<p>a &amp; <em>b</em>c</p><p>d<br>e &#8217;</p><!-- f --> < g") == "a & bc d e ’ < g"


@given(st.text())
def test_any_text_survives_what_wordpress_makes_of_it(text: str) -> None:
    plain(text)
    escaped = html.escape(text, quote=False)
    values = {
        "id": 1,
        "post": 1,
        "parent": 0,
        "author": 0,
        "author_name": "",
        "author_email": "",
        "date_gmt": text,
    }
    found = RemoteComment.model_validate({**values, "content": {"raw": escaped}})
    lines = (line.strip() for line in re.split(r"\r\n|\r|\n", text.replace("\0", "")))
    assert found.text == re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    assert found.written is None or found.written.tzinfo is UTC


MARKUP = "<p>hate<br>of it</p><ul><li>eins</li></ul><pre>x</pre>"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (MARKUP, "hate\nof it\n\neins\n\nx"),
        ("first\r\nsecond &lt;p&gt; &amp;amp; &#039;", "first\nsecond <p> &amp; '"),
        (
            '<p>see <a href="https://casino.example/?a=1&amp;b" rel="nofollow ugc">it</a></p>',
            "see it (https://casino.example/?a=1&b)",
        ),
    ],
)
def test_the_model_and_the_queue_get_plain_text(
    paper: FakeWordPress, desk: Desk, raw: str, text: str
) -> None:
    paper.write(1, raw)
    rounds(paper, desk)
    assert desk.row("comments").text == text


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("", True),
        ("a \\ 'b' \"c\" 100% ü 😀\r\n\n\t", True),
        ("&amp; &lt;p&gt; &quot; &nbsp; &#039; &#8217;", True),
        ("<b>a</b> <em>&amp;</em><blockquote>c</blockquote><code></code>", True),
        ('<a href="https://casino.example/x?a=1&amp;b#c" rel="nofollow ugc">it</a>', True),
        ('<a href="https://Casino.example" rel="nofollow ugc">it</a>', False),
        ('<a href="https://paper.example/x" rel="nofollow ugc">it</a>', False),
        ('<a href="https://casino.example" rel="nofollow">it</a>', False),
        ('<a href="https://casino.example">it</a>', False),
        ("<a href='https://casino.example' rel='nofollow ugc'>it</a>", False),
        ('<a href="javascript:x" rel="nofollow ugc">it</a>', False),
        ("<p>a</p>", False),
        ("a<br>b", False),
        ("<B>a</B>", False),
        ("<b>a", False),
        ("<b><i>a</i></b>", False),
        ("<b>a</i>", False),
        ("<!-- a -->", False),
        ("a < b", False),
        ("a > b", False),
        ("a & b", False),
        ("&bogus;", False),
        ("&#39;", False),
        ("&#150;", False),
        ("a\x00", False),
        ("a\x1f", False),
    ],
)
def test_texts_that_survive_wordpress_s_filters(raw: str, safe: bool) -> None:
    assert survives(raw, "Paper.example") == safe


@pytest.mark.parametrize("piece", ["a", "&amp;", "&", "<b>", "<b>a</b>", "</b>", '<a href="https://a/', "<"])
def test_whether_a_text_survives_takes_linear_time(piece: str) -> None:
    survives(piece * 200_000, "paper.example")
    survives(f"<b>{piece * 200_000}", "paper.example")


def posts(paper: FakeWordPress) -> list[str]:
    return [one.url.path for one in paper.requests if one.method == "POST"]


@pytest.mark.parametrize("apply", [True, False])
def test_a_comment_that_wordpress_would_alter_is_left(paper: FakeWordPress, desk: Desk, apply: bool) -> None:
    paper.write(1, "<p>fine words</p>")
    paper.write(2, "fine words")
    paper.write(3, MARKUP)
    assert rounds(paper, desk, apply=apply) == {1: "leave", 2: "approve", 3: "wait"}
    assert posts(paper) == (["/wp-json/wp/v2/comments/2"] if apply else [])
    assert paper.comments[1]["content"]["raw"] == "<p>fine words</p>"


@pytest.mark.parametrize("action", ["publish", "reject"])
def test_a_decision_of_the_console_stays_until_wordpress_is_decided(
    paper: FakeWordPress, desk: Desk, action: str
) -> None:
    paper.write(1, MARKUP)
    rounds(paper, desk)
    comment = desk.row("comments").id
    desk.rule(comment, action)
    decided = desk.rows("decisions")
    assert rounds(paper, desk) == rounds(paper, desk) == {1: "leave"}
    assert (desk.stands(comment), desk.rows("decisions"), posts(paper)) == (action, decided, [])
    paper.comments[1]["status"] = "approved"  # in wp-admin
    assert rounds(paper, desk) == ({} if action == "publish" else {1: "learn"})
    assert (desk.stands(comment), rounds(paper, desk)) == ("publish", {})
    desk.rule(comment, "reject")
    assert (rounds(paper, desk), posts(paper)) == ({1: "leave"}, [])
    paper.write(1, "hate, edited", status="approved")
    assert (rounds(paper, desk), paper.comments[1]["status"]) == ({1: "trash"}, "trash")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("spam", "spam"),
        ("hate_speech", "trash"),
        ("personal_attack", "trash"),
        ("other", "trash"),
        ("none", "trash"),
    ],
)
def test_only_a_rejection_for_spam_is_marked_as_spam(
    paper: FakeWordPress, desk: Desk, code: str, status: str
) -> None:
    paper.write(1, "hate, edited")
    rounds(paper, desk)
    desk.rule(desk.row("comments").id, "reject", code=code)
    assert (rounds(paper, desk), paper.comments[1]["status"]) == ({1: status}, status)
    assert rounds(paper, desk) == {}


def test_a_comment_that_gets_markup_during_a_round_is_left(paper: FakeWordPress, desk: Desk) -> None:
    paper.write(1, "fine words")

    def edited(request: httpx.Request) -> None:
        if request.url.path.endswith("comments/1"):
            paper.comments[1]["content"] = {"raw": "<p>fine words</p>"}

    paper.broken = edited
    assert (rounds(paper, desk), posts(paper)) == ({1: "leave"}, [])


def test_the_site_s_own_host_is_asked_for(paper: FakeWordPress, desk: Desk) -> None:
    paper.write(1, '<a href="https://www.paper.example/" rel="nofollow ugc">fine</a>')
    home = {**ROOT, "home": "https://www.paper.example"}
    paper.broken = lambda request: httpx.Response(200, json=home) if request.url.path == "/wp-json/" else None
    assert rounds(paper, desk) == {1: "leave"}
    paper.broken = lambda _: None
    assert rounds(paper, desk) == {1: "approve"}


def test_comments_that_are_left_cost_no_request_each(paper: FakeWordPress, desk: Desk) -> None:
    for number in range(1, 41):
        paper.write(number, f"<p>fine words {number}</p>")
    rounds(paper, desk)
    paper.requests.clear()
    assert set(rounds(paper, desk).values()) == {"leave"}
    assert len(paper.requests) <= 5


def test_a_plugin_that_alters_texts_stops_the_bridge(
    paper: FakeWordPress, desk: Desk, bridge: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    paper.write(1, "fine words")
    paper.write(2, "fine words too")

    def alters(request: httpx.Request) -> None:
        if request.method == "POST":
            paper.comments[1]["content"] = {"raw": "f*** words"}

    paper.broken = alters
    with pytest.raises(WordPressError, match="altered the text"):
        rounds(paper, desk)
    assert [one["status"] for one in paper.comments.values()] == ["approved", "hold"]
    paper.broken = lambda _: None
    assert rounds(paper, desk) == {2: "approve"}
    paper.write(1, "fine words")
    paper.broken = alters
    assert run([*bridge, "--apply", "--every", "30"]) == 1
    told = capfd.readouterr().err
    assert told.count("\n") == 1
    assert "words" not in told


@pytest.mark.parametrize("listed", [{}, [1], [{"id": 0}], [{"id": "x"}], [{"id": None}], "comments", None, 7])
def test_lists_that_are_none(paper: FakeWordPress, listed: Any) -> None:
    paper.broken = lambda request: (
        httpx.Response(200, json=listed) if request.url.path.endswith("comments") else None
    )
    assert "answers with something else" in refused_line(paper, Refused)


def test_a_comment_with_next_to_nothing_is_kept(paper: FakeWordPress, desk: Desk) -> None:
    hidden = {"up": [{"code": "rest_forbidden", "message": "no", "data": {"status": 401}}]}
    link = {"up": [{"link": "javascript:alert(1)", "title": {"rendered": "<b></b>"}}]}
    paper.write(1, "", author_name="", date_gmt=None, _embedded=hidden)
    paper.write(2, "hate\x00", date_gmt="0000-00-00T00:00:00", post=0, parent=9, _embedded=link)
    paper.write(3, "hate", author=7, author_name="A" * 300)
    paper.write(4, "hate too", author=7, author_email="other@reader.example")
    assert rounds(paper, desk) == {1: "approve", 2: "wait", 3: "wait", 4: "wait"}
    one, two, three, four = desk.rows("comments")
    assert (one.author_id, one.written, two.parent) == (None, None, "9")
    assert three.author_id == four.author_id is not None
    assert desk.row("threads", caller_id="0").url is None
    assert len(desk.rows("authors")) == 1


def test_a_comment_that_wordpress_does_not_change_is_counted_and_the_rest_goes_on(
    paper: FakeWordPress, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2, 3, 4):
        paper.write(number, f"fine words {number}")
    codes = {
        1: (404, "rest_comment_invalid_id"),
        2: (500, "rest_comment_failed_edit"),
        3: (403, "rest_forbidden"),
    }

    def stubborn(request: httpx.Request) -> httpx.Response | None:
        number = int(request.url.path.rpartition("/")[2]) if request.method == "POST" else 0
        return failing(*codes[number])(request) if number in codes else None

    paper.broken = stubborn
    assert rounds(paper, desk) == {1: "fail", 2: "fail", 3: "fail", 4: "approve"}
    assert "rest_comment_failed_edit" in caplog.text
    assert "fine words" not in caplog.text
    assert paper.waits == []
    paper.broken = lambda _: None
    assert rounds(paper, desk) == {1: "approve", 2: "approve", 3: "approve"}


def test_an_author_without_a_program_gets_none(paper: FakeWordPress, desk: Desk) -> None:
    paper.write(1, "fine words", author_ip="", author_user_agent="")
    rounds(paper, desk)
    sent = next(one for one in paper.requests if one.method == "POST")
    assert (json.loads(sent.content), sent.headers["User-Agent"]) == ({"status": "approved"}, "")


def test_after_thirty_days_wordpress_is_not_asked_again(
    paper: FakeWordPress, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper.write(1, "fine words")
    paper.write(2, "hate")
    rounds(paper, desk)
    later = datetime.now(UTC) + timedelta(days=31)
    monkeypatch.setattr(polling, "now", lambda: later)
    paper.comments[1]["status"] = paper.comments[2]["status"] = "spam"
    assert rounds(paper, desk) == {2: "learn"}


@pytest.mark.parametrize("status", ["post-trashed", "custom", "0"])
def test_statuses_that_decide_nothing(paper: FakeWordPress, desk: Desk, status: str) -> None:
    paper.write(1, "hate")
    rounds(paper, desk)
    paper.comments[1]["status"] = status
    assert rounds(paper, desk) == {}


def test_two_rounds_at_once_decide_nothing_twice(
    paper: FakeWordPress, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper.write(1, "fine words")
    rounds(paper, desk)
    statuses = WordPress.statuses

    def meanwhile(self: WordPress, ids: Any) -> dict[int, str]:
        seen = statuses(self, ids)
        desk.do(bridges.remember, desk.row("comments").id, "hold")  # the other round was faster
        return seen

    monkeypatch.setattr(WordPress, "statuses", meanwhile)
    paper.comments[1]["status"] = "spam"
    before = desk.rows("decisions")
    assert rounds(paper, desk) == {}
    assert desk.rows("decisions") == before


@pytest.fixture
def bridge(paper: FakeWordPress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments of the command; its WordPress is the fake one."""
    make = lambda *known: WordPress(*known, transport=httpx.MockTransport(paper), wait=paper.waits.append)  # noqa: E731
    monkeypatch.setattr(command, "WordPress", make)
    monkeypatch.setattr("belowline.model.Scorer.load", lambda *_, **__: fake_scorer())
    monkeypatch.setenv("BELOWLINE_DATABASE_URL", f"sqlite:///{tmp_path / 'bridge.sqlite3'}")
    monkeypatch.setenv("BELOWLINE_WORDPRESS_PASSWORD", PASSWORD)
    return ["bridge", "wordpress", "--site", SITE, "--user", USER]


def test_the_exit_status_tells_that_something_was_not_changed(
    paper: FakeWordPress, bridge: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    paper.write(1, "fine words")
    paper.broken = lambda request: failing(404, "gone")(request) if request.method == "POST" else None
    assert run([*bridge, "--apply"]) == 1
    said = capfd.readouterr()
    assert "1  not changed" in said.out
    assert "not changed in WordPress: 1" in said.err
    paper.broken = lambda _: None
    assert run([*bridge, "--apply"]) == 0


def test_what_is_left_is_named_once_and_counted_in_every_round(
    paper: FakeWordPress,
    bridge: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    paper.write(17, "<p>fine words</p>")
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    for options in ([], ["--apply"]):
        assert run([*bridge, *options]) == 0
        told = capfd.readouterr().out
        assert "comment.php?action=editcomment&c=17" in told
        assert "1 left to wp-admin" in told
    assert run([*bridge, "--apply", "--every", "30"]) == 0
    told = capfd.readouterr().out
    assert (told.count("c=17"), told.count("1 left to wp-admin")) == (1, 3)
    assert "fine" not in told


def test_polling_goes_on_over_an_outage_until_it_is_ended(
    paper: FakeWordPress,
    bridge: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        paper.broken = failing(503) if len(slept) == 1 else lambda _: None
        paper.write(len(slept), f"fine words {len(slept)}")
        if len(slept) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    assert run([*bridge, "--apply", "--every", "30"]) == 0
    assert slept == [30, 30, 30]
    assert [one["status"] for one in paper.comments.values()] == ["approved", "approved", "hold"]
    assert "answers 503, 4 times" in capfd.readouterr().err


def test_polling_ends_where_trying_again_does_not_help(
    paper: FakeWordPress, bridge: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    paper.broken = lambda request: failing(401)(request) if "comments" in request.url.path else None
    assert run([*bridge, "--every", "30"]) == 1
    assert "(no code)" in capfd.readouterr().err


def test_the_password_is_asked_for_and_never_shown(
    paper: FakeWordPress,
    bridge: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("BELOWLINE_WORDPRESS_PASSWORD")
    assert run(bridge) == 1
    assert command.PASSWORD in capfd.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    asked: list[dict[str, Any]] = []

    def prompt(_: str, **options: Any) -> str:
        asked.append(options)
        return PASSWORD

    monkeypatch.setattr("typer.prompt", prompt)
    assert run(bridge) == 0
    assert asked == [{"hide_input": True, "err": True}]
    expected = httpx.BasicAuth(USER, PASSWORD)._auth_header
    assert paper.requests[-1].headers["Authorization"] == expected


def test_bad_options(bridge: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run([*bridge, "--every", "0"]) == 2
    assert run([*bridge[:3], "http://paper.example", *bridge[4:]]) == 1
    assert "is not https" in capfd.readouterr().err


def test_the_rows_hold_no_text(paper: FakeWordPress, desk: Desk) -> None:
    paper.write(1, "hate of somebody")
    rounds(paper, desk)
    assert "hate of" in repr(desk.see(everything)["comments"])
    assert set(desk.row("bridges")._mapping) == {"comment_id", "action", "at"}


def test_each_round_begins_with_the_active_model(paper: FakeWordPress, tmp_path: Path) -> None:
    desk, scorers = (
        Desk(Database.open(sqlite_url(tmp_path / "bridge.sqlite3"))),
        [fake_scorer(), fake_scorer()],
    )
    active, following = Active(scorers[0], None, None, desk.database), iter([0, 1])

    def follow() -> None:
        number = next(following)
        active.take_over(scorers[number], None, number)

    with paper.remote() as remote:
        bridge = Bridge(remote, active, desk.database)
        repeated = command.Rounds(bridge, cast(Any, SimpleNamespace(catch_up=follow)), remote, False)
        for number in range(2):
            paper.write(number + 1, "fine")
            assert repeated.run() == 0
    desk.database.close()
    assert [len(one.calls) for one in scorers] == [1, 1]
