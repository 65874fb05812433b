"""The plugin for WordPress in a real WordPress, with a real belowline service."""

import hashlib
import hmac
import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from selectolax.lexbor import LexborHTMLParser as Html

from belowline.serve.server.app import create_app
from belowline.serve.settings import Settings
from belowline.serve.webhooks.sender import SIGNATURE, sign
from tests.conftest import ROOT
from tests.support.serve_fakes import KEY, fake_scorer
from tests.support.wordpress import (
    MODERATOR,
    RealWordPress,
    install_plugin,
    run_php,
    wordpress_server,
    wp_admin,
)

PLUGIN = ROOT / "serve" / "wordpress_plugin"
POLICY = (
    'version = "plugin"\nautomatic_rejection = true\ntrusted_roles = ["contributor"]\n'
    '[links]\nblocked = ["casino.example"]\n'
    "[thresholds.spam]\nhold = 0.5\nreject = 0.8\n"
)
OPTIONS = (
    "update_option('comment_previously_approved', 0); update_option('comment_moderation', 0);"
    "update_option('moderation_keys', 'postcard'); update_option('disallowed_keys', 'forbidden');"
    "wp_update_user(['ID' => get_user_by('login', 'mona')->ID, 'user_email' => 'mona@paper.example']);"
)
HOST = """<?php
add_filter('comment_flood_filter', '__return_false', 99);
// As wpDiscuz does: more markup than WordPress allows, in visitors' forms and in the editor, not in the REST API.
function host_allows_markup() {
    add_filter('wp_kses_allowed_html', function ($tags) {
        return $tags + array_fill_keys(array('p', 'br', 'ul', 'li', 'pre'), array());
    });
}
add_action('pre_comment_on_post', 'host_allows_markup');
add_action('load-comment.php', 'host_allows_markup');
add_filter('belowline_timeout', function () { return 20; });
"""
MARKUP = "<p>First line<br>second &amp; last</p><ul><li>one</li><li>two</li></ul><pre>a\n  b</pre>"


