"""The policy is changed in a real browser: by keyboard alone, and without scripts; pages on a telephone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.accessibility import serious
from tests.support.browser import follow, picture
from tests.support.serve_fakes import served

NAMES = ("Ann Miller", "Ben", "Cleo")
PAGES = ("policy", "log", "dashboard", "models", "keys", "quality", "search", "comments/1", "log?since=never")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[httpx.Client]:
    with served(tmp_path) as client:
        comments = [
            {
                "id": f"c{at}",
                "text": f"{'spam and toxicity' if at == 0 else 'spam' if at < 6 else 'news'} of pier {at}",
            }
            | {"author": {"id": f"u{at % 3}", "name": NAMES[at % 3]}}
            for at in range(12)
        ]
        thread = {"id": "a-17", "title": "The harbour reopens after a long winter of repairs"}
        body = {"site": "paper.example", "thread": thread, "comments": comments}
        client.post("/v1/comments", json=body).raise_for_status()
        client.post("/v1/comments/paper.example:c1/decisions", json={"action": "reject", "code": "spam"})
        yield client


def page_of(browser: Any, service: httpx.Client, width: int = 1280, **more: Any) -> Any:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, base_url=str(service.base_url), **more
    )
    page = context.new_page()
    page.errors = []
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    return page


def action_of(service: httpx.Client, name: str, text: str) -> str:
    body = {"site": "paper.example", "comments": [{"id": name, "text": text}]}
    return str(service.post("/v1/comments", json=body).json()["results"][0]["action"])


def tab_to(page: Any, selector: str) -> None:
    for _ in range(120):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached by Tab")


def test_a_threshold_is_changed_with_the_keyboard_alone(browser: Any, service: httpx.Client) -> None:
    page = page_of(browser, service)
    page.goto("/console/policy")
    effect = page.locator("[data-effect='hold.spam']")
    before = effect.inner_text()
    assert "6 a day" in before
    tab_to(page, "[data-for='hold.spam']")
    page.keyboard.press("ArrowLeft")
    assert page.input_value("[id='hold.spam']") == "0.49"
    for _ in range(45):
        page.keyboard.press("ArrowRight")
    assert page.input_value("[id='hold.spam']") == "0.94"
    page.wait_for_function(
        "before => document.querySelector(\"[data-effect='hold.spam']\").textContent !== before", arg=before
    )
    assert page.get_attribute("[data-line='hold.spam']", "x1") == "94"
    picture(page, "policy-slider")
    page.keyboard.press("End")
    assert page.input_value("[id='hold.spam']") == "", "the end of the slider is never"
    page.keyboard.press("ArrowLeft")
    assert page.input_value("[id='hold.spam']") == "0.99"

    tab_to(page, "#note")
    page.keyboard.type("less spam")
    tab_to(page, "button[value=try]")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    headings = page.locator("#tried h3").all_inner_texts()
    assert [heading.split(":")[0] for heading in headings] == [
        "No longer held or rejected",
        "The same action for another reason",
    ]
    assert page.locator("#differences tbody tr").count() == 1
    assert page.input_value("#note") == "less spam"
    picture(page, "policy-dry-run")
    assert serious(page) == []
    tab_to(page, "#policy-form button[value=replace]")
    page.keyboard.press("Enter")
    page.wait_for_selector("main [role=status]:not(#toast)")
    assert action_of(service, "next", "spam again") == "publish"
    [entry] = service.get("/v1/policy/history").json()
    assert entry["note"] == "less spam"
    assert page.errors == []


def test_the_same_without_scripts(browser: Any, service: httpx.Client) -> None:
    page = page_of(browser, service, java_script_enabled=False)
    page.goto("/console/policy")
    assert not page.locator("[data-for='hold.spam']").is_visible(), "a slider that does nothing is not shown"
    page.fill("[id='hold.spam']", "1.2")
    page.fill("[id='words.hold']", "casino*")
    follow(page, page.locator("#policy-form button[value=try]"))
    assert page.input_value("[id='hold.spam']") == "1.2"
    assert page.get_attribute("[id='hold.spam']", "aria-invalid") == "true"
    assert page.input_value("[id='words.hold']") == "casino*"
    picture(page, "policy-wrong-value")
    page.fill("[id='hold.spam']", "0.95")
    follow(page, page.locator("#policy-form button[value=try]"))
    assert page.locator("#tried").is_visible()
    assert "none" in page.inner_text("[data-effect='hold.spam']")
    follow(page, page.locator("#policy-form button[value=replace]"))
    assert action_of(service, "n1", "spam again") == "publish"
    assert action_of(service, "n2", "the casinos") == "hold"


def test_undo_in_a_row_of_the_log(browser: Any, service: httpx.Client) -> None:
    page = page_of(browser, service)
    page.goto("/console/log?kind=people")
    follow(page, page.locator(".log form button").first)
    assert "/console/log?kind=people" in page.url
    assert service.get("/v1/comments/paper.example:c1").json()["action"] == "hold"


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_pages_fit_and_are_accessible(browser: Any, service: httpx.Client, width: int, scheme: str) -> None:
    page = page_of(browser, service, width, color_scheme=scheme)
    for path in PAGES:
        page.goto(f"/console/{path}")
        picture(page, f"{path.replace('/', '-').partition('?')[0]}-{scheme}-{width}")
        assert serious(page) == [], path
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, f"{path} scrolls sideways at {width} px"
        rows = page.evaluate(
            "new Set([...document.querySelectorAll('.top nav a')].map(link => Math.round(link.offsetTop))).size"
        )
        assert rows == 1, f"the pages of the console take {rows} rows at {width} px"
        current = page.locator(".top nav [aria-current]")
        assert current.count() == 0 or current.evaluate(
            "link => { const box = link.getBoundingClientRect(); return box.left >= 0 && box.right <= innerWidth; }"
        )


def test_words_of_labels_stay_whole(browser: Any, service: httpx.Client) -> None:
    page = page_of(browser, service, 360)
    for path in ("comments/3", "keys", "policy", "log", "dashboard"):
        page.goto(f"/console/{path}")
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        broken = page.evaluate(
            """() => {
              const broken = [];
              for (const part of document.querySelectorAll('label, legend, summary, button, thead th, dt')) {
                const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
                while (walker.nextNode()) {
                  for (const word of walker.currentNode.data.matchAll(/[a-z]+/gi)) {
                    const range = document.createRange();
                    range.setStart(walker.currentNode, word.index);
                    range.setEnd(walker.currentNode, word.index + word[0].length);
                    if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) broken.push(word[0]);
                  }
                }
              }
              return broken;
            }"""
        )
        assert broken == [], path
