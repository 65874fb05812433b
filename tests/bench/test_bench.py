"""Benchmarks as code: figures against hand calculations, files and resumption of a run, and texts of the page.

No test asserts a time.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from belowline.model.directory import DEFAULT_MODEL_DIR
from tests.bench import charts, machine, rounds
from tests.bench.__main__ import PARTS, main
from tests.bench.client import closed, requests, trivial
from tests.bench.cost import core_table, hours
from tests.bench.figures import curve, exponent, figure, number, ratio, ratios, slope
from tests.bench.growth import audit_seconds, call_seconds, length_ms
from tests.bench.networks import lists
from tests.bench.page import render
from tests.bench.products import Limit, operations, products_of
from tests.bench.protocols import CALLS
from tests.bench.rounds import alternate, in_child, rate
from tests.bench.texts import endless, of_length, short, texts_for


def quiet(_: str) -> None:
    pass


def test_a_figure_is_of_its_rounds() -> None:
    found = figure([3.0, 1.0, 2.0, 9.0], "ms")
    assert (found["median"], found["low"], found["high"], found["count"]) == (2.5, 1.0, 9.0, 4)
    assert found["values"] == [3.0, 1.0, 2.0, 9.0]


def test_ratios_are_of_the_same_round() -> None:
    """A machine at half speed in the second round does not change the ratio.

    Medians of the two sides would not show that certainty.
    """
    rates = {"ours": [100.0, 50.0], "theirs": [10.0, 5.0], "others": [20.0, 5.0]}
    found = ratios(rates, "ours")
    assert set(found) == {"theirs", "others"}
    assert (found["theirs"]["low"], found["theirs"]["high"]) == (10.0, 10.0)
    assert (found["others"]["low"], found["others"]["median"], found["others"]["high"]) == (5.0, 7.5, 10.0)
    assert ratio([1.0], [4.0], "%")["median"] == 25.0


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_of_a_known_power(power: float) -> None:
    sizes = [10, 100, 1000]
    assert exponent(sizes, [3 * size**power for size in sizes]) == pytest.approx(power)


def test_a_curve_is_fitted_where_it_says() -> None:
    """Flat below 100, quadratic above."""
    points = {1: [5.0], 10: [5.0], 100: [5.0, 4.0, 6.0], 1000: [500.0]}
    found = curve("a", "comments", "s", points, fitted_from=100)
    assert found["exponent"] == pytest.approx(2)
    assert found["fitted"] == [100, 1000]
    assert [point["at"] for point in found["points"]] == [1, 10, 100, 1000]
    assert slope(-0.001) == "0.00"


@pytest.mark.parametrize(
    ("value", "told"), [(1234.5, "1,234"), (31.44, "31.4"), (0.02712, "0.0271"), (0, "0"), (99.96, "100.0")]
)
def test_numbers_have_three_digits_that_count(value: float, told: str) -> None:
    assert number(value) == told


def test_rounds_go_by_turns_and_back() -> None:
    asked: list[str] = []
    runs = {name: lambda name=name: float(asked.append(name) or len(asked)) for name in "abc"}
    found = alternate(runs, 3, quiet)
    assert asked == [*"abc", *"cba", *"abc"]
    assert found == {"a": [1, 6, 7], "b": [2, 5, 8], "c": [3, 4, 9]}


def test_what_is_fast_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "seconds", lambda run: run())
    assert rate(lambda: 0.5, 10) == 20
    times = iter([1.0, 0.5, 0.5, 9.0])
    assert rate(lambda: next(times), 10, least=2.0) == 15


def grown(mib: int) -> int:
    return len(bytearray(b"x") * (mib * 2**20))


@pytest.mark.slow
def test_memory_is_that_of_a_process_of_its_own() -> None:
    here = bytearray(b"x") * (300 * 2**20)
    small, large = in_child(grown, 1), in_child(grown, 200)
    assert large.result == 200 * 2**20
    assert 150 < large.peak_mib - small.peak_mib < 250
    assert small.peak_mib < len(here) / 2**20


def test_what_growth_measures_can_be_asked_for_one_size() -> None:
    model = str(DEFAULT_MODEL_DIR)
    assert call_seconds(model, 3) > 0
    assert audit_seconds(model, 3) > 0
    assert length_ms(model, 300, ["some words"]) > 0


def test_texts_are_never_the_same_twice() -> None:
    texts = texts_for(700, Path("nowhere"))[0]
    assert len(set(texts)) == len(texts) == 700
    endlessly = endless(["a", "b"])
    assert [next(endlessly) for _ in range(5)] == ["a", "b", "a 1", "b 1", "a 2"]
    made = [of_length(50, endless(["some words"]), number) for number in range(3)]
    assert [len(text) for text in made] == [50, 50, 50]
    assert len({*made, short(1), short(2)}) == 5
    assert lists("abcde", 2) == ["ab", "cd", "e"]


def product_model(file: Path) -> None:
    """A token meets an int8 weight of 8 × 4 twice and an fp32 weight of 4 × 2; a text meets one of 4 × 3."""
    rng = np.random.default_rng(0)
    weights = {"w8": (8, 4), "w8b": (8, 4), "w4": (4, 2), "head": (4, 3)}
    constants = [
        numpy_helper.from_array(
            rng.integers(-9, 9, shape, dtype=np.int8)
            if name.startswith("w8")
            else rng.normal(size=shape).astype(np.float32),
            name,
        )
        for name, shape in {**weights, "table": (5, 8)}.items()
    ]
    constants.append(numpy_helper.from_array(np.array([1], np.int64), "one"))
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["states"]),
        helper.make_node("DynamicQuantizeLinear", ["states"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "w8", "z"], ["a"]),
        helper.make_node("MatMulInteger", ["q", "w8b", "z"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["ab"]),
        helper.make_node("Cast", ["ab"], ["c"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["c", "w4"], ["tokens"]),
        helper.make_node("ReduceMean", ["c", "one"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "head"], ["text"]),
    ]
    given = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("tokens", "text")]
    graph = helper.make_graph(nodes, "products", given, made, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(file))


def test_products_of_tokens_are_counted_and_those_of_texts_are_not(tmp_path: Path) -> None:
    product_model(tmp_path / "model.onnx")
    found = products_of(tmp_path / "model.onnx")
    assert found.int8 == Counter({(8, 4): 2})
    assert found.fp32 == Counter({(4, 2): 1})
    assert (operations(found.int8), operations(found.fp32)) == (2 * 2 * 8 * 4, 2 * 4 * 2)


def test_the_released_model_has_the_products_of_its_layers() -> None:
    """Six layers of width 384, middle layers four times as wide, in int8 or in fp32, and evidence per token."""
    found = products_of(DEFAULT_MODEL_DIR / "model.onnx")
    layers = 6 * (4 * 384 * 384 + 2 * 384 * 1536)
    assert operations(found.int8) + operations(found.fp32) == 2 * (layers + 7 * 384)


def test_the_limit_weighs_shapes_by_how_often_they_occur(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = Limit(Counter({(16, 8): 3, (8, 8): 1}), threads=2, least_operations=1e5)
    assert limit.rate_of((16, 8)) > 0
    monkeypatch.setattr(limit, "rate_of", {(16, 8): 100.0, (8, 8): 10.0}.__getitem__)
    assert limit.rate() == pytest.approx((768 + 128) / (768 / 100 + 128 / 10))
    assert limit.by_shape == {(16, 8): [100.0], (8, 8): [10.0]}


def test_hours_and_cores() -> None:
    assert hours(1_000_000 / 3600) == pytest.approx(1)
    table = core_table({1: [100.0, 100.0], 2: [180.0, 180.0]})
    told = {row[0]: (row[1], row[3]) for row in table["rows"]}
    assert told[2] == ("180", "measured")
    assert told[8] == ("583", "extrapolated")  # 100 × 1.8³
    assert [row[3] for row in core_table({1: [100.0]})["rows"]] == ["measured"]


def test_the_client_gets_every_answer() -> None:
    with trivial(b'{"a": 1}') as url:
        answered = closed(url, "score", [short(number) for number in range(9)], clients=4)
        in_lists = closed(url, "score", [short(number) for number in range(9)], clients=2, size=4)
    assert (answered.statuses, len(answered.seconds)) == ({200: 9}, 9)
    assert in_lists.statuses == {200: 3}
    assert answered.processor_s > 0
    bodies = [json.loads(one.body)["comments"] for one in requests("score", ["a", "b", "c"], 2)]
    assert bodies == [[{"text": "a"}, {"text": "b"}], [{"text": "c"}]]
    assert len({one.id for one in requests("comments", ["a", "b"])}) == 2


def test_strips_and_pieces_are_to_scale() -> None:
    near = charts.strips({"a": figure([5.0], "ms"), "b": figure([10.0], "ms")})
    assert (near["a"].middle, near["b"].middle) == (50.0, 100.0)
    far = charts.strips({"a": figure([1.0], "ms"), "b": figure([10.0], "ms"), "c": figure([100.0], "ms")})
    assert far["b"].middle - far["a"].middle == pytest.approx(far["c"].middle - far["b"].middle)
    assert charts.strips({"a": figure([1.0], "ms"), "b": figure([1.0], "%")}) == {}
    assert charts.strips({"a": figure([0.0], "%"), "b": figure([0.0], "%")}) == {}
    bar = charts.pieces({"a": figure([1.0], "ms"), "b": figure([3.0], "ms")})
    assert [(one.start, one.width) for one in bar] == [(0.0, 25.0), (25.0, 75.0)]


def test_the_fit_of_an_exact_power_goes_through_its_points() -> None:
    points = {size: [2.0 * size] for size in (10, 100, 1000)}
    drawn = charts.plot(curve("a", "comments", "s", points))
    ends = [drawn.points[0], drawn.points[-1]]
    assert drawn.fit == "M" + "L".join(f"{x:.1f} {middle:.1f}" for x, _, middle, _ in ends)
    assert [tick.label for tick in drawn.across] == ["10", "100", "1k"]
    flat = charts.plot(curve("a", "comments", "MiB", {1: [150.0], 10: [150.0]}))
    assert 2 <= len(flat.up) <= 6
    assert all(charts.TOP <= tick.at <= charts.HEIGHT - charts.BOTTOM for tick in flat.up)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output folder of a quick run of the parts that need neither torch nor a service."""
    folder = tmp_path_factory.mktemp("bench")
    assert main(["--quick", "--parts", "limit,queue", "--out", str(folder), "--corpora", "nowhere"]) == 0
    return folder


