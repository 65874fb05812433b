"""The bridge against a real WordPress."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from belowline.serve.active.active import Active
from belowline.serve.cli import run
from belowline.serve.queue import comments
from belowline.serve.queue.erasure import erase_comment
from belowline.serve.wordpress.client import WordPress, address_of
from belowline.serve.wordpress.kses import survives
from belowline.serve.wordpress.sync import Bridge, Step
from tests.support.serve_fakes import fake_scorer
from tests.support.store_fakes import ANN, Desk, everything
from tests.support.wordpress import MODERATOR, RealWordPress, wordpress_server

POLICY = (
    'version = "bridge"\nautomatic_rejection = true\n'
    "[thresholds.spam]\nhold = 0.5\nreject = 0.8\n[thresholds.threat]\nhold = 0.5\nreject = 0.8\n"
)


MARKUP = (
    "<p>fine &amp; well<br>second line</p><ul><li>eins</li><li>zwei</li></ul><pre>if a &lt; b:\n    go()</pre>",
    '<p>spam of <a href="https://casino.example/" rel="nofollow ugc">it</a></p>',
    "<p>hate</p>",
    "fine, she said: <br> & so on",
)
PLAIN = (
    "fine\r\nwords \\ of 'a' \"reader\" &amp; 1 &lt; 2 ü 😀",
    "fine <b>words</b>, <em>too</em> <blockquote>quoted</blockquote>",
    'spam of <a href="https://casino.example/?a=1&amp;b=2" rel="nofollow ugc">it</a>',
)
PIECES = [
    *"a&\\\"' \n\t\x01\x0b\x7fü😀\ufffe",
    "target",
    "\r\n",
    "%41",
    "$1",
    "-->",
    "[x]",
    "a:3:{",
    "&amp;",
    "&lt;",
    "&gt;",
    "&quot;",
]
PIECES += [
    "&nbsp;",
    "&#039;",
    "&#39;",
    "&#038;",
    "&#8217;",
    "&#150;",
    "&auml;",
    "&bogus;",
    "&amp",
    "&#x27;",
    "<b>x</b>",
]
PIECES += ["<q>x\\</q>", "<code>&amp;</code>", '<del>"</del>', "<strike>\n</strike>", "<cite></cite>"]
BROKEN = [
    "<",
    ">",
    "<b>",
    "</b>",
    "<B>x</B>",
    "<b><i>x</i></b>",
    "<b >x</b>",
    "<q><q>x</q></q>",
    "<p>",
    "</p>",
    "<br>",
    "</a>",
]
BROKEN += [
    "<ul><li>x</li></ul>",
    "<pre>x</pre>",
    "<!--",
    "-->",
    "<!-- wp:x -->",
    "<3",
    "<a href='http://a.example'>x</a>",
]
BROKEN += [
    '<a href="http://a.example" rel="nofollow">x</a>',
    '<a href="http://127.0.0.1" rel="nofollow ugc">x</a>',
]
HREF = ["a", "9", *"~.:/?#@!$*+,=%-_'()[];", "&amp;", "&#038;", "&", "target=", "//", "feed:", "%0d"]


def any_text(of: random.Random) -> str:
    """A text of pieces that WordPress's filters act on."""
    host = of.choice(["a.example", "127.0.0.1", "A.example", "localhost", "a..b", "-"])
    rest = of.choice(["", "/", "?", "#", ":80/"]) + "".join(of.choices(HREF, k=of.randrange(5)))
    words = of.choice(["it", "", "\\", "target=x"])
    link = f'<a href="{of.choice(["http", "https"])}://{host}{rest}" rel="nofollow ugc">{words}</a>'
    broken = of.choice(BROKEN) if of.random() < 0.3 else ""
    pieces = [*of.choices(PIECES, k=of.randint(1, 2)), of.choice(["", link]), broken]
    return "".join(of.sample(pieces, len(pieces)))


@pytest.fixture(scope="module")
def server() -> Iterator[RealWordPress]:
    with wordpress_server() as running:
        yield running


@pytest.fixture
def paper(server: RealWordPress) -> RealWordPress:
    """The WordPress without comments of other tests."""
    while left := server.everything():
        for comment in left:
            server.delete(comment["id"])
    return server


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    return file


