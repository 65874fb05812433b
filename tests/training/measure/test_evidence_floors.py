"""Evidence floors: the best character F1 on posts of a label, for labels with enough marked ones."""

import re
from typing import Any

from datasets import Dataset
from rich.console import Console

from belowline.model import Scorer
from belowline.model.directory import EvidenceChannel
from belowline.training.measure.evidence_floors import _marked, fit_floors

QUIET = Console(quiet=True)


class Strong(Scorer):
    """A scorer whose channels are 0.66 strong on the word ``fool``, and 0.46 on every other word."""

    labels = ("toxicity", "threat")

    def __init__(self) -> None:
        pass

    def token_strengths(self, text: str) -> dict[str, dict[tuple[int, int], float]]:
        """Strengths of the words of ``text`` in two channels."""
        found = {m.span(): 0.66 if m[0] == "fool" else 0.46 for m in re.finditer(r"\w+", text)}
        return {"toxicity": found, "threat": found}


def mark(text: str, part: str, label: str, strength: float = 1.0) -> dict[str, Any]:
    start = text.index(part)
    return {"label": label, "start": start, "end": start + len(part), "strength": strength}


TEXT = "you fool of a reader"
CHANNELS = {label: EvidenceChannel(channel=label, floor=0.5) for label in ("toxicity", "threat")}


def row(*spans: dict[str, Any], threat: float | None = None) -> dict[str, Any]:
    """A post that is toxic, and whose annotators were asked for marks."""
    return {"text": TEXT, "labels": [1.0, threat], "spans": list(spans), "spans_known": True}


def test_a_label_gets_the_best_floor_and_one_with_few_marks_keeps_its_own() -> None:
    rows = [row(mark(TEXT, "fool", "personal_attack"))] * 30
    rows += [row(mark(TEXT, TEXT, "threat"), threat=1.0)] * 29
    few = fit_floors(Strong(), Dataset.from_list(rows), CHANNELS, QUIET)
    assert few["threat"].floor == 0.5
    more = fit_floors(Strong(), Dataset.from_list([*rows, *rows]), CHANNELS, QUIET)
    assert more["threat"].floor <= 0.45
    word = fit_floors(Strong(), Dataset.from_list(rows[:30]), CHANNELS, QUIET)
    assert 0.46 < word["toxicity"].floor <= 0.66


def test_posts_of_the_label_without_marks_count_and_others_do_not() -> None:
    marked = [row(mark(TEXT, TEXT, "threat"), threat=1.0)] * 30
    unmarked = [row(threat=1.0)] * 60
    strict = fit_floors(Strong(), Dataset.from_list([*marked, *unmarked]), CHANNELS, QUIET)
    assert strict["threat"].floor > 0.66
    unasked = [one | {"spans_known": False} for one in unmarked]
    harmless = [row(threat=value) for value in (0.0, None)] * 30
    same = fit_floors(Strong(), Dataset.from_list([*marked, *unasked, *harmless]), CHANNELS, QUIET)
    assert same["threat"].floor <= 0.45


def test_marks_of_half_of_the_annotators_count_and_toxicity_takes_all_but_spam() -> None:
    spans = [
        mark(TEXT, "you fool", "threat", 0.3),
        mark(TEXT, "fool", "threat", 0.3),
        mark(TEXT, "a", "spam"),
    ]
    rows = {7: row(*spans)}
    for label in ("threat", "toxicity"):
        [mask] = _marked(rows, label).values()
        assert "".join(letter for letter, inside in zip(TEXT, mask, strict=True) if inside) == "fool"
    assert not _marked(rows, "hate")[7].any()
    many = {at: row() for at in range(1000)}
    read = list(_marked(many, "threat"))
    assert len(read) == 400
    assert read[-1] > 700, "posts of all corpora are read"