@pytest.fixture
def bench(out: Path) -> dict[str, Any]:
    return json.loads((out / "bench.json").read_text("utf-8"))


def figures_in(content: Any) -> Iterator[dict[str, Any]]:
    if isinstance(content, dict) and "median" in content:
        yield content
    elif isinstance(content, dict | list):
        for one in content.values() if isinstance(content, dict) else content:
            yield from figures_in(one)


@pytest.mark.slow
def test_a_run_says_on_what_and_keeps_every_round(bench: dict[str, Any]) -> None:
    facts = bench["facts"]
    assert facts["machine"]["cores"] == rounds.cores()
    assert facts["machine"]["memory_gib"] > 0
    assert {"Python", "onnxruntime", "torch", "transformers", "tokenizers"} <= set(facts["versions"])
    assert re.fullmatch(r"[0-9a-f]{64}", facts["model"]["digest"])
    assert list(bench["parts"]) == ["limit", "queue"]
    found = list(figures_in(bench))
    assert len(found) > 25
    for one in found:
        assert one["low"] <= one["median"] <= one["high"]
        assert one["count"] == len(one["values"]) > 0


@pytest.mark.slow
def test_the_share_of_the_limit_follows_from_the_rates(bench: dict[str, Any]) -> None:
    speeds, shares = (group["rows"] for group in bench["parts"]["limit"]["groups"][:2])
    limit = speeds["limit: the products alone"]["values"]
    for name, share in shares.items():
        assert share["values"] == pytest.approx(
            [100 * one / of for one, of in zip(speeds[name]["values"], limit, strict=True)]
        )
    (bar,) = bench["parts"]["limit"]["bars"]
    assert {"normalise", "run the network", "language", "all else"} < set(bar["pieces"])


