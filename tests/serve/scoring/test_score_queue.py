import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belowline.model import ScoreInput
from belowline.serve.scoring.score_queue import QueueFull, ScoreQueue, ScoreQueueClosed
from tests.support import waiting
from tests.support.serve_fakes import FakeScorer


def run(
    scenario: Callable[[ScoreQueue], Awaitable[None]],
    *,
    queue: int = 256,
    threads: int = 1,
    ahead: int = 0,
) -> None:
    async def whole() -> None:
        score_queue = ScoreQueue(queue_comments=queue, threads=threads, ahead=ahead)
        score_queue.start()
        try:
            await asyncio.wait_for(scenario(score_queue), 20)
        finally:
            await score_queue.close()

    asyncio.run(whole())


FAKE = FakeScorer()


def comments(*texts: str) -> list[ScoreInput]:
    return [ScoreInput(text) for text in texts]


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["spam", "hate", "fine"]), min_size=1, max_size=5), max_size=12))
def test_every_caller_gets_the_scores_of_its_own_comments(requests: list[list[str]]) -> None:
    async def scenario(score_queue: ScoreQueue) -> None:
        answers = await asyncio.gather(*(score_queue.submit(comments(*texts), FAKE) for texts in requests))
        for texts, scores in zip(requests, answers, strict=True):
            for text, one in zip(texts, scores, strict=True):
                assert one is not None
                assert one.probabilities["spam"] == (0.9 if text == "spam" else 0.01)

    run(scenario)


def test_a_long_request_takes_turns_with_others() -> None:
    free = threading.Event()
    scorer = FakeScorer(before=lambda: free.wait(10) and None)

    async def scenario(score_queue: ScoreQueue) -> None:
        asked = [asyncio.create_task(score_queue.submit(comments(*"abcdefgh"), scorer))]
        await until(lambda: len(scorer.calls) == 1)
        asked += [asyncio.create_task(score_queue.submit(comments(*texts), scorer)) for texts in ("x", "yz")]
        await until(lambda: score_queue.queued == 10)
        free.set()
        assert [len(await one) for one in asked] == [8, 1, 2]
        assert score_queue.queued == 0

    run(scenario)
    assert "".join(one.text for call in scorer.calls for one in call) == "abxyczdefgh"


def test_what_is_left_of_a_long_request_goes_with_its_caller() -> None:
    free = threading.Event()
    scorer = FakeScorer(before=lambda: free.wait(10) and None)

    async def scenario(score_queue: ScoreQueue) -> None:
        gone = asyncio.create_task(score_queue.submit(comments(*"abcd"), scorer))
        await until(lambda: len(scorer.calls) == 1)
        kept = asyncio.create_task(score_queue.submit(comments("x"), scorer))
        await until(lambda: score_queue.queued == 4)
        gone.cancel()
        free.set()
        assert len(await kept) == 1
        assert score_queue.queued == 0

    run(scenario)
    assert ["".join(one.text for one in call) for call in scorer.calls] == ["a", "x"]


def test_a_full_queue_refuses_and_recovers() -> None:
    free = threading.Event()
    scorer = FakeScorer(before=lambda: free.wait(10) and None)

    async def scenario(score_queue: ScoreQueue) -> None:
        busy = asyncio.create_task(score_queue.submit(comments("a"), scorer))
        await until(lambda: len(scorer.calls) == 1)
        waiting = asyncio.create_task(score_queue.submit(comments("b", "c"), scorer))
        await until(lambda: score_queue.queued == 2)
        with pytest.raises(QueueFull) as full:
            await score_queue.submit(comments("d"), scorer)
        assert full.value.retry_after >= 1
        free.set()
        await asyncio.gather(busy, waiting)
        assert score_queue.queued == 0
        assert len(await score_queue.submit(comments("d"), scorer)) == 1

    run(scenario, queue=2)


