"""The queue in a real browser: filters, two moderators, campaigns, conversations, density, and a phone.

With BELOWLINE_SCREENSHOTS=folder every stage saves a screenshot there.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.accessibility import serious
from tests.support.browser import follow, picture, wait_for_queue
from tests.support.serve_fakes import served
from tests.support.waiting import until

OFFER = "spam: my {} made {} in a week from home with this simple trick, look at my page for the whole story"
WHO = ("aunt", "uncle", "sister", "friend", "neighbour", "boss", "cousin")
WORDS = ["harbour", "council", "money", "steel", "ferry", "summer", "fish", "boat", "price", "people", "rain"]
MACHINE = {"X-API-Key": "the-machine-of-the-newspaper"}
OPEN = ".card:not(.done)"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[httpx.Client]:
    with served(tmp_path, api_keys=MACHINE["X-API-Key"]) as client:
        client.headers.update(MACHINE)
        yield client


def enter(browser: Any, service: httpx.Client, name: str, **options: Any) -> Any:
    """Return a page of a new moderator, whose key goes with every request."""
    key = service.post("/v1/keys", json={"name": name, "role": "moderator"}).json()["key"]
    viewport = options.pop("viewport", {"width": 1280, "height": 800})
    context = browser.new_context(viewport=viewport, base_url=str(service.base_url), **options)
    page = context.new_page()
    page.goto("/console/sign-in")
    page.fill("#key", key)
    page.click("main button")
    wait_for_queue(page)
    return page


def take(service: httpx.Client, *comments: dict[str, Any]) -> None:
    """Store comments one by one, so that each arrives later than the one before."""
    thread = {"id": "a-17", "title": "The harbour reopens"}
    for comment in comments:
        body = {"site": "paper.example", "thread": thread, "comments": [comment]}
        service.post("/v1/comments", json=body).raise_for_status()


def ordinary(number: int, label: str = "toxicity") -> list[dict[str, Any]]:
    """Comments of a line or two, each unlike the others."""
    names = ("Ann", "Ben", "Cleo", "Dan", "Eve")
    return [
        {
            "id": f"{label}{at}",
            "text": f"{' '.join(chr(97 + at) + label[:2] + word for word in WORDS)}, which is {label}",
            "author": {"id": f"u{at % 5}", "name": names[at % 5]},
        }
        for at in range(number)
    ]


def offers(first: int, number: int) -> list[dict[str, Any]]:
    return [
        {"id": f"s{at}", "text": OFFER.format(WHO[at % 7], at), "author": {"id": f"spammer{at}"}}
        for at in range(first, first + number)
    ]


def action(service: httpx.Client, name: str) -> str:
    return str(service.get(f"/v1/comments/paper.example:{name}").json()["action"])


def shown(page: Any) -> list[int]:
    return [int(one.get_attribute("data-comment")) for one in page.locator(OPEN).all()]


def decide(page: Any, key: str) -> None:
    card = page.evaluate("document.activeElement.closest('.card, .reply').id")
    page.keyboard.press(key)
    page.wait_for_function("id => !!document.getElementById(id).closest('.done')", arg=card)


def clean(page: Any) -> None:
    """Check accessibility in light and dark, and that nothing scrolls sideways."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert serious(page) == [], (page.url, scheme)
    page.emulate_media(color_scheme="light")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_two_moderators_with_different_filters_see_everything_once(
    browser: Any, service: httpx.Client
) -> None:
    take(service, *ordinary(14), *ordinary(6, "threat"))
    everything = {one["id"] for one in service.get("/v1/queue").json()["items"]}
    ann, bob = enter(browser, service, "ann"), enter(browser, service, "bob")
    ann.select_option("[name=sort]", "newest")
    ann.select_option("[name=label]", "threat")
    ann.click("text=Show >> nth=0")
    ann.wait_for_url("**label=threat**")
    assert len(shown(ann)) == 6
    held = service.get("/v1/queue").json()["items"]
    assert {one["id"] for one in held if one["item"]["claimed_by"] == "ann"} == set(shown(ann))
    bob.goto("/console?sort=oldest")
    for hidden in ("true", "false"):
        with ann.expect_navigation():
            ann.keyboard.press("h")
        assert ann.locator(f"[name=blind][aria-pressed={hidden}]").is_visible()
        assert "label=threat" in ann.url, "hiding scores keeps the filter"
    seen: list[int] = []
    for page in (ann, bob):
        while shown(page):
            seen.append(int(page.evaluate("document.activeElement.dataset.comment")))
            decide(page, "f")
            page.wait_for_function("() => !document.getElementById('new').textContent.startsWith('loading')")
    assert sorted(seen) == sorted(everything)
    for page, link in ((ann, "/console?sort=newest"), (bob, "")):
        page.wait_for_function("() => document.getElementById('waiting').textContent === '0'")
        assert page.locator("#empty h2").is_visible()
        assert page.locator("#empty a").count() == bool(link), "only a filter can be left"
    picture(bob, "queue-empty", whole=False)
    for page in (ann, bob):
        page.context.close()


