"""Open-loop load on a running service: ``python -m tests.bench.load``.

Requests leave at random moments (Poisson) at a stated rate, whether earlier ones were answered or not. The time of a
request counts from the moment at which it was due, so a stall is charged to all requests that were due in it. Ids of
comments acknowledged with 2xx are recorded and compared with the store where it is available.

python -m tests.bench.load --rate 50 --rate 200 --seconds 10 --kind comments --out load.json
python -m tests.bench.load --soak 5 --rate 60
"""

import argparse
import asyncio
import itertools
import json
import random
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from belowline.serve.batch.atomic import replacing
from tests.support.served_process import Served, Usage, kept, served
from tests.support.wire import Sent, Wire

SITE = "load"
_RUN = secrets.token_hex(4)
_NUMBERS = itertools.count()
"""Ids of comments; unique to this process and never reused in it."""
MOST = 8192
"""Maximum number of connections.

It is far above the service's limit of waiting comments. Otherwise requests would queue in the client before the service
could refuse them.
"""
NOBODY = 0
"""Status of a request without an answer: refused, cut off, or timed out."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Requests of one kind at ``rate`` per second for ``seconds``; each times out after ``patience`` seconds."""

    rate: float
    seconds: float
    kind: str = "score"
    patience: float = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; ``seconds`` from when the request was due, ``after`` from the stage's start to that moment."""

    after: float
    seconds: float
    status: int
    retry_after: int | None = None
    accepted: str | None = None


@dataclass(slots=True)
class Result:
    """All answers of a stage; ``wall`` is the seconds until the last one."""

    stage: Stage
    answers: list[Answer] = field(default_factory=list)
    wall: float = 0.0

    def shares(self) -> dict[int, float]:
        """Return the share of each status, ``NOBODY`` included."""
        counted = Counter(one.status for one in self.answers)
        return {status: count / len(self.answers) for status, count in sorted(counted.items())}

    def seconds(self, *statuses: int) -> list[float]:
        """Return the seconds of answers with one of ``statuses``, or of all answers if none is given."""
        return [one.seconds for one in self.answers if not statuses or one.status in statuses]

    def percentiles(self, *statuses: int) -> dict[str, float]:
        """Percentiles in milliseconds; empty without such answers."""
        times = self.seconds(*statuses)
        points = np.percentile(times, (50, 90, 99, 100)) * 1000 if times else ()
        return dict(zip(("p50", "p90", "p99", "max"), (round(float(one), 1) for one in points), strict=False))

    def throughput(self) -> float:
        """Return the 2xx answers per second, until the last answer."""
        return sum(200 <= one.status < 300 for one in self.answers) / self.wall

    def accepted(self) -> list[str]:
        """Return the ids of acknowledged comments."""
        return [one.accepted for one in self.answers if one.accepted is not None]

    def summary(self) -> dict[str, Any]:
        """Return the figures that are saved."""
        statuses = sorted({one.status for one in self.answers})
        waits = [one.retry_after for one in self.answers if one.retry_after is not None]
        return {
            "kind": self.stage.kind,
            "offered_per_second": self.stage.rate,
            "seconds": round(self.wall, 2),
            "requests": len(self.answers),
            "accepted_per_second": round(self.throughput(), 1),
            "shares": {str(status): round(share, 4) for status, share in self.shares().items()},
            "milliseconds": {str(status): self.percentiles(status) for status in statuses},
            "retry_after": [min(waits), max(waits)] if waits else None,
        }


Make = Callable[[int, str], Sent]


def _post(path: str, body: Any, accepted: str | None = None) -> Sent:
    return Sent("POST", path, json.dumps(body).encode(), accepted)


def _comments(number: int, text: str) -> Sent:
    name = f"{_RUN}-{number}"
    return _post("/v1/comments", {"site": SITE, "comments": [{"id": name, "text": text}]}, name)


def _score(number: int, text: str) -> Sent:
    return _post("/v1/score", {"comments": [{"text": text}]})


