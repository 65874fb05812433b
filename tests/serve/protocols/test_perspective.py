"""The Perspective API on the wire: requests, answers, errors, and effects of feedback."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from belowline.model import ScoreInput, Scores
from belowline.serve.http.service import Service
from belowline.serve.protocols.perspective import attributes
from belowline.serve.protocols.perspective import routes as perspective
from belowline.serve.protocols.perspective.messages import AnalyzeRequest, SuggestRequest
from belowline.serve.protocols.perspective.routes import site_of
from belowline.serve.protocols.perspective.texts import MOST_SPANS, sentences, utf16
from belowline.serve.queue import feedback as feedback_store
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import StoreError
from belowline.serve.store.tables import audit_log, comments, feedback
from tests.support.serve_fakes import KEY, LABELS, FakeScorer, client_of

ANALYZE, SUGGEST = "/v1alpha1/comments:analyze", "/v1alpha1/comments:suggestscore"
SECRET = "do-not-quote-me"
INFO = "type.googleapis.com/google.rpc.ErrorInfo"
OWN = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
TOXICITY: dict[str, Any] = {"TOXICITY": {}}


class Polyglot(FakeScorer):
    """A model that detects the language of comments that begin with "und", "de" or "ar"."""

    def score(self, comments: Sequence[ScoreInput]) -> list[Scores]:
        found = super().score(comments)
        first = [comment.text.split()[0] for comment in comments]
        return [
            replace(one, language=word if word in ("und", "de", "ar") else "en")
            for one, word in zip(found, first, strict=True)
        ]


SCORER = Polyglot()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("perspective")
    with client_of(folder, cast(Any, SCORER), max_comment_chars=30_000, max_body_bytes=100_000) as client:
        yield client


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[TestClient]:
    """A service that requires keys."""
    with client_of(tmp_path, api_keys=KEY) as client:
        yield client


def body(text: Any = "a toxicity", **fields: Any) -> dict[str, Any]:
    return {"comment": {"text": text}, "requestedAttributes": TOXICITY} | fields


def told(text: str = "a spam", value: float = 1, **fields: Any) -> dict[str, Any]:
    scores = {"SPAM": {"summaryScore": {"value": value}}}
    return {"comment": {"text": text}, "attributeScores": scores} | fields


def asked(client: TestClient, path: str = ANALYZE, /, **fields: Any) -> dict[str, Any]:
    sent = body(**fields) if path == ANALYZE else told(**fields)
    answer = client.post(path, json=sent)
    assert answer.status_code == 200, answer.text
    return cast(dict[str, Any], answer.json())


def check_error(answer: httpx.Response, code: int, status: str = "INVALID_ARGUMENT") -> dict[str, Any]:
    """Check that an answer is an error in Google's format; return it."""
    assert answer.status_code == code, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.json()) == {"error"}
    error: dict[str, Any] = answer.json()["error"]
    assert (error["code"], error["status"]) == (code, status)
    assert error["message"]
    assert all(one["@type"].startswith("type.googleapis.com/google.") for one in error["details"])
    assert error["details"]
    assert SECRET not in answer.text
    return error


def refused(client: TestClient, sent: Any, path: str = ANALYZE) -> tuple[str, dict[str, Any]]:
    """Return message and first detail of the error for ``sent``."""
    error = check_error(client.post(path, json=sent), 400)
    return error["message"], error["details"][0]


def service_of(client: TestClient) -> Service:
    return cast(Any, client.app).state.service


def rows(client: TestClient, table: Any = feedback) -> list[dict[str, Any]]:
    with service_of(client).database.read() as tx:
        return [dict(row._mapping) for row in tx.execute(select(table).order_by(table.c.id))]


def test_an_analysis_has_all_that_clients_read(client: TestClient) -> None:
    text = "One 💩 toxicity é"
    assert asked(client, text=text, clientToken="t 1", sessionId="s", doNotStore=False) == {
        "attributeScores": {
            "TOXICITY": {
                "spanScores": [{"begin": 0, "end": 17, "score": {"value": 0.9, "type": "PROBABILITY"}}],
                "summaryScore": {"value": 0.9, "type": "PROBABILITY"},
            }
        },
        "languages": ["en"],
        "detectedLanguages": ["en"],
        "clientToken": "t 1",
    }
    assert len(SCORER.calls[-1]) == 1
    assert rows(client, comments) == []
    assert rows(client) == []


def test_absent_and_null_are_the_same(client: TestClient) -> None:
    plain = asked(client)
    assert "clientToken" not in plain
    nulls = dict.fromkeys(["context", "languages", "clientToken", "spanAnnotations", "doNotStore"])
    assert asked(client, requestedAttributes={"TOXICITY": None}, **nulls) == plain
    assert asked(client, context={"entries": None}, languages=[]) == plain
    snake = {"comment": {"text": "a toxicity"}, "requested_attributes": {"TOXICITY": {"score_type": None}}}
    assert client.post(ANALYZE, json=snake).json() == plain


