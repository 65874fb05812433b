"""A moderator's session in a real browser. With BELOWLINE_SCREENSHOTS=folder every stage saves a screenshot there."""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.routing import APIRoute

from belowline.serve.console.routes import ROUTERS
from belowline.serve.server.app import create_app
from belowline.serve.settings import Settings
from tests.support.accessibility import serious
from tests.support.browser import follow, picture, wait_for_queue
from tests.support.serve_fakes import fake_scorer

OFFER = "spam: my {} made {} in a week from home with this simple trick, look at cash-{}.example/go"
HEADERS = {"X-API-Key": "the-machine-of-the-newspaper"}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("console")
    settings = Settings(
        database_url=f"sqlite:///{folder / 'queue.sqlite3'}", api_keys=HEADERS["X-API-Key"], port=free_port()
    )
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings, fake_scorer()),
            port=settings.port,
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", headers=HEADERS, timeout=30) as client:
        while not server.started:
            time.sleep(0.02)
        yield client
    server.should_exit = True
    thread.join(20)


def ingest(service: httpx.Client) -> None:
    texts = [
        "You hold a personal_attack against the mayor, and that is no way to discuss a harbour.",
        "This is hate about the people who moved in next door, says the fake model.",
        "A threat, though a mild one: I will write to the editor.",
        "toxicity on a Monday morning, before the coffee",
        "I read the report. It says the cost doubled because steel did; page 4 has the figures.",
        "antisemitism is what the article is about, so the word alone must not decide.",
        "spam or not? my shop sells harbour postcards at www.postcards.example/harbour",
        "hate, again",
        'a personal_attack with <b>markup</b> & an "entity"',
        "profanity alone never holds",
        "more toxicity than one would like to read before lunch",
        "another threat of a letter",
    ]
    comments = [
        {
            "id": f"c{at}",
            "text": text,
            "author": {"id": f"u{at % 5}", "name": ("Ann", "Ben", "Cleo", "Dan", "Eve")[at % 5]},
        }
        for at, text in enumerate(texts)
    ]
    comments += [
        {"id": f"s{at}", "text": OFFER.format(who, 90 + at, at), "author": {"id": f"spammer{at}"}}
        for at, who in enumerate(("aunt", "uncle", "sister", "friend", "neighbour", "boss"))
    ]
    comments[0] |= {"parent_text": "The mayor said the harbour would open in May."}
    thread = {"id": "a-17", "title": "The harbour reopens", "url": "https://paper.example/harbour"}
    body = {"site": "paper.example", "thread": thread, "comments": comments}
    service.post("/v1/comments", json=body).raise_for_status()


def sign_in(page: Any, base: str, key: str) -> None:
    page.goto(base + "/console")
    assert "/console/sign-in" in page.url
    page.fill("#key", key)
    page.keyboard.press("Enter")
    wait_for_queue(page)


def waiting(service: httpx.Client) -> int:
    return sum(service.get("/v1/stats").json()["waiting"].values())


@pytest.fixture(scope="module")
def keys(service: httpx.Client) -> dict[str, str]:
    made = {}
    for name, role in (("Mona", "moderator"), ("Adam", "admin"), ("Tess", "triage")):
        made[name] = service.post("/v1/keys", json={"name": name, "role": role}).json()["key"]
    return made


@pytest.fixture
def mona(browser: Any, service: httpx.Client, keys: dict[str, str]) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    yield page
    context.close()


def test_a_morning(browser: Any, service: httpx.Client, keys: dict[str, str], mona: Any) -> None:
    base = str(service.base_url).rstrip("/")
    ingest(service)
    before = waiting(service)
    assert before == 16, "of 18 comments two are published: one substantial, one with profanity alone"

    mona.goto(base + "/console/sign-in")
    picture(mona, "sign-in")
    mona.fill("#key", "not a key of this service")
    mona.keyboard.press("Enter")
    assert mona.inner_text("[role=alert]")
    mona.errors.clear()  # the browser reports the 401 itself
    sign_in(mona, base, keys["Mona"])
    picture(mona, "queue-light-wide")
    assert serious(mona) == []
    assert mona.locator(".card").count() == 10

    mona.keyboard.press("?")
    assert mona.locator("#help").is_visible()
    picture(mona, "help")
    mona.keyboard.press("Escape")

    for number in range(10):  # ten cards by keyboard, the next one ready after each press
        focused = mona.evaluate("document.activeElement.id")
        assert focused.startswith("c")
        mona.keyboard.press("d" if number % 2 else "f")
        mona.wait_for_function("id => document.getElementById(id).classList.contains('done')", arg=focused)
    mona.wait_for_function("() => document.querySelectorAll('.card:not(.done)').length >= 1")
    assert waiting(service) == before - 15, "the first card had the six copies of one offer"
    picture(mona, "queue-after-ten")

    mona.keyboard.press("u")
    mona.wait_for_function("() => document.querySelectorAll('.card.done').length === 9")
    assert waiting(service) == before - 14
    undone = service.get("/v1/decisions").text.strip().splitlines()[-1]
    assert json.loads(undone)["via"] == "undo"
    assert mona.errors == []


