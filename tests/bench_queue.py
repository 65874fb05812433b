"""How long a queue's first page and the next claim take from 1,000 to 100,000 waiting comments: ``make bench-queue``.

Prints the median of 40 calls over HTTP and the exponent of growth: the slope between the smallest and the largest queue, both axes
logarithmic. The database is SQLite in a temporary folder, and PostgreSQL too where BELOWLINE_TEST_POSTGRES names a server on which
databases may be made.
"""

import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy import create_engine, insert, text

from belowline.serve.store.database import now
from belowline.serve.store.tables import authors, comments, decisions, items, revisions, scores, threads
from tests.serve_fakes import LABELS, client_of

SIZES = (1_000, 10_000, 100_000)
CALLS = 40
AT_ONCE = 2_000
CONSOLE = Console(stderr=True)


def fill(service: Any, first: int, last: int) -> None:
    """Comments ``first`` to ``last`` as if they had come in one after the other, without scoring them."""
    with service.database.write() as tx:
        if first == 0:
            given = [{"site": "s", "caller_id": f"t{n}", "title": f"Article {n}"} for n in range(200)]
            tx.execute(insert(threads), given)
            moment = now()
            given = [{"site": "s", "caller_id": f"u{n}", "first_seen": moment} for n in range(5000)]
            tx.execute(insert(authors), given)
    for start in track(range(first, last, AT_ONCE), f"filling up to {last:,}", console=CONSOLE):
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


def median_ms(call: Callable[[], Any]) -> float:
    times = []
    for _ in range(CALLS):
        started = time.perf_counter()
        answer = call()
        times.append(1000 * (time.perf_counter() - started))
        assert answer.status_code == 200, answer.text
    return statistics.median(times)


def databases(folder: Path) -> Iterator[tuple[str, str]]:
    yield "SQLite", f"sqlite:///{folder / 'bench.sqlite3'}"
    server = os.environ.get("BELOWLINE_TEST_POSTGRES")
    if not server:
        CONSOLE.print("PostgreSQL: not measured; set BELOWLINE_TEST_POSTGRES to the URL of a server")
        return
    name = f"belowline_bench_{os.getpid()}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield "PostgreSQL", str(engine.url.set(database=name).render_as_string(hide_password=False))
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def measure(url: str, folder: Path) -> list[dict[str, float]]:
    rows, filled = [], 0
    with client_of(folder, database_url=url) as client:
        for size in SIZES:
            fill(client.app.state.service, filled, size)
            filled = size
            service = client.app.state.service
            if service.database._engine.dialect.name == "postgresql":
                with service.database.write() as tx:
                    tx.execute(text("ANALYZE"))
            found: dict[str, float] = {"items": size}
            for name, call in calls_of(client).items():
                found[name] = round(median_ms(call), 2)
            client.post("/v1/queue/release", json={})
            rows.append(found)
    return rows


def calls_of(client: Any) -> dict[str, Callable[[], Any]]:
    return {
        "first page of 50, by priority": lambda: client.get("/v1/queue"),
        "by uncertainty": lambda: client.get("/v1/queue", params={"sort": "uncertainty"}),
        "to learn from": lambda: client.get("/v1/queue", params={"sort": "learn"}),
        "oldest first": lambda: client.get("/v1/queue", params={"sort": "oldest"}),
        "one site": lambda: client.get("/v1/queue", params={"site": "s"}),
        "one label": lambda: client.get("/v1/queue", params={"label": "toxicity"}),
        "claim the next": lambda: client.post("/v1/queue/claim", json={"limit": 1}),
        "console's page": lambda: client.get("/console"),
    }


def growth(rows: list[dict[str, float]], name: str) -> float:
    first, last = rows[0], rows[-1]
    return math.log(last[name] / first[name]) / math.log(last["items"] / first["items"])


def main() -> None:
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, url in databases(Path(folder)):
            results[name] = rows = measure(url, Path(folder))
            table = Table(title=f"{name}: median ms of {CALLS} calls")
            for column in ("call", *(f"{size:,}" for size in SIZES), "exponent"):
                table.add_column(column, justify="left" if column == "call" else "right")
            for call in list(rows[0])[1:]:
                table.add_row(call, *(f"{row[call]:.1f}" for row in rows), f"{growth(rows, call):.2f}")
            CONSOLE.print(table)
    json.dump(results, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
