"""Keys, sessions, and foreign pages that try to use credentials which the browser sends by itself."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from belowline.serve.http.auth import SESSION_COOKIE
from belowline.serve.store.database import now
from belowline.serve.store.tables import sessions
from tests.support.browser_headers import FOREIGN, OWN
from tests.support.serve_fakes import KEY, check_problem, client_of

SITE = "paper.example"


@pytest.fixture
def client(tmp_path: Path):
    with client_of(tmp_path) as client:
        yield client


def make(
    client: TestClient, name: str, role: str, *sites: str, key: str | None = None, status: int = 201
) -> Any:
    headers = {"X-API-Key": key} if key else {}
    answer = client.post("/v1/keys", json={"name": name, "role": role, "sites": sites}, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json().get("key")


def sign_in(client: TestClient, key: str) -> None:
    answer = client.post("/console/sign-in", data={"key": key}, follow_redirects=False)
    assert (answer.status_code, SESSION_COOKIE in client.cookies) == (303, True)


def release(client: TestClient, **headers: str) -> Any:
    """A change that every role with access to the queue may make."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/v1/queue/release", json={}, headers=named)


@pytest.mark.parametrize("role", ["service", "triage", "moderator"])
def test_the_first_key_is_an_admins(client: TestClient, role: str) -> None:
    make(client, "first", role, status=409)
    make(client, "first", "admin", SITE, status=422)
    assert client.get("/v1/keys").json() == []
    admin = make(client, "first", "admin")
    check_problem(client.get("/v1/keys"), 401, "invalid-key")
    make(client, "second", role, key=admin)


def test_a_name_stays_taken_and_nobody_is_called_like_the_service(client: TestClient) -> None:
    admin = make(client, "Ada", "admin")
    other = make(client, "Bea", "admin", key=admin)
    [_, row] = client.get("/v1/keys", headers={"X-API-Key": admin}).json()
    client.delete(f"/v1/keys/{row['id']}", headers={"X-API-Key": admin})
    for name in ("Ada", "Bea", "system", "local"):
        make(client, name, "triage", key=admin, status=409)
    assert other != admin


def test_an_admin_is_for_all_sites(client: TestClient) -> None:
    admin = make(client, "first", "admin")
    make(client, "of site", "admin", SITE, key=admin, status=422)
    make(client, "of site", "moderator", SITE, key=admin)


def test_a_revoked_key_and_its_sessions_end_at_once(client: TestClient) -> None:
    admin = make(client, "first", "admin")
    moderator = make(client, "second", "moderator", key=admin)
    sign_in(client, moderator)
    assert release(client).status_code == 200
    assert client.delete("/v1/keys/2", headers={"X-API-Key": admin}).status_code == 204
    check_problem(release(client), 401, "invalid-key")
    check_problem(release(client, x_api_key=moderator), 401, "invalid-key")
    check_problem(client.delete("/v1/keys/2", headers={"X-API-Key": admin}), 404, "not-found")
    listed = client.get("/v1/keys", headers={"X-API-Key": admin}).json()
    assert [one["revoked"] is None for one in listed] == [True, False]


def test_the_last_admin_stays_while_others_have_keys(client: TestClient) -> None:
    admin = make(client, "first", "admin")
    make(client, "second", "service", key=admin)
    check_problem(client.delete("/v1/keys/1", headers={"X-API-Key": admin}), 409, "conflict")


def test_a_session_ends_by_time_and_by_signing_out(client: TestClient) -> None:
    admin = make(client, "first", "admin")
    sign_in(client, admin)
    assert client.get("/v1/keys").status_code == 200
    cookie = client.cookies[SESSION_COOKIE]
    client.post("/console/sign-out", follow_redirects=False)
    client.cookies.set(SESSION_COOKIE, cookie)
    check_problem(client.get("/v1/keys"), 401, "invalid-key")
    client.cookies.clear()
    sign_in(client, admin)
    with client.app.state.service.database.write() as tx:  # type: ignore[attr-defined]
        tx.execute(update(sessions).values(expires=now() - timedelta(seconds=1)))
    check_problem(client.get("/v1/keys"), 401, "invalid-key")


@pytest.mark.parametrize("cookie", ["", "x", "é".encode().decode("latin-1"), "a" * 4000])
def test_a_cookie_that_nobody_was_given_opens_nothing(client: TestClient, cookie: str) -> None:
    make(client, "first", "admin")
    answer = client.get("/v1/keys", headers={"Cookie": f"{SESSION_COOKIE}={cookie}".encode()})
    check_problem(answer, 401, "invalid-key")


@pytest.mark.parametrize("signed_in", [False, True])
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_foreign_page_changes_nothing(client: TestClient, headers: dict[str, str], signed_in: bool) -> None:
    if signed_in:
        sign_in(client, make(client, "first", "admin"))
    check_problem(release(client, **headers), 403, "forbidden")
    assert client.get("/v1/queue", headers=headers).status_code == 200


@pytest.mark.parametrize("signed_in", [False, True])
@pytest.mark.parametrize("headers", OWN, ids=str)
def test_our_own_page_may(client: TestClient, headers: dict[str, str], signed_in: bool) -> None:
    if signed_in:
        sign_in(client, make(client, "first", "admin"))
    assert release(client, **headers).status_code == 200


def test_a_key_in_a_header_counts_whatever_page_sends_it(client: TestClient) -> None:
    admin = make(client, "first", "admin")
    assert release(client, x_api_key=admin, origin="https://evil.example").status_code == 200


def test_a_wrong_key_is_not_rescued_by_a_session(client: TestClient) -> None:
    sign_in(client, make(client, "first", "admin"))
    check_problem(release(client, x_api_key="bl_wrong"), 401, "invalid-key")
    odd = client.post("/v1/queue/release", json={}, headers={"Authorization": b"Bearer \x80\xff"})
    check_problem(odd, 401, "invalid-key")


def test_keys_of_the_environment_are_admins_beside_those_that_were_made(tmp_path: Path) -> None:
    with client_of(tmp_path, api_keys=KEY) as client:
        service = make(client, "site", "service", SITE, key=KEY)
        assert client.get("/v1/keys", headers={"X-API-Key": KEY}).status_code == 200
        check_problem(client.get("/v1/keys", headers={"X-API-Key": service}), 403, "forbidden")
        assert client.get("/v1/audit-log", headers={"X-API-Key": KEY}).json()[0]["actor"].startswith("key ")
        assert KEY not in client.get("/v1/audit-log", headers={"X-API-Key": KEY}).text