class Service:
    """A belowline service that can be stopped and restarted on its port, with its database."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        policy = folder / "policy.toml"
        policy.write_text(POLICY)
        self._settings = Settings(
            database_url=f"sqlite:///{folder / 'queue.sqlite3'}",
            api_keys=KEY,
            policy=policy,
            webhook_private_addresses=True,
        )
        self.api = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers={"X-API-Key": KEY}, timeout=30
        )
        self._server: uvicorn.Server | None = None

    def start(self) -> None:
        if self._server is not None:
            return
        app = create_app(self._settings, fake_scorer())
        self._server = uvicorn.Server(
            uvicorn.Config(app, port=self.port, log_config=None, timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        wait_for(lambda: self._server is not None and self._server.started)

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
            self._thread.join(30)
            self._server = None

    def comments(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get("/v1/comments?limit=200").json()["items"]
        return found

    def comment(self, reference: str) -> dict[str, Any]:
        answer = self.api.get(f"/v1/comments/{reference}")
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def decide(self, number: int, action: str, **more: Any) -> None:
        answer = self.api.post(f"/v1/comments/{number}/decisions", json={"action": action, **more})
        assert answer.is_success, answer.text


class Site:
    """The newsroom's WordPress with the plugin."""

    def __init__(self, paper: RealWordPress, service: Service, secret: str, admin: httpx.Client) -> None:
        self.paper, self.service, self.secret, self.admin = paper, service, secret, admin
        self.name = paper.url.removeprefix("http://").replace(":", "-")

    def visit(self, text: str, author: str = "Ann", website: str = "", **more: Any) -> int:
        """Post a comment through the page's form, as a visitor; return its id."""
        form = {
            "comment": text,
            "author": author,
            "email": f"{author.lower()}@reader.example",
            "url": website,
            "comment_post_ID": self.paper.posts[0],
            "comment_parent": 0,
            **more,
        }
        answer = httpx.post(f"{self.paper.url}/wp-comments-post.php", data=form, timeout=60)
        assert answer.status_code == 302, answer.text
        return int(answer.headers["Location"].rpartition("#comment-")[2])

    def kept(self, comment: int) -> dict[str, Any]:
        """Return the comment in belowline."""
        return self.service.comment(f"{self.name}:{self.meta(comment, '_belowline_id')}")

    def meta(self, comment: int, key: str) -> Any:
        return json.loads(
            run_php(self.paper, f"echo json_encode(get_comment_meta({comment}, '{key}', true));")
        )

    def raw(self, comment: int) -> str:
        return str(
            json.loads(run_php(self.paper, f"echo json_encode(get_comment({comment})->comment_content);"))
        )

    def status(self, comment: int) -> str:
        return self.statuses(comment)[0]

    def statuses(self, *comments: int) -> list[str]:
        code = (
            "echo implode(' ', array_map(function ($id) { return get_comment($id)->comment_approved; }, %s));"
        )
        return run_php(self.paper, code % list(comments)).split()

    def click(self, comment: int, action: str, listed: str = "all") -> None:
        """Follow a link of a comment in wp-admin's list, as a moderator."""
        page = self.admin.get(f"/wp-admin/edit-comments.php?comment_status={listed}")
        for link in Html(page.text).css(f"#comment-{comment} .row-actions a"):
            address = link.attributes.get("href") or ""
            if f"action={action}&" in address:
                assert self.admin.get(f"/wp-admin/{address}").is_success
                return
        raise AssertionError(f"no {action} for comment {comment}")

    def jobs(self) -> int:
        query = "SELECT COUNT(*) FROM $wpdb->options WHERE option_name LIKE 'belowline_job%'"
        return int(run_php(self.paper, f'echo $wpdb->get_var("{query}");'))

    def cron(self) -> None:
        """Run the WP-Cron jobs that are due in the next minute."""
        run_php(
            self.paper,
            "wp_clear_scheduled_hook('belowline_work'); wp_schedule_event(time() - 1, 'belowline', 'belowline_work');"
            "delete_transient('doing_cron');",
        )
        assert httpx.get(f"{self.paper.url}/wp-cron.php", timeout=60).is_success

    def tell(self, secret: str = "", **changes: Any) -> httpx.Response:
        """Send an event as belowline does."""
        event = {"site": self.name, "caller_id": "x", "decision": 1, "action": "publish", "by": "moderator"}
        body = json.dumps({"event": "comment.decided", **event, **changes}).encode()
        return self.post(body, sign(body, ["another", secret or self.secret]))

    def post(self, body: bytes, signature: str) -> httpx.Response:
        headers = {"Content-Type": "application/json", SIGNATURE: signature}
        url = f"{self.paper.url}/?rest_route=/belowline/v1/webhook"
        return httpx.post(url, content=body, headers=headers, timeout=60)