@pytest.mark.parametrize("media", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_the_body_is_json_and_other_parameters_are_ignored(client: TestClient, media: str) -> None:
    content = json.dumps(body()).encode()
    address = ANALYZE + "?alt=json&prettyPrint=false&key=&quotaUser=x&key=y"
    answer = client.post(address, content=content, headers={"Content-Type": media})
    assert answer.json()["attributeScores"]["TOXICITY"]["summaryScore"]["value"] == 0.9


@pytest.mark.parametrize(
    ("label", "high"),
    [
        ("toxicity", {"TOXICITY", "INFLAMMATORY"}),
        ("hate", {"IDENTITY_ATTACK", "SEVERE_TOXICITY"}),
        ("antisemitism", {"IDENTITY_ATTACK", "SEVERE_TOXICITY"}),
        ("threat", {"THREAT", "SEVERE_TOXICITY"}),
        ("personal_attack", {"INSULT", "ATTACK_ON_COMMENTER", "ATTACK_ON_AUTHOR"}),
        ("profanity", {"PROFANITY", "OBSCENE"}),
        ("spam", {"SPAM"}),
        ("on_topic", {"CONSTRUCTIVE_EXPERIMENTAL"}),
    ],
)
def test_each_label_raises_its_attributes(client: TestClient, label: str, high: set[str]) -> None:
    all_of_them = dict.fromkeys(attributes.ATTRIBUTES)
    scores = asked(client, text=label, requestedAttributes=all_of_them)["attributeScores"]
    assert list(scores) == list(attributes.ATTRIBUTES)
    found = {name for name, one in scores.items() if one["summaryScore"]["value"] >= 0.9}
    good = {"UNSUBSTANTIAL", "OFF_TOPIC"} if label != "on_topic" else set()
    held = {"LIKELY_TO_REJECT"} if label in service_of(client).pipeline.policy.thresholds else set()
    production = {"TOXICITY", "SEVERE_TOXICITY", "IDENTITY_ATTACK", "INSULT", "PROFANITY", "THREAT"}
    twins = {f"{name}_EXPERIMENTAL" for name in high & production}
    assert found == high | twins | good | held


def test_relevance_is_told_apart_from_substance(client: TestClient) -> None:
    def values(scores: Scores) -> list[float]:
        policy = service_of(client).pipeline.policy
        return [
            round(attributes.value(name, scores, policy), 6)
            for name in ("UNSUBSTANTIAL", "OFF_TOPIC", "CONSTRUCTIVE_EXPERIMENTAL")
        ]

    alone = Scores({"on_topic": 0.6}, (), "en", "1")
    assert values(alone) == [0.4, 0.4, 0.6]
    assert values(replace(alone, probabilities={"on_topic": 0.15}, relevance=0.25)) == [0.4, 0.75, 0.15]
    assert values(replace(alone, probabilities={"on_topic": 0.0}, relevance=0.0)) == [1.0, 1.0, 0.0]


def test_only_attributes_of_labels_that_the_model_has_are_served(client: TestClient) -> None:
    policy = service_of(client).pipeline.policy
    assert attributes.served(policy, LABELS) == list(attributes.ATTRIBUTES)
    assert set(attributes.served(policy, ["spam", "hate"])) == {"SPAM"}
    assert attributes.served(replace(policy, thresholds={}), ["spam"]) == ["SPAM"]
    one_label = replace(policy, thresholds={"spam": policy.thresholds["spam"]})
    assert attributes.served(one_label, ["spam"]) == ["SPAM", "LIKELY_TO_REJECT"]


OSMOD = (
    *("TOXICITY", "SEVERE_TOXICITY", "IDENTITY_ATTACK", "INSULT", "PROFANITY", "THREAT", "SEXUALLY_EXPLICIT"),
    *(
        "FLIRTATION",
        "ATTACK_ON_AUTHOR",
        "ATTACK_ON_COMMENTER",
        "INCOHERENT",
        "INFLAMMATORY",
        "LIKELY_TO_REJECT",
    ),
    *("OBSCENE", "SPAM", "UNSUBSTANTIAL"),
)
"""Default attributes of Jigsaw's Moderator."""
UNSERVED = "X-Belowline-Unserved-Attributes"


def test_attributes_that_are_not_served_are_left_out_and_named(client: TestClient) -> None:
    sent = body(requestedAttributes={name: {} for name in OSMOD})
    answer = client.post(ANALYZE, json=sent)
    assert answer.headers[UNSERVED] == "SEXUALLY_EXPLICIT,FLIRTATION,INCOHERENT"
    left = [name for name in OSMOD if name not in answer.headers[UNSERVED].split(",")]
    assert list(answer.json()["attributeScores"]) == left
    assert UNSERVED not in client.post(ANALYZE, json=body()).headers
    odd = {"TOXICITY": {}, "A\r\nX: \u00e9\u20ac": {}, "b,c": {"scoreType": "RAW"}}
    assert client.post(ANALYZE, json=body(requestedAttributes=odd)).headers[UNSERVED] == "A??X????,b?c"
    many = {"TOXICITY": {}} | {f"A{number}": {} for number in range(1000)}
    assert client.post(ANALYZE, json=body(requestedAttributes=many)).headers[UNSERVED].count(",") == 31


@pytest.mark.parametrize("drop", [True, False, None])
def test_one_request_may_ask_for_the_same_in_googles_own_words(client: TestClient, drop: bool | None) -> None:
    wanted = {"TOXICITY": {}, "SEXUALLY_EXPLICIT": {}}
    both = client.post(ANALYZE, json=body(requestedAttributes=wanted, dropUnsupportedAttributes=drop))
    assert (both.status_code, list(both.json()["attributeScores"])) == (200, ["TOXICITY"])
    none = body(requestedAttributes={"FLIRTATION": {}, "X": {}}, dropUnsupportedAttributes=drop)
    assert refused(client, none)[0] == "Unknown requested attribute: FLIRTATION"
    german = body("de", dropUnsupportedAttributes=drop)
    assert refused(client, german)[1]["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"


def test_a_pinned_version_is_answered_by_the_name_that_was_asked_for(client: TestClient) -> None:
    wanted = {"TOXICITY@6": {}, "TOXICITY": {}, "LIKELY_TO_REJECT@2": {}, "SEXUALLY_EXPLICIT@2": {}}
    answer = client.post(ANALYZE, json=body(requestedAttributes=wanted))
    scores = answer.json()["attributeScores"]
    assert list(scores) == ["TOXICITY@6", "TOXICITY", "LIKELY_TO_REJECT@2"]
    assert scores["TOXICITY@6"] == scores["TOXICITY"]
    assert answer.headers[UNSERVED] == "SEXUALLY_EXPLICIT@2"
    assert refused(client, body(requestedAttributes={"X@1": {}}))[0] == "Unknown requested attribute: X@1"


def test_feedback_keeps_what_is_served(tmp_path: Path) -> None:
    value = {"summaryScore": {"value": 1}}
    scores = {"SEXUALLY_EXPLICIT": {}, "SPAM@2": value, "INCOHERENT": value, "OFF_TOPIC": value}
    with client_of(tmp_path) as client:
        answer = client.post(SUGGEST, json=told(attributeScores=scores))
        assert answer.headers[UNSERVED] == "SEXUALLY_EXPLICIT,INCOHERENT"
        [row] = rows(client)
        assert refused(client, told(attributeScores={"FLIRTATION": value}), SUGGEST)
    assert (row["scores"], row["given"]) == ({"spam": 1.0}, {"SPAM": 1.0, "OFF_TOPIC": 1.0})


@pytest.mark.parametrize(
    ("entries", "article"),
    [
        (['{"url": "https://news.example", "Coral_comment_id": "c42"}'], None),
        (['{"url": 1}', "News"], "News"),
        (["News", '{"url": 1}'], "News"),
        (["[1]"], "[1]"),
    ],
)
def test_data_in_the_context_is_no_article_for_either_call(
    tmp_path: Path, entries: list[str], article: str | None
) -> None:
    scorer = Polyglot()
    context = {"entries": [{"text": text} for text in entries]}
    with client_of(tmp_path, cast(Any, scorer)) as client:
        asked(client, context=context)
        asked(client, SUGGEST, context=context)
        [row] = rows(client)
    assert (scorer.calls[-1][0].article, row["context"]) == (article, article)


@pytest.mark.parametrize(("threshold", "there"), [(None, True), (0, True), (0.9, True), (0.91, False)])
def test_what_is_below_its_threshold_is_left_out(client: TestClient, threshold: Any, there: bool) -> None:
    wanted = {"TOXICITY": {"scoreThreshold": threshold, "scoreType": "PROBABILITY"}, "SPAM": {}}
    scores = asked(client, requestedAttributes=wanted)["attributeScores"]
    assert ("TOXICITY" in scores, "SPAM" in scores) == (there, True)


def test_sentences_are_scored_each_for_itself(client: TestClient) -> None:
    text = "💩 Hello there!  A toxicity (“really”). \n\n e\u0301nd"
    calls = len(SCORER.calls)
    scores = asked(client, text=text, spanAnnotations=True)["attributeScores"]["TOXICITY"]
    units = text.encode("utf-16-le")
    found = [
        (units[2 * one["begin"] : 2 * one["end"]].decode("utf-16-le"), one["score"]["value"])
        for one in scores["spanScores"]
    ]
    assert found == [("💩 Hello there!", 0.01), ("A toxicity (“really”).", 0.9), ("e\u0301nd", 0.01)]
    assert scores["summaryScore"]["value"] == 0.9
    read = [one.text for call in SCORER.calls[calls:] for one in call]
    assert sorted(read) == sorted([text, *(sentence for sentence, _ in found)])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two? Three!", ["One.", "Two?", "Three!"]),
        ("Wait... what?! Yes", ["Wait...", "what?!", "Yes"]),
        ("He said “no.” Then left.", ["He said “no.”", "Then left."]),
        ("3.5 at example.org/a.b", ["3.5 at example.org/a.b"]),
        (" \r\n first line\r\nsecond\n\n", ["first line", "second"]),
        ("." * 20_000 + "x", ["." * 20_000 + "x"]),
        ('."' * 10_000, ['."' * 10_000]),
    ],
)
def test_where_sentences_end(text: str, parts: list[str]) -> None:
    assert [text[start:end] for start, end in sentences(text)] == parts


