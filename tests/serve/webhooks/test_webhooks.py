"""Webhooks against a real receiver: signed, retried, delivered once, and never to a private address by accident."""

import asyncio
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from belowline.model import ScoreInput
from belowline.serve.queue.intake import IncomingComment, ingest
from belowline.serve.scoring.fault_isolation import score_each
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.store.database import Database, now
from belowline.serve.store.tables import deliveries, webhooks
from belowline.serve.webhooks import endpoints
from belowline.serve.webhooks.sender import SIGNATURE, Sender, is_public, sign
from tests.support.serve_fakes import client_of, fake_scorer
from tests.support.sqlite_store import sqlite_url

SECRET_TEXT = "spam do-not-quote-me"


class Receiver:
    """A receiver that records requests and answers with ``status``."""

    def __init__(self) -> None:
        self.status = 200
        self.free = threading.Event()
        self.free.set()
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.free.wait(20)
                receiver.got.append((self.path, dict(self.headers.items()), body))
                self.send_response(receiver.status)
                if 300 <= receiver.status < 400:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    receiver.thread.join()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(sqlite_url(tmp_path / "queue.sqlite3"))
    yield database
    database.close()


def add(database: Database, url: str, *events: str) -> tuple[int, str]:
    with database.write() as tx:
        return endpoints.add_webhook(tx, "admin", url, events or ("comment.held", "comment.decided"))


def keep(database: Database, *names: str) -> None:
    """Ingest comments, each of which causes an event."""
    scorer = fake_scorer()
    texts = [f"{SECRET_TEXT} {name}" for name in names]
    scores = score_each(scorer, [ScoreInput(text) for text in texts])
    incoming = [IncomingComment(*one) for one in zip(names, texts, scores, strict=True)]
    with database.write() as tx:
        ingest(tx, ModerationPipeline.of(scorer, None), "paper.example", None, incoming)


def send(*senders: Sender) -> list[int]:
    """Run one round of each sender concurrently."""

    async def one(sender: Sender) -> int:
        async with httpx.AsyncClient(timeout=5, follow_redirects=False, trust_env=False) as client:
            return await sender.send_due(client)

    async def all_of_them() -> list[int]:
        return list(await asyncio.gather(*(one(sender) for sender in senders)))

    return asyncio.run(all_of_them())


def log(database: Database) -> list[Any]:
    with database.read() as tx:
        return list(tx.execute(select(deliveries).order_by(deliveries.c.id)).all())


def make_due(database: Database) -> None:
    with database.write() as tx:
        tx.execute(update(deliveries).values(next_try=now() - timedelta(seconds=1)))


def signed_with(secret: str, header: str, body: bytes) -> bool:
    """Verify a signature as a receiver does."""
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(expected, one) for one in header.split(","))


def test_a_delivery_is_signed_over_its_raw_body_and_quotes_nothing(
    database: Database, receiver: Receiver
) -> None:
    _, secret = add(database, f"http://127.0.0.1:{receiver.port}/hook?site=1")
    keep(database, "c1")
    assert send(Sender(database, private=True)) == [1]
    [(path, headers, body)] = receiver.got
    assert path == "/hook?site=1"
    assert headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Belowline-Event"] == "comment.held"
    assert signed_with(secret, headers[SIGNATURE], body)
    assert not signed_with(secret, headers[SIGNATURE], body + b" ")
    payload = json.loads(body)
    assert (payload["id"], payload["caller_id"], payload["action"]) == (1, "c1", "hold")
    assert (payload["by"], payload["site"]) == ("system", "paper.example")
    assert b"do-not-quote-me" not in body
    [row] = log(database)
    assert (row.state, row.status, row.tries, row.error) == ("delivered", 200, 1, None)
    assert send(Sender(database, private=True)) == [0]


def test_two_secrets_sign_after_a_rotation_and_one_after_retiring(
    database: Database, receiver: Receiver
) -> None:
    hook, old = add(database, f"http://127.0.0.1:{receiver.port}/")
    with database.write() as tx:
        new = endpoints.rotate_secret(tx, "admin", hook)
    keep(database, "c1")
    send(Sender(database, private=True))
    with database.write() as tx:
        endpoints.retire_secret(tx, "admin", hook)
    keep(database, "c2")
    send(Sender(database, private=True))
    (_, both, first), (_, one, second) = receiver.got
    assert [signed_with(secret, both[SIGNATURE], first) for secret in (old, new)] == [True, True]
    assert [signed_with(secret, one[SIGNATURE], second) for secret in (old, new)] == [False, True]
    assert (both[SIGNATURE].count(","), one[SIGNATURE].count(",")) == (1, 0)
    assert sign(second, [new]) == one[SIGNATURE]