def wait_for(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def site_and_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("plugin")
    with wordpress_server() as paper:
        service = Service(folder)
        service.start()
        archive = shutil.make_archive(str(folder / "belowline"), "zip", PLUGIN.parent, PLUGIN.name)
        install_plugin(paper, Path(archive))
        (paper.folder / "www/wp-content/mu-plugins/host.php").write_text(HOST)
        address = f"{paper.url}/?rest_route=/belowline/v1/webhook"
        events = ["comment.held", "comment.decided"]
        hook = service.api.post("/v1/webhooks", json={"url": address, "events": events}).json()
        name = paper.url.removeprefix("http://").replace(":", "-")
        key = service.api.post("/v1/keys", json={"name": "plugin", "role": "service", "sites": [name]}).json()
        settings = {"url": str(service.api.base_url), "key": key["key"], "webhook_secret": hook["secret"]}
        run_php(paper, f"update_option('belowline', json_decode('{json.dumps(settings)}', true)); {OPTIONS}")
        with wp_admin(paper) as session:
            yield Site(paper, service, hook["secret"], session)
        service.stop()


@pytest.fixture
def site(site_and_service: Site) -> Iterator[Site]:
    """The site without comments of other tests, with its service running."""
    site_and_service.service.start()
    run_php(
        site_and_service.paper,
        "foreach (get_comments(['status' => 'any']) as $one) { wp_delete_comment($one->comment_ID, true); }"
        "delete_option('belowline_down'); Belowline::work();",
    )
    yield site_and_service
    site_and_service.service.stop()


def test_what_visitors_write_is_published_held_or_marked_as_spam(site: Site) -> None:
    fine, insult = site.visit("All fine"), site.visit("a personal_attack")
    spam, broken = site.visit("spam"), site.visit("explode")
    assert site.statuses(fine, insult, spam, broken) == ["1", "0", "spam", "0"]
    assert [site.kept(one)["action"] for one in (fine, insult, spam)] == ["publish", "hold", "reject"]
    meta = site.meta(spam, "_belowline")
    assert (meta["action"], meta["reason"]["rule"], meta["model"]) == ("reject", "spam >= 0.8", "9.9.9")
    assert meta["scores"]["spam"] == 0.9
    assert site.jobs() == 0


def test_a_comment_comes_with_its_article_its_parent_and_its_author(site: Site) -> None:
    parent = site.visit("Boats &amp; <b>trams</b>", author="Ben")
    answer = site.visit("hate & 1 < 2 <a href='https://tram.example/x'>it</a>", comment_parent=parent)
    kept = site.kept(answer)
    assert kept["text"] == "hate & 1 < 2 it (https://tram.example/x)"
    assert kept["thread"]["title"] == "Tom & the harbour"
    assert kept["thread"]["caller_id"] == str(site.paper.posts[0])
    assert kept["relevance"] == 0.75
    assert kept["parent"] == site.meta(parent, "_belowline_id")
    assert kept["parent_text"] == "Boats & trams"
    assert kept["author"]["name"] == "Ann"
    assert kept["author"]["caller_id"] == site.kept(site.visit("hate again"))["author"]["caller_id"]
    assert kept["author"]["caller_id"] != site.kept(parent)["author"]["caller_id"]
    assert kept["written"] is not None
    assert "reader.example" not in json.dumps(site.service.comments())
    assert hashlib.sha256(b"ann@reader.example").hexdigest() != kept["author"]["caller_id"]


def test_the_authors_website_counts_and_is_not_stored(site: Site) -> None:
    held = site.visit("All fine", website="https://www.casino.example/win")
    assert site.status(held) == "0"
    assert site.meta(held, "_belowline")["reason"]["code"] == "links"
    assert "www.casino" not in json.dumps(site.service.comments())


def test_belowline_makes_nothing_milder_than_wordpress(site: Site) -> None:
    """Moderation keys hold; disallowed words are trash; a comment that is trash already is not sent."""
    held, trash = site.visit("my postcard"), site.visit("this is forbidden", author="Ben")
    assert (site.status(held), site.kept(held)["action"]) == ("0", "publish")
    assert (site.status(trash), site.meta(trash, "_belowline_id")) == ("trash", "")
    assert site.status(site.visit("spam postcard")) == "spam"


def test_comments_over_rest_are_scored_and_moderators_are_not(site: Site) -> None:
    spam = site.paper.write('a "quoted" \\ spam', status="approved")
    assert site.kept(spam)["text"] == 'a "quoted" \\ spam'
    assert (
        site.kept(spam)["action"] == "publish"
    )  # the moderator who posted it for another author approved it
    own = site.paper._call("POST", "comments", post=site.paper.posts[0], content="spam by me")["id"]
    assert (site.status(own), site.meta(own, "_belowline_id")) == ("1", "")


def test_a_users_role_is_sent(site: Site) -> None:
    run_php(site.paper, "get_user_by('login', 'rita')->set_role('contributor');")
    with wp_admin(site.paper, "rita") as session:
        form = {"comment": "hate", "comment_post_ID": site.paper.posts[0], "comment_parent": 0}
        session.post("/wp-comments-post.php", data=form)
    [kept] = site.service.comments()
    assert (kept["action"], kept["author"]["role"]) == ("publish", "contributor")


def test_pingbacks_are_left_to_wordpress(site: Site) -> None:
    ping = "'comment_type' => 'pingback', 'comment_content' => 'spam', 'comment_author' => 'A page'"
    data = (
        f"[{ping}, 'comment_post_ID' => {site.paper.posts[0]}, 'comment_author_url' => 'https://a.example/',"
    )
    made = int(
        run_php(
            site.paper,
            f"echo wp_new_comment({data} 'comment_author_email' => '', 'comment_author_IP' => '']);",
        )
    )
    assert (site.meta(made, "_belowline_id"), site.service.comments()) == ("", [])


def test_what_wordpress_does_not_store_is_erased_here(site: Site) -> None:
    refuse = "add_filter('pre_comment_approved', function () { return new WP_Error('no', 'no'); }, 2000);"
    data = "['comment_content' => 'hate', 'comment_author' => 'Ann', 'comment_author_email' => 'ann@reader.example',"
    data += (
        f"'comment_author_url' => '', 'comment_author_IP' => '', 'comment_post_ID' => {site.paper.posts[0]}]"
    )
    assert (
        run_php(site.paper, f"{refuse} echo is_wp_error(wp_new_comment({data}, true)) ? 'no' : 'yes';")
        == "no"
    )
    assert (site.service.comments(), site.jobs()) == ([], 0)


def test_markup_comes_through_approve_spam_and_edit_unchanged(site: Site) -> None:
    held = site.visit(MARKUP + "<p>hate</p>")
    stored = site.raw(held)
    assert stored == MARKUP + "<p>hate</p>"
    kept = site.kept(held)
    assert kept["text"] == "First line\nsecond & last\none\ntwo\na\n  b\nhate"
    for action, status in (("publish", "1"), ("reject", "trash"), ("hold", "0")):
        site.service.decide(kept["id"], action)
        wait_for(lambda status=status: site.status(held) == status)  # type: ignore[misc]
        assert site.raw(held) == stored
    for action in ("approvecomment", "spamcomment", "unspamcomment"):
        site.click(held, action, "spam" if "un" in action else "all")
        assert site.raw(held) == stored
    form = Html(site.admin.get(f"/wp-admin/comment.php?action=editcomment&c={held}").text)
    fields = {
        one.attributes["name"]: one.attributes.get("value") or "" for one in form.css("#post input[name]")
    }
    [area] = form.css("#content")
    written = area.text() + "<p>An <br> edit</p>"
    site.admin.post("/wp-admin/comment.php", data={**fields, "content": written, "comment_status": "1"})
    assert site.raw(held) == stored + "<p>An <br> edit</p>"
    edited = site.service.comment(str(kept["id"]))
    assert edited["revision"] == 2
    assert edited["text"].endswith("hate\nAn \n edit")
    assert (edited["action"], edited["decision"]["actor"]) == ("publish", f"plugin:{MODERATOR}")


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("approvecomment", ("publish", [], "none")),
        ("spamcomment", ("reject", ["spam"], "spam")),
        ("trashcomment", ("reject", [], "other")),
    ],
)
def test_what_moderators_do_in_wp_admin_becomes_a_decision(
    site: Site, action: str, expected: tuple[str, list[str], str]
) -> None:
    held = site.visit("hate")
    site.click(held, action)
    kept = site.kept(held)
    last = kept["decision"]
    assert (last["action"], last["labels"], last["code"]) == expected
    assert (last["actor"], last["via"]) == (f"plugin:{MODERATOR}", "site")
    assert kept["item"] is None
    status = site.status(held)
    time.sleep(2.5)  # the webhook reports this decision too, and changes nothing
    assert (site.status(held), len(site.kept(held)["decisions"])) == (status, 2)