@contextmanager
def remote_of(paper: RealWordPress) -> Iterator[WordPress]:
    address = address_of(paper.url)
    with WordPress(address, MODERATOR, paper.passwords[MODERATOR]) as remote:
        yield remote


def rounds(paper: RealWordPress, desk: Desk, policy_file: Path, *, apply: bool = True) -> dict[int, Step]:
    """Return the steps of one round, by WordPress's id."""
    with remote_of(paper) as remote:
        active = Active(fake_scorer(), None, policy_file, desk.database)
        return {step.remote: step for step in Bridge(remote, active, desk.database, apply=apply).round()}


def find(desk: Desk, remote: int) -> Any:
    """Return the comment in the store."""
    return desk.row("comments", caller_id=str(remote))


def test_what_waits_is_approved_held_or_marked_as_spam(
    paper: RealWordPress, desk: Desk, policy_file: Path
) -> None:
    fine, hateful, spam = paper.write("All fine"), paper.write("hate"), paper.write("spam")
    threat, broken = paper.write("a threat"), paper.write("explode")
    found = rounds(paper, desk, policy_file)
    outcomes = {remote: step.outcome for remote, step in found.items()}
    assert outcomes == {fine: "approve", hateful: "wait", spam: "spam", threat: "trash", broken: "wait"}
    assert [paper.status(one) for one in found] == ["approved", "hold", "spam", "trash", "hold"]
    assert (found[spam].code, found[spam].rule) == ("spam", "spam >= 0.8")
    assert found[broken].code == "scoring_failed"
    assert desk.waiting(find(desk, hateful).id) is not None
    assert rounds(paper, desk, policy_file) == {}
    assert len(desk.rows("decisions")) == 5


def test_a_comment_is_kept_with_its_article_its_parent_and_its_author(
    paper: RealWordPress, desk: Desk, policy_file: Path
) -> None:
    parent = paper.write("Boats &amp; <b>trams</b>, a threat", author="Ben")
    answer = paper.write("hate & 1 < 2", parent=parent)
    on_page = paper.write("hate of <a href='https://casino.example'>it</a>", post=1)
    rounds(paper, desk, policy_file)
    [kept] = desk.see(comments.load, [find(desk, answer).id])
    assert kept.text == "hate & 1 < 2"
    assert kept.parent == str(parent)
    assert kept.parent_text == "Boats & trams, a threat"
    assert kept.thread.title == "Tom & the harbour"
    assert kept.thread.lead == "It reopens — today."
    assert kept.thread.url.startswith(paper.url)
    assert kept.relevance == 0.75
    assert kept.author.name == "Ann"
    assert "reader.example" not in repr(desk.see(everything))
    [other] = desk.see(comments.load, [find(desk, on_page).id])
    assert other.thread.title == "About us"
    assert "https://casino.example" in str(other.text)
    assert kept.site == other.site == paper.url.removeprefix("http://").replace(":", "-")
    assert kept.author.id == other.author.id
    assert kept.written is not None
    assert abs((kept.received - kept.written).total_seconds()) < 3600


@pytest.mark.parametrize(("status", "balance"), [("approved", False), ("spam", True)])
def test_a_text_that_is_called_safe_is_the_same_after_a_change_of_status(
    paper: RealWordPress, status: str, balance: bool
) -> None:
    of = random.Random(status)
    texts = [*MARKUP, *PLAIN, *(any_text(of) for _ in range(200)), "<b>x</b>" * 5000, "&amp;\\" * 9000]
    _, stored = paper.store(texts, status, balance=balance)
    safe = [survives(text, "127.0.0.1") for text in texts]
    assert [
        one for one, two, survived in zip(texts, stored, safe, strict=True) if survived and one != two
    ] == []
    assert safe[: len(MARKUP) + len(PLAIN)] == [False] * len(MARKUP) + [True] * len(PLAIN)
    assert sum(safe) > 40
    assert sum(one != two for one, two in zip(texts, stored, strict=True)) > 40


def stands(paper: RealWordPress) -> dict[int, tuple[str, str]]:
    """Return status and text of every comment."""
    return {one["id"]: (one["status"], one["content"]["raw"]) for one in paper.everything()}


