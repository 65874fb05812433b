"""Access to every operation of the app's own OpenAPI document, for every role, and with another site's key."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest

from belowline.serve.http.errors import PROBLEMS
from belowline.serve.store.accounts import PERMISSIONS, ROLES
from tests.support.api_operations import DECISION, TABLE, UNKNOWN
from tests.support.protocol_operations import TABLE as OTHERS
from tests.support.serve_fakes import KEY, check_problem, served

SITE, OTHER = "paper.example", "other.example"


class Callers(NamedTuple):
    client: httpx.Client
    keys: Mapping[str, str | None]
    ids: Mapping[str, str]


@pytest.fixture(scope="module")
def callers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    with served(tmp_path_factory.mktemp("access"), api_keys=KEY) as client:
        with_key = {"X-API-Key": KEY}
        keys: dict[str, str | None] = {"none": None, "unknown": "bl_nobody-ever-made-this-key"}
        for role in ROLES:
            for name, sites in ((role, []), (f"foreign {role}", [OTHER])):
                if role == "admin" and sites:  # an admin has access to all sites
                    continue
                made = client.post(
                    "/v1/keys", json={"name": name, "role": role, "sites": sites}, headers=with_key
                )
                keys[name] = made.json()["key"]
        author = {"id": "u1", "name": "Ada"}
        comments = [{"id": "c1", "text": "spam", "author": author}]
        kept = client.post("/v1/comments", json={"site": SITE, "comments": comments}, headers=with_key)
        number = kept.json()["results"][0]["comment"]
        made = client.post(f"/v1/comments/{number}/decisions", json={"action": "reject"}, headers=with_key)
        ids = {
            "reference": str(number),
            "decision": str(made.json()["id"]),
            "act": str(made.json()["act_id"]),
            "key": "999999",
            "hook": "999999",
        }
        yield Callers(client, keys, ids)


def ask(
    callers: Callers, operation: str, who: str, ids: Mapping[str, str], body: Any = None
) -> httpx.Response:
    """Return the answer; of an endless one only the beginning."""
    method, path = operation.split(" ")
    key = callers.keys[who]
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    request = callers.client.build_request(method, path.format(**ids), json=body, headers=headers)
    answer = callers.client.send(request, stream=True)
    if "event-stream" not in answer.headers.get("Content-Type", ""):
        answer.read()
    answer.close()
    return answer


def operations(callers: Callers) -> dict[str, Any]:
    paths = callers.client.get("/openapi.json").json()["paths"]
    return {
        f"{method.upper()} {path}": what
        for path, methods in paths.items()
        for method, what in methods.items()
    }


def test_the_table_has_every_operation(callers: Callers) -> None:
    ours = set(operations(callers)) - set(OTHERS)
    assert ours == set(TABLE), "give a new operation its row in TABLE"


def test_every_permission_is_asked_for_somewhere() -> None:
    asked = {row.may for table in (TABLE, OTHERS) for row in table.values()}
    assert asked - {None} == set(PERMISSIONS) - {"answer appeals"}  # this operation is called within others


@pytest.mark.parametrize("who", ["none", "unknown", *ROLES])
@pytest.mark.parametrize("operation", TABLE)
def test_a_role_gets_what_it_may(callers: Callers, operation: str, who: str) -> None:
    row = TABLE[operation]
    answer = ask(callers, operation, who, UNKNOWN, row.body)
    if row.may is None or who in PERMISSIONS[row.may]:
        assert answer.status_code == row.good, answer.text
    elif who in ("none", "unknown"):
        check_problem(answer, 401, "invalid-key")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    else:
        problem = check_problem(answer, 403, "forbidden")
        assert f"the role {who} may not {row.may}" in problem["detail"]
        assert all(role in problem["detail"] for role in PERMISSIONS[row.may])


@pytest.mark.parametrize("operation", TABLE)
def test_a_key_of_another_site_neither_sees_nor_changes_anything(callers: Callers, operation: str) -> None:
    row = TABLE[operation]
    ids = callers.ids
    if operation.startswith("DELETE /v1/authors"):
        ids = {**ids, "reference": f"{SITE}:u1"}
    roles = PERMISSIONS[row.may] if row.may else ROLES
    for role in roles:
        if role == "admin":  # of all sites
            continue
        answer = ask(callers, operation, f"foreign {role}", ids, row.body)
        assert answer.status_code == row.foreign, (role, answer.text)
        if row.foreign >= 400:
            check_problem(answer, row.foreign)
        elif "/events" not in operation:
            assert '"c1"' not in answer.text
    kept = ask(callers, "GET /v1/comments/{reference}", "admin", callers.ids).json()
    assert (kept["text"], kept["action"], len(kept["decisions"]), kept["author"]["name"]) == (
        "spam",
        "reject",
        2,
        "Ada",
    )


@pytest.mark.parametrize(
    "path", ["/v1/queue", "/v1/comments", "/v1/comments?id=c1", "/v1/decisions", "/v1/stats", "/v1/events"]
)
def test_a_key_of_another_site_may_not_ask_for_this_one(callers: Callers, path: str) -> None:
    where = path + ("&" if "?" in path else "?") + f"site={SITE}"
    check_problem(ask(callers, f"GET {where}", "foreign moderator", {}), 403, "forbidden")


def test_a_role_that_may_score_but_not_take_in_keeps_nothing(callers: Callers) -> None:
    body = {"site": SITE, "comments": [{"id": "x1", "text": "spam"}]}
    for who, status in {"triage": 403, "moderator": 403, "foreign service": 403, "service": 200}.items():
        assert ask(callers, "POST /v1/score", who, {}, body).status_code == status, who


def test_a_moderator_of_another_site_decides_none_of_these_in_bulk(callers: Callers) -> None:
    body = {"action": "publish", "comments": [int(callers.ids["reference"])], "queued_only": False}
    answer = ask(callers, "POST /v1/decisions/bulk", "foreign moderator", {}, body)
    assert answer.json() == {"decisions": [], "skipped": [], "act": None}


def test_triage_answers_no_appeal_and_undoes_nobody_elses_decision(callers: Callers) -> None:
    number = callers.ids["reference"]
    check_problem(ask(callers, "POST /v1/decisions/{decision}/undo", "triage", callers.ids), 403, "forbidden")
    assert ask(callers, f"POST /v1/comments/{number}/appeals", "service", {}, {}).status_code == 201
    refused = ask(callers, f"POST /v1/comments/{number}/decisions", "triage", {}, DECISION)
    assert "appeal" in check_problem(refused, 403, "forbidden")["detail"]
    claimed = ask(callers, "POST /v1/queue/claim", "triage", {}, {"limit": 100}).json()["items"]
    assert number not in {str(one["id"]) for one in claimed}


def test_a_service_reports_what_was_decided_on_its_site_and_triage_does_not(callers: Callers) -> None:
    """A moderator here holds the comment, and the site's own decision is recorded all the same."""
    body = {"site": SITE, "comments": [{"id": "site", "text": "spam from the site"}]}
    number = ask(callers, "POST /v1/comments", "service", {}, body).json()["results"][0]["comment"]
    ask(callers, "POST /v1/queue/claim", "moderator", {}, {"limit": 100})
    decide, made = (
        f"POST /v1/comments/{SITE}:site/decisions",
        {"action": "reject", "code": "spam", "made_by": "mona"},
    )
    check_problem(ask(callers, decide, "triage", {}, made), 403, "forbidden")
    check_problem(ask(callers, decide, "foreign service", {}, made), 404, "not-found")
    check_problem(ask(callers, decide, "service", {}, DECISION), 403, "forbidden")
    check_problem(ask(callers, decide, "service", {}, made | {"made_by": "a\nb"}), 422, "invalid-request")
    decision = ask(callers, decide, "service", {}, made).json()
    assert (decision["comment_id"], decision["actor"], decision["via"]) == (number, "service:mona", "site")
    assert decision["rule"] == "site: reject"
    assert ask(callers, f"GET /v1/comments/{number}", "service", {}).json()["item"] is None
    ask(callers, "POST /v1/queue/release", "moderator", {}, {})