def test_an_approval_taken_back_waits_here(site: Site) -> None:
    fine = site.visit("All fine")
    site.click(fine, "unapprovecomment")
    assert site.kept(fine)["item"]["kind"] == "held"


def test_decisions_of_the_console_change_wordpress_and_do_not_come_back(site: Site) -> None:
    first, second = site.visit("hate"), site.visit("All fine", author="Ben")
    site.service.decide(site.kept(first)["id"], "publish")
    site.service.decide(site.kept(second)["id"], "reject", code="spam", labels=["spam"])
    wait_for(lambda: site.statuses(first, second) == ["1", "spam"])
    assert [len(site.kept(one)["decisions"]) for one in (first, second)] == [2, 2]
    assert site.jobs() == 0


def test_comments_that_the_bridge_brought_are_known_by_their_number(site: Site) -> None:
    held = int(
        run_php(
            site.paper,
            f"echo wp_insert_comment(['comment_post_ID' => {site.paper.posts[0]}, 'comment_content' => 'hate',"
            "'comment_author' => 'Ann', 'comment_approved' => '0']);",
        )
    )
    body = {"site": site.name, "comments": [{"id": str(held), "text": "hate"}]}
    number = site.service.api.post("/v1/comments", json=body).json()["results"][0]["comment"]
    site.service.decide(number, "publish")
    wait_for(lambda: site.status(held) == "1")
    site.click(held, "spamcomment")
    assert site.service.comment(str(number))["action"] == "reject"