def test_the_rest_of_a_text_of_many_sentences_is_one_span() -> None:
    text = "One more. " * 100
    spans = sentences(text)
    assert len(spans) == MOST_SPANS
    assert spans[-1] == (630, 999)
    assert len(sentences("One more. " * MOST_SPANS)) == MOST_SPANS


@given(
    st.text(st.one_of(st.sampled_from(".!? \n💩e\u0301\u200d👩a"), st.characters(exclude_categories=["Cs"])))
)
def test_spans_are_in_order_apart_and_cover_all_that_is_not_blank(text: str) -> None:
    units, covered, last = text.encode("utf-16-le"), "", 0
    for span in sentences(text):
        begin, end = utf16(text, span)
        assert last <= begin < end
        part = units[2 * begin : 2 * end].decode("utf-16-le")
        assert part == text[slice(*span)] == part.strip()
        covered, last = covered + part, end
    assert "".join(covered.split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("context", "read_with"),
    [
        (
            {"articleAndParentComment": {"article": {"text": " News "}, "parentComment": {"text": "No"}}},
            ("News", "No"),
        ),
        ({"articleAndParentComment": {"parentComment": {"text": "No"}}, "entries": []}, (None, "No")),
        ({"articleAndParentComment": {}}, (None, None)),
        ({"entries": [{"text": "News", "type": "PLAIN_TEXT"}, {"text": "more"}]}, ("News", None)),
        ({"entries": [{"text": '{"url": "https://news.example", "reply_to": null}'}]}, (None, None)),
        ({"entries": [{"text": "[" * 50_000}]}, ("[" * 4000, None)),
        ({"entries": [{}]}, (None, None)),
        ({"entries": []}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_article_and_parent_are_read_from_the_context(
    client: TestClient, context: Any, read_with: Any
) -> None:
    answer = asked(client, context=context, requestedAttributes={"OFF_TOPIC": {}})
    assert (SCORER.calls[-1][0].article, SCORER.calls[-1][0].parent) == read_with
    relevance = 0.25 if any(read_with) else 0.99
    assert answer["attributeScores"]["OFF_TOPIC"]["summaryScore"]["value"] == relevance


@pytest.mark.parametrize(
    ("fields", "error_type", "message"),
    [
        ({"comment": None}, "COMMENT_EMPTY", "Comment must be non-empty."),
        ({"comment": {}}, "COMMENT_EMPTY", "Comment must be non-empty."),
        ({"comment": {"text": None}}, "COMMENT_EMPTY", "Comment must be non-empty."),
        (
            {"comment": {"text": " \n\u2003"}, "requestedAttributes": {}},
            "COMMENT_EMPTY",
            "Comment must be non-empty.",
        ),
        (
            {"comment": {"text": SECRET, "type": "HTML"}},
            "INVALID_REQUEST",
            "Currently, only 'PLAIN_TEXT' comments are supported",
        ),
        (
            {"requestedAttributes": {}, "languages": ["xx"]},
            "NO_REQUESTED_ATTRIBUTES",
            "Missing requested_attributes",
        ),
        ({"requestedAttributes": None}, "NO_REQUESTED_ATTRIBUTES", "Missing requested_attributes"),
        (
            {"requestedAttributes": {"X": {}}, "languages": ["xx"]},
            "INVALID_REQUEST",
            "Unknown requested attribute: X",
        ),
        (
            {"requestedAttributes": {"a\nb" + "c" * 99: {}}},
            "INVALID_REQUEST",
            "Unknown requested attribute: a?b" + "c" * 77,
        ),
        (
            {"context": {"articleAndParentComment": {"parentComment": {"text": "x" * 20_481}}}},
            "COMMENT_TOO_LONG",
            "Comment text too long.",
        ),
    ],
)
def test_what_google_refuses_is_refused(
    client: TestClient, fields: Any, error_type: str, message: str
) -> None:
    assert refused(client, body(SECRET) | fields) == (message, {"@type": OWN, "errorType": error_type})


def test_feedback_on_a_long_text_is_kept(client: TestClient) -> None:
    assert asked(client, SUGGEST, text="x" * 20_481)["requestedLanguages"] == []


def test_the_limit_of_the_service_is_no_limit_here(tmp_path: Path) -> None:
    with client_of(tmp_path, max_comment_chars=10) as strict:
        assert asked(strict, text="x" * 11)["languages"] == ["en"]


def language_error(client: TestClient, **fields: Any) -> tuple[str, Any]:
    message, detail = refused(client, body(**fields))
    assert detail["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    return message, detail["languageNotSupportedByAttributeError"]


def test_languages(client: TestClient) -> None:
    assert asked(client, languages=["en-US", "EN"])["languages"] == ["en-US", "EN"]
    named = asked(client, text="de toxicity", languages=["en"])
    assert (named["languages"], named["detectedLanguages"]) == (["en"], ["de"])
    unknown = asked(client, text="und toxicity")
    assert (unknown["languages"], unknown["detectedLanguages"]) == (["und"], ["und"])
    wanted = {"SPAM": {}, "THREAT": {}}
    message, error = language_error(client, requestedAttributes=wanted, languages=["en", "ja", "de-AT", "ja"])
    assert message == "Attribute SPAM does not support request languages: ja, de-AT"
    assert error == {"requestedLanguages": ["ja", "de-AT"], "attribute": "SPAM"}
    message, error = language_error(client, text="ar toxicity")
    assert message == "Attribute TOXICITY does not support request languages: ar"
    assert error == {"detectedLanguages": ["ar"], "attribute": "TOXICITY"}


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"comment": SECRET}, "comment", "comment "),
        ({"comment": {"text": 7}}, "comment.text", "must be a string"),
        ({"comment": {"text": "x", "type": 1}}, "comment.type", "must be a string"),
        ({"requestedAttributes": ["TOXICITY"]}, "requestedAttributes", "requestedAttributes"),
        (
            {"requestedAttributes": {"SPAM": {"scoreThreshold": "0.5"}}},
            "requestedAttributes.SPAM.scoreThreshold",
            "number",
        ),
        ({"spanAnnotations": "true"}, "spanAnnotations", "true or false"),
        ({"languages": "en"}, "languages", "must be a list"),
        ({"languages": ["en", "\x00"]}, "languages[1]", "pattern"),
        ({"clientToken": 5}, "clientToken", "must be a string"),
    ],
)
def test_a_wrong_field_is_named(client: TestClient, fields: Any, field: str, message: str) -> None:
    told, detail = refused(client, body(SECRET) | fields)
    assert message in told
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    [violation] = detail["fieldViolations"]
    assert (violation["field"], f"{field} {violation['description']}") == (field, told)


