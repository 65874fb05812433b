"""Latency of a queue's first page and of the next claim, with 1,000 to 100,000 queue items.

The database is SQLite in a temporary folder, and also PostgreSQL where BELOWLINE_TEST_POSTGRES names a server that
allows new databases. A round is one call over HTTP.
"""

import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, insert, text

from belowline.serve.store.database import now
from belowline.serve.store.tables import authors, comments, decisions, items, revisions, scores, threads
from tests.bench.figures import curve
from tests.bench.rounds import Setup, Step, seconds
from tests.support.serve_fakes import LABELS, client_of

SIZES = (1_000, 10_000, 100_000)
CALLS = 40
AT_ONCE = 2_000
POSTGRES = "BELOWLINE_TEST_POSTGRES"


def run(setup: Setup, step: Step) -> dict[str, Any]:
    """Return a curve for each call and database."""
    sizes, calls = setup.pick(SIZES, (20, 60)), setup.pick(CALLS, 2)
    curves = []
    with tempfile.TemporaryDirectory() as folder:
        for name, made in databases(Path(folder)).items():
            with made as url:
                found = measure(
                    url, Path(folder), sizes, calls, lambda told, name=name: step(f"{name}: {told}")
                )
            curves += [
                curve(f"{name}, {call}", "waiting comments", "ms", points) for call, points in found.items()
            ]
    missing = "" if POSTGRES in os.environ else f" PostgreSQL was not measured: {POSTGRES} names no server."
    return {"title": "The queue", "about": [_ABOUT + missing], "curves": curves}


_ABOUT = "Calls over HTTP, without a network between, while so many comments wait to be reviewed: a point is the median of its calls."


def fill(service: Any, first: int, last: int) -> None:
    """Insert comments ``first`` to ``last`` as if ingested one after another, without scoring them."""
    with service.database.write() as tx:
        if first == 0:
            given = [{"site": "s", "caller_id": f"t{n}", "title": f"Article {n}"} for n in range(200)]
            tx.execute(insert(threads), given)
            moment = now()
            given = [{"site": "s", "caller_id": f"u{n}", "first_seen": moment} for n in range(5000)]
            tx.execute(insert(authors), given)
    for start in range(first, last, AT_ONCE):
        with service.database.write() as tx:
            some = range(start + 1, min(last, start + AT_ONCE) + 1)
            for table, row in ROWS.items():
                tx.execute(insert(table), [row(number) for number in some])


def probability(number: int) -> float:
    return round(0.5 + (number * 7919 % 5000) / 10_000, 4)


def _comment(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "site": "s",
        "caller_id": f"c{number}",
        "thread_id": number % 200 + 1,
        "author_id": number % 5000 + 1,
        "text": f"Comment {number} about the harbour, of a usual length for a newspaper. " * 4,
        "language": "en",
        "revision": 1,
        "action": "hold",
        "received": now() - timedelta(seconds=100_000 - number),
    }


def _score(number: int) -> dict[str, Any]:
    found = dict.fromkeys(LABELS, 0.01) | {"toxicity": probability(number)}
    evidence = [{"label": "toxicity", "start": 0, "end": 7, "strength": 0.9}]
    return {
        "comment_id": number,
        "revision": 1,
        "model": "m",
        "probabilities": found,
        "evidence": evidence,
        "at": now(),
    }


def _decision(number: int) -> dict[str, Any]:
    said = {"actor": "system", "via": "policy", "action": "hold", "labels": ["toxicity"], "code": "toxicity"}
    kept = {"rule": "toxicity >= 0.5", "spans": [], "policy": "p", "model": "m", "scores": {}, "blind": False}
    return {"comment_id": number, "revision": 1, "at": now(), **said, **kept}


def _item(number: int) -> dict[str, Any]:
    return {
        "comment_id": number,
        "kind": "held",
        "state": "open",
        "site": "s",
        "thread_id": number % 200 + 1,
        "author_id": number % 5000 + 1,
        "label": "toxicity",
        "code": "toxicity",
        "action": "hold",
        "language": "en",
        "priority": probability(number),
        "uncertainty": 1 - probability(number),
        "created": now() - timedelta(seconds=100_000 - number),
    }


ROWS: dict[Any, Callable[[int], dict[str, Any]]] = {
    comments: _comment,
    revisions: lambda number: {"comment_id": number, "number": 1, "text": "as above", "at": now()},
    scores: _score,
    decisions: _decision,
    items: _item,
}


def databases(folder: Path) -> dict[str, Any]:
    """Context managers by name; each yields the URL of an empty database."""
    found: dict[str, Any] = {"SQLite": nullcontext(f"sqlite:///{folder / 'bench.sqlite3'}")}
    return found | ({"PostgreSQL": _postgres(os.environ[POSTGRES])} if POSTGRES in os.environ else {})


@contextmanager
def _postgres(server: str) -> Iterator[str]:
    name = f"belowline_bench_{os.getpid()}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield str(engine.url.set(database=name).render_as_string(hide_password=False))
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def measure(
    url: str, folder: Path, sizes: Sequence[int], calls: int, step: Step
) -> dict[str, dict[int, list[float]]]:
    """Milliseconds of each round, by call and size."""
    found: dict[str, dict[int, list[float]]] = defaultdict(dict)
    filled = 0
    with client_of(folder, database_url=url) as client:
        for size in sizes:
            step(f"filling up to {size:,}")
            fill(client.app.state.service, filled, size)
            filled = size
            _analyse(client.app.state.service.database)
            for name, call in calls_of(client).items():
                step(f"{size:,} waiting, {name}")
                found[name][size] = [
                    1000 * seconds(lambda call=call: _answered(call())) for _ in range(calls)
                ]
            client.post("/v1/queue/release", json={})
    return found


def _analyse(database: Any) -> None:
    """Run ANALYZE on PostgreSQL, which autovacuum would do some minutes after so many inserts."""
    if database._engine.dialect.name == "postgresql":
        with database.write() as tx:
            tx.execute(text("ANALYZE"))


def _answered(answer: Any) -> None:
    assert answer.status_code == 200, answer.text


def calls_of(client: Any) -> dict[str, Callable[[], Any]]:
    return {
        "first page of 50, by priority": lambda: client.get("/v1/queue"),
        "by uncertainty": lambda: client.get("/v1/queue", params={"sort": "uncertainty"}),
        "oldest first": lambda: client.get("/v1/queue", params={"sort": "oldest"}),
        "one site": lambda: client.get("/v1/queue", params={"site": "s"}),
        "one label": lambda: client.get("/v1/queue", params={"label": "toxicity"}),
        "claim the next": lambda: client.post("/v1/queue/claim", json={"limit": 1}),
        "console's page": lambda: client.get("/console"),
    }
