"""Problems of the data are reported before training, by corpus and row."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from belowline.data.example import Example, Split, known
from belowline.training.dataset.checks import Checks, Finding, check, check_examples, report
from belowline.training.errors import DataProblem
from belowline.training.recipes.recipe import Recipe
from tests.support.tiny_training import write_corpora, write_decisions

QUIET = Console(quiet=True)
OFFER = "Hello friends, I earn two hundred a week from home, ask me how on my page today"
NEARLY = OFFER + " please"
OTHER = "The committee voted for the longer route along the old canal, said a clerk on Tuesday"


def recipe(**checks: object) -> Recipe:
    content = {"name": "trial", "base": "none", "labels": ["spam", "hate"], "mix": {"decisions": 1.0}}
    return Recipe.model_validate(content | {"checks": {"fewest": 1, "wrong_labels": False} | checks})


def example(
    text: str,
    row: str,
    split: Split = "train",
    source: str = "toy",
    key: str | None = None,
    slice_: str = "",
    **labels: float,
) -> Example:
    return Example(text, known(**labels), source, row, key or row, split=split, slice=slice_)


def found(*examples: Example, **checks: object) -> dict[str, list[Finding]]:
    """Return the findings by problem."""
    findings = check_examples(examples, recipe(**checks), QUIET).findings
    return {kind: [f for f in findings if f.problem == kind] for kind in {f.problem for f in findings}}


def test_copies_with_opposite_verdicts() -> None:
    given = (
        example(OFFER, "1", spam=1.0),
        example(NEARLY, "2", source="decisions:herald", slice_="random", spam=0.0),
        example(OTHER, "3", spam=0.0),
        example(OTHER.upper(), "4", spam=0.6, hate=1.0),
        example(OTHER, "5", spam=0.4, hate=0.0),
    )
    spam, hate = found(*given)["contradictory"]
    assert (spam.problem, spam.about.split(":")[0]) == ("contradictory", "spam")
    assert spam.rows == ((("toy", "1"), ("decisions:herald", "2")), (("toy", "3"), ("toy", "4")))
    assert hate.rows == ((("toy", "4"), ("toy", "5")),), "votes of 0.6 and 0.4 do not contradict each other"


def test_twins_of_a_corpus_are_meant_to_differ_and_equal_texts_are_not() -> None:
    twins = (example(OFFER, "1", key="pair", spam=1.0), example(NEARLY, "2", key="pair", spam=0.0))
    assert "contradictory" not in found(*twins)
    equal = (example(OFFER, "1", key="pair", spam=1.0), example(OFFER, "2", key="pair", spam=0.0))
    assert found(*equal)["contradictory"][0].count == 1
    site = {"source": "decisions:herald", "key": "thread", "slice_": "random"}
    own = (example(OFFER, "1", spam=1.0, **site), example(NEARLY, "2", spam=0.0, **site))  # type: ignore[arg-type]
    assert found(*own)["contradictory"][0].count == 1


def test_a_row_with_own_labels_may_contradict_its_corpus_but_no_other_row() -> None:
    own = example(OFFER, "toy:1", source="own-labels", spam=0.0)
    assert "contradictory" not in found(example(OFFER, "1", spam=1.0), own)
    assert found(example(OFFER, "2", spam=1.0), own)["contradictory"][0].count == 1


def test_near_copies_in_two_splits() -> None:
    given = (
        example(OFFER, "1", spam=1.0),
        example(NEARLY, "2", "test", spam=1.0),
        example(OFFER, "3", "test", spam=1.0),  # equal: mixing already removes it from train
        example(OTHER, "4", "validation", spam=0.0),
    )
    (leak,) = found(*given)["leakage"]
    assert leak.problem == "leakage"
    assert leak.about.endswith("1 of test and train")
    assert leak.rows == ((("toy", "1"), ("toy", "2")),)


def test_labels_with_few_examples_are_counted_by_split_and_side() -> None:
    given = [example(f"{n}", str(n), "train", spam=n % 2) for n in range(5)]
    spam, hate = found(*given, example("x", "x", "test", spam=1.0), fewest=3)["few-examples"]
    wanted = (
        "train positive 2, validation positive 0, validation negative 0, test positive 1, test negative 0"
    )
    assert spam.about == f"spam: fewer than 3 examples: {wanted}"
    assert hate.about.startswith("hate:")


def test_decisions_of_one_side_and_none_at_random() -> None:
    site = {"source": "decisions:herald", "slice_": "picked"}
    one_sided = [example(OFFER, "1", spam=1.0, **site), example(OTHER, "2", hate=0.0, **site)]  # type: ignore[arg-type]
    problems = found(*one_sided)
    assert problems["one-sided"][0].about.startswith("decisions:herald:")
    assert problems["one-sided"][0].stops
    assert problems["only-picked"][0].rows == ((("decisions:herald", "1"),), (("decisions:herald", "2"),))
    both = [*one_sided, example("words", "3", source="decisions:herald", slice_="random", spam=0.0)]
    assert not {"one-sided", "only-picked"} & found(*both).keys()


def test_what_stops_is_said_in_one_line_without_any_text(tmp_path: Path) -> None:
    given = (example(OFFER, "1", spam=1.0), example(OFFER, "2", spam=0.0))
    console = Console(record=True, quiet=False, width=200, file=(tmp_path / "said").open("w"))
    checks = check_examples(given, recipe(stop_on=["contradictory"]), console)
    with pytest.raises(DataProblem, match=r"contradictory: spam: .* \(1\)") as caught:
        report(checks, tmp_path, console)
    assert "\n" not in str(caught.value)
    assert "contradictory" in console.export_text(clear=False)
    cases = sum(finding.count for finding in checks.findings)
    total = f"{cases:,} cases of {len(checks.findings)} problems; {tmp_path / 'data_checks.json'}"
    assert total in console.export_text(clear=False)
    assert "Hello" not in console.export_text() + str(caught.value) + repr(checks)
    lenient = check_examples(given, recipe(stop_on=[]), QUIET)
    report(lenient, tmp_path, QUIET)
    report(Checks(0, 0.0, ()), tmp_path, QUIET)


def test_checking_writes_the_rows_it_names_and_says_what_is_missing(tmp_path: Path) -> None:
    corpora = write_corpora(tmp_path / "corpora")
    files = [write_decisions(tmp_path / "decisions.jsonl", 80)]
    mix = {"decisions": 1.0, "sms-spam": 1.0, "youtube-spam": 1.0, "jigsaw": 1.0}
    given = recipe(wrong_labels=True).model_copy(update={"mix": mix})
    given = given.model_copy(update={"replay": given.replay.model_copy(update={"optional": True})})
    here, examples, missing = check(given, corpora, tmp_path / "run", QUIET, files)
    assert missing == ["jigsaw"]
    assert set(here.mix) == mix.keys() - {"jigsaw"}
    written = json.loads((tmp_path / "run" / "data_checks.json").read_text("utf-8"))
    assert written["examples"] == len(examples) == 80 + 90 + 320
    leak = next(finding for finding in written["findings"] if finding["problem"] == "leakage")
    assert leak["count"] >= len(leak["rows"])
    assert "decisions:herald" in {source for source, _ in leak["rows"][0]}, "a site's own rows come first"
    text = (tmp_path / "run" / "data_checks.json").read_text("utf-8")
    assert not any(example.text in text for example in examples)