def test_comments_with_markup_come_through_every_decision_unchanged(
    paper: RealWordPress, desk: Desk, policy_file: Path
) -> None:
    ids, _ = paper.store(MARKUP)
    fine, spam, hateful, more = ids
    before = stands(paper)
    dry = rounds(paper, desk, policy_file, apply=False)
    found = rounds(paper, desk, policy_file)
    expected = {fine: "leave", spam: "leave", hateful: "wait", more: "leave"}
    assert {remote: step.outcome for remote, step in found.items()} == expected
    assert {remote: step.outcome for remote, step in dry.items()} == expected
    assert [find(desk, one).action for one in ids] == ["publish", "reject", "hold", "publish"]
    assert find(desk, fine).text.startswith("fine & well\nsecond line\n\neins")
    for action in ("publish", "reject", "hold", "publish"):
        for one in ids:
            desk.rule(find(desk, one).id, action)
        left = rounds(paper, desk, policy_file)
        assert {step.outcome for step in left.values()} == (set() if action == "hold" else {"leave"})
    assert stands(paper) == before
    paper.decide(fine, "approve")
    paper.decide(spam, "spam")
    paper.decide(hateful, "trash")
    found = rounds(paper, desk, policy_file)
    assert {remote: step.outcome for remote, step in found.items()} == {
        spam: "learn", hateful: "learn", more: "leave"
    }  # fmt: skip
    assert [find(desk, one).action for one in ids] == ["publish", "reject", "reject", "publish"]
    assert [paper.text(one) for one in ids] == list(MARKUP)


def test_comments_without_markup_are_decided_and_stay_as_they_are(
    paper: RealWordPress, desk: Desk, policy_file: Path
) -> None:
    ids, _ = paper.store(PLAIN)
    assert {remote: step.outcome for remote, step in rounds(paper, desk, policy_file).items()} == dict(
        zip(ids, ["approve", "approve", "spam"], strict=True)
    )
    for one in ids:
        desk.rule(find(desk, one).id, "hold")
    assert {step.outcome for step in rounds(paper, desk, policy_file).values()} == {"hold"}
    assert [paper.text(one) for one in ids] == list(PLAIN)


def test_a_dry_run_changes_nothing(paper: RealWordPress, desk: Desk, policy_file: Path) -> None:
    fine, spam = paper.write("All fine"), paper.write("spam")
    before = desk.see(everything), paper.everything()
    found = rounds(paper, desk, policy_file, apply=False)
    assert {remote: step.outcome for remote, step in found.items()} == {fine: "approve", spam: "spam"}
    assert (desk.see(everything), paper.everything()) == before
    rounds(paper, desk, policy_file)
    paper.moderate(fine, "spam")
    before = desk.see(everything), paper.everything()
    assert rounds(paper, desk, policy_file, apply=False)[fine].outcome == "learn"
    assert (desk.see(everything), paper.everything()) == before


def test_what_wordpress_knows_of_an_author_stays(paper: RealWordPress, desk: Desk, policy_file: Path) -> None:
    fine = paper.write("All fine", author_ip="192.0.2.7", author_user_agent="Mozilla/5.0 (reader)")
    [before] = paper.everything()
    rounds(paper, desk, policy_file)
    [after] = paper.everything()
    assert after["id"] == fine
    assert after == {**before, "status": "approved", "link": after["link"]}
    assert "192.0.2.7" not in repr(desk.see(everything))