def test_a_campaign_is_rejected_at_once_and_an_appeal_is_another_moderators(
    browser: Any, service: httpx.Client, keys: dict[str, str], mona: Any
) -> None:
    base = str(service.base_url).rstrip("/")
    offers = [
        {"id": f"z{at}", "text": OFFER.format(who, 900 + at, at + 50), "author": {"id": f"late{at}"}}
        for at, who in enumerate(("cousin", "niece", "teacher", "dentist"))
    ]
    service.post("/v1/comments", json={"site": "paper.example", "comments": offers}).raise_for_status()
    campaign = service.get("/v1/comments/paper.example:z0").json()["campaign"]
    sign_in(mona, base, keys["Mona"])
    mona.goto(f"{base}/console/campaigns/{campaign}")
    picture(mona, "campaign")
    assert serious(mona) == []
    mona.select_option("select[name=code]", "spam")
    follow(mona, mona.locator("text=/^Reject \\d+/"))
    assert "No comments" not in mona.inner_text("main")
    stands = service.get("/v1/comments", params={"campaign": campaign}).json()["items"]
    assert {one["action"] for one in stands if one["caller_id"].startswith("z")} == {"reject"}

    service.post(
        "/v1/comments/paper.example:z0/appeals", json={"text": "It is my own shop."}
    ).raise_for_status()
    mona.goto(f"{base}/console?kind=appeal")
    assert mona.locator(".card").count() == 0, "who rejected a comment does not answer the appeal"
    picture(mona, "empty")
    adam = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme="dark").new_page()
    sign_in(adam, base, keys["Adam"])
    adam.goto(f"{base}/console?kind=appeal")
    assert "It is my own shop." in adam.inner_text(".plea")
    picture(adam, "appeal-dark-narrow")
    assert serious(adam) == []
    adam.keyboard.press("f")
    adam.wait_for_selector(".card.done")
    assert service.get("/v1/comments/paper.example:z0").json()["appeals"][0]["state"] == "overturned"

    adam.goto(base + "/console/dashboard")
    picture(adam, "dashboard-dark-narrow")
    assert serious(adam) == []
    overturned = adam.locator("figure", has_text="Overturned").locator("figcaption b").inner_text()
    assert overturned == "1"
    adam.context.close()


PAGES = (
    *(
        "",
        "/paused",
        "/search",
        "/search?words=Ann",
        "/log",
        "/acts",
        "/dashboard",
        "/quality",
        "/models",
        "/keys",
    ),
    *("/policy", "/policy?site=paper.example", "/comments/1", "/comments/1/conversation", "/threads/1"),
    *("/authors/1", "/campaigns/{}", "/sign-in"),
)
NOT_FOUND = "/comments/99999"
NO_PAGES = {"/cards", "/state", "/policy/effects", "/log.csv", "/comments/{number}/text"}
"""Addresses that answer a script, or with a file."""


def test_every_page_is_among_those_that_are_checked() -> None:
    addresses = {
        route.path.removeprefix("/console")
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and "GET" in route.methods
    }
    checked = {re.sub(r"/(\d+|{})(?=/|$)", "/{number}", page.partition("?")[0]) for page in PAGES}
    assert checked == addresses - NO_PAGES


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_for_everybody(
    browser: Any, service: httpx.Client, keys: dict[str, str], scheme: str
) -> None:
    base = str(service.base_url).rstrip("/")
    body = {
        "site": "paper.example",
        "thread": {"id": "a-18", "title": "Pages"},
        "comments": [
            {"id": f"{scheme}{at}", "text": OFFER.format(at, at, at), "author": {"id": "seller"}}
            for at in range(2)
        ],
    }
    service.post("/v1/comments", json=body).raise_for_status()
    campaign = service.get(f"/v1/comments/paper.example:{scheme}1").json()["campaign"]
    for width in (360, 1280):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page = context.new_page()
        sign_in(page, base, keys["Adam"])
        for path in (*PAGES, NOT_FOUND):
            path = path.format(campaign)
            assert page.goto(f"{base}/console{path}").status == (404 if path == NOT_FOUND else 200), path
            if width == 360:  # with the menus of the cards, and all that is folded
                page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
            picture(page, f"page{path.replace('/', '-').replace('?', '-') or '-queue'}-{scheme}-{width}")
            assert serious(page) == [], path
            wider = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wider <= 0, f"{path} scrolls sideways at {width} px"
        context.close()


def test_hidden_scores_are_not_on_the_page(
    browser: Any, service: httpx.Client, keys: dict[str, str], mona: Any
) -> None:
    base = str(service.base_url).rstrip("/")
    body = {"site": "paper.example", "comments": [{"id": "blind", "text": "toxicity to be judged unseen"}]}
    service.post("/v1/comments", json=body).raise_for_status()
    sign_in(mona, base, keys["Mona"])
    mona.keyboard.press("h")
    mona.wait_for_selector("[name=blind][aria-pressed=true]")
    mona.goto(base + "/console?sort=newest")
    assert mona.locator(".scores").count() == 0
    assert ">=" not in mona.inner_text("#cards")
    mona.keyboard.press("l")
    mona.keyboard.press("7")
    mona.keyboard.press("d")
    mona.wait_for_selector(".card.done")
    [*_, last] = service.get("/v1/comments/paper.example:blind").json()["decisions"]
    assert (last["blind"], last["labels"], last["actor"]) == (True, ["toxicity"], "Mona")


def test_without_a_script_the_forms_do_the_same(
    browser: Any, service: httpx.Client, keys: dict[str, str]
) -> None:
    base = str(service.base_url).rstrip("/")
    body = {
        "site": "paper.example",
        "comments": [{"id": "plain", "text": "toxicity in a page without script"}],
    }
    service.post("/v1/comments", json=body).raise_for_status()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(base + "/console")
    page.fill("#key", keys["Tess"])
    follow(page, page.locator("main button"))
    page.goto(base + "/console?sort=newest")
    follow(page, page.locator(".card", has_text="without script").locator("button[value=reject]"))
    assert service.get("/v1/comments/paper.example:plain").json()["action"] == "reject"
    assert page.goto(base + "/console/policy").status == 403
    picture(page, "forbidden")
    context.close()