def _mixed(number: int, text: str) -> Sent:
    """Mixed traffic: of twenty requests ten submit a comment, six score one, the others read or are invalid."""
    turn = number % 20
    others = {
        16: Sent("GET", "/v1/queue?limit=20"),
        17: Sent("GET", "/readyz"),
        18: Sent("GET", f"/v1/comments/{SITE}:{_RUN}-{number - 18}"),
        19: Sent("POST", "/v1/score", b'{"comments": [{"text"'),
    }
    return others.get(turn) or (_comments if turn < 10 else _score)(number, text)


KINDS: Mapping[str, Make] = {"comments": _comments, "score": _score, "mixed": _mixed}


def invented(seed: int = 0) -> Iterator[str]:
    """Yield unique texts of 5 to 60 plain words; another seed gives other texts."""
    rng = random.Random(seed)
    words = (
        "the",
        "article",
        "our",
        "harbour",
        "bridge",
        "needs",
        "more",
        "light",
        "less",
        "noise",
        "winter",
    )
    for number in itertools.count():
        yield f"{' '.join(rng.choices(words, k=rng.randint(5, 60)))} {_RUN} {seed}-{number}"


async def offer(wire: Wire, result: Result, texts: Iterator[str], seed: int = 5) -> Result:
    """Send the stage's requests, each when it is due, wait for all answers, and fill ``result``."""
    stage, rng = result.stage, random.Random(seed)
    make = KINDS[stage.kind]
    began = due = time.perf_counter()
    tasks: set[asyncio.Task[None]] = set()

    async def one(sent: Sent, due: float) -> None:
        status, wait = await _ask(wire, sent, due + stage.patience)
        accepted = sent.id if 200 <= status < 300 else None
        took = time.perf_counter() - due
        result.answers.append(Answer(due - began, took, status, wait, accepted))

    while due - began < stage.seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(one(make(next(_NUMBERS), next(texts)), due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        due += rng.expovariate(stage.rate)
    if tasks:
        await asyncio.wait(tasks)
    result.wall = time.perf_counter() - began
    return result


async def _ask(wire: Wire, sent: Sent, until: float) -> tuple[int, int | None]:
    """Return status and Retry-After of the answer, ``NOBODY`` if none came before the clock reached ``until``."""
    try:
        async with asyncio.timeout(until - time.perf_counter()):
            status, headers, _ = await wire.ask(sent)
    except (OSError, EOFError, TimeoutError):
        return NOBODY, None
    wait = headers.get("retry-after")
    return status, int(wait) if wait else None


def run(
    url: str,
    stages: Sequence[Stage],
    texts: Iterator[str] | None = None,
    headers: Mapping[str, str] | None = None,
    seed: int = 0,
) -> list[Result]:
    """Run the stages one after another and return one result for each; without ``texts`` unique ones are invented.

    Another ``seed`` gives other random moments.
    """

    async def whole() -> list[Result]:
        wire, chosen = Wire(url, headers, MOST), texts or invented(next(_NUMBERS))
        results = [await offer(wire, Result(stage), chosen, at) for at, stage in enumerate(stages, seed)]
        wire.close()
        return results

    return asyncio.run(whole())


@dataclass(frozen=True, slots=True)
class Sample:
    """Resource usage of the service after ``answered`` answers."""

    answered: int
    usage: Usage


def soak(service: Served, rate: float, minutes: float, texts: Iterator[str]) -> tuple[Result, list[Sample]]:
    """Run mixed traffic and sample the service's process each second."""

    async def whole() -> tuple[Result, list[Sample]]:
        wire, stage = Wire(service.url), Stage(rate, minutes * 60, "mixed")
        samples: list[Sample] = []
        result = Result(stage)
        watching = asyncio.create_task(_watch(service, result, samples))
        await offer(wire, result, texts)
        watching.cancel()
        wire.close()
        return result, samples

    return asyncio.run(whole())


async def _watch(service: Served, result: Result, samples: list[Sample]) -> None:
    while True:
        samples.append(Sample(len(result.answers), service.usage()))
        await asyncio.sleep(1)


def growth(samples: Sequence[Sample], warm_up: float = 0.25) -> dict[str, float]:
    """Return the growth of each resource per 10,000 answers, by a straight line through the samples.

    The first ``warm_up`` share of the samples is left out.
    """
    kept = samples[int(len(samples) * warm_up) :]
    answered = [one.answered / 10_000 for one in kept]
    held = {
        "rss_mib": [one.usage.rss / 2**20 for one in kept],
        "files": [one.usage.files for one in kept],
        "threads": [one.usage.threads for one in kept],
    }
    return {name: round(float(np.polyfit(answered, values, 1)[0]), 3) for name, values in held.items()}


def unlike(results: Sequence[Result], stored: Mapping[str, int]) -> dict[str, int]:
    """Return the number of acknowledged comments, of those missing in the store, and of those stored repeatedly."""
    accepted = [name for result in results for name in result.accepted()]
    lost = sum(name not in stored for name in accepted)
    return {"accepted": len(accepted), "lost": lost, "doubled": sum(count > 1 for count in stored.values())}


def main() -> None:
    """Run the requested stages; figures go to standard output and to ``--out``."""
    asked = _arguments()
    texts = _texts(asked.texts)
    with ExitStack() as stack:
        service = None
        if asked.url is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            chosen = {"database_url": asked.database_url} if asked.database_url else {}
            arguments = ("--model", asked.model) if asked.model else ()
            service = stack.enter_context(served(folder, *arguments, settings=chosen))
        found = _soaked(service, asked, texts) if asked.soak else _loaded(service, asked, texts)
    text = json.dumps(found, indent=1)
    print(text)
    if asked.out:
        with replacing(asked.out) as file:
            file.write(text.encode() + b"\n")


def _loaded(service: Served | None, asked: argparse.Namespace, texts: Iterator[str]) -> dict[str, Any]:
    stages = [Stage(rate, asked.seconds, asked.kind, asked.patience) for rate in asked.rate or [20.0]]
    headers = {"Authorization": f"Bearer {asked.key}"} if asked.key else {}
    results = run(service.url if service else asked.url, stages, texts, headers)
    found: dict[str, Any] = {"stages": [result.summary() for result in results]}
    url = service.database_url if service else asked.database_url
    return found | ({"store": unlike(results, kept(url))} if url else {})


def _soaked(service: Served | None, asked: argparse.Namespace, texts: Iterator[str]) -> dict[str, Any]:
    if service is None:
        raise SystemExit("--soak looks at the service's process, so it starts its own: leave --url out")
    result, samples = soak(service, (asked.rate or [20.0])[0], asked.soak, texts)
    first, last = samples[len(samples) // 4], samples[-1]
    return {
        "stages": [result.summary()],
        "store": unlike([result], service.kept()),
        "after_warm_up": asdict(first),
        "at_the_end": asdict(last),
        "growth_per_10000_answers": growth(samples),
    }


def _texts(source: str) -> Iterator[str]:
    if source == "invented":
        return invented()
    from tests.bench.texts import endless, texts_for

    return endless(texts_for(11_000, Path("../shared/corpora"))[0])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load", description=__doc__)
    parser.add_argument("--url", help="a service that runs; without it one is started on a new SQLite")
    parser.add_argument("--database-url", help="the store of the service, to compare what it holds")
    parser.add_argument("--model", help="model directory of the service that is started")
    parser.add_argument("--key", help="API key")
    parser.add_argument("--rate", type=float, action="append", help="requests a second; one stage for each")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each stage takes")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds after which a caller gives up")
    parser.add_argument("--kind", choices=sorted(KINDS), default="score")
    parser.add_argument("--texts", choices=("invented", "comments"), default="invented")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="mixed traffic at the first rate")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
