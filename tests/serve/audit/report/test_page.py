"""The report in a browser: content, function without a script, and accessibility."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from belowline.serve.audit.archive import Archive
from belowline.serve.audit.report.listing import TEXT_SHOWN
from belowline.serve.audit.report.page import render_report
from belowline.serve.audit.run import run_audit
from belowline.serve.audit.summary_counts import Tally
from belowline.serve.scoring.pipeline import ModerationPipeline
from tests.support.accessibility import serious
from tests.support.serve_fakes import LABELS, fake_scorer

CARD = "# The fake model\n\nIt reads names of labels.\n"
OFFER = "Hello {}, this is spam: I earn {} dollars every week, and you can do it too at {}.example"
REJECTS = {"rejects": 3, "first": [{"source": "a.xml", "position": "line <7>", "reason": "has no text"}]}
REASONS = [{"message": "has no text", "times": 2}, {"message": "not <valid>", "times": 1}]
FLAT = {"publish": 0, "hold": 0, "reject": 0}


def archive_rows() -> Iterator[dict[str, Any]]:
    """Fourteen months of a site that gets spam in March."""
    for number in range(14 * 24):
        month, place = divmod(number, 24)
        text = f"Comment {number} says something about the harbour."
        if place < (9 if month == 6 else 1):
            text = OFFER.format(("Ann", "Bob", "Cleo")[place % 3], 90 + number, f"cash-{number}")
        elif place == 20:
            text += " It has hate and a personal_attack."
        yield {
            "thread": f"t{number // 12}",
            "title": f"Article {number // 12}",
            "id": str(number),
            "text": text,
            "author": ("Sue", "Kim", "Ada")[number % 3],
            "time": f"{2024 + (month + 8) // 12}-{(month + 8) % 12 + 1:02}-11T12:00:00Z",
            "verdict": ("publish", "spam", None)[number % 3],
        }


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in archive_rows()))
    pipeline = ModerationPipeline.of(fake_scorer(), None)
    run_audit(Archive([folder / "a.jsonl"]), folder / "out", pipeline, card=CARD)
    return folder / "out"


@pytest.fixture(scope="module")
def report(out: Path) -> str:
    return (out / "report.html").read_text("utf-8")


def summary_of(rows: list[dict[str, Any]], tally: Tally, **more: Any) -> dict[str, Any]:
    made = {
        "made_with": {"model": "m", "policy": "p"},
        "seconds": 1.0,
        "finished": "2026-01-02T03:04:05+00:00",
    }
    nothing = {"campaigns": {"campaigns": 0, "comments": 0, "largest": []}, "authors": []}
    return {
        "comments": len(rows),
        **made,
        **tally.summary(),
        "threads": {"threads": 0, "worst": []},
        **nothing,
        **more,
    }


def test_the_contents_lead_to_every_section(report: str) -> None:
    contents = re.search(r'<nav class="contents".*?</nav>', report, re.S)
    assert contents
    links = re.findall(r'href="#(\w+)"', contents[0])
    assert links == re.findall(r'<h2 id="(\w+)"', report)
    assert {"months", "verdicts", "campaigns", "authors", "threads", "unsure", "top", "method"} <= set(links)
    assert "28</span>" in contents[0], "threads"


def test_a_picture_for_each_label_over_the_months(report: str, out: Path) -> None:
    assert report.count('<figure class="curve">') == len(LABELS)
    spam = next(one for one in re.findall(r"<figure.*?</figure>", report, re.S) if "<b>Spam</b>" in one)
    assert "2024-09 to 2025-10; at most 37.5 % in 2025-03" in spam
    months = json.loads((out / "summary.json").read_text("utf-8"))["months"]
    assert len(months) == 14
    assert [month["month"] for month in months if month["labels"]["spam"] == 9] == ["2025-03"]


def test_threads_and_authors_have_the_share_of_each_label(report: str, out: Path) -> None:
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    worst = summary["threads"]["worst"][0]
    assert (summary["threads"]["threads"], worst["thread"], worst["labels"]["spam"]) == (28, "Article 12", 9)
    section = report.partition('<h2 id="threads"')[2].partition("</section>")[0]
    assert (
        section.index("Article 12")
        < section.index("75.0 %")
        < section.index("</tr>", section.index("Article 12"))
    )
    assert (
        sum(one["labels"]["spam"] for one in summary["authors"])
        == summary["labels"]["spam"]["at_threshold"]
        == 22
    )


def test_the_card_is_folded_away_and_absent_without_one() -> None:
    tally, pipeline = Tally({}), ModerationPipeline.of(fake_scorer(), None)
    with_card = render_report(summary_of([], tally), tally, pipeline, CARD)
    assert "<h4>The fake model</h4>" in with_card.partition("Model card</summary>")[2]
    assert "Model card</summary>" not in render_report(summary_of([], tally), tally, pipeline)


def test_what_could_not_be_read_is_told_where_there_is_any(report: str) -> None:
    assert 'id="rejects"' not in report
    tally, pipeline = Tally({}), ModerationPipeline.of(fake_scorer(), None)
    told = render_report(summary_of([], tally, rejects=REJECTS, reject_reasons=REASONS), tally, pipeline)
    alarm = told.partition('<section class="alarm"')[2].partition("</section>")[0]
    assert "3 records of the archive could not be read" in alarm
    assert re.findall(r"<li><b>(\d+)</b> <bdi>(.*?)</bdi>", alarm) == [
        ("2", "has no text"),
        ("1", "not &lt;valid&gt;"),
    ]
    assert "rejects.jsonl" in alarm
    assert "line &lt;7&gt;" in alarm
    assert told.index('class="lead"') < told.index('class="alarm"') < told.index('<nav class="contents"')


def test_notes_of_the_readers_are_shown() -> None:
    tally, pipeline = Tally({}), ModerationPipeline.of(fake_scorer(), None)
    notes = [{"message": "4 times <not> read", "times": 7}, {"message": "one page is cut", "times": 1}]
    told = section(render_report(summary_of([], tally, notes=notes), tally, pipeline), "notes")
    assert "4 times &lt;not&gt; read" in told
    assert "one page is cut" in told
    assert "7 threads" in told


def section(report: str, id: str) -> str:
    return report.partition(f'<h2 id="{id}">')[2].partition("</section>")[0]


def listed(row: dict[str, Any], **more: Any) -> str:
    """The list of comments to review of a report on one comment."""
    tally = Tally(dict.fromkeys(LABELS, 0.5))
    tally.add({**held_row(), **row})
    return section(
        render_report(summary_of([row], tally, **more), tally, ModerationPipeline.of(fake_scorer(), None)),
        "review",
    )


def held_row() -> dict[str, Any]:
    return {
        **{"source": "/archive/a.csv:2", "thread": "Bridge", "position": 3, "author": "Bo", "verdict": None},
        **{"time": "2024-05-09T07:40:00+00:00", "text": "you are a liar, he said", "action": "hold"},
        "reason": {"code": "personal_attack", "rule": "personal_attack >= 0.5", "label": "personal_attack"},
        **{"relevance": None, "language": "en", "scores": {"personal_attack": 0.93, "spam": 0.2}},
        "evidence": [
            {"label": "personal_attack", "start": 10, "end": 14, "strength": 0.9},
            {"label": "spam", "start": 0, "end": 3, "strength": 0.9},
        ],
        **{"permalink": None, "line": 7},
    }


def test_a_comment_to_review_has_its_place_and_its_deciding_words() -> None:
    review = listed({}, folder="/archive")
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", review))
    assert "0.93 Bo · 2024-05-09 07:40 · comment 4 under “Bridge” a.csv, line 7" in words
    assert 'you are a <mark title="Personal attack">liar</mark>, he said</blockquote>' in review
    assert review.count("<mark") == 2, "in the excerpt and in the text, nothing for spam"
    assert "href" not in review


@pytest.mark.parametrize(
    ("permalink", "link"),
    [
        ("https://paper.example/a?b=1&c=2#comment-7", "https://paper.example/a?b=1&amp;c=2#comment-7"),
        ("javascript:alert(1)", None),
        ("https://x.example/ y", None),
        ("https://x.example/" + "y" * 3000, None),
    ],
)
def test_only_web_addresses_are_links(permalink: str, link: str | None) -> None:
    assert re.findall(r'href="(.*?)"', listed({"permalink": permalink})) == ([link] if link else [])


def test_the_evidence_of_a_long_text_is_shown() -> None:
    text = "x " * 5000 + "you are a liar " + "y " * 5000
    span = {"label": "personal_attack", "start": 10_010, "end": 10_014, "strength": 0.9}
    review = listed({"text": text, "evidence": [span]})
    assert review.count('<mark title="Personal attack">liar</mark>') == 2
    assert f"… {len(text) - TEXT_SHOWN:,} further characters are in comments.jsonl" in review
    assert len(review) < 2 * TEXT_SHOWN


def test_words_of_a_redacted_comment_are_not_marked() -> None:
    made = {"model": "m", "policy": "p", "redaction": "names and texts"}
    assert "<mark" not in listed({"text": "text-0123456789abcdef"}, made_with=made)


def test_each_reason_lists_its_strongest_and_says_where_the_rest_is(report: str, out: Path) -> None:
    review, summary = section(report, "review"), json.loads((out / "summary.json").read_text("utf-8"))
    lists = dict(re.findall(r'<h3 id="review-(\w+)">.*?<ol class="top-comments">(.*?)</ol>', review, re.S))
    assert {code: text.count("<blockquote") for code, text in lists.items()} == {
        "spam": 20,
        "hate_speech": 14,
    }
    assert summary["reasons"] == {"none": 300, "spam": 22, "hate_speech": 14}
    assert re.findall(r"(\d+) more are in comments.csv", review) == ["2"]
    lead = report.partition('<p class="lead">')[2].partition("</p>")[0]
    assert re.findall(r'href="#([\w-]+)">(?:<b>)?(\d+)', lead) == [
        *(("review", "36"), ("review-spam", "22"), ("review-hate_speech", "14"))
    ]


def test_every_link_inside_the_page_has_its_target(report: str) -> None:
    targets = re.findall(r' id="([^"]+)"', report)
    assert set(re.findall(r'href="#([^"]+)"', report)) <= set(targets)
    assert len(targets) == len(set(targets))


def test_authors_and_threads_are_ranked_with_their_interval(report: str, out: Path) -> None:
    worst = json.loads((out / "summary.json").read_text("utf-8"))["threads"]["worst"]
    assert [one["interval"][0] for one in worst] == sorted(
        (one["interval"][0] for one in worst), reverse=True
    )
    first = section(report, "threads").partition("<tbody>")[2].partition("</tr>")[0]
    assert "75.0 %" in first
    assert f"{100 * worst[0]['interval'][0]:.0f}–{100 * worst[0]['interval'][1]:.0f} %" in first
    assert re.findall(r'<a href="#(thread-1)">9</a>', first)


def test_a_summary_without_findings_says_so() -> None:
    tally, pipeline = Tally({}), ModerationPipeline.of(fake_scorer(), None)
    report = render_report(summary_of([], tally, comments=4), tally, pipeline)
    assert "No comment needs a person’s decision" in report.partition('class="lead"')[2].partition("</p>")[0]
    assert 'id="review"' not in report


def test_unsure_comments_are_blurred_and_repeated_texts_are_counted() -> None:
    tally = Tally(dict.fromkeys(LABELS, 0.5))
    row = {
        "source": "s",
        "thread": "t",
        "position": 0,
        "author": None,
        "time": None,
        "verdict": None,
        "text": "A doubtful one" + "!" * TEXT_SHOWN,
        "action": "hold",
        "reason": {"code": "spam", "rule": "spam >= 0.5", "label": "spam"},
        "relevance": None,
        "language": "en",
        "scores": {"spam": 0.52},
    }
    tally.add(row)
    copies = {"comments": 12, "texts": 4}
    report = render_report(
        summary_of([row], tally, copies=copies, comments=24),
        tally,
        ModerationPipeline.of(fake_scorer(), None),
    )
    unsure = report.partition('<h2 id="unsure"')[2].partition("</section>")[0]
    assert "1 comment lies within 0.1 of the threshold" in unsure
    assert re.search(r'<span class="excerpt" dir="auto" aria-hidden="true">A doubtful one', unsure)
    assert "14 further characters are in comments.jsonl" in unsure
    assert re.search(r"12 comments \(50\.0 %\) .*4 different texts", report)


def test_a_huge_archive_has_a_report_of_bounded_size() -> None:
    tally = Tally(dict.fromkeys(LABELS, 0.5))
    months = [
        {"month": f"{year}-{month:02}", "comments": 99, "actions": FLAT, "labels": dict.fromkeys(LABELS, 3)}
        for year in range(1000, 3000)
        for month in range(1, 13)
    ]
    long = {
        "source": "s" * 300,
        "url": None,
        "comments": 10**6,
        "actions": FLAT,
        "labels": dict.fromkeys(LABELS, 3),
        "notes": ["n" * 9999] * 99,
    }
    threads = {"threads": 10**6, "worst": [{**long, "thread": "t" * 9999}] * 100}
    report = render_report(
        summary_of([], tally, months=months, threads=threads),
        tally,
        ModerationPipeline.of(fake_scorer(), None),
    )
    assert len(report) < 600_000
    assert "999,950 further threads are in threads.parquet" in report
    assert "the last 240 of 24000 months" in report


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_everybody_can_read_it(browser: Any, out: Path, scheme: str, width: int) -> None:
    # The report's own policy blocks every script, axe-core too.
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True
    )
    page = context.new_page()
    page.goto((out / "report.html").as_uri())
    for at in (0, -1):
        page.locator("details").nth(at).locator("summary").click()
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    context.close()


def test_a_text_is_opened_by_keyboard_and_nothing_is_loaded(browser: Any, out: Path) -> None:
    page = browser.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto((out / "report.html").as_uri())
    details = page.locator("#review ~ ol details", has_text="I earn").first
    quote = details.locator("blockquote")
    assert not quote.is_visible()
    details.locator("summary").focus()
    page.keyboard.press("Enter")
    assert quote.is_visible()
    assert "I earn" in quote.inner_text()
    assert (asked, said) == ([page.url], [])
    page.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_all_texts_are_shown_and_hidden_by_keyboard(browser: Any, out: Path, scripts: bool) -> None:
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    page.goto((out / "report.html").as_uri())
    quotes = page.locator("#review ~ ol blockquote")
    assert not quotes.nth(3).is_visible()
    page.locator("#show-all").focus()
    for shown in (True, False):
        page.keyboard.press("Space")
        assert [quotes.nth(at).is_visible() for at in range(quotes.count())] == [shown] * quotes.count()
    context.close()


def test_a_number_leads_to_its_comments(browser: Any, out: Path) -> None:
    page = browser.new_page()
    page.goto((out / "report.html").as_uri())
    assert not page.locator("#thread-1").is_visible()
    page.locator('a[href="#thread-1"]').click()
    page.locator("#thread-1").wait_for()
    assert page.locator("#thread-1 + ol > li").count() == 3
    page.close()


def test_a_name_does_not_move_the_words_around_it(browser: Any, tmp_path: Path) -> None:
    row = {"title": "Brid\u202ege", "time": "2024-05-09T07:40:00Z"}
    (tmp_path / "a.jsonl").write_text(
        "".join(
            json.dumps({**row, "text": f"spam by {name}", "author": name}) + "\n"
            for name in ("Bo Berg", "Bo \u202eBerg")
        )
    )
    run_audit(Archive([tmp_path / "a.jsonl"]), tmp_path / "out", ModerationPipeline.of(fake_scorer(), None))
    page = browser.new_page()
    page.goto((tmp_path / "out" / "report.html").as_uri())
    places = "e => [...e.querySelectorAll('time, .quiet, .number')].map(one => one.getBoundingClientRect().x)"
    orders = [line.evaluate(places) for line in page.locator("#review ~ ol .where").all()]
    assert [len(order) for order in orders] == [3, 3]
    assert orders == [sorted(order) for order in orders]
    page.close()