def test_comments_whose_caller_left_are_not_scored() -> None:
    free = threading.Event()
    scorer = FakeScorer(before=lambda: free.wait(10) and None)

    async def scenario(score_queue: ScoreQueue) -> None:
        busy = asyncio.create_task(score_queue.submit(comments("a"), scorer))
        await until(lambda: len(scorer.calls) == 1)
        gone = asyncio.create_task(score_queue.submit(comments("gone"), scorer))
        kept = asyncio.create_task(score_queue.submit(comments("kept"), scorer))
        await until(lambda: score_queue.queued == 2)
        gone.cancel()
        free.set()
        await asyncio.gather(busy, kept)

    run(scenario)
    assert [[comment.text for comment in call] for call in scorer.calls] == [["a"], ["kept"]]


def test_a_caller_that_leaves_during_scoring_harms_nobody() -> None:
    free = threading.Event()
    scorer = FakeScorer(before=lambda: free.wait(10) and None)

    async def scenario(score_queue: ScoreQueue) -> None:
        gone = asyncio.create_task(score_queue.submit(comments("a"), scorer))
        await until(lambda: len(scorer.calls) == 1)
        gone.cancel()
        free.set()
        assert len(await score_queue.submit(comments("b"), scorer)) == 1
        assert score_queue.alive

    run(scenario)


def test_a_short_comment_does_not_wait_for_a_long_one() -> None:
    free = threading.Event()
    slow, quick = FakeScorer(before=lambda: free.wait(10) and None), FakeScorer()

    async def scenario(score_queue: ScoreQueue) -> None:
        long = asyncio.create_task(score_queue.submit(comments("long"), slow))
        await until(lambda: len(slow.calls) == 1)
        for text in ("a", "b", "c"):
            assert len(await score_queue.submit(comments(text), quick)) == 1
        assert not long.done()
        free.set()
        assert len(await long) == 1

    run(scenario, threads=2)


def test_what_is_handed_over_ahead_waits_for_a_thread_not_for_the_loop() -> None:
    free, in_model, most = threading.Event(), 0, 0
    lock = threading.Lock()

    def before() -> None:
        nonlocal in_model, most
        with lock:
            in_model += 1
            most = max(most, in_model)
        assert free.wait(10)
        with lock:
            in_model -= 1

    scorer = FakeScorer(before)

    async def scenario(score_queue: ScoreQueue) -> None:
        asked = [asyncio.create_task(score_queue.submit(comments(f"{n}"), scorer)) for n in range(9)]
        await until(lambda: score_queue.queued == 4)
        await until(lambda: len(scorer.calls) == 2)
        free.set()
        waiting.until(lambda: len(scorer.calls) == 5)  # the event loop is blocked
        await asyncio.gather(*asked)

    run(scenario, threads=2, ahead=3)
    assert most == 2


