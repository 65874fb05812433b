"""kill -9 at any moment: each acknowledged comment is stored once, and nothing is stored partially."""

import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from belowline.serve.store.database import Database
from tests.support.store_fakes import Desk

ROOT = Path(__file__).resolve().parents[2]


def test_ten_kills_lose_nothing_that_was_acknowledged(database_url: str) -> None:
    drawn = random.Random(20261125)
    taken: set[str] = set()
    decided: set[str] = set()
    for number in range(10):
        for line in output_until_killed(database_url, number, drawn.uniform(0.02, 0.6)):
            what, _, name = line.partition(" ")
            if what != "ready":
                (taken if what == "taken" else decided).add(name)
        database = Database.open(database_url)
        check(Desk(database), taken, decided)
        database.close()
    assert len(taken) > 30
    assert decided


def output_until_killed(url: str, number: int, seconds: float) -> list[str]:
    command = [sys.executable, "-m", "tests.support.store_victim", url, str(number)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "ready\n"
        death = threading.Timer(seconds, victim.kill)
        death.start()
        lines = victim.stdout.read().splitlines(keepends=True)
        assert victim.wait() == -9
        death.join()
    return [line.rstrip() for line in lines if line.endswith("\n")]


def check(desk: Desk, taken: set[str], decided: set[str]) -> None:
    comments = {row.id: row for row in desk.rows("comments")}
    names = Counter(row.caller_id for row in comments.values())
    assert taken <= set(names)
    assert set(names.values()) <= {1}
    assert len(set(names) - taken) <= 10, (
        "at most one of each process may be kept without having been heard of"
    )
    decisions = desk.rows("decisions")
    by_system = Counter(row.comment_id for row in decisions if row.actor == "system")
    by_ann = Counter(row.comment_id for row in decisions if row.actor == "ann")
    assert by_system == dict.fromkeys(comments, 1)
    assert set(by_ann.values()) <= {1}
    assert decided <= {comments[number].caller_id for number in by_ann}
    for table in ("revisions", "scores"):
        assert Counter(row.comment_id for row in desk.rows(table)) == by_system
    waiting = Counter(row.comment_id for row in desk.rows("items", state="open"))
    assert waiting == {
        number: 1 for number, row in comments.items() if row.action == "hold" and not by_ann[number]
    }
    last = {row.comment_id: row.action for row in decisions}
    assert last == {number: row.action for number, row in comments.items()}
