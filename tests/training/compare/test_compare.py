"""A whole comparison in miniature: results, files, terminal output, and reproducibility."""

import json
import re
import shutil
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from belowline.model import PolicyError
from belowline.model.digest import model_digest
from belowline.training.compare import compare as module
from belowline.training.compare import report
from belowline.training.compare.compare import Options, compare
from belowline.training.compare.comparison import Comparison
from belowline.training.errors import ContenderError
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.recipes.recipe import Gates
from tests.support.compare_world import spoil, write_run
from tests.support.tiny_model import build_tiny_model

QUIET = Console(quiet=True)
PARTS = {"resamples": 100, "speed_texts": 5, "fewest": 30}
GATES = Gates(min_examples=30, max_calibration_error=1.0, max_latency_ratio=1000)
"""Limits for a few dozen rows and a random model, on a machine that is busy with other tests."""


class World:
    """A run with a model, another model, and a damaged copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = write_run(folder)
        self.model = build_tiny_model(self.run / "released")
        self.other = build_tiny_model(folder / "other", seed=8, version="0.0.2-tiny")
        self.spoiled = spoil(Path(shutil.copytree(self.model, self.run / "spoiled")), 8.0)
        self.out = folder / "out"
        self.printed = StringIO()
        self.comparison, self.reports = self.compare(
            [str(self.model), str(self.other), f"tfidf:{self.run}"], self.out, self.printed
        )

    def compare(self, specs: list[str], out: Path, file: StringIO | None = None, **options: Any) -> Any:
        given: Any = {"run": self.run} | PARTS | options
        return compare(specs, out, Options(**given), Console(file=file or StringIO(), width=180), GATES)

    @property
    def json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.out / "compare.json").read_text("utf-8"))
        return content

    @property
    def page(self) -> str:
        return (self.out / "compare.html").read_text("utf-8")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("compare"))


def figures(comparison: Comparison, pair: int = 0) -> dict[tuple[str, str, str], Any]:
    return {(one.label, one.part, one.metric): one for one in comparison.pairs[pair].figures}


def test_the_baseline_that_learnt_beats_a_random_model(world: World) -> None:
    auc = figures(world.comparison, 1)["spam", "all", "auc"]
    assert (auc.verdict, auc.examples) == ("better", auc.examples)
    assert auc.b > 0.95
    assert {
        "auc",
        "average_precision",
        "f1",
        "calibration_error",
        "precision_at_hold",
        "recall_at_reject",
    } <= {one.metric for one in world.comparison.pairs[0].figures}


def test_what_one_does_not_know_is_said(world: World) -> None:
    _, pair = world.comparison.pairs
    assert "antisemitism" in pair.only_a
    assert not {label for label, *_ in figures(world.comparison, 1)} & set(pair.only_a)
    assert f"only A knows: {', '.join(pair.only_a)}" in " ".join(world.printed.getvalue().split())
    assert ", ".join(pair.only_a) in world.page


def test_the_terminal_tells_the_outcome(world: World) -> None:
    said = world.printed.getvalue()
    for words in ("auc", "changed decisions", "gates for", "Benjamini and Hochberg", "0.0.2-tiny"):
        assert words in said


def test_the_json_is_whole_and_holds_no_text(world: World) -> None:
    content = world.json
    assert [one["name"] for one in content["contenders"]] == [one.name for one in world.comparison.contenders]
    assert [len(pair["figures"]) for pair in content["pairs"]] == [
        len(one.figures) for one in world.comparison.pairs
    ]
    flips = content["pairs"][0]["flips"]
    assert sum(sum(judged.values()) for judged in flips["counts"].values()) == len(flips["rows"]) > 0
    assert content["facts"]["rows"] == len(RunDirectory(world.run).data()["test"])
    raw = (world.out / "compare.json").read_text("utf-8")
    assert not [text for text in RunDirectory(world.run).data()["test"]["text"] if text in raw]
    ids = {(row["source"], row["row"]) for row in RunDirectory(world.run).data()["test"]}
    assert {(flip["corpus"], flip["row"]) for flip in flips["rows"]} <= ids


def test_gates_are_bound_to_the_files_of_both(world: World) -> None:
    (report,) = world.json["gates"]  # the baseline is no model directory
    assert (report["baseline"], report["candidate"]) == (model_digest(world.model), model_digest(world.other))
    assert report["passed"] is world.reports[0].passed is False
    results = {one["name"]: one for one in report["results"]}
    assert results["size_ratio"]["outcome"] == "passed"


class Tags(HTMLParser):
    """The start tags of a page, and texts outside of any."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))


def test_the_page_needs_nothing_else(world: World) -> None:
    tags = Tags(world.page).found
    assert not {"script", "link", "iframe"} & {tag for tag, _ in tags}
    addresses = [value or "" for _, by in tags for name, value in by.items() if name in ("src", "href")]
    assert addresses == []
    assert "default-src 'none'" in world.page
    assert "url(" not in world.page


def test_texts_of_flips_are_blurred_until_they_are_opened(world: World) -> None:
    flips = re.findall(r'<details class="flip">(.*?)</details>', world.page, re.DOTALL)
    assert flips
    for flip in flips:
        summary, _, rest = flip.partition("</summary>")
        text = re.search(r"<blockquote[^>]*>(.*)</blockquote>", rest)
        assert text is not None
        assert text[1][:20] in summary.partition('class="blur"')[2]
        assert text[1][:20] not in summary.partition('class="blur"')[0]