def test_closing_waits_for_every_call() -> None:
    async def whole() -> None:
        free = threading.Event()
        scorer = FakeScorer(before=lambda: free.wait(10) and None)
        score_queue = ScoreQueue(queue_comments=256, threads=3)
        score_queue.start()
        asked = [asyncio.create_task(score_queue.submit(comments(f"{n}"), scorer)) for n in range(5)]
        await until(lambda: len(scorer.calls) == 3)
        closing = asyncio.create_task(score_queue.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        free.set()
        await closing
        assert [len(await one) for one in asked] == [1] * 5

    asyncio.run(whole())


def test_closing_answers_what_waits_and_refuses_more() -> None:
    async def whole() -> None:
        score_queue = ScoreQueue(queue_comments=256)
        with pytest.raises(ScoreQueueClosed):
            await score_queue.submit(comments("too early"), FAKE)
        score_queue.start()
        waiting = [asyncio.create_task(score_queue.submit(comments(f"{i}"), FAKE)) for i in range(4)]
        await asyncio.sleep(0)
        await score_queue.close()
        assert all(task.done() for task in waiting)
        assert not score_queue.alive
        with pytest.raises(ScoreQueueClosed):
            await score_queue.submit(comments("too late"), FAKE)

    asyncio.run(whole())


def test_failures_show_and_pass() -> None:
    async def scenario(score_queue: ScoreQueue) -> None:
        assert await score_queue.submit(comments("explode"), FAKE) == [None]
        assert score_queue.failing
        mixed = await score_queue.submit(comments("explode", "fine"), FAKE)
        assert [one is None for one in mixed] == [True, False]
        assert not score_queue.failing

    run(scenario)


def test_what_is_scored_and_not_kept_yet_counts_as_waiting() -> None:
    async def scenario(score_queue: ScoreQueue) -> None:
        async with score_queue.reserve_write(2):
            assert score_queue.unwritten == 2
            with pytest.raises(QueueFull):
                await score_queue.submit(comments("a"), FAKE)
        assert score_queue.unwritten == 0
        assert len(await score_queue.submit(comments("a"), FAKE)) == 1

    run(scenario, queue=2)


def test_comments_are_kept_in_turn() -> None:
    order: list[int] = []

    async def scenario(score_queue: ScoreQueue) -> None:
        async def keep(number: int) -> None:
            async with score_queue.reserve_write(1):
                assert len(order) == number
                await asyncio.sleep(0.002)
                order.append(number)

        await asyncio.gather(*(keep(number) for number in range(5)))

    run(scenario)
    assert order == list(range(5))


def test_a_failure_to_keep_gives_the_turn_away() -> None:
    async def scenario(score_queue: ScoreQueue) -> None:
        with pytest.raises(ValueError, match="kept nothing"):
            async with score_queue.reserve_write(3):
                raise ValueError("kept nothing")
        async with score_queue.reserve_write(1):
            assert score_queue.unwritten == 1

    run(scenario)


def test_requests_on_their_way_fill_the_queue() -> None:
    score_queue = ScoreQueue(queue_comments=3)
    with ExitStack() as here:
        for _ in range(3):
            assert not score_queue.full
            here.enter_context(score_queue.reserve_slot())
        assert score_queue.full
        assert score_queue.retry_after == 1
    assert not score_queue.full


def test_nobody_is_let_in_to_wait_too_long() -> None:
    """Ten are in the queue and one leaves every 20 ms or slower; four are always admitted."""
    score_queue = ScoreQueue(queue_comments=1000, longest_s=0.02)
    here = [ExitStack() for _ in range(74)]
    for one in here:
        one.enter_context(score_queue.reserve_slot())
    for one in here[:64]:
        time.sleep(0.02)
        one.close()
    assert score_queue.requests == 10
    assert score_queue.full
    for one in here[64:71]:
        one.close()
    assert not score_queue.full
    for one in here[71:]:
        one.close()


def test_slow_long_requests_keep_no_single_comment_out_but_one_another() -> None:
    free = threading.Event()
    free.set()
    scorer = FakeScorer(before=lambda: time.sleep(0.0005) if free.wait(10) else None)
    long = comments(*(f"{number}" for number in range(100)))

    async def ask(score_queue: ScoreQueue) -> object:
        with score_queue.reserve_slot():
            return await score_queue.submit(long, scorer)

    async def scenario(score_queue: ScoreQueue) -> None:
        for _ in range(20):  # each takes 50 ms or more, a comment of it 0.5 ms
            await ask(score_queue)
        score_queue._longest_s = 0.06
        with ExitStack() as here:
            for _ in range(10):
                here.enter_context(score_queue.reserve_slot())
            assert not score_queue.full
        free.clear()
        under_way = [asyncio.create_task(ask(score_queue))]
        await until(lambda: score_queue.queued == 99)
        with pytest.raises(QueueFull):
            await score_queue.submit(long, scorer)
        under_way.append(asyncio.create_task(score_queue.submit(long[:1], scorer)))
        await until(lambda: score_queue.queued == 100)
        free.set()
        await asyncio.gather(*under_way)

    run(scenario, queue=1000)


def test_a_quiet_hour_is_no_sign_of_a_slow_service() -> None:
    score_queue = ScoreQueue(queue_comments=1000, longest_s=2.0)
    for _ in range(5):
        with score_queue.reserve_slot():
            pass
        time.sleep(0.2)
    here = [score_queue.reserve_slot() for _ in range(200)]
    for one in here:
        one.__enter__()
    assert not score_queue.full  # it would be full if the pauses counted: 200 times 15 ms and more
    for one in here:
        one.__exit__(None, None, None)
