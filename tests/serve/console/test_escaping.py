"""No comment, name, title, note or key name adds an element, an attribute or a link to a page of the console."""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from belowline.model.word_and_link_lists import links_in
from belowline.serve.audit.archive import Archive
from belowline.serve.audit.report.method import card_html
from belowline.serve.audit.run import run_audit
from belowline.serve.scoring.pipeline import ModerationPipeline
from tests.support.serve_fakes import KEY, client_of, fake_scorer

HEADERS = {"X-API-Key": KEY}
PARTS = [
    *(
        "<",
        ">",
        '"',
        "'",
        "&",
        "`",
        "=",
        "/",
        "\\",
        "{{ 7*7 }}",
        "{% raw %}",
        "<!--",
        "-->",
        "]]>",
        "&lt;",
        "&#60;",
    ),
    *(
        "</textarea>",
        "</title>",
        "</script>",
        "</style>",
        "</blockquote>",
        "<script>alert(1)</script>",
        "<svg/onload=x>",
    ),
    *(
        '" onmouseover="x',
        "' autofocus onfocus='x",
        "<img src=x onerror=x>",
        "<b>",
        "<a href='javascript:x'>",
    ),
    *(
        "<base href=//e.example>",
        "<meta http-equiv=refresh>",
        "<plaintext>",
        "\u2028",
        "\u202e",
        "\x00",
        "\r\n",
        "＜b＞",
    ),
    *(
        "spam",
        "hate",
        " ",
        "http://e.example/?a=<b>&c",
        "[x](javascript:y)",
        "![x](//e.example)",
        "&amp;lt;b",
    ),
]
HOSTILE = (
    st.lists(st.sampled_from(PARTS) | st.text(max_size=4), min_size=1, max_size=6)
    .map("".join)
    .filter(str.strip)
)
WORST = "".join(PARTS)
HARMLESS = "a plain word"
WORDS = "harbour tram bridge report mayor winter garden school letter market river autumn"
SAFE_LINK = re.compile(r"[/#?](?![/\\])")
Skeleton = list[tuple[str, tuple[str, ...]]]
numbers = count(1)


def skeleton(page: str) -> Skeleton:
    """Return every element with the names of its attributes, in order, without the marks of evidence.

    Checks that no link leads to another site and that there is no inline script. Parts that depend on the scores, the
    length of the text, what waits or whom there is to ask are left out.
    """
    found: Skeleton = []
    tree = LexborHTMLParser(page)
    for node in tree.css(
        ".chip, .fold > summary, #tools option, datalist option, [action$='/escalate'] option"
    ):
        node.decompose()
    for node in tree.css("*:not(.fold)"):
        assert node.tag is not None
        if node.tag == "mark":
            assert set(node.attributes) == {"title"}
            continue
        for name, value in node.attributes.items():
            assert not name.startswith("on"), (node.tag, name)
            if name in ("href", "src", "action", "formaction"):
                assert SAFE_LINK.match(value or "") or value == "/", (node.tag, name, value)
        if node.tag == "script":
            assert not node.text().strip()
        found.append((node.tag, tuple(sorted(node.attributes))))
    return found


def unlike(number: int) -> str:
    """Return words that make a comment no near-duplicate of one with another number."""
    own = "".join(chr(ord("a") + int(digit)) for digit in str(number))
    return " ".join(own + word for word in WORDS.split())


def named(text: str, longest: int = 90) -> str:
    """Return ``text`` in the form of a name or an id: without control characters, never empty."""
    return "n" + "".join(char for char in text if ord(char) >= 32 and ord(char) != 127)[:longest]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(tmp_path_factory.mktemp("pages"), api_keys=KEY) as client:
        yield client


