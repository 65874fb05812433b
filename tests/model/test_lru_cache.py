"""A bounded cache that drops the least recently used entry."""

import threading
from concurrent.futures import ThreadPoolExecutor

from belowline.model.lru_cache import Recent


def kept(recent: Recent[str], *keys: bytes) -> set[bytes]:
    return set(recent.recall(keys))


def test_what_was_used_longest_ago_makes_room() -> None:
    recent: Recent[str] = Recent(3, len)
    for key in (b"a", b"b", b"c"):
        recent.remember({key: "x"})
    assert recent.recall([b"a", b"z"]) == {b"a": "x"}
    recent.remember({b"d": "x"})
    assert kept(recent, b"a", b"b", b"c", b"d") == {b"a", b"c", b"d"}


def test_large_values_take_the_room_of_several() -> None:
    recent: Recent[str] = Recent(4, len)
    recent.remember({b"a": "x", b"b": "x", b"c": "x"})
    recent.remember({b"d": "xxx"})
    assert kept(recent, b"a", b"b", b"c", b"d") == {b"c", b"d"}


def test_a_value_larger_than_the_room_is_not_kept() -> None:
    recent: Recent[str] = Recent(2, len)
    recent.remember({b"a": "xxx"})
    assert not kept(recent, b"a")
    recent.remember({b"b": "xx"})
    assert kept(recent, b"b")


def test_a_value_that_is_replaced_gives_its_room_back() -> None:
    recent: Recent[str] = Recent(3, len)
    for _ in range(5):
        recent.remember({b"a": "xx"})
    recent.remember({b"b": "x"})
    assert kept(recent, b"a", b"b") == {b"a", b"b"}
    recent.forget()
    assert not kept(recent, b"a", b"b")
    recent.remember({b"c": "xxx"})
    assert kept(recent, b"c")


def test_threads_share_it() -> None:
    recent: Recent[str] = Recent(50, len)
    together = threading.Barrier(4)

    def work(seed: int) -> None:
        together.wait()
        for number in range(2000):
            key = str((number * 7 + seed) % 90).encode()
            recent.recall([key])
            recent.remember({key: "xx"})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(kept(recent, *(str(number).encode() for number in range(90)))) == 25