def test_a_round_cut_off_after_keeping_is_made_good_by_the_next(
    paper: RealWordPress, desk: Desk, policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remotes = [paper.write("All fine"), paper.write("spam"), paper.write("Fine too")]
    change, calls = WordPress.change, iter([False, True])

    def cut_off(self: WordPress, *more: Any) -> bool:
        if next(calls):
            raise KeyboardInterrupt
        return change(self, *more)

    monkeypatch.setattr(WordPress, "change", cut_off)
    with pytest.raises(KeyboardInterrupt):
        rounds(paper, desk, policy_file)
    monkeypatch.undo()
    assert [paper.status(one) for one in remotes] == ["approved", "hold", "hold"]
    assert len(desk.rows("comments")) == 3
    rounds(paper, desk, policy_file)
    assert [paper.status(one) for one in remotes] == ["approved", "spam", "approved"]
    assert len(desk.rows("comments")) == len(desk.rows("decisions")) == 3


def test_a_round_cut_off_between_wordpress_and_the_store_decides_nothing_twice(
    paper: RealWordPress, desk: Desk, policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine, change = paper.write("All fine"), WordPress.change

    def cut_off(self: WordPress, *more: Any) -> bool:
        change(self, *more)
        raise KeyboardInterrupt

    monkeypatch.setattr(WordPress, "change", cut_off)
    with pytest.raises(KeyboardInterrupt):
        rounds(paper, desk, policy_file)
    monkeypatch.undo()
    assert paper.status(fine) == "approved"
    assert rounds(paper, desk, policy_file) == {}
    assert len(desk.rows("decisions")) == 1
    paper.moderate(fine, "hold")
    assert rounds(paper, desk, policy_file)[fine].outcome == "learn"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("approved", ("publish", [], "none")),
        ("spam", ("reject", ["spam"], "spam")),
        ("trash", ("reject", [], "other")),
    ],
)
def test_what_moderators_decide_in_wordpress_becomes_a_decision(
    paper: RealWordPress, desk: Desk, policy_file: Path, status: str, expected: tuple[str, list[str], str]
) -> None:
    held = paper.write("hate")
    rounds(paper, desk, policy_file)
    paper.moderate(held, status)
    step = rounds(paper, desk, policy_file)[held]
    assert (step.outcome, step.action, step.rule) == ("learn", expected[0], f"wordpress: {expected[0]}")
    kept = find(desk, held)
    assert kept.action == expected[0]
    assert desk.waiting(kept.id) is None
    last = desk.see(comments.last_decision, kept.id)
    assert (last.actor, last.via) == (f"wordpress:{MODERATOR}", "wordpress")
    assert (last.action, last.labels, last.code) == expected
    assert rounds(paper, desk, policy_file) == {}
    assert paper.status(held) == status


def test_an_approval_taken_back_in_wordpress_waits_here(
    paper: RealWordPress, desk: Desk, policy_file: Path
) -> None:
    fine = paper.write("All fine")
    rounds(paper, desk, policy_file)
    paper.moderate(fine, "hold")
    assert rounds(paper, desk, policy_file)[fine].outcome == "learn"
    assert desk.waiting(find(desk, fine).id) is not None
    assert (rounds(paper, desk, policy_file), paper.status(fine)) == ({}, "hold")


def test_what_is_decided_here_is_carried_to_wordpress(
    paper: RealWordPress, desk: Desk, policy_file: Path
) -> None:
    first, second, third = paper.write("hate"), paper.write("hate again"), paper.write("All fine")
    rounds(paper, desk, policy_file)
    desk.rule(find(desk, first).id, "publish")
    desk.rule(find(desk, second).id, "reject")
    desk.rule(find(desk, third).id, "hold")
    found = rounds(paper, desk, policy_file)
    assert [found[one].outcome for one in (first, second, third)] == ["approve", "trash", "hold"]
    assert [paper.status(one) for one in (first, second, third)] == ["approved", "trash", "hold"]
    assert rounds(paper, desk, policy_file) == {}


def test_wordpress_counts_where_both_decided_since_and_agreement_is_no_news(
    paper: RealWordPress, desk: Desk, policy_file: Path
) -> None:
    apart, alike = paper.write("hate"), paper.write("hate again")
    rounds(paper, desk, policy_file)
    for one, status in ((apart, "spam"), (alike, "approved")):
        desk.rule(find(desk, one).id, "publish")
        paper.moderate(one, status)
    assert {one: step.outcome for one, step in rounds(paper, desk, policy_file).items()} == {apart: "learn"}
    assert (paper.status(apart), find(desk, apart).action) == ("spam", "reject")
    desk.rule(
        find(desk, apart).id, "publish"
    )  # the newest decision wins: this comment was reviewed again here
    assert rounds(paper, desk, policy_file)[apart].outcome == "approve"
    assert paper.status(apart) == "approved"