def test_a_campaign_is_decided_at_once_and_a_late_copy_is_told(browser: Any, service: httpx.Client) -> None:
    take(service, *ordinary(2), *offers(0, 5))
    page = enter(browser, service, "mona")
    page.goto("/console?sort=newest")
    assert page.locator(OPEN).count() == 3, "five copies have one card"
    many = page.locator(".card.many")
    page.keyboard.press("c")
    assert many.locator(".copies li").count() == 4
    assert many.locator("mark.differs").first.inner_text() == "friend"
    clean(page)
    picture(page, "campaign-card", whole=False)
    take(service, *offers(5, 1))
    page.wait_for_selector(".card.many[data-copies='6']")
    assert many.locator(".arrived").inner_text()
    assert page.evaluate("document.activeElement.dataset.copies") == "6"
    page.keyboard.press("d")
    assert page.evaluate("document.activeElement.name") == "code", "a reason is asked for"
    page.select_option(".card.many [name=code]", "spam")
    page.evaluate("document.querySelector('.card.many').focus()")
    decide(page, "d")
    assert {action(service, f"s{at}") for at in range(6)} == {"reject"}
    assert service.get("/v1/comments/paper.example:s5").json()["decision"]["code"] == "spam"
    page.context.close()


def test_a_copy_that_arrives_unseen_is_the_next_card(browser: Any, service: httpx.Client) -> None:
    take(service, *offers(0, 3), *ordinary(2))
    page = enter(browser, service, "mona", java_script_enabled=False)
    page.goto("/console?sort=oldest")
    take(service, *offers(3, 1))
    page.select_option(".card.many [name=code]", "spam")
    follow(page, page.locator(".card.many button[value=reject]"))
    assert "/console?sort=oldest" in page.url
    assert [action(service, f"s{at}") for at in range(4)] == [*["reject"] * 3, "hold"]
    assert page.locator(".card").count() == 3
    page.context.close()


def test_a_conversation_opens_by_a_key_and_each_of_it_can_be_decided(
    browser: Any, service: httpx.Client
) -> None:
    take(
        service,
        {"id": "q", "text": "a question about the harbour", "author": {"id": "a", "name": "Ann"}},
        {"id": "r", "text": "an answer that is published", "parent": "q"},
        {"id": "x", "text": "toxicity is the answer", "parent": "r"},
        {"id": "y", "text": "another toxicity beside it", "parent": "r"},
    )
    page = enter(browser, service, "mona")
    page.goto("/console?sort=oldest")
    assert page.locator(".parent blockquote").first.is_visible()
    page.keyboard.press("t")
    page.wait_for_selector(".reply.own")
    depths = [one.get_attribute("class").split()[1] for one in page.locator(".reply").all()]
    assert depths == ["depth-0", "depth-1", "depth-2", "depth-2"]
    clean(page)
    picture(page, "conversation", whole=False)
    page.keyboard.press("k")
    for key, words in (("s", "left for others"), ("f", "published already")):
        page.keyboard.press(key)
        assert words in page.inner_text("#trouble"), "what is published stays so"
    decide(page, "d")
    assert action(service, "r") == "reject"
    assert len(service.get("/v1/comments/paper.example:r").json()["decisions"]) == 2
    page.keyboard.press("t")
    page.wait_for_selector(".conversation", state="hidden")
    page.locator(".talk").first.click()
    assert page.locator(".reply").first.is_visible(), "the mouse opens it too"
    number = service.get("/v1/comments/paper.example:q").json()
    page.goto(f"/console/threads/{number['thread']['id']}")
    assert page.locator(".reply").count() == 4
    clean(page)
    picture(page, "thread", whole=False)
    page.locator(f"#r{number['id']} button[value=reject]").click()
    until(lambda: action(service, "q") == "reject", seconds=10)
    page.context.close()


def test_six_ordinary_comments_are_on_a_screen_and_long_ones_are_folded(
    browser: Any, service: httpx.Client
) -> None:
    long = {"id": "long", "text": "A long story. " * 60 + "It ends with toxicity." + " And goes on." * 20}
    take(service, long, *ordinary(9))
    page = enter(browser, service, "mona")
    page.goto("/console?sort=newest")
    boxes = [one.bounding_box() for one in page.locator(".card").all()]
    inside = [one for one in boxes if one["y"] >= 0 and one["y"] + one["height"] <= 800]
    picture(page, "queue-list", whole=False)
    assert len(inside) >= 6
    clean(page)
    assert page.locator(".chip.reason").first.is_visible()
    page.goto("/console?sort=oldest")
    folded = page.locator(".card .fold")
    assert "toxicity" in folded.locator("summary").inner_text(), "the fold has the evidence"
    assert not folded.locator("blockquote").is_visible()
    page.keyboard.press("m")
    assert folded.locator("blockquote").is_visible()
    page.keyboard.press("v")
    page.wait_for_selector("#cards.large")
    assert page.url.endswith("sort=oldest")
    page.goto("/console")
    assert page.locator("#cards.large").count() == 1, "the view is remembered"
    clean(page)
    page.locator(".all summary").first.click()
    assert page.locator(".card .tick").count() > 0
    picture(page, "queue-large", whole=False)
    page.context.close()


