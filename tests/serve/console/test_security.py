"""Security of the console: access by role, protection from foreign pages, cookies, headers, and safe redirects."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from belowline.serve import console
from belowline.serve.http.auth import SESSION_COOKIE
from belowline.serve.store.accounts import PERMISSIONS, ROLES
from tests.support.browser_headers import FOREIGN, OWN
from tests.support.serve_fakes import KEY, client_of
from tests.support.store_fakes import everything

PERSON = "triage moderator admin"
ROUTES: Mapping[str, str | None] = {
    "GET /console/sign-in": None,
    "POST /console/sign-in": None,
    "POST /console/sign-out": PERSON,
    "POST /console/preferences": PERSON,
    "GET /console": PERSON,
    "GET /console/cards": PERSON,
    "GET /console/paused": PERSON,
    "GET /console/state": PERSON,
    "POST /console/filters": PERSON,
    "POST /console/decide": PERSON,
    "POST /console/undo": PERSON,
    "POST /console/reason": PERSON,
    "POST /console/authors/{number}/act": PERSON,  # a note; a standing needs "act on authors"
    "POST /console/comments/{number}/escalate": PERSON,
    "GET /console/acts": PERSON,
    "POST /console/bulk": "decide in bulk",
    "POST /console/release": PERSON,
    "GET /console/comments/{number}": PERSON,
    "GET /console/comments/{number}/text": PERSON,
    "GET /console/comments/{number}/conversation": PERSON,
    "POST /console/comments/{number}/golden": "administer",
    "POST /console/comments/{number}/erase": "erase",
    "GET /console/threads/{number}": PERSON,
    "GET /console/authors/{number}": PERSON,
    "POST /console/authors/{number}/erase": "erase",
    "GET /console/campaigns/{number}": PERSON,
    "GET /console/search": PERSON,
    "GET /console/log": "read the log",
    "GET /console/log.csv": "read the log",
    "GET /console/dashboard": "read the log",
    "GET /console/policy": "read the log",
    "POST /console/policy": "read the log",
    "GET /console/policy/effects": "read the log",
    "GET /console/models": "read the log",
    "GET /console/keys": "administer",
    "POST /console/keys": "administer",
    "GET /console/quality": PERSON,
    "POST /console/quality": PERSON,
}
"""Every route of the console with its requirement: a person of any role, a permission, or nothing."""
POSTS = [route for route in ROUTES if route.startswith("POST")]
UNKNOWN = "999999"


def found_routes() -> set[str]:
    """Return the console's routes of every router in its package."""
    found = set()
    for module in pkgutil.iter_modules(console.__path__, f"{console.__name__}."):
        router = getattr(importlib.import_module(module.name), "router", None)
        if isinstance(router, APIRouter):
            routes: list[Any] = [one for one in router.routes if one.path.startswith("/console")]
            found |= {f"{method} {route.path}" for route in routes for method in route.methods}
    return found


def test_the_table_has_every_route() -> None:
    assert found_routes() == set(ROUTES), "give a new page its row in ROUTES"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(tmp_path_factory.mktemp("console"), api_keys=KEY) as client:
        client.follow_redirects = False
        body = {"site": "paper.example", "comments": [{"id": "c1", "text": "spam", "author": {"id": "u1"}}]}
        client.post("/v1/comments", json=body, headers={"X-API-Key": KEY}).raise_for_status()
        yield client


@pytest.fixture(scope="module")
def sessions(client: TestClient) -> dict[str, str]:
    """Session cookie for each role; the service role gets none."""
    cookies = {}
    for role in ROLES:
        made = client.post("/v1/keys", json={"name": role, "role": role}, headers={"X-API-Key": KEY}).json()
        answer = client.post("/console/sign-in", data={"key": made["key"]})
        assert (answer.status_code == 303) == (role != "service")
        cookies[role] = answer.cookies.get(SESSION_COOKIE, "")
        client.cookies.clear()
        cookies[f"key of {role}"] = made["key"]
    return cookies


def ask(
    client: TestClient, route: str, session: str | None, number: str = UNKNOWN, **headers: str
) -> httpx.Response:
    method, path = route.split(" ")
    cookie = {"Cookie": f"{SESSION_COOKIE}={session}"} if session else {}
    return client.request(method, path.format(number=number), headers=cookie | headers)


def contents(client: TestClient) -> dict[str, list[dict[str, Any]]]:
    app: Any = client.app
    with app.state.service.database.read() as tx:
        return everything(tx)