def test_a_decision_on_an_unknown_comment_sends_the_comment_first(site: Site) -> None:
    old = int(
        run_php(
            site.paper,
            f"echo wp_insert_comment(['comment_post_ID' => {site.paper.posts[0]}, 'comment_content' => 'an old spam',"
            "'comment_author' => 'Ann', 'comment_approved' => '1']);",
        )
    )
    site.click(old, "spamcomment")
    kept = site.service.comment(f"{site.name}:{old}")
    assert (kept["text"], kept["action"], len(kept["decisions"])) == ("an old spam", "reject", 2)


def test_nothing_is_lost_while_belowline_is_stopped(site: Site) -> None:
    known = site.visit("hate here")
    site.service.stop()
    fine, spam, decided = site.visit("All fine"), site.visit("spam"), site.visit("spam too", author="Ben")
    assert site.statuses(fine, spam, decided) == ["0", "0", "0"]
    site.click(decided, "approvecomment")
    for action in ("approvecomment", "unapprovecomment", "spamcomment"):
        site.click(known, action)
    site.cron()
    assert (site.status(fine), site.jobs()) == ("0", 7)
    run_php(
        site.paper,
        "update_option('belowline_down', ['since' => time() - 300] + get_option('belowline_down'));",
    )
    notice = site.admin.get("/wp-admin/edit-comments.php").text
    assert re.search(r"not answered for 5 min.*score: 2\.", notice)
    site.service.start()
    site.cron()
    assert site.statuses(fine, spam, decided, known) == ["1", "spam", "1", "spam"]
    assert (site.jobs(), site.meta(fine, "_belowline_waiting")) == (0, "")
    assert (site.kept(decided)["action"], site.kept(decided)["decision"]["via"]) == ("publish", "site")
    made = [one["action"] for one in site.kept(known)["decisions"]]
    assert made == ["hold", "publish", "hold", "reject"]
    site.cron()
    assert len(site.kept(known)["decisions"]) == 4
    assert json.loads(run_php(site.paper, "echo json_encode(get_option('belowline_down'));")) is False


def test_what_wordpress_chose_itself_counts_after_an_outage_too(site: Site) -> None:
    site.service.stop()
    held = site.visit("my postcard")
    site.service.start()
    site.cron()
    assert (site.status(held), site.kept(held)["action"]) == ("0", "publish")


@pytest.mark.parametrize(
    ("status", "body"),
    [(status, "<p>no</p>") for status in (200, 404, 429, 500, 503)]
    + [(404, '{"type": ["urn:belowline:problem:not-found"]}'), (200, '{"results": [{"stands": "publish"}]}')],
)
def test_answers_that_are_none_hold(site: Site, status: int, body: str) -> None:
    """A busy belowline, or another program at its address."""
    answer = f"['headers' => [], 'body' => '{body}', 'response' => ['code' => {status}, 'message' => '']]"
    stub = site.paper.folder / "www/wp-content/mu-plugins/stub.php"
    stub.write_text(f"<?php add_filter('pre_http_request', function () {{ return {answer}; }});")
    try:
        held = site.visit("All fine")
        assert site.status(held) == "0"
        site.cron()
        assert (site.status(held), site.jobs()) == ("0", 1)
    finally:
        stub.unlink()
    site.cron()
    assert (site.status(held), site.jobs()) == ("1", 0)


def test_a_comment_that_is_a_zero_is_scored(site: Site) -> None:
    assert site.kept(site.visit("0"))["text"] == "0"