def test_an_unknown_field_changes_nothing(client: TestClient) -> None:
    unknown = {
        "x": SECRET,
        "comment": {"text": "a toxicity", "lang": 1},
        "context": {"entries": [{"a\n": 1}]},
    }
    assert asked(client, **unknown) == asked(client)
    assert asked(client, SUGGEST, doNotStore=True)["requestedLanguages"] == []


@pytest.mark.parametrize("path", [ANALYZE, SUGGEST])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Comment must be non-empty."),
        (b"{}", "Comment must be non-empty."),
        (b"null", "body "),
        (b"[1]", "body "),
        (b'"do-not-quote-me"', "body "),
        (b'{"comment": do-not-quote-me', "the body is not a JSON object in UTF-8"),
        (b"comment=do-not-quote-me", "the body is not a JSON object in UTF-8"),
        (b'{"comment": {"text": "do-not-quote-me \xff"}}', "the body is not a JSON object in UTF-8"),
        (b"[" * 50_000, "the body is not a JSON object in UTF-8"),
        (b'{"comment": ' + b"[" * 40_000 + b"]" * 40_000 + b"}", "the body is not a JSON object in UTF-8"),
        (b'{"\\ud800": "do-not-quote-me"}', "Comment must be non-empty."),
        (b'{"comment": {"text": "x"}, "clientToken": ' + b"9" * 5000 + b"}", "the body is not"),
        (b'{"comment": {"text": NaN}}', "comment.text"),
        (b'{"comment": {"text": "do-not-quote-me' + b"x" * 100_000 + b'"}}', "Comment text too long."),
    ],
)
def test_an_unreadable_body_is_explained(client: TestClient, path: str, content: bytes, message: str) -> None:
    assert message in check_error(client.post(path, content=content), 400)["message"]


