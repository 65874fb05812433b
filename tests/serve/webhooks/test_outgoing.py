"""Outgoing requests: webhooks reach only public addresses, and no WordPress can exhaust memory or block the service."""

import gzip
from collections.abc import Callable, Iterator

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from belowline.serve.webhooks.sender import is_public
from belowline.serve.wordpress import client as wordpress
from belowline.serve.wordpress.client import Refused, WordPress, WordPressError, address_of
from tests.support.serve_fakes import KEY, client_of

SITE = "https://paper.example"
ROOT = {"namespaces": ["wp/v2"]}
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.mark.parametrize(
    "address",
    [
        *(
            "::127.0.0.1",
            "::10.0.0.1",
            "::ffff:0:127.0.0.1",
            "fec0::1",
            "64:ff9b:1::a00:1",
            "4000::1",
            "8000::1",
        ),
        *("2001:0:7f00:1::", "2001:db8::1", "100::1", "ff0e::1", "2002:a9fe:a9fe::1", "64:ff9b::a9fe:a9fe"),
        *(
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "203.0.113.1",
            "240.0.0.1",
            "fe80::1%eth0",
            "::ffff:169.254.169.254",
        ),
    ],
)
def test_older_and_rarer_ways_to_write_a_private_address_are_no_public_ones(address: str) -> None:
    assert not is_public(address)


@settings(max_examples=200)
@given(st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=4, network="127.0.0.0/8"))
def test_no_way_to_write_a_private_address_of_version_4_in_version_6_is_public(address: object) -> None:
    for prefix in ("::", "::ffff:", "::ffff:0:", "64:ff9b::", "64:ff9b:1::"):
        assert not is_public(f"{prefix}{address}")


def bridge(answer: Answer) -> WordPress:
    """Return a bridge to a site that gives ``answer`` once it was discovered."""

    def respond(request: httpx.Request) -> httpx.Response:
        return answer(request) if "comments" in request.url.path else httpx.Response(200, json=ROOT)

    transport = httpx.MockTransport(respond)
    site = address_of(SITE)
    return WordPress(site, "mona", "secret", transport=transport, wait=lambda _: None)


def held(answer: Answer) -> list[int]:
    with bridge(answer) as remote:
        return remote.held()


def endless(read: list[int]) -> Iterator[bytes]:
    while True:
        read[0] += 65_536
        yield b" " * 65_536


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordpress, "_MOST_BYTES", 10**6)
    read = [0]
    with pytest.raises(Refused, match="without end"):
        held(lambda _: httpx.Response(200, content=endless(read)))
    assert read[0] < 1.2 * 10**6


def test_an_answer_that_unpacks_to_a_thousand_times_its_size_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wordpress, "_MOST_BYTES", 10**6)
    bomb = gzip.compress(bytes(20 * 10**6))
    with pytest.raises(Refused, match="without end"):
        held(lambda _: httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=iter([bomb])))


def test_an_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 100_000, 30))
    monkeypatch.setattr(wordpress, "monotonic", lambda: next(clock))
    drops = [0]
    with pytest.raises(Refused, match="without end"):
        held(lambda _: httpx.Response(200, content=(b" " for _ in endless(drops))))
    assert drops[0] < 10 * 65_536


@pytest.mark.parametrize("packed", ["br", "zstd", "gzip, gzip", "x-unknown"])
def test_an_answer_packed_in_a_way_that_nobody_asked_for_is_not_unpacked(packed: str) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Accept-Encoding"])
        return httpx.Response(200, headers={"Content-Encoding": packed}, content=iter([b"[]"]))

    with pytest.raises(Refused, match="not asked for"):
        held(answer)
    assert asked == ["gzip"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_usual_answer_is_read_whole(packed: bool) -> None:
    body = b'[{"id": 5}, {"id": 7}]'
    headers = {"X-WP-TotalPages": "1"} | ({"Content-Encoding": "gzip"} if packed else {})
    content = gzip.compress(body) if packed else body
    assert held(lambda _: httpx.Response(200, headers=headers, content=iter([content[:9], content[9:]]))) == [
        5,
        7,
    ]


@pytest.mark.parametrize("pages", ["9" * 5000, "-1", "1e9", "²", ""])
def test_made_up_numbers_of_pages_do_no_harm(pages: str) -> None:
    headers = [(b"X-WP-TotalPages", pages.encode("utf-8"))]
    assert held(lambda _: httpx.Response(200, headers=headers, json=[{"id": 5}])) == [5]


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/",
        "http://paper.example/",
        "https://paper.example:8443/",
        "http://169.254.169.254/",
    ],
)
def test_no_password_goes_where_a_site_sends_us(to: str) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url.host))
        return httpx.Response(302, headers={"Location": to})

    with pytest.raises(WordPressError, match="redirects to"):
        held(answer)
    assert asked == ["paper.example"]


ODD = st.text(max_size=30) | st.sampled_from(["\r\nSet-Cookie: a=b", "\u2028", "grün", "x" * 300])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(tmp_path_factory.mktemp("headers"), api_keys=KEY) as client:
        yield client


@settings(max_examples=30)
@given(name=ODD, value=ODD)
def test_no_field_of_a_call_begins_a_header_of_its_answer(client: TestClient, name: str, value: str) -> None:
    call = {name: value, "api_key": KEY, "blog": value, "user_ip": value, "format": value, "limit": value}
    for path in ("/1.1/comment-check", "/1.1/get-stats", "/1.1/verify-key"):
        answer = client.post(path, json=call)
        assert answer.status_code == 200, answer.text
        for header, said in answer.headers.items():
            assert said.isprintable(), header
        assert "Set-Cookie" not in answer.headers