def test_a_comment_that_fails_does_not_block_the_others(site: Site) -> None:
    site.service.stop()
    first, second = site.visit("All fine and poison"), site.visit("All fine", author="Ben")
    site.service.start()
    answer = "['headers' => [], 'body' => '{}', 'response' => ['code' => 500, 'message' => '']]"
    stub = site.paper.folder / "www/wp-content/mu-plugins/stub.php"
    stub.write_text(
        "<?php add_filter('pre_http_request', function ($no, $request) {"
        f"return strpos((string) ($request['body'] ?? ''), 'poison') ? {answer} : $no; }}, 10, 2);"
    )
    try:
        site.cron()
        assert (site.status(first), site.status(second)) == ("0", "1")
    finally:
        stub.unlink()
    site.cron()
    assert site.status(first) == "1"


def test_an_edit_by_its_author_is_scored_before_it_is_stored(site: Site) -> None:
    """The way wpDiscuz lets authors edit: WordPress's function, without a moderator's rights."""
    fine, other = site.visit("All fine"), site.visit("Fine too", author="Ben")
    edit = "wp_update_comment(['comment_ID' => {}, 'comment_content' => '{}']);"
    run_php(site.paper, edit.format(fine, "now spam"))
    assert (site.status(fine), site.kept(fine)["revision"]) == ("spam", 2)
    site.service.stop()
    run_php(site.paper, edit.format(other, "Fine as well"))
    assert site.status(other) == "0"
    site.service.start()
    site.cron()
    assert (site.status(other), site.kept(other)["text"]) == ("1", "Fine as well")


def test_forged_old_and_strange_events_change_nothing(site: Site) -> None:
    held = site.visit("hate")
    name = site.meta(held, "_belowline_id")
    forged = [site.tell("a wrong secret", caller_id=name), site.post(b"{}", ""), site.post(b"{}", "sha256=")]
    empty = "sha256=" + hmac.new(b"", b"{}", hashlib.sha256).hexdigest()
    assert [one.status_code for one in (*forged, site.post(b"{}", empty))] == [401] * 4
    assert site.status(held) == "0"
    answers = {
        "ignored": [{"site": "other.example"}, {"by": "system"}],
        "unknown": [{"caller_id": "999999"}, {"caller_id": str(held)}],
    }
    for result, events in answers.items():
        for event in events:
            answer = site.tell(**{"caller_id": name, **event})
            assert (answer.status_code, answer.json()) == (200, {"result": result})
    for strange in ({"action": "explode"}, {"action": ["publish"]}, {"caller_id": [name]}):
        assert site.tell(**{"caller_id": name, **strange}).status_code == 400
    assert site.post(b"no json", sign(b"no json", [site.secret])).status_code == 400
    results = [
        site.tell(caller_id=name, action=action, decision=number).json()["result"]
        for action, number in (("publish", 900), ("reject", 899), ("publish", 901), ("reject", 900))
    ]
    assert results == ["changed", "old", "unchanged", "old"]
    assert site.status(held) == "1"


def test_an_event_waits_while_a_decision_made_here_is_on_its_way(site: Site) -> None:
    held = site.visit("hate")
    name, number = site.meta(held, "_belowline_id"), site.kept(held)["id"]
    site.service.stop()
    site.click(held, "approvecomment")
    assert site.tell(caller_id=name, action="reject", decision=2).status_code == 503
    site.service.start()
    site.cron()
    assert site.tell(caller_id=name, action="reject", decision=2).json() == {"result": "old"}
    assert (site.status(held), site.service.comment(str(number))["action"]) == ("1", "publish")


def test_the_column_shows_the_result_escaped(site: Site) -> None:
    spam, plain = site.visit("spam"), site.visit("my own hate")
    changed = (
        "$m['reason']['rule'] = '<script>alert(1)</script>'; update_comment_meta({0}, '_belowline', $m);"
    )
    run_php(site.paper, ("$m = get_comment_meta({0}, '_belowline', true);" + changed).format(plain))
    listed = site.admin.get("/wp-admin/edit-comments.php?comment_status=spam")
    [cell] = Html(listed.text).css(f"#comment-{spam} td.column-belowline")
    text = " ".join(cell.text(separator=" ").split())
    assert all(one in text for one in ("Reject", "spam >= 0.8", "spam 0.90", "9.9.9"))
    [link] = cell.css("a")
    number = site.kept(spam)["id"]
    assert link.attributes["href"] == f"http://127.0.0.1:{site.service.port}/console/comments/{number}"
    shown = site.admin.get("/wp-admin/edit-comments.php").text
    assert ("<script>alert(1)" in shown, "&lt;script&gt;alert(1)" in shown) == (False, True)