def test_a_webhook_hears_only_of_what_it_asked_for(database: Database, receiver: Receiver) -> None:
    add(database, f"http://127.0.0.1:{receiver.port}/", "comment.decided")
    keep(database, "c1")
    assert send(Sender(database, private=True)) == [0]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(database: Database, receiver: Receiver, status: int) -> None:
    receiver.status = status
    add(database, f"http://127.0.0.1:{receiver.port}/hook")
    keep(database, "c1")
    send(Sender(database, private=True))
    assert [path for path, *_ in receiver.got] == ["/hook"]
    [row] = log(database)
    assert (row.state, row.status, row.error) == ("pending", status, f"answered {status}")


def test_a_failure_is_tried_again_later_and_then_delivered(database: Database, receiver: Receiver) -> None:
    receiver.status = 500
    add(database, f"http://127.0.0.1:{receiver.port}/")
    keep(database, "c1")
    sender = Sender(database, private=True)
    for tries, wait in enumerate(endpoints.BACKOFF[:3], 1):
        assert send(sender) == [1]
        [row] = log(database)
        assert (row.state, row.status, row.tries, row.error) == ("pending", 500, tries, "answered 500")
        assert abs(row.next_try - now() - wait) < timedelta(seconds=4)
        assert send(sender) == [0]
        make_due(database)
    receiver.status = 204
    send(sender)
    [row] = log(database)
    assert (row.state, row.status, row.tries, row.error) == ("delivered", 204, 4, None)
    assert len({body for _, _, body in receiver.got}) == 1


def test_after_the_last_try_a_delivery_has_failed(database: Database, receiver: Receiver) -> None:
    receiver.status = 410
    add(database, f"http://127.0.0.1:{receiver.port}/")
    keep(database, "c1")
    sender = Sender(database, private=True)
    for _ in range(len(endpoints.BACKOFF) + 1):
        assert send(sender) == [1]
        make_due(database)
    [row] = log(database)
    assert (row.state, row.tries) == ("failed", len(endpoints.BACKOFF) + 1)
    assert send(sender) == [0]
    assert len(receiver.got) == row.tries


def test_a_receiver_that_never_answers_is_given_up(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("belowline.serve.webhooks.sender._AT_MOST_S", 0.2)
    receiver.free.clear()
    add(database, f"http://127.0.0.1:{receiver.port}/")
    keep(database, "c1")
    send(Sender(database, private=True))
    receiver.free.set()
    [row] = log(database)
    assert (row.state, row.status, row.error) == ("pending", None, "TimeoutError")


def test_an_unforeseen_error_does_not_end_the_sending(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    add(database, f"http://127.0.0.1:{receiver.port}/")
    keep(database, "c1")
    faults = iter([RuntimeError(SECRET_TEXT)])
    take_really = Sender._take

    def take(sender: Sender) -> Any:
        for fault in faults:
            raise fault
        return take_really(sender)

    async def run() -> None:
        sender = Sender(database, private=True, every_s=0.01)
        sender.start()
        for _ in range(500):
            if receiver.got:
                break
            await asyncio.sleep(0.01)
        await sender.close()

    monkeypatch.setattr(Sender, "_take", take)
    asyncio.run(run())
    assert len(receiver.got) == 1
    assert "webhooks: RuntimeError at" in caplog.text
    assert SECRET_TEXT not in caplog.text


def test_nobody_there_is_a_failure_like_others(database: Database, receiver: Receiver) -> None:
    receiver.server.server_close()
    add(database, f"http://127.0.0.1:{receiver.port}/")
    keep(database, "c1")
    send(Sender(database, private=True))
    [row] = log(database)
    assert (row.state, row.status, row.tries) == ("pending", None, 1)
    assert row.error


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.0.0.1", "10.255.1.2", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("[::1]", "[::]", "[::ffff:10.0.0.1]", "[::ffff:127.0.0.1]", "[fe80::1]", "[fd00::1]"),
        *("[64:ff9b::a00:1]", "[2002:a00:1::]", "224.0.0.1", "255.255.255.255"),
        *("localhost", "2130706433", "0x7f000001", "127.1"),
    ],
)
def test_private_addresses_are_refused(database: Database, receiver: Receiver, host: str) -> None:
    add(database, f"http://{host}:{receiver.port}/")
    keep(database, "c1")
    send(Sender(database, private=False))
    [row] = log(database)
    assert (row.state, row.status, receiver.got) == ("pending", None, [])
    assert "BELOWLINE_WEBHOOK_PRIVATE_ADDRESSES" in row.error


