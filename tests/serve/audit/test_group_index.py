import random
import sqlite3
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from belowline.serve.audit.group_index import GroupIndex

LABELS = ("spam", "hate")


def row(thread: str = "t", **more: Any) -> dict[str, Any]:
    return {
        "source": "s",
        "thread": thread,
        "author": None,
        "time": None,
        "action": "publish",
        "text": "x",
        **more,
    }


def new_index(*titles: str) -> GroupIndex:
    """An index in memory with threads of the source "s"."""
    index = GroupIndex(sqlite3.connect(":memory:"), LABELS)
    for title in titles:
        index.add_thread("s", title, None, ())
    return index


def test_near_duplicates_are_found_whatever_stands_between() -> None:
    rng = random.Random(4)
    words = [f"word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(300)]
    kinds = [" ".join(rng.sample(words, 25)) for _ in range(30)]
    wanted: dict[int, int] = {}
    index = new_index("t", *(f"t{number}" for number in range(7)))
    members = []
    for number in range(1, 301):
        kind = rng.randrange(30)
        text = f"{kinds[kind]} {number} http://x.example/{number}"
        members.append(wanted.setdefault(kind, number))
        index.add(number, row(f"t{number % 7}", text=text), text)
    alone = "alone in the world with these own words"
    index.add(301, row(text=alone), alone)
    assert list(index.campaigns_of_rows()) == [*members, None]
    campaigns = list(index.campaigns())
    sizes = [(one["campaign"], one["comments"]) for one in campaigns]
    assert dict(sizes) == Counter(members)
    assert [size for _, size in sizes] == sorted((size for _, size in sizes), reverse=True)
    assert len(campaigns[0]["thread_names"]) == campaigns[0]["threads"] > 1


def test_threads_of_one_source_and_title_are_one() -> None:
    index = new_index()
    index.add_thread("a", "Harbour", None, ["one"])
    index.add_thread("a", "Bridge", None, [])
    index.add_thread("b", "Harbour", None, [])
    index.add_thread("a", "Harbour", "http://x.example", ["one", "two"])
    comments = [
        ("Harbour", "a", "hold", ["spam"]),
        ("Harbour", "b", "publish", []),
        ("Harbour", "a", "reject", ["spam", "hate"]),
        ("Harbour", "a", "publish", ["hate"]),
    ]
    for number, (title, source, action, reached) in enumerate(comments, 1):
        index.add(number, row(title, source=source, action=action), "x", reached)
    assert list(index.threads()) == [
        {
            "source": "a",
            "thread": "Harbour",
            "url": "http://x.example",
            "comments": 3,
            "actions": {"publish": 1, "hold": 1, "reject": 1},
            "labels": {"spam": 2, "hate": 2},
            "notes": ["one", "two"],
        },
        {
            "source": "a",
            "thread": "Bridge",
            "url": None,
            "comments": 0,
            "actions": {"publish": 0, "hold": 0, "reject": 0},
            "labels": {"spam": 0, "hate": 0},
            "notes": [],
        },
        {
            "source": "b",
            "thread": "Harbour",
            "url": None,
            "comments": 1,
            "actions": {"publish": 1, "hold": 0, "reject": 0},
            "labels": {"spam": 0, "hate": 0},
            "notes": [],
        },
    ]
    assert index.thread_count() == 3


def test_the_worst_threads_have_the_most_to_review() -> None:
    index = new_index("empty", "calm", "bad", "also bad", "worse")
    actions = {
        "calm": ["publish"] * 9,
        "worse": ["reject", "hold", "publish"],
        "also bad": ["hold"],
        "bad": ["reject"],
    }
    comments = [(title, action) for title, some in actions.items() for action in some]
    for number, (title, action) in enumerate(comments, 1):
        index.add(number, row(title, action=action), "x")
    assert [one["thread"] for one in index.worst_threads(4)] == ["worse", "bad", "also bad", "empty"]


def test_authors_have_counts_of_their_labels() -> None:
    index = new_index("t")
    for number, (author, action, reached) in enumerate(
        [
            ("Ann", "hold", ["hate"]),
            ("Ann", "publish", []),
            ("Ben", "publish", ["spam"]),
            (None, "hold", ["spam"]),
            ("Ann", "reject", ["hate", "spam"]),
            *[("Ann", "publish", [])] * 2,
            *[("Cleo", "hold", [])] * 4,
            *[("Dan", "hold", [])] * 5,
            *[("Eve", "publish", [])] * 6,
        ],
        1,
    ):
        index.add(number, row(author=author, action=action), "x", reached)
    assert index.authors(5) == [
        {
            "author": "Dan",
            "comments": 5,
            "actions": {"publish": 0, "hold": 5, "reject": 0},
            "labels": {"spam": 0, "hate": 0},
            "interval": [0.4629, 1.0],
        },
        {
            "author": "Ann",
            "comments": 5,
            "actions": {"publish": 3, "hold": 1, "reject": 1},
            "labels": {"spam": 1, "hate": 2},
            "interval": [0.0726, 0.8296],
        },
    ]
    assert [one["author"] for one in index.authors(1)] == ["Dan"]


def test_groups_are_ranked_by_the_lower_bound_and_show_their_strongest() -> None:
    index = new_index("small", "large", "five", "four")
    held = {"small": (5, 6), "large": (60, 100), "five": (1, 5), "four": (4, 4)}
    number = 0
    for title, (bad, size) in held.items():
        for at in range(size):
            number += 1
            action = "hold" if at < bad else "publish"
            index.add(number, row(title, action=action, author=title), "x", (), at / 100)
    worst = index.worst_threads(9)
    assert [one["thread"] for one in worst] == ["large", "small", "five", "four"]
    assert [one["interval"] is None for one in worst] == [False, False, False, True]
    assert [one["author"] for one in index.authors(9)] == ["large", "small", "five"]
    assert index.strongest_of_threads(worst, 2) == [[66, 65], [5, 4], [107], [115, 114]]
    assert index.strongest_of_authors(["small", "nobody"], 1) == {"small": [5]}


@pytest.mark.slow
def test_memory_grows_neither_with_threads_nor_with_comments(tmp_path: Path) -> None:
    def most(threads: int) -> int:
        tracemalloc.start()
        index = GroupIndex(sqlite3.connect(tmp_path / f"{threads}.sqlite3"), LABELS)
        for number in range(threads):
            index.add_thread("s", f"title {number} " * 10, None, ())
            index.add(number + 1, row(f"title {number} " * 10, author=f"a{number}"), "too short")
        assert sum(1 for _ in index.threads()) == threads
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    most(2001)  # the first run also imports and compiles
    assert most(8000) < most(2000) + 500_000