def test_a_lone_surrogate_is_one_unit_of_utf_16(client: TestClient) -> None:
    calls = len(SCORER.calls)
    sent = json.dumps(body("\ud83d! A \U0001f600 toxicity.", spanAnnotations=True))
    scores = client.post(ANALYZE, content=sent).json()["attributeScores"]["TOXICITY"]["spanScores"]
    assert [(one["begin"], one["end"], one["score"]["value"]) for one in scores] == [
        (0, 2, 0.01),
        (3, 17, 0.9),
    ]
    assert "\ufffd! A \U0001f600 toxicity." in [one.text for call in SCORER.calls[calls:] for one in call]


@pytest.mark.parametrize("text", ["é" * 10_241 + " toxicity", "toxicity " + "harbour " * 5_000])
def test_a_text_longer_than_google_accepts_is_scored(client: TestClient, text: str) -> None:
    """Coral publishes after an error, so padding a text must not cause one."""
    asked = body(text, spanAnnotations=True)
    [span] = (score := client.post(ANALYZE, json=asked).json()["attributeScores"]["TOXICITY"])["spanScores"]
    assert (score["summaryScore"]["value"], span["begin"], span["end"]) == (0.9, 0, len(text))


def test_a_long_text_that_takes_too_long_is_an_error(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perspective, "_LONG_S", 0.0)
    error = check_error(client.post(ANALYZE, json=body("harbour " * 5_000)), 400)
    assert error["details"] == [{"@type": OWN, "errorType": "COMMENT_TOO_LONG"}]