def test_a_name_of_this_machine_is_told_where_that_is_allowed(database: Database, receiver: Receiver) -> None:
    add(database, f"http://localhost:{receiver.port}/")
    keep(database, "c1")
    send(Sender(database, private=True))
    [(_, headers, _)] = receiver.got
    assert headers["Host"] == f"localhost:{receiver.port}"


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_addresses_of_the_open_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url", ["http://[", "http://x:99999/", "http://%00/", "http://" + "a" * 70 + ".example/"]
)
def test_an_address_that_means_nothing_holds_up_no_others(
    database: Database, receiver: Receiver, url: str
) -> None:
    with database.write() as tx:
        values = {"url": url, "events": ["comment.held"], "secrets": ["x"], "created": now()}
        tx.execute(webhooks.insert().values(**values))
    add(database, f"http://127.0.0.1:{receiver.port}/")
    keep(database, "c1")
    send(Sender(database, private=True))
    assert [(row.state, bool(row.error)) for row in log(database)] == [
        ("pending", True),
        ("delivered", False),
    ]


def test_two_senders_on_one_store_tell_everything_once(database_url: str, receiver: Receiver) -> None:
    database, other = Database.open(database_url), Database.open(database_url)
    add(database, f"http://127.0.0.1:{receiver.port}/")
    names = [f"c{number}" for number in range(50)]
    keep(database, *names)
    senders = [Sender(database, private=True), Sender(other, private=True)]
    shares = []
    while not shares or any(shares[-1]):
        shares.append(send(*senders))
    rows = log(database)
    for one in (database, other):
        one.close()
    assert [(row.state, row.tries, row.error) for row in rows] == [("delivered", 1, None)] * 50
    told = sorted(json.loads(body)["caller_id"] for _, _, body in receiver.got)
    assert told == sorted(names)
    assert shares[0] == [20, 20]


def test_a_removed_webhook_is_told_nothing_more(database: Database, receiver: Receiver) -> None:
    hook, _ = add(database, f"http://127.0.0.1:{receiver.port}/")
    keep(database, "c1")
    with database.write() as tx:
        endpoints.disable_webhook(tx, "admin", hook)
    keep(database, "c2")
    assert send(Sender(database, private=True)) == [0]
    assert [(row.state, row.error) for row in log(database)] == [("failed", "the webhook was removed")]


def test_the_running_service_tells_what_moderators_decide(tmp_path: Path, receiver: Receiver) -> None:
    with client_of(tmp_path, webhook_private_addresses=True) as client:
        asked = {"url": f"http://127.0.0.1:{receiver.port}/", "events": ["comment.held", "comment.decided"]}
        secret = client.post("/v1/webhooks", json=asked).json()["secret"]
        body = {"site": "s", "comments": [{"id": "c1", "text": SECRET_TEXT}]}
        [kept] = client.post("/v1/comments", json=body).json()["results"]
        made = {"action": "reject", "code": "spam", "note": "do-not-quote-me either"}
        client.post(f"/v1/comments/{kept['comment']}/decisions", json=made)
        deadline = time.monotonic() + 20
        while len(receiver.got) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
    payloads = [json.loads(body) for _, _, body in receiver.got]
    assert sorted((one["event"], one["by"], one["before"]) for one in payloads) == [
        ("comment.decided", "moderator", "hold"),
        ("comment.held", "system", None),
    ]
    assert all(signed_with(secret, headers[SIGNATURE], body) for _, headers, body in receiver.got)
    assert "do-not-quote-me" not in str(receiver.got)


def test_the_running_service_refuses_private_addresses_by_itself(tmp_path: Path, receiver: Receiver) -> None:
    with client_of(tmp_path) as client:
        asked = {"url": f"http://localhost:{receiver.port}/", "events": ["comment.held"]}
        hook = client.post("/v1/webhooks", json=asked).json()["id"]
        client.post("/v1/comments", json={"site": "s", "comments": [{"id": "c1", "text": SECRET_TEXT}]})
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            [delivery] = client.get(f"/v1/webhooks/{hook}/deliveries").json()
            if delivery["tries"]:
                break
            time.sleep(0.05)
    assert "private network" in delivery["error"]
    assert receiver.got == []