@pytest.mark.slow
def test_the_page_has_every_figure_and_no_script(out: Path, bench: dict[str, Any]) -> None:
    page = (out / "bench.html").read_text("utf-8")
    assert not re.search(r"<script|javascript:|\son\w+=|https?://", page)
    cells = Counter(re.findall(r'<td class="number[^>]*>([^<&]+)', page))
    wanted = Counter(number(one[key]) for one in figures_in(bench) for key in ("median", "low", "high"))
    assert not wanted - cells
    for told in (bench["facts"]["commit"], bench["facts"]["model"]["digest"], "A quick run"):
        assert told in page
    for one in bench["parts"]["queue"]["curves"]:
        assert f"exponent <b>{slope(one['exponent'])}</b>" in page


@pytest.mark.slow
def test_the_page_is_made_from_the_json_alone(out: Path, tmp_path: Path, bench: dict[str, Any]) -> None:
    (tmp_path / "bench.json").write_bytes((out / "bench.json").read_bytes())
    assert main(["--render", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "bench.html").read_bytes() == (out / "bench.html").read_bytes()
    bench["facts"]["machine"]["processor"] = "<b>"
    assert "<b>," not in render(bench)
    assert main(["--render", "--out", str(tmp_path / "nothing")]) == 2


@pytest.mark.slow
def test_a_stopped_run_goes_on_with_what_is_missing(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("run.json", "parts/limit.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((out / name).read_bytes())
    measured: list[str] = []
    monkeypatch.setattr(
        "tests.bench.queue.run", lambda *_: measured.append("queue") or {"title": "Q", "about": []}
    )
    monkeypatch.setattr("tests.bench.limit.run", lambda *_: measured.append("limit"))
    again = ["--quick", "--parts", "queue,limit", "--out", str(tmp_path)]
    assert main(again) == 0
    assert main(again) == 0
    assert measured == ["queue"]
    bench = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    assert list(bench["parts"]) == ["limit", "queue"]
    assert len(bench["starts"]) == 2  # the third measures nothing


@pytest.mark.slow
def test_results_of_different_circumstances_are_not_mixed(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (out / "bench.json").read_bytes()
    assert main(["--parts", "queue", "--out", str(out)]) == 2  # not quick
    assert "holds results of another quick" in " ".join(capsys.readouterr().err.split())
    assert (out / "bench.json").read_bytes() == before


def test_a_part_that_fails_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.limit.run", lambda *_: 1 / 0)
    monkeypatch.setattr("tests.bench.queue.run", lambda *_: {"title": "Q", "about": ["Works."]})
    assert main(["--quick", "--parts", "limit,queue", "--out", str(tmp_path)]) == 1
    assert list(json.loads((tmp_path / "bench.json").read_text("utf-8"))["parts"]) == ["queue"]
    assert "Works." in (tmp_path / "bench.html").read_text("utf-8")


@pytest.mark.slow
def test_who_else_was_at_work_is_told(bench: dict[str, Any]) -> None:
    bench["facts"]["quick"], bench["facts"]["commit"] = False, "abc"
    bench["starts"] = [{"at": "2026-01-01T00:00:00+00:00", "load": 0.1}]
    for part in bench["parts"].values():
        part["others"] = 0.01
    assert machine.warnings(bench) == []
    bench["starts"].append({"at": "2026-01-02T00:00:00+00:00", "load": 3.0})
    bench["parts"]["queue"]["others"] = 0.4
    found = machine.warnings(bench)
    assert ["load average 3.0" in one for one in found] == [True, False]
    assert "40 %" in found[1]
    assert render(bench).count("<b>Warning.</b>") == 2


@pytest.mark.slow
def test_the_work_of_children_is_not_that_of_others() -> None:
    """Three children use one second of processor time each; none of it counts as used by others."""
    before, others = machine._processor_seconds(), machine.Others()
    for _ in range(3):
        in_child(worked, 1.0)
    whole, busy = (after - one for after, one in zip(machine._processor_seconds(), before, strict=True))
    assert others.share() * whole <= busy - 2.9


def worked(processor_s: float) -> None:
    while time.process_time() < processor_s:
        pass


def test_parts_are_known_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--parts", "limit,nothing"])
    assert "nothing: unknown" in capsys.readouterr().err
    assert len(set(PARTS)) == len(PARTS)


@pytest.mark.slow
def test_the_service_beside_the_scorer(tmp_path: Path) -> None:
    """Real services, workers and all protocols; each part contains all promised figures."""
    arguments = ["--quick", "--parts", "service,protocols", "--out", str(tmp_path), "--corpora", "nowhere"]
    assert main(arguments) == 0
    parts = json.loads((tmp_path / "bench.json").read_text("utf-8"))["parts"]
    assert [group["title"] for group in parts["protocols"]["groups"]] == list(CALLS)
    groups = parts["service"]["groups"]
    rates, shares = groups[0]["rows"], groups[1]["rows"]
    for name, share in shares.items():
        expected = 100 * rates[name]["median"] / rates["bare Scorer"]["median"]
        assert share["median"] == pytest.approx(expected)
    at = {group["title"]: group["rows"] for group in groups}
    overload = at["At 3 times the capacity"]
    told = ("answered 200", "answered 429", "answered anything else, or nothing")
    assert sum(overload[name]["median"] for name in told) == pytest.approx(100)
    usual = next(rows for title, rows in at.items() if title.startswith("At 70"))
    assert usual["p50"]["median"] <= usual["p95"]["median"] <= usual["p99"]["median"]
    workers = next(rows for title, rows in at.items() if title.startswith("Workers"))
    expected = workers["2 workers"]["median"] / workers["1 worker"]["median"]
    assert workers["2 workers by 1 worker"]["median"] == pytest.approx(expected)