def test_every_operation_is_summed_up_and_documents_its_problems(callers: Callers) -> None:
    for operation, what in operations(callers).items():
        assert what["summary"], operation
        assert what["description"], operation
        if operation in OTHERS or not operation.split(" ")[1].startswith("/v1/"):
            continue
        row, answers = TABLE[operation], what["responses"]
        wanted = {
            401,
            403,
            421,
            422,
            503,
            *({400, 413, 415} if row.body else ()),
            *({404} if "{" in operation else ()),
        }
        assert {str(status) for status in wanted} <= set(answers), operation
        for status, answer in answers.items():
            if status >= "4":
                schema = answer["content"]["application/problem+json"]["schema"]
                kinds = [kind.rsplit(":", 1)[1] for kind in schema["properties"]["type"]["enum"]]
                assert {PROBLEMS[kind][0] for kind in kinds} == {int(status)}, operation
                assert "HTTPValidationError" not in str(answer)


def test_a_comment_whose_id_has_slashes_is_reached_by_it(callers: Callers) -> None:
    ids = ["2026/11/25#c1", "c1/golden", "x/appeals"]
    body = {"site": SITE, "comments": [{"id": one, "text": "spam"} for one in ids]}
    assert ask(callers, "POST /v1/comments", "admin", {}, body).status_code == 200
    for one in ids:
        found = ask(callers, f"GET /v1/comments/{SITE}:{quote(one, safe='')}", "admin", {})
        assert found.json()["caller_id"] == one
