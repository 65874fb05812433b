import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from belowline.model import Scorer
from belowline.serve.console import api_reference
from belowline.serve.console.api_reference import operations
from belowline.serve.console.try_page import EXAMPLES
from belowline.serve.scoring.results import EvidenceSpan
from belowline.serve.scoring.segments import Segment, segments
from belowline.serve.scoring.wording import label_name, likelihood, with_code
from tests.support.serve_fakes import KEY, LABELS, client_of, fake_scorer

SERVE = Path(__file__).parents[3] / "serve"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def client(tmp_path: Path):
    with client_of(tmp_path) as client:
        yield client


class Outline(HTMLParser):
    """Open tags, duplicate ids and attributes that a strict policy forbids."""

    void = frozenset({"meta", "link", "input", "br", "rect"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.forbidden: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        self.forbidden += [name for name, _ in attrs if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and not dict(attrs).get("src")):
            self.forbidden.append(tag)
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag


def check_markup(html: str) -> None:
    outline = Outline(html)
    assert outline.open == []
    assert outline.forbidden == []
    assert len(set(outline.ids) - {"answer"}) == len([one for one in outline.ids if one != "answer"])


def test_the_empty_page_explains_itself(client: TestClient) -> None:
    page = client.get("/").text
    check_markup(page)
    assert "No comment yet" in page
    assert "The model knows English" in page
    for address in ("/console", "/docs", "/readyz"):
        assert f'href="{address}"' in page
    assert client.get("/?example=unknown").status_code == 200


def test_an_example_is_one_click_from_every_state_of_the_page(client: TestClient) -> None:
    pages = [client.get("/"), client.post("/", data={"text": ""}), client.post("/", data={"text": "my spam"})]
    for name, (title, text, _) in EXAMPLES.items():
        for page in pages:
            assert f'<a href="/?example={name}">{title}</a>' in html.unescape(page.text)
        shown = client.get("/", params={"example": name}).text
        check_markup(shown)
        assert f"{text}</textarea>" in html.unescape(shown)
        assert '<h2 id="answer" class="decision ' in shown


def test_an_example_is_not_scored_where_a_key_is_needed(tmp_path: Path) -> None:
    with client_of(tmp_path, api_keys=KEY) as client:
        shown = client.get("/", params={"example": "insult"}).text
        assert EXAMPLES["insult"][1] in shown
        assert "No comment yet" in shown


def test_a_result_shows_labels_decision_reason_and_evidence(client: TestClient) -> None:
    page = client.post("/", data={"text": "my spam and toxicity", "title": "Harbour"})
    check_markup(page.text)
    assert '<h2 id="answer" class="decision hold">Hold</h2>' in page.text
    assert "<dd>Spam</dd>" in page.text
    assert '<mark title="Spam">spam</mark>' in page.text
    assert '<mark title="Toxicity">toxicity</mark>' in page.text
    for label in LABELS:
        assert f"{label_name(label)}</th>" in page.text
    assert 'width="90.00"' in page.text
    assert "likely</td>" in page.text
    assert 'value="Harbour"' in page.text


def test_relevance_is_shown_for_a_comment_under_an_article(client: TestClient) -> None:
    assert "for the relevance" in client.get("/").text
    under = client.post("/", data={"text": "fine", "title": "Harbour"}).text
    check_markup(under)
    assert "Relevance</th>" in under
    assert 'width="75.00"' in under
    assert "Relevance" not in client.post("/", data={"text": "fine", "title": " "}).text


def test_without_an_article_on_topic_is_substance(client: TestClient) -> None:
    for title, shown, other in (("Harbour", "On topic", "Substance"), (" ", "Substance", "On topic")):
        page = client.post("/", data={"text": "fine", "title": title}).text
        assert f"{shown}</th>" in page
        assert f"{other}</th>" not in page


def test_a_comment_of_the_queue_has_substance_without_an_article(client: TestClient) -> None:
    for site, thread in (("one", None), ("two", {"id": "t", "title": "Harbour"})):
        comment = {"id": "c", "text": "spam"}
        client.post("/v1/comments", json={"site": site, "thread": thread, "comments": [comment]})
    page = client.get("/console").text
    assert page.count("Substance</th>") == page.count("On topic</th>") == 1


def test_a_model_without_relevance_says_that_it_does_not_use_the_title(tmp_path: Path) -> None:
    scorer = fake_scorer()
    scorer.config = scorer.config.model_copy(update={"relevance": None})
    with client_of(tmp_path, scorer) as client:
        assert "for the relevance" not in client.get("/").text


def test_nothing_typed_becomes_markup(client: TestClient) -> None:
    text = '</textarea><script>alert("spam")</script><img src=x onerror=alert(1)>'
    page = client.post("/", data={"text": text, "title": '"><script>1</script>'})
    check_markup(page.text)
    assert page.text.count("<script") == 1
    assert "<img" not in page.text


@pytest.mark.parametrize("text", ["", "  \r\n "])
def test_without_a_comment_the_page_says_so(client: TestClient, text: str) -> None:
    page = client.post("/", data={"text": text})
    check_markup(page.text)
    assert page.status_code == 422
    assert 'id="problem"' in page.text


def test_a_long_comment_keeps_what_was_typed(tmp_path: Path) -> None:
    with client_of(tmp_path, max_comment_chars=10) as client:
        page = client.post("/", data={"text": "12345678901"})
        assert page.status_code == 422
        assert "11 characters" in page.text
        assert "12345678901</textarea>" in page.text
        assert client.post("/", data={"text": "1234\r\n6789"}).status_code == 200


def test_a_failure_to_score_is_shown_as_held(client: TestClient) -> None:
    page = client.post("/", data={"text": "explode"})
    check_markup(page.text)
    assert "Scoring failed" in page.text
    assert "Hold" in page.text


@pytest.mark.parametrize("body", [b"text=%ff", b"text=\xff", b"&".join([b"a=1"] * 2001)])
def test_a_broken_form_is_explained(client: TestClient, body: bytes) -> None:
    page = client.post("/", content=body, headers=FORM)
    check_markup(page.text)
    assert page.status_code == 400
    assert "UTF-8" in page.text


def test_the_page_asks_for_a_key_where_the_service_does(tmp_path: Path) -> None:
    with client_of(tmp_path, api_keys=KEY) as client:
        assert 'type="password"' in client.get("/").text
        refused = client.post("/", data={"text": "fine", "key": "wrong"})
        assert (refused.status_code, 'id="problem"' in refused.text) == (401, True)
        granted = client.post("/", data={"text": "fine", "key": KEY})
        assert granted.status_code == 200
        assert KEY not in granted.text


def test_the_policy_forbids_inline_and_foreign_content(client: TestClient) -> None:
    for path in ("/", "/docs", "/healthz", "/static/belowline.css", "/none"):
        policy = client.get(path).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    for path in ("/", "/docs"):
        html = client.get(path).text
        for address in re.findall(r'(?:src|href)="([^"]+)"', html):
            assert address.startswith(("/", "#")), address
            assert address.startswith("#") or client.get(address).status_code == 200


def test_the_reference_describes_every_operation(client: TestClient) -> None:
    page = client.get("/docs")
    check_markup(page.text)
    schema = client.get("/openapi.json").json()
    for path, methods in schema["paths"].items():
        for method in methods:
            assert f"<summary><code>{method.upper()} {path}</code>" in page.text
    assert "<strong>429</strong> " in page.text
    groups = operations(schema)
    assert all(groups.values())
    every = [one for group in groups.values() for one in group]
    rows = {row.name: row for one in every for row in one["body"]}
    assert rows["comments[].text"].required
    assert rows["comments[].text"].type == "string"
    assert rows["article.title"].type == "string"
    assert not rows["article"].required
    answer = {row.name: row for one in every for row in one["answer"]}
    assert answer["results[].action"].type == "publish or hold or reject"
    for one in every:
        for row in one["parameters"] + one["body"]:
            assert row.description, row.name


def test_every_example_of_the_reference_gets_its_answer(tmp_path: Path) -> None:
    with client_of(tmp_path, Scorer.load()) as client:
        page = client.get("/docs").text
        for name, example in api_reference.EXAMPLES.items():
            method, _ = name.split()
            address, body = (
                re.search(r"ADDRESS(/[^ '\n]+)", example["curl"]),
                re.search("-d '(.*)'", example["curl"], re.S),
            )
            assert address
            content = json.loads(body[1]) if body else None
            answer = client.request(method, address[1], json=content)
            assert answer.status_code < 300, name
            assert html.escape(address[1]).replace("&amp;", "&") in html.unescape(page)
            if "answer" in example:
                _check_part(json.loads(example["answer"]), answer.json())


def _check_part(part: object, whole: object) -> None:
    """Check that ``whole`` has the keys of ``part``, and values of the same type; texts are equal but for secrets."""
    if isinstance(part, dict):
        assert isinstance(whole, dict)
        for key, value in part.items():
            _check_part(value, whole[key])
    elif isinstance(part, list):
        assert isinstance(whole, list)
        assert len(part) == len(whole)
        for one, other in zip(part, whole, strict=True):
            _check_part(one, other)
    elif isinstance(part, float):
        assert isinstance(whole, float)
    elif isinstance(part, str) and part.startswith("whsec_"):
        assert isinstance(whole, str)
        assert whole.startswith("whsec_")
    else:
        assert part == whole


@st.composite
def text_with_evidence(draw: st.DrawFn) -> tuple[str, list[EvidenceSpan]]:
    text = draw(st.text(max_size=30))
    bounds = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(sorted)
    spans = [
        EvidenceSpan(label=label, start=start, end=end, strength=0.5)
        for label, (start, end) in draw(st.lists(st.tuples(st.sampled_from("ab"), bounds), max_size=5))
    ]
    return text, spans


@settings(deadline=None)
@given(text_with_evidence())
def test_segments_are_the_text_again(drawn: tuple[str, list[EvidenceSpan]]) -> None:
    text, spans = drawn
    parts = segments(text, spans)
    assert "".join(part.text for part in parts) == text
    marked = sum(len(part.text) for part in parts if part.label)
    assert marked == len({i for span in spans for i in range(span.start, span.end)})


def test_the_strongest_evidence_names_an_overlap() -> None:
    spans = [
        EvidenceSpan(label="hate", start=0, end=4, strength=0.4),
        EvidenceSpan(label="threat", start=2, end=6, strength=0.9),
    ]
    assert segments("abcdefg", spans) == [
        Segment("ab", "hate"),
        Segment("cd", "threat"),
        Segment("ef", "threat"),
        Segment("g"),
    ]


def test_words() -> None:
    assert [likelihood(p) for p in (0, 0.2, 0.5, 0.9, 1)] == [
        "very unlikely",
        "unlikely",
        "possible",
        "likely",
        "very likely",
    ]
    assert with_code("<b> and `a<b`") == "&lt;b&gt; and <code>a&lt;b</code>"


def test_the_script_needs_nothing_but_the_page() -> None:
    script = (SERVE / "static" / "belowline.js").read_text("utf-8")
    assert "innerHTML" not in script
    assert "http" not in script