def test_deleting_a_comment_erases_it_here(site: Site) -> None:
    fine = site.visit("All fine")
    number = site.kept(fine)["id"]
    run_php(site.paper, f"wp_delete_comment({fine}, true);")
    assert site.service.comment(str(number))["text"] is None


def test_the_tools_for_personal_data_export_and_erase(site: Site) -> None:
    mine, other = site.visit("All fine"), site.visit("Fine too", author="Ben")
    numbers = [site.kept(one)["id"] for one in (mine, other)]
    exported = json.loads(run_php(site.paper, "echo json_encode(Belowline::export('ann@reader.example'));"))
    assert [one["item_id"] for one in exported["data"]] == [f"comment-{mine}"]
    site.service.stop()
    erase = "echo json_encode(Belowline::erase('Ann@reader.example'));"
    assert json.loads(run_php(site.paper, erase))["items_retained"] is True
    site.service.start()
    site.cron()
    assert [site.service.comment(str(one))["text"] for one in numbers] == [None, "Fine too"]
    assert json.loads(run_php(site.paper, erase))["items_removed"] is True


def test_settings_are_saved_by_administrators_alone_and_secrets_are_not_shown(site: Site) -> None:
    assert site.admin.get("/wp-admin/options-general.php?page=belowline").status_code == 403
    with wp_admin(site.paper, "root") as session:
        page = session.get("/wp-admin/options-general.php?page=belowline")
        assert site.secret not in page.text
        assert "bl_" not in page.text
        fields = {
            one.attributes["name"]: one.attributes.get("value") or ""
            for one in Html(page.text).css("form input")
        }
        assert fields["belowline[key]"] == ""
        forged = session.post(
            "/wp-admin/options.php", data={**fields, "_wpnonce": "1", "belowline[site]": "x"}
        )
        assert forged.status_code == 403
        saved = session.post("/wp-admin/options.php", data={**fields, "belowline[site]": "no name!"})
        assert "notice-success" in saved.text
        wrong = session.post("/wp-admin/options.php", data={**fields, "belowline[site]": "other.example"})
        assert "notice-error" in wrong.text  # the key is valid for another site only
        session.post("/wp-admin/options.php", data={**fields, "belowline[site]": ""})
    assert site.status(site.visit("All fine")) == "1"


def test_constants_count_before_settings_and_a_site_without_any_is_left_alone(site: Site) -> None:
    own = "wp_new_comment(['comment_content' => 'spam', 'comment_author' => 'A', 'comment_author_email' => 'a@a.example',"
    own += (
        f"'comment_author_url' => '', 'comment_author_IP' => '', 'comment_post_ID' => {site.paper.posts[0]}])"
    )
    unset = "add_filter('option_belowline', '__return_empty_array');"
    shown = f"echo get_comment({own})->comment_approved;"
    assert run_php(site.paper, unset + shown) == "1"
    assert (
        run_php(site.paper, "define('BELOWLINE_KEY', 'wrong');" + shown.replace("'spam'", "'no spam'")) == "0"
    )


def test_uninstalling_leaves_nothing(site: Site) -> None:
    site.visit("spam")
    left = (
        "foreach (['option_name' => $wpdb->options, 'meta_key' => $wpdb->commentmeta] as $column => $table) {"
        "echo $wpdb->get_var(\"SELECT COUNT(*) FROM $table WHERE $column LIKE '%belowline%'\"), ' '; }"
    )
    assert "0" not in run_php(site.paper, left).split()
    kept = run_php(site.paper, "echo json_encode(get_option('belowline'));")
    assert run_php(site.paper, f"Belowline::uninstall(); {left}").split() == ["0", "0"]
    run_php(site.paper, f"update_option('belowline', json_decode('{kept}', true));")