@pytest.mark.parametrize("answered_first", ["undo", "cards"])
def test_an_undo_while_cards_are_loaded_leaves_one_card_of_each_comment(
    answered_first: str, browser: Any, service: httpx.Client
) -> None:
    take(service, *ordinary(3))
    page = enter(browser, service, "mona")
    held: dict[str, Any] = {}
    page.route("**/console/cards?**", lambda route: held.setdefault("cards", route))
    page.route("**/console/undo", lambda route: held.setdefault("undo", route))
    decide(page, "f")
    page.keyboard.press("u")
    until(lambda: page.evaluate("true") and len(held) == 2)
    undone = held["undo"].fetch()
    for name in sorted(held, key=lambda name: name != answered_first):
        if name == "undo":
            held["undo"].fulfill(response=undone)
            page.wait_for_selector("#toast .said >> text=Undone")
        else:
            held["cards"].continue_()
            page.wait_for_function("() => !document.getElementById('new').textContent")
    assert sorted(shown(page)) == sorted(one["id"] for one in service.get("/v1/queue").json()["items"])
    page.context.close()


def test_a_phone_by_touch(browser: Any, service: httpx.Client) -> None:
    take(service, *ordinary(12), *offers(0, 3))
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    page = enter(browser, service, "mona", **phone)
    assert page.locator(".card").first.bounding_box()["y"] <= 200
    assert not page.locator("[name=sort]").is_visible(), "filters are behind one button"
    clean(page)
    picture(page, "phone", whole=False)
    page.locator(".menu").tap()
    page.select_option("[name=sort]", "oldest")
    picture(page, "phone-filters", whole=False)
    clean(page)
    page.locator(".filters button", has_text="Show").first.tap()
    page.wait_for_url("**sort=oldest**")
    second = page.locator(".card").nth(1)
    second.evaluate("card => scrollTo(0, card.getBoundingClientRect().top + scrollY - 600)")
    stuck = second.locator(".main").bounding_box()
    assert 690 < stuck["y"] + stuck["height"] <= 741, "Publish and Reject stay at the edge of the screen"
    second.locator("button[value=publish]").tap()
    page.wait_for_selector(".card.done")
    assert action(service, "toxicity1") == "publish"
    toast = page.locator("#toast").bounding_box()
    assert toast["y"] + toast["height"] <= 740 - 60, "the message leaves Publish and Reject free"
    picture(page, "phone-decided", whole=False)
    page.context.set_offline(True)
    page.locator(".card").last.locator("button[value=publish]").tap()
    page.wait_for_selector("#trouble:not([hidden])")
    trouble = page.locator("#trouble").bounding_box()
    assert trouble["y"] >= 0, "a problem is in sight wherever the page is"
    assert trouble["y"] + trouble["height"] <= 740
    picture(page, "phone-offline", whole=False)
    page.context.set_offline(False)
    page.locator(".menu").tap()
    page.locator("text=Release my comments").tap()
    page.wait_for_url("**/console/paused**")
    assert page.locator(".card").count() == 0
    assert all(one["item"]["claimed_by"] is None for one in service.get("/v1/queue").json()["items"])
    clean(page)
    page.locator("#empty a").tap()
    page.wait_for_selector(".card")
    page.context.close()


def test_filters_are_saved_and_search_and_try_page_are_accessible(
    browser: Any, service: httpx.Client
) -> None:
    take(service, *ordinary(3), *ordinary(2, "threat"))
    page = enter(browser, service, "mona")
    page.goto("/console?label=threat")
    page.click(".saved summary")
    page.fill(".saved [name=name]", "Threats first")
    page.keyboard.press("Enter")
    page.wait_for_selector(".saved b")
    assert "label=threat" in page.url
    page.goto("/console")
    page.click(".saved summary")
    clean(page)
    page.click("text=Threats first")
    page.wait_for_url("**label=threat**")
    assert page.locator(".card").count() == 2
    page.goto("/console/search?words=Ann")
    assert page.locator(".card").count() == 2
    clean(page)
    page.goto("/")
    page.fill("#text", "A threat with toxicity")
    page.fill("#key", MACHINE["X-API-Key"])
    page.click("main button")
    until(lambda: page.locator("tr.fired").count() == 2)  # every label above its threshold is red
    clean(page)
    page.context.close()
