"""Undo, toasts and reasons in a browser: by key, by mouse, by touch on a phone, and without a script."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.accessibility import serious
from tests.support.browser import follow, picture
from tests.support.serve_fakes import served
from tests.support.waiting import until

TEXTS = ("spam one", "a personal_attack on Ann", "a threat of letters", "hate here", "toxicity", "more spam")
SAID = "document.querySelector('#toast .said').textContent"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[httpx.Client]:
    with served(tmp_path) as client:
        try:
            for at, text in enumerate(TEXTS):
                comment = {
                    "id": f"c{at}",
                    "text": text,
                    "author": {"id": f"u{at % 2}", "name": f"Joe {at % 2}"},
                }
                client.post("/v1/comments", json={"site": "s", "comments": [comment]}).raise_for_status()
            yield client
        finally:
            client.close()


@pytest.fixture
def open_page(browser: Any, service: httpx.Client) -> Iterator[Any]:
    pages = []

    def opened(address: str = "/console?sort=oldest", *, blind: bool = False, **options: Any) -> Any:
        options = {"viewport": {"width": 1280, "height": 900}, "base_url": str(service.base_url)} | options
        context = browser.new_context(**options)
        if blind:
            context.add_cookies([{"name": "belowline_blind", "value": "1", "url": str(service.base_url)}])
        page = context.new_page()
        page.set_default_timeout(15_000)
        pages.append(page)
        page.goto(address)
        return page

    yield opened
    for page in pages:
        page.context.close()


def stands(service: httpx.Client) -> list[str]:
    found = service.get("/v1/comments").json()["items"]
    return [one["action"] for one in sorted(found, key=lambda one: one["id"])]


def last(service: httpx.Client, name: str) -> dict[str, Any]:
    return dict(service.get(f"/v1/comments/s:{name}").json()["decisions"][-1])


def done(page: Any, number: int) -> None:
    page.wait_for_function(f"() => document.querySelectorAll('.card.done').length === {number}")


def test_keys_decide_correct_select_and_undo_everything(service: httpx.Client, open_page: Any) -> None:
    page = open_page()
    page.keyboard.press("d")
    page.keyboard.press("4")
    page.wait_for_function("() => " + SAID + ".includes('person')")
    assert (last(service, "c0")["code"], last(service, "c0")["labels"]) == (
        "personal_attack",
        ["personal_attack"],
    )
    page.keyboard.press("f")
    done(page, 2)
    for key in "xjxd1":
        page.keyboard.press(key)
    page.wait_for_function("() => " + SAID + ".includes('2 comments rejected')")
    picture(page, "undo-bulk", whole=False)
    done(page, 4)
    assert [last(service, f"c{at}")["code"] for at in (2, 3)] == ["spam", "spam"]
    assert stands(service) == ["reject", "publish", "reject", "reject", "hold", "hold"]
    for left, expected in ((2, "2 comments"), (1, "published"), (0, "an attack")):
        page.keyboard.press("u")
        page.wait_for_function(f"() => {SAID}.includes('Undone') && {SAID}.includes('{expected}')")
        done(page, left)
    page.keyboard.press("u")
    page.wait_for_function("() => " + SAID + ".includes('nothing to undo')")
    assert stands(service) == ["hold"] * 6
    assert last(service, "c0")["code"] == "spam", "the comment keeps why it was held"
    page.keyboard.press("d")
    done(page, 1)
    assert last(service, "c0")["action"] == "reject"


def test_a_digit_long_after_the_rejection_changes_nothing(service: httpx.Client, open_page: Any) -> None:
    page = open_page()
    page.keyboard.press("d")
    done(page, 1)
    page.keyboard.press("k")
    page.keyboard.press("4")
    page.keyboard.press("f")
    done(page, 2)
    assert last(service, "c0")["code"] == "spam"


@pytest.mark.parametrize(
    "device",
    [
        {},
        {
            "viewport": {"width": 360, "height": 740},
            "has_touch": True,
            "is_mobile": True,
            "color_scheme": "dark",
        },
    ],
    ids=["mouse", "touch"],
)
def test_each_decided_card_undoes_its_own_decision(
    service: httpx.Client, open_page: Any, device: dict[str, Any]
) -> None:
    page = open_page(**device)

    def press(part: Any) -> None:
        part.tap() if device else part.click()

    for at in range(3):
        press(page.locator(".card").nth(at).locator("button[value=reject]"))
        done(page, at + 1)
    press(page.locator(".card.done .outcome button").nth(1))
    done(page, 2)
    assert stands(service)[:3] == ["reject", "hold", "reject"]
    press(page.locator(".card.done .outcome button").last)
    done(page, 1)
    assert stands(service)[:3] == ["reject", "hold", "hold"]
    press(page.locator(".card").nth(1).locator("button[value=reject]"))
    page.locator("#toast .correct summary").wait_for(state="visible")
    press(page.locator("#toast .correct summary"))
    press(page.locator("#toast [data-key='5']"))
    page.wait_for_function("() => " + SAID + ".includes('threat')")
    assert last(service, "c1")["code"] == "threat"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious(page) == []
    picture(page, f"undo-{'touch' if device else 'mouse'}", whole=False)


def test_without_a_script_the_next_page_offers_the_undo(service: httpx.Client, open_page: Any) -> None:
    page = open_page("/console", java_script_enabled=False)
    first = page.locator(".card").first.get_attribute("data-comment")
    follow(page, page.locator(".card button[value=reject]").first)
    assert page.locator("#toast").is_visible()
    page.locator("#toast .correct summary").click()
    follow(page, page.locator("#toast [data-key='0']"))
    assert "terms" in page.locator("#toast .said").inner_text()
    follow(page, page.locator("#toast .undo button"))
    assert "Undone" in page.locator("#toast .said").inner_text()
    assert not page.locator("#toast .undo button").is_visible()
    assert service.get(f"/v1/comments/{first}").json()["action"] == "hold"
    author = service.get("/v1/comments/s:c0").json()["author"]["id"]
    page.goto(f"/console/authors/{author}")
    page.locator(".selected [name=code]").select_option("spam")
    follow(page, page.locator(".selected button[value=reject]"))
    assert "3 comments rejected" in page.locator("#toast .said").inner_text()
    follow(page, page.locator(".row form[action='/console/undo'] button").first)
    assert stands(service).count("reject") == 2
    page.goto("/console/acts")
    follow(page, page.locator("main table form button").first)
    assert "1 not" not in page.locator("#toast .said").inner_text()
    assert stands(service) == ["hold"] * 6


@pytest.mark.parametrize("script", [True, False])
def test_enter_in_a_note_decides_nothing(service: httpx.Client, open_page: Any, script: bool) -> None:
    page = open_page("/console", java_script_enabled=script)
    page.locator(".card .relabel summary").first.click()
    for name in ("note", "message"):
        page.locator(f".card [name={name}]").first.fill("a word")
        page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert stands(service) == ["hold"] * 6
    assert page.locator(".card [name=note]").first.input_value() == "a word"


def test_a_blind_review_shows_nothing_that_tells_the_decision(service: httpx.Client, open_page: Any) -> None:
    sent = {"standing": "pre_moderated", "note": "known for attacks"}
    service.post("/v1/authors/s:u0/standing", json=sent).raise_for_status()
    comment = service.get("/v1/comments/s:c0").json()["id"]
    for action in ("reject", "hold"):
        decided = {"action": action, "made_by": "Bea"}
        service.post(f"/v1/comments/{comment}/decisions", json=decided).raise_for_status()
    page = open_page("/console?sort=priority&label=hate", blind=True)
    assert page.locator(".card").count() == 6, "no filter by label"
    ids = [int(card.get_attribute("data-comment")) for card in page.locator(".card").all()]
    items = service.get("/v1/queue", params={"sort": "oldest"}).json()["items"]
    assert ids == [one["id"] for one in items]
    assert (
        page.locator("#cards mark, #cards .rule, #cards .chip, #cards .scores, #cards .standing").count() == 0
    )
    text = page.locator("#cards").inner_text()
    assert "known for attacks" not in text
    assert "campaign" not in text
    assert "1 rejected" not in text
    page.context.close()
    page = open_page("/console")
    assert page.locator("#cards mark").count() == 6
    assert "known for attacks" in page.locator("#cards").inner_text()


def test_a_golden_item_leaves_itself_out_of_the_record(service: httpx.Client, open_page: Any) -> None:
    service.post("/v1/comments/s:c0/decisions", json={"action": "reject"}).raise_for_status()
    service.put("/v1/comments/s:c0/golden").raise_for_status()
    key = service.post("/v1/keys", json={"name": "chief", "role": "admin"}).json()["key"]
    page = open_page("/console/sign-in")
    page.fill("#key", key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console")
    page.goto("/console/quality")
    card = page.locator("main .card")
    assert "0 published, 0 rejected" in card.inner_text()
    assert card.locator("mark").count() == 0


def test_an_author_is_suspended_and_a_comment_escalated_by_key(service: httpx.Client, open_page: Any) -> None:
    page = open_page()
    page.keyboard.press("a")
    page.select_option(".card .author-menu [name=do] >> nth=0", "suspended 7")
    page.locator(".card .author-menu [name=note]").first.fill("third insult")
    page.keyboard.press("Enter")
    page.wait_for_function("() => " + SAID + ".includes('suspended until')")
    until(lambda: page.locator(".standing:visible").count() == 3)  # on each of the author's cards
    until(lambda: page.locator(".author-note", has_text="third insult").count() == 3)
    picture(page, "author-suspended", whole=False)
    comment = {"id": "new", "text": "fine words", "author": {"id": "u0"}}
    kept = service.post("/v1/comments", json={"site": "s", "comments": [comment]}).json()["results"][0]
    assert (kept["action"], kept["reason"]["code"]) == ("hold", "suspended")
    page.locator(".card").first.focus()
    page.keyboard.press("e")
    page.select_option(".card .escalate [name=to] >> nth=0", "role:admin")
    page.locator(".card .escalate button").first.click()
    done(page, 1)
    item = service.get("/v1/comments/s:c0").json()["item"]
    assert item["escalated_to"] == "role:admin"
    assert serious(page) == []
    page.keyboard.press("u")
    done(page, 0)
    assert service.get("/v1/comments/s:c0").json()["item"]["escalated_to"] is None
    page.locator(".card").first.focus()
    page.keyboard.press("u")
    page.wait_for_function("() => document.querySelectorAll('.standing:not([hidden])').length === 0")
    until(lambda: page.locator(".author-note").count() == 0)
    assert service.get("/v1/authors/s:u0/record").json()["standing"] is None
