"""The service over HTTP and the bare Scorer: capacity, latency, overload, workers."""

import asyncio
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from belowline.model import ScoreInput, Scorer
from belowline.model.normalise import normalise
from belowline.model.windows import windows_of
from belowline.serve.http.schemas import MAX_COMMENTS
from tests.bench.client import HEADERS, KEY, Answered, closed, opened, requests, trivial
from tests.bench.figures import Figure, figure, group, ratio, ratios
from tests.bench.load import Stage
from tests.bench.rounds import Setup, Step, alternate, client_process, cores, loaded, rate, seconds
from tests.bench.texts import endless
from tests.support.served_process import Served, served
from tests.support.wire import Wire

CLIENTS, LIST, LONG = 32, 16, MAX_COMMENTS
_KEYS = {"api_keys": KEY}
BARE, ONE, LISTS, KEPT = (
    "bare Scorer",
    "/v1/score, one comment",
    f"/v1/score, {LIST} comments",
    "/v1/comments, kept",
)
USUAL, OVERLOADS = 0.7, (1.5, 3.0)


@dataclass(slots=True)
class Bench:
    """Objects of a measurement: a service, clients in their own process, and a Scorer."""

    service: Served
    callers: ProcessPoolExecutor
    scorer: Scorer
    texts: Iterator[str]
    setup: Setup
    step: Step

    def take(self, count: int) -> list[str]:
        """Return ``count`` texts that were not used before."""
        return list(islice(self.texts, count))

    def closed(self, kind: str, texts: Sequence[str], clients: int = CLIENTS, size: int = 1) -> Answered:
        """Run sequential requests in the clients' process."""
        return self.callers.submit(closed, self.service.url, kind, texts, clients, size).result()


def run(setup: Setup, step: Step) -> dict[str, Any]:
    """Measure one service, and a second one for workers."""
    step("starting the service")
    found, source = setup.texts(setup.pick(11_000, 300))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        service = stack.enter_context(served(folder, "--model", str(setup.model.resolve()), settings=_KEYS))
        callers = stack.enter_context(client_process())
        scorer = loaded(setup.model)
        bench = Bench(service, callers, scorer, endless(found), setup, step)
        bench.closed("score", bench.take(setup.pick(100, 4)), 4)
        capacity, groups = _capacity(bench)
        groups += [
            _client_cost(bench),
            *_lone(bench),
            _usual(bench, capacity),
            _beside_lists(bench, capacity),
        ]
        groups += _overloads(bench, capacity)
        groups.append(_workers(bench, stack.enter_context(tempfile.TemporaryDirectory())))
    return {"title": "The service over HTTP", "about": _about(source), "groups": groups}


def _capacity(bench: Bench) -> tuple[float, list[dict[str, Any]]]:
    """Comments per second of one-comment requests, and the report of each way's capacity."""
    count, rounds, processor = bench.setup.pick(960, 16), bench.setup.pick(3, 1), []
    # Each way gets the same texts with a different mark, because repeated texts are answered from the cache.
    base = [bench.take(count) for _ in range(rounds)]
    turns = {mark: iter(base) for mark in "abcd"}

    def marked(mark: str) -> list[str]:
        return [f"{text} {mark}" for text in next(turns[mark])]

    def bare() -> float:
        comments = [ScoreInput(text) for text in marked("a")]
        return rate(lambda: bench.scorer.score(comments), count)

    def over_http(kind: str, mark: str, size: int = 1) -> float:
        answered = bench.closed(kind, marked(mark), size=size)
        if size == 1 and kind == "score":
            processor.append(answered.processor_s / answered.wall / cores() * 100)
        return count / answered.wall

    runs: dict[str, Callable[[], float]] = {
        BARE: bare,
        ONE: lambda: over_http("score", "b"),
        LISTS: lambda: over_http("score", "c", LIST),
        KEPT: lambda: over_http("comments", "d"),
    }
    rates = alternate(runs, rounds, lambda told: bench.step(f"capacity, {told}"))
    shares = {name: ratio(rates[name], rates[BARE], "%") for name in rates if name != BARE}
    return statistics.median(rates[ONE]), [
        group(
            f"Capacity with {CLIENTS} clients, comments a second",
            {name: figure(values, "/s") for name, values in rates.items()},
        ),
        group("Throughput as a share of the bare Scorer's, round by round", shares),
        group("The clients' share of the processor time meanwhile", {ONE: figure(processor, "%")}),
    ]