def test_a_comment_changed_during_a_round_is_left_to_the_next(
    paper: RealWordPress, desk: Desk, policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine, change = paper.write("All fine"), WordPress.change

    def behind(self: WordPress, *more: Any) -> bool:
        paper.moderate(fine, "trash")
        return change(self, *more)

    with monkeypatch.context() as patch:
        patch.setattr(WordPress, "change", behind)
        assert rounds(paper, desk, policy_file)[fine].outcome == "later"
    assert paper.status(fine) == "trash"
    assert rounds(paper, desk, policy_file)[fine].outcome == "learn"
    assert find(desk, fine).action == "reject"


def test_deleted_comments_and_erased_ones_are_left(
    paper: RealWordPress, desk: Desk, policy_file: Path
) -> None:
    deleted, erased = paper.write("hate"), paper.write("hate again")
    rounds(paper, desk, policy_file)
    paper.delete(deleted)
    desk.do(erase_comment, ANN, find(desk, erased).id)
    paper.moderate(erased, "approved")
    assert rounds(paper, desk, policy_file) == {}
    assert (find(desk, deleted).action, find(desk, erased).text) == ("hold", None)


def test_more_than_a_page(paper: RealWordPress, desk: Desk, policy_file: Path) -> None:
    old = paper.write("All fine", date="2020-01-01T10:00:00")
    ids = [paper.write(f"hate {number}", author=f"a{number}") for number in range(101)]
    with remote_of(paper) as remote:
        assert remote.held() == [old, *ids]
    assert len(rounds(paper, desk, policy_file)) == 102
    assert (rounds(paper, desk, policy_file), len(desk.rows("comments"))) == ({}, 102)


@pytest.fixture
def bridge(
    paper: RealWordPress, tmp_path: Path, policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Arguments of the command; all other settings are in the environment."""
    monkeypatch.setattr("belowline.model.Scorer.load", lambda *_, **__: fake_scorer())
    monkeypatch.setenv("BELOWLINE_DATABASE_URL", f"sqlite:///{tmp_path / 'bridge.sqlite3'}")
    monkeypatch.setenv("BELOWLINE_POLICY", str(policy_file))
    monkeypatch.setenv("BELOWLINE_WORDPRESS_PASSWORD", paper.passwords[MODERATOR])
    return ["bridge", "wordpress", "--site", paper.url, "--user", MODERATOR]


def test_the_command(paper: RealWordPress, bridge: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    fine, spam = paper.write("All fine"), paper.write("spam <b>x</b>")
    assert run(bridge) == 0
    said = capfd.readouterr().out
    assert f"{spam}  marked as spam  spam (spam >= 0.8)  {paper.url}/wp-admin/comment.php" in said
    assert "1 approved, 1 marked as spam" in said
    assert "All fine" not in said
    assert (paper.status(fine), paper.status(spam)) == ("hold", "hold")
    assert run([*bridge, "--apply"]) == 0
    assert capfd.readouterr().out.endswith("\n1 approved, 1 marked as spam\n")
    assert (paper.status(fine), paper.status(spam)) == ("approved", "spam")
    assert run([*bridge, "--apply"]) == 0
    assert capfd.readouterr().out == "nothing to do\n"


@pytest.mark.parametrize(
    ("user", "password", "said"),
    [
        (MODERATOR, "wrong", f"does not accept user {MODERATOR} with this application password"),
        ("nobody", "wrong", "does not accept user nobody with this application password"),
        ("rita", None, "rita may not moderate these comments"),
    ],
)
def test_wrong_accounts_get_one_line(
    paper: RealWordPress,
    bridge: list[str],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    user: str,
    password: str | None,
    said: str,
) -> None:
    paper.write("spam")
    monkeypatch.setenv("BELOWLINE_WORDPRESS_PASSWORD", password or paper.passwords[user])
    assert run([*bridge[:-1], user, "--apply"]) == 1
    told = capfd.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert (password or paper.passwords[user]) not in told


def test_the_address_below_wp_json_does_too(paper: RealWordPress) -> None:
    """Pretty permalinks, as on most sites: the same API under another address."""
    held = paper.write("spam")

    def pretty(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/wp-json/"):
            route = request.url.path.removeprefix("/wp-json")
            request.url = request.url.copy_with(path="/").copy_merge_params({"rest_route": route})
            return paper.api.send(request)
        return httpx.Response(404, headers={"Content-Type": "text/html"}, text="<html>")

    transport = httpx.MockTransport(pretty)
    with WordPress(
        address_of(paper.url),
        MODERATOR,
        paper.passwords[MODERATOR],
        transport=transport,
    ) as remote:
        assert remote.held() == [held]
        assert remote.change(held, "hold", "spam") is None
    assert paper.status(held) == "spam"
