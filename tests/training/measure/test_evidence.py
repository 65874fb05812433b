"""Evidence compared with annotators' marks."""

import numpy as np
import pytest
from datasets import Dataset, DatasetDict
from rich.console import Console

from belowline.model import Scorer
from belowline.training.export.export import _with_evidence
from belowline.training.measure.evidence import (
    FLOORS,
    Post,
    best_floor,
    character_f1,
    characters,
    evidence_floors,
    marked_for,
    predicted,
)

QUIET = Console(quiet=True)
TEXT = "the link is daft"


def mask(text: str) -> np.ndarray:
    """``..xx`` as a mask."""
    return np.array([letter == "x" for letter in text])


@pytest.mark.parametrize(
    ("given", "marked", "f1"),
    [
        ("....", "....", 1.0),
        ("x...", "....", 0.0),
        ("....", "x...", 0.0),
        ("xx..", "xx..", 1.0),
        ("xx..", ".xx.", 0.5),
        ("xxxx", "x...", 0.4),
    ],
)
def test_character_f1(given: str, marked: str, f1: float) -> None:
    assert character_f1(mask(given), mask(marked)) == pytest.approx(f1)


def test_the_strongest_token_counts() -> None:
    found = characters({(0, 2): 0.4, (1, 4): 0.9, (6, 9): 0.2}, 7)
    assert found.tolist() == [0.4, 0.9, 0.9, 0.9, 0.0, 0.0, 0.2]


def test_a_space_between_two_words_is_as_strong_as_the_weaker() -> None:
    assert characters({(3, 5): 0.2, (0, 2): 0.9}, 6).tolist() == [0.9, 0.9, 0.2, 0.2, 0.2, 0.0]


def test_a_channel_is_read_from_its_own_floor() -> None:
    strengths = {"hate": np.array([0.9, 0.3, 0.1]), "threat": np.array([0.1, 0.1, 0.6])}
    assert predicted(strengths, {"hate": 0.5, "threat": 0.6}).tolist() == [True, False, True]
    assert predicted(strengths, {"hate": 0.3}).tolist() == [True, True, False]


# --- what is marked ---


def span(label: str, start: int, end: int, strength: float) -> dict[str, object]:
    return {"label": label, "start": start, "end": end, "strength": strength}


def test_what_a_channel_should_speak_for() -> None:
    third = float(np.float32(1 / 3))
    spans = [span("hate", 0, 2, third), span("hate", 0, 3, third), span("profanity", 4, 6, 2 * third)]
    assert marked_for("hate", spans, 6).tolist() == mask("xx....").tolist()
    assert marked_for("profanity", spans, 6).tolist() == mask("....xx").tolist()
    assert marked_for("toxicity", spans, 6).tolist() == mask("xx..xx").tolist()
    assert not marked_for("toxicity", [span("spam", 0, 6, 1.0)], 6).any()
    sixths = [span("threat", 0, end, float(np.float32(1 / 6))) for end in (1, 2, 3)]
    assert marked_for("threat", sixths, 3).tolist() == mask("x..").tolist()


# --- floors ---


def post(strength: float, marked: str) -> Post:
    """Return a post in which the marked characters have ``strength``, or the first character if none is marked."""
    found = np.where(mask(marked) if "x" in marked else np.arange(len(marked)) == 0, strength, 0.0)
    return Post({"hate": found}, mask(marked))


def test_the_best_floor_parts_marked_from_unmarked() -> None:
    posts = [post(0.62, "xx.."), post(0.58, "..x."), post(0.44, "...."), post(0.3, "....")]
    assert best_floor(posts, "hate") == 0.45
    assert best_floor([post(0.62, "xx.."), post(0.7, "....")], "hate") is None  # no better than no evidence
    assert best_floor([], "hate") is None
    assert (FLOORS[0], FLOORS[-1], len(FLOORS)) == (0.1, 0.9, 17)


def channel_strengths(scorer: Scorer, channel: str) -> np.ndarray:
    return characters(scorer.token_strengths(TEXT)[channel], len(TEXT))


def test_floors_come_from_rows_in_which_words_were_to_be_marked(tiny_scorer: Scorer) -> None:
    strengths = channel_strengths(tiny_scorer, "hate")
    top = int(strengths.argmax())
    spans = [span("hate", top, top + 1, 1.0)]
    asked = {"text": TEXT, "spans": spans, "spans_known": True}
    ignored = {"text": "you you you", "spans": [], "spans_known": False}
    found = evidence_floors(tiny_scorer, Dataset.from_list([asked, ignored]), ("hate", "threat"), QUIET)
    assert set(found) == {"hate"}
    assert found["hate"] <= strengths[top]
    assert evidence_floors(tiny_scorer, Dataset.from_list([ignored]), ("hate",), QUIET) == {}


def test_the_export_takes_floors_from_validation(tiny_scorer: Scorer) -> None:
    top = int(channel_strengths(tiny_scorer, "hate").argmax())
    row = {"text": TEXT, "spans_known": True}
    train = [{**row, "spans": [span("hate", 0, 3, 1.0), span("threat", 0, 3, 1.0)]}]
    data = DatasetDict(
        {
            "train": Dataset.from_list(train),
            "validation": Dataset.from_list([{**row, "spans": [span("hate", top, top + 1, 1.0)]}]),
        }
    )
    found = _with_evidence(data, tiny_scorer.config, tiny_scorer, QUIET)
    assert {label: evidence.channel for label, evidence in found.items()} == {
        "hate": "hate",
        "antisemitism": "hate",
        "threat": "threat",
    }
    floors = evidence_floors(tiny_scorer, data["validation"], ("hate",), QUIET)
    assert found["hate"].floor == found["antisemitism"].floor == floors["hate"]
    assert found["threat"].floor == 0.5  # validation has no marks of it


# --- the figure ---