def test_a_body_without_a_length_is_limited_too(client: TestClient) -> None:
    error = check_error(client.post(ANALYZE, content=(b" " * 1000 for _ in range(101))), 400)
    assert error["details"] == [{"@type": OWN, "errorType": "COMMENT_TOO_LONG"}]


def test_nul_is_a_character(client: TestClient) -> None:
    assert asked(client, text="a\x00 toxicity", spanAnnotations=True)["languages"] == ["en"]


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        (f"?key={KEY}", {}, 200),
        ("", {"X-Goog-Api-Key": KEY}, 200),
        ("", {"Authorization": f"Bearer {KEY}"}, 200),
        ("?key=", {"X-API-Key": KEY}, 200),
        ("?key=wrong", {"X-Goog-Api-Key": KEY}, 400),
        ("?key=%ff%00", {}, 400),
        ("", {}, 400),
    ],
)
@pytest.mark.parametrize("path", [ANALYZE, SUGGEST])
def test_keys(locked: TestClient, path: str, address: str, headers: dict[str, str], status: int) -> None:
    sent = body() if path == ANALYZE else told()
    answer = locked.post(path + address, json=sent, headers=headers)
    if status == 200:
        assert answer.status_code == 200, answer.text
        return
    error = check_error(answer, status)
    assert error["message"] == "API key not valid. Please pass a valid API key."
    [info] = error["details"]
    assert (info["@type"], info["reason"], info["domain"]) == (INFO, "API_KEY_INVALID", "googleapis.com")


def test_a_bad_key_is_told_before_a_bad_body(locked: TestClient) -> None:
    assert (
        check_error(locked.post(ANALYZE, content=b"\xff"), 400)["details"][0]["reason"] == "API_KEY_INVALID"
    )


def key_of(client: TestClient, role: str, *sites: str) -> str:
    wanted = {"name": " ".join([role, *sites]), "role": role, "sites": sites}
    made = client.post("/v1/keys", json=wanted, headers={"X-API-Key": KEY})
    return cast(str, made.json()["key"])


def test_a_role_and_a_site_that_do_not_fit_are_told(locked: TestClient) -> None:
    triage, service = key_of(locked, "triage"), key_of(locked, "service", "a.example")
    assert locked.post(f"{ANALYZE}?key={triage}", json=body()).status_code == 200
    forbidden = check_error(locked.post(f"{SUGGEST}?key={triage}", json=told()), 403, "PERMISSION_DENIED")
    assert (forbidden["details"][0]["@type"], forbidden["details"][0]["reason"]) == (INFO, "FORBIDDEN")
    other = told(communityId="https://b.example")
    check_error(locked.post(f"{SUGGEST}?key={service}", json=other), 403, "PERMISSION_DENIED")
    assert rows(locked) == []
    assert locked.post(f"{SUGGEST}?key={service}", json=told()).status_code == 200
    assert [row["site"] for row in rows(locked)] == ["a.example"]


def test_a_full_queue_is_a_used_up_quota(client: TestClient) -> None:
    service = service_of(client)
    service.score_queue.queued = service.settings.queue_comments
    try:
        answer = client.post(ANALYZE, json=body())
    finally:
        service.score_queue.queued = 0
    error = check_error(answer, 429, "RESOURCE_EXHAUSTED")
    assert error["message"].startswith("Quota exceeded for quota metric ")
    assert error["details"][0]["reason"] == "RATE_LIMIT_EXCEEDED"
    assert int(answer.headers["Retry-After"]) >= 1