def test_texts_are_escaped(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gather = module.gather_rows

    def with_markup(*arguments: Any) -> Any:
        rows = gather(*arguments)
        rows.texts[:] = [f"<script>alert({n})</script>" for n in range(len(rows.texts))]
        return rows

    monkeypatch.setattr(module, "gather_rows", with_markup)
    world.compare([str(world.model), str(world.spoiled)], tmp_path)
    page = (tmp_path / "compare.html").read_text("utf-8")
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_a_model_beside_itself_passes_every_gate_that_can_be_measured(world: World, tmp_path: Path) -> None:
    comparison, (report,) = world.compare([str(world.model)] * 2, tmp_path)
    assert comparison.pairs[0].verdicts() == {
        "better": 0,
        "worse": 0,
        "no difference": len(comparison.pairs[0].figures),
    }
    assert comparison.pairs[0].flips.counts == {}
    assert report.baseline == report.candidate
    by_name = {one.name: one for one in report.results}
    assert {name for name, one in by_name.items() if one.outcome == "not measurable"} <= {
        "bias_gap",
        "bias_gap_increase",
    }
    losses = ("slice_loss", "calibration_loss")
    assert [by_name[name].value for name in losses] == [0, 0]


@pytest.mark.slow
def test_a_spoiled_calibration_is_refused(world: World, tmp_path: Path) -> None:
    comparison, (report,) = world.compare([str(world.model), str(world.spoiled)], tmp_path)
    failed = {one.name for one in report.results if one.outcome == "failed"}
    [loss] = [one for one in report.results if one.name == "calibration_loss"]
    assert loss.value > loss.limit  # these corpora have too few clusters to exclude chance
    assert "slice_loss" not in failed  # the order of its probabilities is the same
    assert figures(comparison)["spam", "all", "auc"].difference == pytest.approx(0, abs=1e-6)
    assert set(comparison.pairs[0].flips.counts) == {"publish > hold"}


@pytest.mark.slow
def test_it_comes_out_the_same_every_time(world: World, tmp_path: Path) -> None:
    world.compare([str(world.model), str(world.other)], tmp_path, speed_texts=0)
    once = json.loads((tmp_path / "compare.json").read_text("utf-8"))
    shutil.rmtree(tmp_path / "scores")
    world.compare([str(world.model), str(world.other)], tmp_path, speed_texts=0)
    again = json.loads((tmp_path / "compare.json").read_text("utf-8"))
    for content in (once, again):
        del content["facts"]["seconds"]
    assert once == again
    assert once["speed"] == {}


@pytest.mark.slow
def test_an_interrupted_comparison_goes_on(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = [str(world.model), str(world.other)]
    monkeypatch.setattr(module, "differences", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        world.compare(specs, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["scores"]
    monkeypatch.undo()
    kept = {path: path.read_bytes() for path in (tmp_path / "scores").iterdir()}
    assert len(kept) == 2
    world.compare(specs, tmp_path)
    assert {path: path.read_bytes() for path in (tmp_path / "scores").iterdir()} == kept
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compare.html", "compare.json", "scores"]


def test_a_page_that_cannot_be_written_leaves_the_old_files(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("compare.json", "compare.html"):
        (tmp_path / name).write_text("old", "utf-8")
    monkeypatch.setattr(report, "speed_rows", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        world.compare([str(world.model), str(world.other)], tmp_path)
    assert {path.name: path.read_text("utf-8") for path in tmp_path.glob("compare.*")} == {
        "compare.json": "old",
        "compare.html": "old",
    }


def test_the_limit_and_the_policy_count(world: World, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("version = 'lax'\nlabels = ['spam']\n[thresholds.spam]\nhold = 1.0\n", "utf-8")
    comparison, _ = world.compare(
        [str(world.model), str(world.other)], tmp_path, limit=10, policy=policy, fewest=20
    )
    assert comparison.facts["corpora"] == {"civil-sample": 10, "sms-spam": 10, "youtube-spam": 10}
    assert comparison.facts["policy"] == "lax"
    assert comparison.pairs[0].flips.counts == {}
    with pytest.raises(PolicyError, match=r"no\.toml"):
        world.compare([str(world.model), str(world.other)], tmp_path, policy=tmp_path / "no.toml")


@pytest.mark.slow
def test_gates_of_a_recipe_are_used(world: World, tmp_path: Path) -> None:
    lax = GATES.model_copy(update={"allow_unmeasured": ("bias_gap", "bias_gap_increase")})
    specs = [str(world.model)] * 2
    options = Options(run=world.run, **PARTS)  # type: ignore[arg-type]
    assert compare(specs, tmp_path, options, QUIET, lax)[1][0].passed
    strict = lax.model_copy(update={"max_size_ratio": 0.5})
    assert not compare(specs, tmp_path, options, QUIET, strict)[1][0].passed


def test_nothing_is_written_where_there_is_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(ContenderError, match="no test rows"):
        compare(["a", "b"], tmp_path / "out", Options(), QUIET)
    assert not (tmp_path / "out").exists()
