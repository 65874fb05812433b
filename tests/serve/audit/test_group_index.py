import random
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from belowline.serve.audit import group_index as ledger_module
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


def thread(title: str, source: str = "s", url: str | None = None, *notes: str) -> dict[str, Any]:
    return {"source": source, "thread": title, "url": url, "comments": 7, "notes": list(notes)}


def test_copies_are_found_whatever_stands_between(tmp_path: Path) -> None:
    rng = random.Random(4)
    words = [f"word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(300)]
    kinds = [" ".join(rng.sample(words, 25)) for _ in range(30)]
    wanted: dict[int, int] = {}
    with GroupIndex.within(tmp_path, LABELS) as ledger:
        members = []
        for number in range(1, 301):
            kind = rng.randrange(30)
            text = f"{kinds[kind]} {number} http://x.example/{number}"
            members.append(wanted.setdefault(kind, number))
            ledger.add(number, row(f"t{number % 7}", text=text), text)
        alone = "alone in the world with these own words"
        ledger.add(301, row(text=alone), alone)
        ledger.seal()
        assert list(ledger.campaigns_of_rows()) == [*members, None]
        found = list(ledger.campaigns())
    sizes = [(one["campaign"], one["comments"]) for one in found]
    assert dict(sizes) == Counter(members)
    assert [size for _, size in sizes] == sorted((size for _, size in sizes), reverse=True)
    assert len(found[0]["thread_names"]) == found[0]["threads"] > 1
    assert list(tmp_path.iterdir()) == []


def test_remembered_signatures_change_no_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(5)
    kinds = [
        " ".join(f"w{chr(97 + rng.randrange(26))}{chr(97 + rng.randrange(26))}" for _ in range(12))
        for _ in range(40)
    ]
    texts = [kinds[rng.randrange(40)] + " again" * rng.randrange(3) for _ in range(400)]
    groups = []
    for remembered in (1, 1 << 16):
        monkeypatch.setattr(ledger_module, "_REMEMBERED", remembered)
        with GroupIndex.within(tmp_path, LABELS) as ledger:
            for number, text in enumerate(texts, 1):
                ledger.add(number, row(text=text), text)
            ledger.seal()
            groups.append(list(ledger.campaigns_of_rows()))
    assert groups[0] == groups[1]
    assert len(set(groups[0])) > 30


def test_threads_of_one_source_and_title_are_one(tmp_path: Path) -> None:
    with GroupIndex.within(tmp_path, LABELS) as ledger:
        ledger.add_threads(
            [
                thread("Harbour", "a", None, "one"),
                thread("Bridge", "a"),
                thread("Harbour", "b"),
                thread("Harbour", "a", "http://x.example", "one", "two"),
            ]
        )
        for number, (title, source, action, reached) in enumerate(
            [
                ("Harbour", "a", "hold", ["spam"]),
                ("Harbour", "b", "publish", []),
                ("Harbour", "a", "reject", ["spam", "hate"]),
                ("Harbour", "a", "publish", ["hate"]),
            ],
            1,
        ):
            ledger.add(number, row(title, source=source, action=action), "x", reached)
        ledger.seal()
        assert list(ledger.threads()) == [
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
        assert ledger.thread_count() == 3


def test_the_worst_threads_have_the_most_to_look_at(tmp_path: Path) -> None:
    with GroupIndex.within(tmp_path, LABELS) as ledger:
        ledger.add_threads(
            [thread("empty"), thread("calm"), thread("bad"), thread("also bad"), thread("worse")]
        )
        number = 0
        for title, actions in (
            ("calm", ["publish"] * 9),
            ("worse", ["reject", "hold", "publish"]),
            ("also bad", ["hold"]),
            ("bad", ["reject"]),
        ):
            for action in actions:
                number += 1
                ledger.add(number, row(title, action=action), "x")
        ledger.seal()
        assert [one["thread"] for one in ledger.worst_threads(4)] == ["worse", "bad", "also bad", "empty"]


def test_authors_are_told_with_their_labels(tmp_path: Path) -> None:
    with GroupIndex.within(tmp_path, LABELS) as ledger:
        for number, (author, action, reached) in enumerate(
            [
                ("Ann", "hold", ["hate"]),
                ("Ann", "publish", []),
                ("Ben", "publish", ["spam"]),
                (None, "hold", ["spam"]),
                ("Ann", "reject", ["hate", "spam"]),
                ("Cleo", "hold", []),
            ],
            1,
        ):
            ledger.add(number, row(author=author, action=action), "x", reached)
        ledger.seal()
        assert ledger.authors(5) == [
            {
                "author": "Ann",
                "comments": 3,
                "actions": {"publish": 1, "hold": 1, "reject": 1},
                "labels": {"spam": 1, "hate": 2},
            },
            {
                "author": "Cleo",
                "comments": 1,
                "actions": {"publish": 0, "hold": 1, "reject": 0},
                "labels": {"spam": 0, "hate": 0},
            },
        ]
        assert [one["author"] for one in ledger.authors(1)] == ["Ann"]


def test_memory_grows_neither_with_threads_nor_with_comments(tmp_path: Path) -> None:
    def most(threads: int) -> int:
        with GroupIndex.within(tmp_path, LABELS) as ledger:
            tracemalloc.start()
            ledger.add_threads(thread(f"title {number} " * 10) for number in range(threads))
            for number in range(1, threads + 1):
                ledger.add(number, row(f"title {number} " * 10, author=f"a{number}"), "too short")
            ledger.seal()
            assert sum(1 for _ in ledger.threads()) >= threads
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return peak

    most(2000)  # what is imported and compiled the first time counts no more
    assert most(8000) < most(2000) + 500_000