def test_what_fails_here_is_never_a_clean_score(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for spans in (False, True):
        failing = body(f"fine. explode {SECRET}.", spanAnnotations=spans)
        error = check_error(client.post(ANALYZE, json=failing), 500, "INTERNAL")
        assert error["details"][0]["reason"] == "SCORING_FAILED"

    def fail(*arguments: Any) -> None:
        raise StoreError("gone") if arguments[2] == "store" else RuntimeError(SECRET)

    monkeypatch.setattr(feedback_store, "add", fail)
    check_error(client.post(SUGGEST, json=told(communityId="store")), 503, "UNAVAILABLE")
    check_error(client.post(SUGGEST, json=told()), 500, "INTERNAL")


def test_other_methods_addresses_and_hosts(client: TestClient) -> None:
    answer = client.get(ANALYZE)
    check_error(answer, 405, "UNIMPLEMENTED")
    assert answer.headers["Allow"] == "POST"
    check_error(client.post("/v1alpha1/comments:nothing", json={}), 404, "NOT_FOUND")
    check_error(client.get("/$discovery/apis"), 404, "NOT_FOUND")
    for path in (ANALYZE, "/$discovery/rest"):
        wrong = client.request("POST" if path == ANALYZE else "GET", path, headers={"Host": "evil.example"})
        check_error(wrong, 421, "FAILED_PRECONDITION")


def test_the_discovery_document_has_every_schema_that_it_refers_to(locked: TestClient) -> None:
    document = locked.get("/$discovery/rest?version=v1alpha1", headers={"Host": "mod.example:81"}).json()
    assert document["rootUrl"] == document["baseUrl"] == "http://mod.example:81/"
    methods = document["resources"]["comments"]["methods"]
    assert {one["path"] for one in methods.values()} == {ANALYZE[1:], SUGGEST[1:]}
    referred = set(json.dumps(document).split('"$ref": "')[1:])
    assert {one.partition('"')[0] for one in referred} == set(document["schemas"])
    assert {name: schema["id"] for name, schema in document["schemas"].items()} == {
        name: name for name in document["schemas"]
    }
    assert locked.get("/$discovery/rest").json()["version"] == "v1alpha1"
    for query in ("?version=v1", "?version=", "?version=v1alpha1&api=drive"):
        check_error(locked.get("/$discovery/rest" + query), 404, "NOT_FOUND")


def test_the_discovery_document_lists_the_fields_that_are_read(client: TestClient) -> None:
    schemas = client.get("/$discovery/rest").json()["schemas"]
    for message, name in (
        (AnalyzeRequest, "AnalyzeCommentRequest"),
        (SuggestRequest, "SuggestCommentScoreRequest"),
    ):
        read = message.model_json_schema()
        unread = {"sessionId", "doNotStore", "dropUnsupportedAttributes"}
        assert set(read["properties"]) == set(schemas[name]["properties"]) - unread


CORAL = {
    "comment": {"text": "You \x00 fool"},
    "attributeScores": {
        "TOXICITY": {"summaryScore": {"value": 1}},
        "SEVERE_TOXICITY": {"summaryScore": {"value": 0}},
    },
    "languages": ["en-GB"],
    "communityId": "Coral:https://news.example:8443/",
    "clientToken": "comment:c-7",
    "context": {"entries": [{"text": '{"url": "https://news.example/a"}'}]},
}


def test_feedback_is_kept_for_training(tmp_path: Path) -> None:
    with client_of(tmp_path) as client:
        comment = {"id": "c-7", "text": "You fool"}
        client.post("/v1/comments", json={"site": "news.example", "comments": [comment]})
        answer = client.post(SUGGEST, json=CORAL)
        [row] = rows(client)
    assert answer.json() == {
        "clientToken": "comment:c-7",
        "detectedLanguages": [],
        "requestedLanguages": ["en-GB"],
    }
    del row["id"], row["at"], row["erased"]
    assert row == {
        "site": "news.example",
        "protocol": "perspective",
        "caller_id": "c-7",
        "comment_id": 1,
        "text": "You \ufffd fool",
        "context": None,
        "language": "en",
        "scores": {"toxicity": 1.0},
        "given": {"TOXICITY": 1.0, "SEVERE_TOXICITY": 0.0},
        "actor": "local",
    }


def test_values_of_attributes_become_values_of_labels() -> None:
    given = dict.fromkeys(attributes.ATTRIBUTES, 0.25) | {"UNSUBSTANTIAL": 0.75}
    assert attributes.by_label(given) == dict.fromkeys(set(LABELS) - {"antisemitism"}, 0.25)
    assert attributes.by_label({"UNSUBSTANTIAL": 1.0, "OFF_TOPIC": 1.0, "ATTACK_ON_AUTHOR": 1.0}) == {
        "on_topic": 0.0
    }


def test_a_part_tells_of_the_whole_where_nothing_else_does(tmp_path: Path) -> None:
    spans = [{"begin": 0, "end": 1, "score": {"value": value, "type": "PROBABILITY"}} for value in (0.2, 0.7)]
    articles = {"articleAndParentComment": {"article": {"text": "A"}, "parentComment": {"text": "P\x00"}}}
    with client_of(tmp_path) as client:
        client.post(SUGGEST, json=told(attributeScores={"SPAM": {"spanScores": spans}}, context=articles))
        [row] = rows(client)
    assert (row["scores"], row["context"], row["site"]) == ({"spam": 0.7}, "A\n\nP\ufffd", "perspective")
    assert (row["caller_id"], row["language"], row["comment_id"]) == (None, None, None)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (None, "Missing attribute_scores"),
        ({}, "Missing attribute_scores"),
        ({"SPAM": {}}, "Missing summary_score of attribute SPAM"),
        ({"SPAM": {"spanScores": []}}, "Missing summary_score of attribute SPAM"),
        ({"X": {"summaryScore": {"value": 1}}}, "Unknown requested attribute: X"),
        ({"SPAM": {"summaryScore": {"value": 1.01}}}, "attributeScores.SPAM.summaryScore.value"),
        ({"SPAM": {"summaryScore": {"value": -1}}}, "attributeScores.SPAM.summaryScore.value"),
        ({"SPAM": {"summaryScore": {}}}, "attributeScores.SPAM.summaryScore.value is missing"),
        ({"SPAM": {"spanScores": [{"begin": 0}]}}, "spanScores[0].score is missing"),
    ],
)
def test_feedback_that_says_nothing_is_refused(client: TestClient, scores: Any, message: str) -> None:
    assert message in refused(client, told(SECRET) | {"attributeScores": scores}, SUGGEST)[0]
    assert refused(client, told(" "), SUGGEST)[1]["errorType"] == "COMMENT_EMPTY"


