from typing import Any

from belowline.serve.audit.summary_counts import BINS, NEAREST, TOP, Tally, TopItems
from tests.support.serve_fakes import LABELS


def row(text: str, **more: Any) -> dict[str, Any]:
    plain = {"text": text, "action": "publish", "language": "en", "scores": {}, "reason": {"code": "none"}}
    return {**plain, "relevance": None, "time": None, "verdict": None, **more}


def tally_of(*rows: dict[str, Any], thresholds: dict[str, float | None] | None = None) -> Tally:
    tally = Tally(thresholds or {"spam": 0.5, "hate": 0.6, "on_topic": None})
    for one in rows:
        tally.add(one)
    return tally


def test_top_comments_are_the_highest() -> None:
    tally = Tally(dict.fromkeys(LABELS, 0.5))
    for number in range(40):
        relevance = None if number < 10 else number / 40
        tally.add(row(f"{number % 30}", scores={"spam": (number % 30) / 30}, relevance=relevance))
    best = tally.labels["spam"].top.best()
    assert [one.row["text"] for one in best] == [str(29 - place) for place in range(TOP)]
    assert sum(tally.labels["spam"].histogram) == 40
    assert len(tally.labels["spam"].histogram) == BINS
    assert tally.summary()["relevance"] == {"comments": 30, "histogram": [0] * 5 + [2] * 15}


def test_a_text_is_kept_once_and_of_equal_ranks_the_first() -> None:
    foremost = TopItems(2)
    for rank, text in ((1.0, "a"), (1.0, "b"), (1.0, "c"), (1.0, "a"), (2.0, "d")):
        foremost.consider(rank, rank, row(text))
    assert [(one.row["text"], one.times) for one in foremost.best()] == [("d", 1), ("a", 2)]


def test_a_label_is_counted_from_its_threshold_or_from_even() -> None:
    tally = Tally({"spam": 0.3, "on_topic": None})
    assert tally.add(row("a", scores={"spam": 0.3, "on_topic": 0.49})) == ["spam"]
    assert tally.add(row("b", scores={"spam": 0.29, "on_topic": 0.5})) == ["on_topic"]
    labels = tally.summary()["labels"]
    assert (labels["spam"]["at_threshold"], labels["on_topic"]["at_threshold"]) == (1, 1)
    assert (labels["on_topic"]["threshold"], labels["on_topic"]["counted_from"]) == (None, 0.5)


def test_what_lies_near_a_threshold_is_unsure_whichever_side() -> None:
    scores = (0.41, 0.49, 0.55, 0.62, 0.39)
    tally = tally_of(
        *(row(f"t{spam}", scores={"spam": spam, "hate": 0.55, "on_topic": 0.5}) for spam in scores)
    )
    assert tally.summary()["unsure"] == {"within": 0.1, "comments": 5, "labels": {"spam": 3, "hate": 5}}
    assert [one.probability for one in tally.labels["spam"].nearest.best()] == [0.49, 0.55, 0.41]
    assert tally.labels["on_topic"].nearest.best() == []
    many = tally_of(*(row(f"t{n}", scores={"spam": 0.5 + n / 1000}) for n in range(50)))
    assert len(many.labels["spam"].nearest.best()) == NEAREST
    assert many.unsure == 50


def test_a_comment_near_two_thresholds_is_one_unsure_comment() -> None:
    summary = tally_of(
        row("a", scores={"spam": 0.5, "hate": 0.6}), row("b", scores={"spam": 0.0, "hate": 0.0})
    ).summary()
    assert summary["unsure"]["comments"] == 1


def test_months_are_those_of_comments_with_a_time() -> None:
    told = {"scores": {"spam": 0.9}, "action": "hold"}
    tally = tally_of(
        row("a", time="2025-02-01T00:00:00+00:00", **told),
        row("b", time="2025-01-31T23:59:59+00:00"),
        row("c", **told),
    )
    assert tally.summary()["months"] == [
        {
            "month": "2025-01",
            "comments": 1,
            "actions": {"publish": 1, "hold": 0, "reject": 0},
            "labels": {"spam": 0, "hate": 0, "on_topic": 0},
        },
        {
            "month": "2025-02",
            "comments": 1,
            "actions": {"publish": 0, "hold": 1, "reject": 0},
            "labels": {"spam": 1, "hate": 0, "on_topic": 0},
        },
    ]


def test_memory_does_not_grow_with_the_comments() -> None:
    import tracemalloc

    def held(comments: int) -> int:
        tracemalloc.start()
        tally = Tally(dict.fromkeys(LABELS, 0.5))
        for number in range(comments):
            scores = dict.fromkeys(LABELS, number * 7 % 1000 / 1000)
            tally.add(row(f"text {number} " * 20, scores=scores, verdict="publish", action="hold"))
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return kept

    held(1000)  # imports and compilation of the first run do not count
    assert held(8000) < held(1000) + 200_000
