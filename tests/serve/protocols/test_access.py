"""Access to every operation of other services' protocols.

Callers have no key, an unknown one, one of each role, or another site's key.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import httpx
import pytest
from fastapi import APIRouter

from belowline.serve.protocols.routes import PROTOCOLS
from belowline.serve.store.accounts import PERMISSIONS, ROLES
from tests.support.protocol_operations import OTHER, TABLE
from tests.support.serve_fakes import KEY, served


class Callers(NamedTuple):
    client: httpx.Client
    keys: Mapping[str, str]


@pytest.fixture(scope="module")
def callers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    with served(tmp_path_factory.mktemp("protocols"), api_keys=KEY, coral_answer_ms=9000) as client:
        keys = {"none": "", "unknown": "bl_nobody-ever-made-this-key"}
        for role in ROLES:
            for name, sites in ((role, []), (f"foreign {role}", [OTHER])):
                if role == "admin" and sites:
                    continue
                body = {"name": name, "role": role, "sites": sites}
                keys[name] = client.post("/v1/keys", json=body, headers={"X-API-Key": KEY}).json()["key"]
        yield Callers(client, keys)


def ask(callers: Callers, operation: str, who: str) -> httpx.Response:
    method, path = operation.split(" ")
    key = callers.keys[who]
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return callers.client.request(method, path, headers=headers, **TABLE[operation].request)


def kept(callers: Callers) -> str:
    with_key = {"X-API-Key": KEY}
    return callers.client.get("/v1/comments", headers=with_key).text


def operations(router: APIRouter) -> Iterator[tuple[str, str]]:
    """Return method and path of every route, including those of nested routers."""
    for route in router.routes:
        if included := getattr(route, "original_router", None):
            yield from operations(included)
        else:
            yield from ((method, route.path) for method in route.methods)


def test_the_table_has_every_operation_of_every_protocol(callers: Callers) -> None:
    found = [one for protocol in PROTOCOLS for one in operations(protocol.router)]
    assert {f"{method} {path}" for method, path in found} == set(TABLE)
    documented = callers.client.get("/openapi.json").json()["paths"]
    assert not {path for _, path in found} & set(documented), "OpenAPI describes our own API only"


@pytest.mark.parametrize("who", ["none", "unknown", *ROLES])
@pytest.mark.parametrize("operation", TABLE)
def test_a_role_gets_what_it_may(callers: Callers, operation: str, who: str) -> None:
    row = TABLE[operation]
    answer = ask(callers, operation, who)
    refused = row.nobody if who in ("none", "unknown") else row.forbidden
    may = row.may is None or who in PERMISSIONS[row.may]
    assert answer.status_code == (row.good if may else refused), answer.text
    if "/1." in operation and operation != "POST /1.1/verify-key":  # always 200: the text tells
        assert (answer.text == "invalid") != may
    assert "urn:belowline" not in answer.text, "errors have the protocol's own shape"


@pytest.mark.parametrize("operation", TABLE)
def test_a_key_of_another_site_keeps_and_decides_nothing(callers: Callers, operation: str) -> None:
    row = TABLE[operation]
    before = kept(callers)
    for role in PERMISSIONS[row.may] if row.may else ROLES:
        if role != "admin":
            answer = ask(callers, operation, f"foreign {role}")
            assert answer.status_code == row.foreign, (role, answer.text)
            if operation in ("POST /1.1/comment-check", "POST /1.1/submit-spam", "POST /1.1/submit-ham"):
                assert answer.text == "invalid"
    assert kept(callers) == before


def test_corals_signature_opens_nothing_else(
    callers: Callers, tmp_path_factory: pytest.TempPathFactory
) -> None:
    body = json.dumps({"inputs": "fine"}).encode()
    with served(tmp_path_factory.mktemp("signed"), api_keys=KEY, coral_secrets="a-secret") as client:
        signature = "sha256=" + hmac.new(b"a-secret", body, hashlib.sha256).hexdigest()
        answer = client.post("/predict", content=body, headers={"X-Coral-Signature": signature})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "operation", ["POST /v1/moderations", "POST /predict", "GET /info", "POST /coral/moderate"]
)
def test_a_key_in_the_address_opens_nothing_that_can_take_one_in_a_header(
    callers: Callers, operation: str
) -> None:
    method, path = operation.split(" ")
    answer = callers.client.request(method, path, params={"key": KEY}, **TABLE[operation].request)
    assert answer.status_code == 401