@pytest.mark.parametrize(
    ("community", "sites", "site"),
    [
        ("Coral:https://news.example", (), "news.example"),
        ("https://News.Example:80/a?b", (), "news.example"),
        ("my_site-", (), "my_site"),
        ("Coral:", (), "perspective"),
        ("My Site / Ü", (), "My-Site"),
        ("..a", (), "a"),
        ("日本", (), "perspective"),
        ("http://[", (), "http"),
        ("x" * 200, (), "x" * 100),
        (None, (), "perspective"),
        ("", ("a", "b"), "perspective"),
        (None, ("a",), "a"),
    ],
)
def test_the_site_of_a_community(community: str | None, sites: tuple[str, ...], site: str) -> None:
    assert site_of(community, Actor("x", "service", sites)) == site


@pytest.mark.parametrize(
    ("token", "caller_id"),
    [("comment:a:b", "a:b"), ("plain", "plain"), ("comment:", None), ("a\x00b", None), ("x" * 201, None)],
)
def test_the_comment_that_a_token_means(tmp_path: Path, token: str, caller_id: str | None) -> None:
    with client_of(tmp_path) as client:
        assert asked(client, SUGGEST, clientToken=token)["clientToken"] == token
        assert [row["caller_id"] for row in rows(client)] == [caller_id]


def test_feedback_on_a_comment_that_is_not_kept_is_erased_with_its_id(
    locked: TestClient,
) -> None:
    mine, other = key_of(locked, "service", "news.example"), key_of(locked, "service", "other.example")
    locked.post(f"{SUGGEST}?key={mine}", json=CORAL)
    locked.post(f"{SUGGEST}?key={mine}", json=CORAL | {"clientToken": "comment:c-8"})

    def erase(key: str) -> int:
        path = "/v1/comments/news.example:c-7"
        return locked.delete(path, headers={"X-API-Key": key}).status_code

    assert [erase(other), erase(mine), erase(mine)] == [404, 204, 404]
    gone, stays = rows(locked)
    assert (gone["text"], gone["context"], gone["given"]) == (None, None, {})
    assert gone["erased"] is not None
    assert stays["text"] == "You \ufffd fool"
    trail = [(row["what"], row["target"]) for row in rows(locked, audit_log)]
    assert trail[-1] == ("erase feedback", "news.example")


def test_feedback_that_comes_after_its_comment_was_erased_can_be_erased(tmp_path: Path) -> None:
    address = "/v1/comments/news.example:c-7"
    with client_of(tmp_path) as client:
        kept = {"site": "news.example", "comments": [{"id": "c-7", "text": "You fool"}]}
        client.post("/v1/comments", json=kept)
        client.post(SUGGEST, json=CORAL)
        assert client.delete(address).status_code == 204
        client.post(SUGGEST, json=CORAL)
        assert [row["text"] is None for row in rows(client)] == [True, False]
        assert [client.delete(address).status_code for _ in range(2)] == [204, 404]
        assert [row["text"] for row in rows(client)] == [None, None]


def test_no_comment_is_logged_or_counted(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        asked(client, text=f"{SECRET} toxicity", clientToken="private-token")
        client.post(ANALYZE, json=body(f"explode {SECRET}"))
    assert SECRET not in caplog.text + client.get("/metrics").text
    assert "private-token" not in caplog.text


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    "comment",
    "context",
    "languages",
    "clientToken",
    "sessionId",
    "communityId",
    "requestedAttributes",
    "spanAnnotations",
    "doNotStore",
    "attributeScores",
    "comment.text",
    "comment.type",
    "context.entries",
    "context.articleAndParentComment",
    "requestedAttributes.SPAM",
    "requestedAttributes.SPAM.scoreThreshold",
    "attributeScores.SPAM",
    "attributeScores.SPAM.summaryScore",
    "attributeScores.SPAM.spanScores",
]


def with_field(sent: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    first, _, rest = place.partition(".")
    inner = sent.get(first)
    return sent | {
        first: with_field(inner if isinstance(inner, dict) else {}, rest, value) if rest else value
    }


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([ANALYZE, SUGGEST]), st.sampled_from(FIELDS), ANYTHING)
def test_no_value_of_a_field_breaks_the_service(
    client: TestClient, path: str, place: str, value: Any
) -> None:
    sent = with_field(body() if path == ANALYZE else told(), place, value)
    answer = client.post(path, content=json.dumps(sent).encode())
    if answer.status_code != 200:
        check_error(answer, 400)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.sampled_from([ANALYZE, SUGGEST]))
def test_no_body_breaks_the_service(client: TestClient, content: bytes, path: str) -> None:
    check_error(client.post(path, content=content), 400)