def _client_cost(bench: Bench) -> dict[str, Any]:
    """Client-side processor time of a request, against a server that does no work."""
    bench.step("what the client alone costs")

    async def answer() -> bytes:
        wire = Wire(bench.service.url, HEADERS)
        body = (await wire.ask(requests("score", bench.take(1))[0]))[2]
        wire.close()
        return body

    texts = bench.take(bench.setup.pick(2000, 40))
    with trivial(asyncio.run(answer())) as url:
        costs = [
            bench.callers.submit(closed, url, "score", texts, CLIENTS).result().processor_s / len(texts)
            for _ in range(bench.setup.pick(3, 1))
        ]
    return group(
        "The client alone, against a server that answers the same to all: processor time of a request",
        {"client": figure([1000 * one for one in costs], "ms")},
    )


def _lone(bench: Bench) -> list[dict[str, Any]]:
    """Latency of single comments on an idle service, and of bare forward passes of the same texts."""
    http, bare, scored = [], [], []
    for turn in range(bench.setup.pick(5, 1)):
        bench.step(f"one comment on an idle service, round {turn + 1}")
        texts = bench.take(bench.setup.pick(60, 4))
        http.append(1000 * statistics.median(bench.closed("score", texts, 1).seconds))
        bare.append(1000 * statistics.median(_forward_seconds(bench.scorer, texts)))
        scored.append(1000 * statistics.median(_score_seconds(bench.scorer, texts)))
    rows = {"session.run alone": bare, "Scorer.score of one": scored, "over HTTP": http}
    return [
        group(
            "One comment on an idle service: median of its texts",
            {name: figure(v, "ms") for name, v in rows.items()},
        ),
        group("Over HTTP it takes longer than that, round by round", ratios(rows, "over HTTP")),
    ]


def _forward_seconds(scorer: Scorer, texts: Sequence[str]) -> list[float]:
    read = [windows_of(scorer.tokenizer, normalise(text).text, scorer.config.window) for text in texts]
    return [seconds(lambda one=one: [scorer._run(ids) for ids in one.ids]) for one in read]


def _score_seconds(scorer: Scorer, texts: Sequence[str]) -> list[float]:
    return [seconds(lambda text=text: scorer.score([ScoreInput(text)])) for text in texts]


def _stages(bench: Bench, share: float, capacity: float, rounds: int) -> list[dict[str, Any]]:
    """Rounds of arrivals at a share of the capacity."""
    found = []
    for turn in range(rounds):
        bench.step(f"arrivals at {share:g} times the capacity, round {turn + 1} of {rounds}")
        found.append(_arrivals(bench, share * capacity, bench.setup.pick(20.0, 0.5), turn))
    return found


def _arrivals(bench: Bench, per_second: float, length: float, turn: int) -> dict[str, Any]:
    """One stage of arrivals; each ``turn`` has other random moments."""
    texts = bench.take(int(per_second * length * 1.3) + 10)
    return bench.callers.submit(opened, bench.service.url, Stage(per_second, length), texts, turn).result()


def _usual(bench: Bench, capacity: float) -> dict[str, Any]:
    stages = _stages(bench, USUAL, capacity, bench.setup.pick(3, 1))
    rows = {
        f"p{share}": figure([one["milliseconds"][200][share] for one in stages], "ms")
        for share in (50, 95, 99)
    }
    return group(f"At {USUAL:.0%} of the capacity (arrivals at random moments): time to the answer", rows)


