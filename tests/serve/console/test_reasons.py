"""The default reason of a rejection by key, by mouse and without a script. Screenshots as in test_console_journey."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from belowline.model import ScoreInput, Scores
from tests.support.browser import follow, picture
from tests.support.serve_fakes import FakeScorer, check_problem, served
from tests.support.waiting import until

POLICY = """
sample = 1.0
[links]
max = 1
[words]
hold = ["casino"]
[campaign]
copies = 2
[new_authors]
comments = 1
"""
OFFER = "my {} made {} in a week from home with this simple trick, look at my page for the whole story"
HELD = {
    "language": {"text": "auf deutsch geschrieben"},
    "links": {"text": "see http://one.example/a and http://two.example/b"},
    "banned_word": {"text": "the casino is open"},
    "scoring_failed": {"text": "explode"},
    "new_author": {"text": "good morning", "author": {"id": "new"}},
    "none": {"text": OFFER.format("aunt", 90)},  # published, and sampled at random
    "campaign": {"text": OFFER.format("uncle", 91)},
    "personal_attack": {"text": "a personal_attack"},
    "spam": {"text": "spam and nothing else"},
}
"""Comments by the code that holds them."""
ATTACKS = [{"id": f"a{at}", "text": f"personal_attack {at}", "author": {"id": "joe"}} for at in range(4)]


class German(FakeScorer):
    """A model that detects German in texts with the word "deutsch"."""

    def _one(self, comment: ScoreInput) -> Scores:
        scores = super()._one(comment)
        return replace(scores, language="de") if "deutsch" in comment.text else scores


@pytest.fixture
def service(tmp_path: Path) -> Iterator[httpx.Client]:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY, "utf-8")
    with served(tmp_path, German(), policy=policy) as client:
        yield client


def page_of(browser: Any, service: httpx.Client, *, blind: bool = False, script: bool = True) -> Any:
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, java_script_enabled=script, base_url=str(service.base_url)
    )
    if blind:
        cookie = {"name": "belowline_blind", "value": "1", "url": str(service.base_url)}
        context.add_cookies([cookie])
    return context.new_page()


def take(service: httpx.Client, comments: list[dict[str, Any]]) -> None:
    for comment in comments:
        service.post("/v1/comments", json={"site": "s", "comments": [comment]}).raise_for_status()


def last(service: httpx.Client, name: str) -> dict[str, Any]:
    [*_, decision] = service.get(f"/v1/comments/s:{name}").json()["decisions"]
    return dict(decision)


def by_key(page: Any) -> None:
    page.goto("/console?sort=oldest")
    while page.locator(".card:not(.done)").count():
        card = page.evaluate("document.activeElement.id")
        page.keyboard.press("d")
        page.wait_for_function("id => document.getElementById(id).classList.contains('done')", arg=card)


def by_mouse(page: Any) -> None:
    page.goto("/console?sort=oldest")
    for card in page.locator(".card").all():
        card.locator("button[value=reject]").click()
        page.wait_for_function("card => card.classList.contains('done')", arg=card.element_handle())


def without_script(page: Any) -> None:
    page.goto("/console?sort=oldest")
    while page.locator(".card").count():
        follow(page, page.locator(".card button[value=reject]").first)


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("reject", [by_key, by_mouse, without_script])
def test_a_rejection_without_a_choice_has_the_reason_that_held_it_or_none(
    browser: Any, service: httpx.Client, reject: Callable[[Any], None], blind: bool
) -> None:
    take(service, [{"id": code, **comment} for code, comment in HELD.items()])
    assert {code: last(service, code)["code"] for code in HELD} == {code: code for code in HELD}
    page = page_of(browser, service, blind=blind, script=reject is not without_script)
    page.goto("/console?sort=oldest")
    picture(page, f"reasons-{'blind' if blind else 'open'}")
    shown = [one.evaluate("form => form.elements.code.value") for one in page.locator(".decide").all()]
    if blind:
        assert set(shown) == {"other"}, "what is preselected tells nothing of the scores"
    reject(page)
    page.context.close()
    made = {code: last(service, code) for code in HELD}
    listed = () if blind else ("personal_attack", "spam")
    assert {code: one["code"] for code, one in made.items()} == {
        code: code if code in listed else "other" for code in HELD
    }
    assert {(one["action"], one["code_choice"], one["blind"]) for one in made.values()} == {
        ("reject", "default", blind)
    }


@pytest.mark.parametrize("blind", [False, True])
def test_a_reason_that_a_person_chooses_is_recorded_as_chosen(
    browser: Any, service: httpx.Client, blind: bool
) -> None:
    take(service, [{"id": "links", **HELD["links"]}])
    page = page_of(browser, service, blind=blind)
    page.goto("/console")
    page.select_option(".card [name=code]", "spam")
    page.locator(".card").focus()
    page.keyboard.press("d")
    page.wait_for_selector(".card.done")
    page.context.close()
    made = last(service, "links")
    assert (made["code"], made["code_choice"], made["blind"]) == ("spam", "person", blind)
    statement = service.get(f"/v1/decisions/{made['id']}/statement").json()
    assert statement["category"] == "STATEMENT_CATEGORY_SCAMS_AND_FRAUD"


def test_who_leaves_a_comment_to_others_gives_no_reason(browser: Any, service: httpx.Client) -> None:
    take(service, [{"id": code, **HELD[code]} for code in ("links", "personal_attack")])
    blind = page_of(browser, service, blind=True)
    blind.goto("/console?sort=oldest")
    for at in range(2):
        card = blind.locator(".card").nth(at)
        card.locator("button[value=hold]").click()
        blind.wait_for_function("card => card.classList.contains('done')", arg=card.element_handle())
    blind.context.close()
    assert {last(service, name)["code"] for name in ("links", "personal_attack")} == {"none"}
    for role in ("admin", "moderator"):  # the page does not show comments again to who left them
        made = service.post("/v1/keys", json={"name": role, "role": role}).json()
        service.headers.setdefault("X-API-Key", made["key"])
    page = page_of(browser, service)
    page.context.set_extra_http_headers({"X-API-Key": made["key"]})
    by_key(page)
    page.context.close()
    assert last(service, "links")["code"] == "other"
    assert last(service, "personal_attack")["code"] == "personal_attack", "the item still says what held it"


def test_after_an_undoing_the_reason_that_held_the_comment_is_offered_again(
    browser: Any, service: httpx.Client
) -> None:
    take(service, [{"id": code, **HELD[code]} for code in ("links", "personal_attack")])
    for name in ("links", "personal_attack"):
        made = service.post(f"/v1/comments/s:{name}/decisions", json={"action": "reject", "code": "spam"})
        service.post(f"/v1/decisions/{made.json()['id']}/undo").raise_for_status()
    page = page_of(browser, service)
    by_key(page)
    page.context.close()
    assert [last(service, name)["code"] for name in ("links", "personal_attack")] == [
        "other",
        "personal_attack",
    ]


def test_the_selected_are_asked_for_one_reason(browser: Any, service: httpx.Client) -> None:
    take(service, ATTACKS)
    page = page_of(browser, service)
    page.goto("/console?sort=oldest")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("d")
    assert page.evaluate("document.activeElement.name") == "code", "the reason is asked for"
    assert page.evaluate("document.activeElement.value") == ""
    assert page.locator("#trouble").is_visible()
    picture(page, "bulk-asks")
    assert {last(service, f"a{at}")["action"] for at in range(4)} == {"hold"}
    page.select_option("#bulk [name=code]", "personal_attack")
    page.keyboard.press("Enter")
    page.keyboard.press("d")
    page.wait_for_function("() => document.querySelectorAll('.card.done').length === 2")
    found = [last(service, f"a{at}") for at in range(4)]
    assert [(one["action"], one["code"], one["code_choice"]) for one in found[:2]] == [
        ("reject", "personal_attack", "person")
    ] * 2
    assert {one["action"] for one in found[2:]} == {"hold"}
    assert page.evaluate("document.querySelector('#bulk [name=code]').value") == "", "the next are asked anew"
    page.keyboard.press("x")
    page.keyboard.press("f")
    page.wait_for_function("() => document.querySelectorAll('.card.done').length === 3")
    assert last(service, "a2")["action"] == "publish", "publishing needs no reason"
    page.context.close()


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("place", ["selected", "author", "campaign"])
def test_many_are_rejected_only_with_a_reason(
    browser: Any, service: httpx.Client, place: str, script: bool
) -> None:
    comments = [{"id": f"o{at}", "text": OFFER.format(f"aunt{at}", at)} for at in range(3)]
    take(service, comments if place == "campaign" else ATTACKS)
    name = "o2" if place == "campaign" else "a2"
    known = service.get(f"/v1/comments/s:{name}").json()
    page = page_of(browser, service, script=script)
    if place == "selected":
        page.goto("/console")
        for box in page.locator(".pick input").all():
            box.check()
    else:
        number = known["campaign"] if place == "campaign" else known["author"]["id"]
        page.goto(f"/console/{place}s/{number}")
        picture(page, f"{place}-asks")
    form = page.locator("form[action='/console/bulk']")
    form.locator("button[value=reject]").click()
    form.locator("[name=code]:focus").wait_for()  # the reason is asked for
    assert last(service, name)["actor"] == "system"
    form.locator("[name=code]").select_option("toxicity")
    form.locator("button[value=reject]").click()
    until(lambda: last(service, name)["actor"] != "system", seconds=20)
    page.context.close()
    made = last(service, name)
    assert (made["action"], made["code"], made["code_choice"]) == ("reject", "toxicity", "person")
    assert made["rule"] == "bulk: reject"


@pytest.mark.parametrize("sent", [{}, {"code": ""}, {"code": "nonsense"}, {"code": "spam"}])
def test_a_form_for_many_without_a_reason_changes_nothing(
    service: httpx.Client, sent: dict[str, str]
) -> None:
    """The last form is from a page of an earlier version, whose list began with spam."""
    take(service, ATTACKS)
    author = service.get("/v1/comments/s:a0").json()["author"]["id"]
    form = {
        "author": str(author),
        "action": "reject",
        **({} if "spam" in sent.values() else {"default_code": ""}),
    }
    for accept in ("text/html", "application/json"):
        answer = service.post("/console/bulk", data=form | sent, headers={"Accept": accept})
        assert answer.status_code == 422
    check_problem(answer, 422, "invalid-request")
    assert {last(service, f"a{at}")["actor"] for at in range(4)} == {"system"}
    done = service.post("/console/bulk", data=form | {"action": "publish"}, follow_redirects=False)
    assert done.status_code == 303
    assert {last(service, f"a{at}")["action"] for at in range(4)} == {"publish"}


def test_a_form_for_one_comment(service: httpx.Client) -> None:
    take(service, ATTACKS)
    number = service.get("/v1/comments/s:a0").json()["id"]
    form = {"comment": str(number), "action": "reject"}
    answer = service.post("/console/decide", data=form | {"code": "nonsense"})
    assert answer.status_code == 422
    assert last(service, "a0")["actor"] == "system"
    older_page = {"code": "spam", "blind": "1"}  # it may be open while the service is upgraded
    service.post("/console/decide", data=form | older_page)
    assert (last(service, "a0")["code"], last(service, "a0")["code_choice"]) == ("other", "default")


def test_the_api_records_other_for_a_rejection_without_a_code(service: httpx.Client) -> None:
    take(service, ATTACKS)
    reject, publish = {"action": "reject"}, {"action": "publish"}
    made = service.post("/v1/comments/s:a0/decisions", json=reject).json()
    assert (made["code"], made["code_choice"]) == ("other", "default")
    statement = service.get(f"/v1/decisions/{made['id']}/statement").json()
    assert statement["category"] == "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"
    made = service.post("/v1/comments/s:a1/decisions", json=reject | {"code": "spam", "blind": True}).json()
    assert (made["code"], made["code_choice"]) == ("spam", "person")
    made = service.post("/v1/comments/s:a2/decisions", json=publish).json()
    assert (made["code"], made["code_choice"]) == ("none", None)
    author = service.get("/v1/comments/s:a0").json()["author"]["id"]
    service.post("/v1/decisions/bulk", json=reject | {"author": author}).raise_for_status()
    assert (last(service, "a3")["code"], last(service, "a3")["code_choice"]) == ("other", "default")