def told_to(client: TestClient, text: str) -> tuple[dict[str, str], str]:
    """Submit ``text`` in every field that takes text.

    Return the paths of the resulting pages, by kind, and the name used for all of them.
    """
    number = next(numbers)
    site, name = f"site{number}", f"{number} {named(text)}"
    author = {"id": name, "name": f"{text}"[:200] or "x", "role": text[:50]}
    comment = {"id": name, "text": f"{unlike(number)} {text}", "author": author, "parent_text": text or "x"}
    thread = {"id": name, "title": text, "url": f"javascript:{text}", "text": text}
    body = {"site": site, "thread": thread, "comments": [comment]}
    [kept] = post(client, "/v1/comments", body)["results"]
    row = client.get(f"/v1/comments/{kept['comment']}", headers=HEADERS).json()
    who = {"X-API-Key": post(client, "/v1/keys", {"name": name, "role": "admin"})["key"]}
    at = f"/v1/comments/{kept['comment']}"
    decided = {"action": "reject", "code": "other", "note": text}
    assert client.post(f"{at}/decisions", json=decided, headers=who).status_code == 201
    post(client, f"{at}/appeals", {"text": text})
    hook = {"url": f"http://127.0.0.1/{number}?{named(text).replace(' ', '')}", "events": ["comment.held"]}
    client.post("/v1/webhooks", json=hook, headers=HEADERS)  # refused if it is no address
    pages = {
        "comment": f"/console/comments/{kept['comment']}",
        "thread": f"/console/threads/{row['thread']['id']}",
        "author": f"/console/authors/{row['author']['id']}",
        "search": f"/console/search?site={site}",
        "queue": f"/console?site={site}",
        "cards": f"/console/cards?site={site}",
    }
    return pages, name


def post(client: TestClient, path: str, body: Mapping[str, Any]) -> Any:
    answer = client.post(path, json=body, headers=HEADERS)
    assert answer.is_success, answer.text
    return answer.json()


def shown(client: TestClient, path: str, **asked: Any) -> str:
    answer = client.request(path.partition(" ")[0], path.partition(" ")[2], headers=HEADERS, **asked)
    assert answer.status_code in (200, 403, 404, 422), (path, answer.text)
    assert answer.headers["Content-Type"].startswith("text/html")
    return answer.text


@pytest.fixture(scope="module")
def harmless(client: TestClient) -> dict[str, Skeleton]:
    """Elements of the pages for plain words."""
    pages, _ = told_to(client, HARMLESS)
    return {kind: skeleton(shown(client, f"GET {path}")) for kind, path in pages.items()}


@pytest.mark.slow
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@example(WORST)
@given(HOSTILE)
def test_the_consoles_pages_are_made_of_the_same_elements_whatever_is_said(
    client: TestClient, harmless: dict[str, Skeleton], text: str
) -> None:
    pages, _ = told_to(client, text)
    for kind, path in pages.items():
        page = shown(client, f"GET {path}")
        assert skeleton(page) == harmless[kind], kind
        if kind == "comment" and not links_in(text) and not {"\r", "\x00"} & set(text):
            said = [node.text() for node in LexborHTMLParser(page).css("blockquote.comment")]
            assert said[0].endswith(text), "and what was said is there, as it was said"
    everywhere = set().union(*harmless.values())
    for path in ("log", "log?people=true", "dashboard", "keys", "quality", "policy", "search"):
        rows = set(skeleton(shown(client, f"GET /console/{path}")))
        assert {tag for tag, _ in rows - everywhere} <= OF_THE_LISTS, path


MOVING = re.compile("[\u202a-\u202e\u2066-\u2069]")
OWN_DIRECTION = {"bdi", "blockquote", "textarea", "pre", "input"}


def test_names_titles_and_notes_never_move_the_words_around_them(client: TestClient) -> None:
    pages, _ = told_to(client, "Bo \u202eBerg \u2067x")
    shows = 0
    for path in (*pages.values(), "/console/log", "/console/keys", "/console/dashboard"):
        page = LexborHTMLParser(shown(client, f"GET {path}"))
        for node in page.css("*"):
            own = "".join(child.text() for child in node.iter(include_text=True) if child.tag == "-text")
            if MOVING.search(own):
                shows += 1
                assert node.tag in OWN_DIRECTION, (path, node.html)
        # The value of an option is sent, not shown.
        attributes = (node.attributes for node in page.css("*:not(input):not(option)"))
        assert not any(MOVING.search(value or "") for found in attributes for value in found.values()), path
    assert shows > 10


OF_THE_LISTS = {
    *(
        "a",
        "button",
        "caption",
        "code",
        "datalist",
        "dd",
        "details",
        "dl",
        "dt",
        "div",
        "figcaption",
        "figure",
        "form",
        "h3",
        "input",
    ),
    *(
        "label",
        "li",
        "option",
        "p",
        "pre",
        "rect",
        "select",
        "span",
        "svg",
        "table",
        "tbody",
        "td",
        "textarea",
        "th",
        "title",
    ),
    *("thead", "time", "tr", "ul", "b", "br", "section", "summary", "h2", "h1"),
    *("fieldset", "legend", "line", "output"),
}
"""Elements of lists, which grow from one example to the next."""


@pytest.fixture(scope="module")
def echoing(client: TestClient) -> dict[str, Skeleton]:
    return {path: skeleton(shown(client, path, **asked)) for path, asked in echoes(HARMLESS).items()}