def _beside_lists(bench: Bench, capacity: float) -> dict[str, Any]:
    """Latency of single comments while another client sends lists of the maximum size without pause."""
    share, rounds = 0.2, bench.setup.pick(2, 1)
    alone = _stages(bench, share, capacity, rounds)
    beside, listed = [], []
    with client_process() as importer:
        for turn in range(rounds):
            bench.step(f"single comments beside long lists, round {turn + 1} of {rounds}")
            length = bench.setup.pick(15.0, 0.5)
            # Enough lists for the whole stage, even if single comments took no time.
            texts = bench.take(LONG * (int(length * capacity) // LONG + 1))
            lists = importer.submit(closed, bench.service.url, "score", texts, 1, LONG)
            beside.append(_arrivals(bench, share * capacity, length, turn))
            listed.append(len(texts) / lists.result().wall)
    rows = {
        f"p{point}, {told}": figure([one["milliseconds"][200][point] for one in found], "ms")
        for told, found in (("alone", alone), ("beside lists", beside))
        for point in (50, 99)
    }
    rows["comments of the lists meanwhile"] = figure(listed, "/s")
    return group(
        f"Single comments at {share:.0%} of the capacity, alone and beside a caller that sends lists of {LONG} without a pause",
        rows,
    )


def _overloads(bench: Bench, capacity: float) -> list[dict[str, Any]]:
    """Results above capacity; ``capacity`` is the closed-loop rate."""
    return [
        group(
            f"At {share:g} times the capacity",
            _overload_rows(_stages(bench, share, capacity, bench.setup.pick(2, 1)), capacity),
        )
        for share in OVERLOADS
    ]


def _overload_rows(stages: Sequence[dict[str, Any]], capacity: float) -> dict[str, Figure]:
    rows = {
        f"answered {status}": figure([100 * one["shares"].get(status, 0.0) for one in stages], "%")
        for status in (200, 429)
    }
    other = [100 * sum(v for s, v in one["shares"].items() if s not in (200, 429)) for one in stages]
    refused = [one["milliseconds"][429][50] for one in stages if 429 in one["milliseconds"]]
    rows["answered anything else, or nothing"] = figure(other, "%")
    if refused:
        rows["median time to a 429"] = figure(refused, "ms")
    accepted = [one["accepted"] for one in stages]
    rows["accepted"] = figure(accepted, "/s")
    rows["accepted, as a share of the capacity"] = figure([100 * one / capacity for one in accepted], "%")
    return rows


def _workers(bench: Bench, folder: str) -> dict[str, Any]:
    """One worker and two workers; each service is idle while the other is measured."""
    count = bench.setup.pick(960, 16)
    bench.step("starting a service of two workers")
    model = str(bench.setup.model.resolve())
    with served(Path(folder), "--model", model, "--workers", "2", settings=_KEYS) as two:
        urls = {"1 worker": bench.service.url, "2 workers": two.url}

        def measured(url: str) -> float:
            answered = bench.callers.submit(closed, url, "score", bench.take(count), CLIENTS).result()
            return count / answered.wall

        runs = {name: lambda url=url: measured(url) for name, url in urls.items()}
        measured(two.url)  # both workers have loaded what the first request loads
        rates = alternate(runs, bench.setup.pick(3, 1), bench.step)
    rows = {name: figure(values, "/s") for name, values in rates.items()}
    rows["2 workers by 1 worker"] = ratio(rates["2 workers"], rates["1 worker"])
    return group(f"Workers, {CLIENTS} clients with one comment a request, comments a second", rows)


def _about(source: str) -> list[str]:
    return [
        "A real belowline serve on a free port with a new SQLite database and a key, and clients in one other process on the "
        f"same {cores()} cores: what they use, the service lacks. Comments of {source}, none sent twice; where a round gives the "
        "same texts to several, each has a letter added, for a service answers repeats from a cache. The service is idle while the "
        "bare Scorer is measured.",
        "Arrivals at random moments (Poisson) do not wait for answers; their times count from when they were due. Shares of the capacity "
        "are of the median that one-comment requests reached in this run.",
    ]