@pytest.mark.parametrize("who", ["nobody", "forged", *ROLES])
@pytest.mark.parametrize("route", ROUTES)
def test_a_person_gets_what_their_role_may(
    client: TestClient, sessions: dict[str, str], route: str, who: str
) -> None:
    wanted = ROUTES[route]
    if who == "service":  # a service key has no session, and it opens no page
        answer = ask(client, route, None, **{"X-API-Key": sessions["key of service"]})
    else:
        session = {"nobody": None, "forged": "A" * 43}.get(who, sessions.get(who))
        answer = ask(client, route, session)
    if wanted is None:
        assert answer.status_code in (200, 401)  # the form, and the form without a key
    elif who in ("nobody", "forged"):
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/console/sign-in?next=")
    elif who in (wanted.split() if wanted == PERSON else PERMISSIONS[wanted]) and who != "service":
        assert answer.status_code in (200, 303, 404, 409, 422), answer.text  # 409: nothing to undo
    else:
        assert answer.status_code == 403
    if route == "POST /console/sign-out" and answer.status_code == 303 and who in ROLES:
        sessions[who] = client.post("/console/sign-in", data={"key": sessions[f"key of {who}"]}).cookies[
            SESSION_COOKIE
        ]
        client.cookies.clear()


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("route", POSTS)
def test_no_form_of_another_sites_page_changes_anything(
    client: TestClient, sessions: dict[str, str], route: str, headers: dict[str, str]
) -> None:
    before = contents(client)
    method, path = route.split(" ")
    form = {"key": KEY, "comment": "1", "action": "reject", "do": "make key", "name": "x", "role": "admin"}
    cookie = {"Cookie": f"{SESSION_COOKIE}={sessions['admin']}"}
    answer = client.request(method, path.format(number=1), data=form, headers=cookie | headers)
    assert answer.status_code == 403, answer.text
    assert "another site" in answer.text
    assert "Set-Cookie" not in answer.headers
    assert contents(client) == before


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_the_consoles_own_forms_work(
    client: TestClient, sessions: dict[str, str], headers: dict[str, str]
) -> None:
    assert ask(client, "POST /console/release", sessions["triage"], **headers).status_code == 303
    answer = client.post("/console/sign-in", data={"key": KEY}, headers=headers)
    assert (answer.status_code, SESSION_COOKIE in answer.cookies) == (303, True)
    client.cookies.clear()


@pytest.mark.parametrize("secure", [False, True])
def test_no_script_and_no_other_site_gets_the_cookies(client: TestClient, secure: bool) -> None:
    base = ("https" if secure else "http") + "://127.0.0.1"
    signed_in = client.post(f"{base}/console/sign-in", data={"key": KEY})
    chosen = client.post(f"{base}/console/preferences", data={"blind": "1", "blur": "1"})
    cookies = [*signed_in.headers.get_list("Set-Cookie"), *chosen.headers.get_list("Set-Cookie")]
    client.cookies.clear()
    assert len(cookies) == 3
    for cookie in cookies:
        parts = {part.strip().lower() for part in cookie.split(";")}
        assert {"httponly", "samesite=strict", "path=/"} <= parts
        assert ("secure" in parts) is secure


def test_every_answer_forbids_foreign_scripts_and_frames(client: TestClient) -> None:
    for path in ("/", "/docs", "/console/sign-in", "/nowhere", "/v1/queue", "/static/console.js", "/healthz"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


ELSEWHERE = [
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
]
ELSEWHERE += ["/console//evil.example", "/console\\..\\..\\evil.example", "/consol", "http:/evil.example", ""]
ODD = st.one_of(
    st.sampled_from(ELSEWHERE),
    st.text(max_size=40),
    st.text(alphabet="/\\:.\r\n\t console@%0dA", max_size=30).map(lambda tail: "/console" + tail),
)


@example_settings(max_examples=40)
@given(onward=ODD)
def test_a_form_leads_nowhere_but_into_the_console(
    client: TestClient, sessions: dict[str, str], onward: str
) -> None:
    cookie = {"Cookie": f"{SESSION_COOKIE}={sessions['triage']}"}
    for path in ("/console/preferences", "/console/release"):
        answer = client.post(path, data={"next": onward}, headers=cookie)
        assert answer.status_code == 303
        to = answer.headers["Location"]
        assert to.startswith("/console")
        assert to.isascii()
        assert to.isprintable()
        assert httpx.URL("http://127.0.0.1/x").join(to).host == "127.0.0.1"
        assert set(answer.headers) <= {"location", "content-length", *SECURITY}


SECURITY = {"content-security-policy", "x-content-type-options", "referrer-policy", "cache-control"}


@pytest.mark.parametrize(
    "path",
    ["/console/x%0d%0aSet-Cookie:%20a=b", "/console/%e2%80%ae%00", "/console/search?next=%0d%0aX:%20y"],
)
def test_line_ends_in_an_address_begin_no_header(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (303, 404)
    assert all("\r" not in value and "\n" not in value for value in answer.headers.values())
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        *("..%2fapp.py", "%2e%2e/app.py", "..%5capp.py", "....//app.py", "%2e%2e%2f%2e%2e%2fpyproject.toml"),
        *(
            "/etc/passwd",
            "%2fetc%2fpasswd",
            "console.js%00",
            "console.js/",
            ".",
            "",
            "templates/page.html",
        ),
    ],
)
def test_static_files_are_those_of_their_folder(client: TestClient, path: str) -> None:
    answer = client.get(f"/static/{path}")
    script = client.get("/static/console.js")
    if answer.status_code != 404:  # another spelling of the same file or folder
        assert answer.content in (script.content, b"")
        assert answer.headers.get("Location", "http://127.0.0.1/").startswith("http://127.0.0.1/")
    assert script.status_code == 200


@pytest.mark.parametrize("number", ["0", "-1", "9" * 30, "1e3", "%31/../2", "..%2f1"])
def test_numbers_in_addresses_are_numbers(client: TestClient, sessions: dict[str, str], number: str) -> None:
    for route in ROUTES:
        if "{number}" in route and route.startswith("GET"):
            assert ask(client, route, sessions["admin"], number).status_code in (404, 422), route


def test_what_is_kept_of_keys_and_sessions_opens_nothing(
    client: TestClient, sessions: dict[str, str], tmp_path: Path
) -> None:
    kept = repr(contents(client))
    for secret in (KEY, *sessions.values()):
        assert not secret or secret not in kept
    [row] = [row for row in contents(client)["api_keys"] if row["name"] == "admin"]
    digest = row["digest"]
    assert client.get("/v1/keys", headers={"X-API-Key": digest}).status_code == 401
    for session in contents(client)["sessions"]:
        assert ask(client, "GET /console", session["digest"]).status_code == 303