def echoes(text: str) -> dict[str, dict[str, Any]]:
    """Calls whose answer repeats the input."""
    return {
        "GET /console/sign-in": {"params": {"next": text}},
        "GET /console/search": {"params": {"words": named(text), "site": "nowhere", "action": text}},
        "GET /console": {"params": {"site": "nowhere", "label": text, "language": text, "kind": text}},
        "GET /console/log": {"params": {"who": text, "action": text}},
        "POST /console/policy": {"data": {"text": f"x = {text} = = =", "do": "try"}},
        "POST /console/keys": {"data": {"do": "make key", "name": text, "role": text, "sites": text}},
        "POST /": {"data": {"text": f"plain {text}", "title": text, "key": KEY}},
        "GET /": {"params": {"example": text}},
        "GET /console/comments/0": {"params": {"x": text}},
    }


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@example(WORST)
@given(HOSTILE)
def test_what_is_typed_into_a_form_comes_back_as_text(
    client: TestClient, echoing: dict[str, Skeleton], text: str
) -> None:
    for path, asked in echoes(text).items():
        got = skeleton(shown(client, path, **asked))
        if path == "POST /" and "spam" not in text and "hate" not in text:
            assert got == echoing[path], path
        assert set(got) - set(echoing[path]) <= MAY_COME, path


MAY_COME: set[tuple[str, tuple[str, ...]]] = {
    *((tag, ()) for tag in ("p", "dl", "div", "dt", "dd", "code", "li")),
    *((tag, ("class",)) for tag in ("p", "dl")),
}
"""Elements of a decision with its reason, and of the note below marked words."""


def rows(texts: list[str]) -> list[dict[str, Any]]:
    verdicts = ("publish", "reject", "spam")
    return [
        {
            "id": f"{at}",
            "thread": f"{at} {text}",
            "title": f"{at} {text}",
            "author": f"{at} {text}",
            "text": f"spam hate {unlike(at)} {text}",
            "verdict": verdicts[at % 3],
            "time": f"2025-0{at % 9 + 1}-11T12:00:00Z",
        }
        for at, text in enumerate(texts)
    ]


def reported(folder: Path, texts: list[str]) -> Skeleton:
    folder.mkdir()
    archive = folder / "a.jsonl"
    archive.write_text("".join(json.dumps(row) + "\n" for row in rows(texts)), "utf-8")
    run_audit(
        Archive([archive]),
        folder / "out",
        ModerationPipeline.of(fake_scorer(), None),
        card=f"# Card\n\n{texts[0]}\n",
    )
    page = (folder / "out" / "report.html").read_text("utf-8")
    return [one for one in skeleton(page) if one[0] not in MADE_OF_MARKDOWN]


MADE_OF_MARKDOWN = {
    "p",
    "em",
    "strong",
    "code",
    "pre",
    "ul",
    "ol",
    "li",
    "hr",
    "blockquote",
    "h4",
    "h5",
    "h6",
}
MADE_OF_MARKDOWN |= {"br", "table", "thead", "tbody", "tr", "th", "td"}


@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@example(["".join(PARTS[at::8]) for at in range(8)])
@given(st.lists(HOSTILE, min_size=8, max_size=8))
def test_an_audits_report_is_made_of_the_same_elements_whatever_its_archive_says(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("reports")
    plain = [
        f"{HARMLESS} {word}" for word in ("one", "two", "three", "four", "five", "six", "seven", "eight")
    ]
    assert reported(folder / "hostile", texts) == reported(folder / "plain", plain)


@settings(max_examples=150)
@example(WORST)
@given(HOSTILE)
def test_a_models_card_in_markdown_brings_no_link_no_picture_and_no_element_of_its_own(text: str) -> None:
    for node in LexborHTMLParser(f"<main>{card_html(text)}</main>").css("main *"):
        assert node.tag in MADE_OF_MARKDOWN, node.html
        assert set(node.attributes) <= {"class", "start", "style"}
        assert re.fullmatch(r"(text-align:(left|right|center))?", node.attributes.get("style") or "")
        assert (
            not (node.attributes.get("class") or "").strip().removeprefix("language-").startswith("comment")
        )


def test_the_check_would_see_what_it_looks_for() -> None:
    for bad in ('<a href="javascript:x">', "<p onclick=x>", "<script>x</script>", '<a href="//e.example">'):
        with pytest.raises(AssertionError):
            skeleton(bad)
    assert skeleton("<p>a") != skeleton("<p>a<b>b")
