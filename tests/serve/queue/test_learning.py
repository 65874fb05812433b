"""The order ``learn``: what it offers, in which order, why, and that pages and claims of it meet what they should."""

import itertools
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, update

from belowline.data.decisions import read_decided
from belowline.serve.queue import items, learning
from belowline.serve.queue.items import Filter
from belowline.serve.queue.learning import Candidate, offered, ranked
from belowline.serve.queue.moderator_decisions import Moderator
from belowline.serve.store import cursor
from belowline.serve.store.database import now
from belowline.serve.store.tables import items as queue
from belowline.serve.training_data.export import export_decisions
from tests.support.store_fakes import Desk, at_once, refused

NUMBERS = range(1, 20_001)
OFFER = "spam: {} made {} from home in one single week with this simple trick, look at my page"


def seen(desk: Desk, limit: int = 100, **chosen: Any) -> list[list[int]]:
    """Comments of every page, to the last."""
    pages, after = [], None
    while True:
        rows, after = desk.see(items.page, Filter(**chosen), "learn", limit, after)
        pages.append([row.comment_id for row in rows])
        if after is None:
            return pages


def spread(desk: Desk, number: int = 24) -> dict[int, Any]:
    """Comments that wait, each as uncertain as its place says, by their ids."""
    ids = desk.hold(number)
    for at, one in enumerate(ids):
        change(desk, one, uncertainty=(at * 7 % number) / number)
    return {one: desk.waiting(one) for one in ids}


def change(desk: Desk, comment: int, **values: Any) -> None:
    desk.do(lambda tx: tx.execute(update(queue).where(queue.c.comment_id == comment).values(**values)))


def candidate(row: Any) -> Candidate:
    return Candidate(row.id, row.campaign, row.uncertainty, offered(row.id, row.kind, row.code))


def why(desk: Desk, comments: list[int]) -> list[str]:
    return [candidate(desk.waiting(one)).offered for one in comments]


def test_uncertainty_is_the_nearness_of_the_nearest_threshold() -> None:
    holds = {"spam": 0.5, "hate": 0.9, "profanity": None}
    assert learning.uncertainty({"spam": 0.8, "hate": 0.2, "profanity": 0.5}, holds) == pytest.approx(0.7)
    assert learning.uncertainty({"spam": 0.1, "hate": 0.9}, holds) == 1
    assert learning.uncertainty({"toxicity": 0.1}, holds) == learning.uncertainty({}, holds) == 1


def test_no_two_items_draw_the_same_lot() -> None:
    assert len({learning.lot(number) for number in NUMBERS}) == len(NUMBERS)
    assert all(0 <= learning.lot(number) < 2**31 - 1 for number in (*NUMBERS, 2**31 - 1))


def test_chance_has_a_quarter_of_the_items_whatever_their_ids_have_in_common() -> None:
    by_chance = [offered(number, "held", "spam") == "random" for number in NUMBERS]
    for step, first in ((1, 0), (2, 0), (2, 1), (3, 2), (7, 5), (10, 9)):
        some = by_chance[first::step]
        assert sum(some) / len(some) == pytest.approx(0.25, abs=4 * (0.1875 / len(some)) ** 0.5)
    for lag in range(1, 13):
        both = sum(a and b for a, b in zip(by_chance, by_chance[lag:], strict=False))
        assert both / len(by_chance) == pytest.approx(1 / 16, abs=0.008)


def test_early_lots_fall_on_all_ages_alike() -> None:
    drawn = sorted((one for one in NUMBERS if offered(one, "held", "spam") == "random"), key=learning.lot)
    tenths = Counter((one - 1) * 10 // len(NUMBERS) for one in drawn[-1000:])
    assert all(60 < tenths[tenth] < 140 for tenth in range(10))


@pytest.mark.parametrize(
    ("kind", "code"), [("sample", "none"), ("appeal", "spam"), ("second", "spam"), ("held", "scoring_failed")]
)
def test_what_scores_must_not_choose_is_left_to_chance(kind: str, code: str) -> None:
    assert {offered(number, kind, code) for number in range(1, 50)} == {"random"}


def test_every_fourth_place_is_for_chance_until_one_kind_is_at_its_end() -> None:
    rows = [
        Candidate(number, None, number / 40, "random" if number % 2 else "uncertain") for number in range(40)
    ]
    got = list(ranked(rows))
    assert sorted(one.id for one in got) == list(range(40))
    kinds = [one.offered for one in got]
    assert kinds[:24] == ["uncertain", "uncertain", "uncertain", "random"] * 6
    assert kinds[24:28] == ["uncertain", "uncertain", "random", "random"]
    assert set(kinds[27:]) == {"random"}
    doubts = [one.uncertainty for one in got if one.offered == "uncertain"]
    assert doubts == sorted(doubts, reverse=True)
    lots = [learning.lot(one.id) for one in got if one.offered == "random"]
    assert lots == sorted(lots, reverse=True)


def test_of_a_campaign_only_the_most_uncertain_is_ranked() -> None:
    rows = [Candidate(number, 7 if number < 10 else None, number / 20, "uncertain") for number in range(12)]
    assert [one.id for one in ranked(rows)] == [11, 10, 9]
    assert list(ranked([])) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 24, 50])
def test_pages_are_the_ranking_cut_in_pieces(desk: Desk, limit: int) -> None:
    rows = spread(desk)
    order = {row.id: comment for comment, row in rows.items()}
    whole = [order[one.id] for one in ranked(map(candidate, rows.values()))]
    assert len(whole) == 24
    pages = seen(desk, limit)
    assert list(itertools.chain(*pages)) == whole
    assert all(len(page) == limit for page in pages[:-1])


def test_the_database_draws_the_same_lots(desk: Desk) -> None:
    spread(desk, 60)
    [page] = seen(desk)
    kinds = why(desk, page)
    assert set(kinds) == {"uncertain", "random"}
    assert [kinds[at] for at in range(3, 40, 4)] == ["random"] * 10
    assert [kinds[at] for at in range(28) if at % 4 < 3] == ["uncertain"] * 21


def test_a_page_has_one_of_each_campaign_and_near_copies_do_not_push_others_out(desk: Desk) -> None:
    others = list(spread(desk, 8))
    offers = [desk.take(OFFER.format(who, who)).comment for who in ("Sue", "Bob", "Eve", "Ann", "Dan", "Flo")]
    assert len({desk.waiting(one).campaign for one in offers}) == 1
    for one in offers:
        change(desk, one, uncertainty=1.0)
    [page] = seen(desk)
    assert set(others) < set(page)
    assert len(set(page) & set(offers)) == 1
    claimed = desk.claim("ann", 9, "learn")
    assert len(set(claimed) & set(offers)) == 1
    assert len(claimed) == 9
    assert set(desk.claim("ann", 14, "learn")) == set(claimed)
    assert len(desk.claim("ben", 9, "learn")) == 1


def test_a_campaign_of_thousands_is_passed_over_by_the_database(desk: Desk) -> None:
    others = list(spread(desk, 3))
    [first] = desk.hold()
    row = {**desk.waiting(first)._mapping, "campaign": first, "uncertainty": 1.0}
    copied = [{**row, "id": row["id"] + at, "comment_id": first + at} for at in range(1, 3001)]
    held = desk.row("comments", id=first)._mapping
    texts = [{**held, "id": first + at, "caller_id": f"copy{at}", "campaign": first} for at in range(1, 3001)]
    change(desk, first, campaign=first, uncertainty=1.0)
    with desk.database.write() as tx:
        tx.execute(tables("comments").insert(), texts)
        tx.execute(queue.insert(), copied)
    read: list[int] = []
    with desk.database.read() as tx:
        event.listen(tx, "after_execute", lambda *given: read.append(1))
        rows, after = items.page(tx, Filter(), "learn", 10)
    assert after is None
    assert {row.comment_id for row in rows} > set(others)
    assert len(rows) == 4
    assert 0 < len(read) < 12


def tables(name: str) -> Any:
    return queue.metadata.tables[name]


def test_of_too_many_items_chance_draws_among_the_newest(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = spread(desk, 40)
    by_chance = [one for one in rows if candidate(rows[one]).offered == "random"]
    assert len(by_chance) > 3
    monkeypatch.setattr(learning, "WINDOW", 3)
    met = list(itertools.chain(*seen(desk, 7)))
    assert set(met) == set(rows) - set(by_chance[:-3])


def test_filters_and_roles_count_as_in_other_orders(desk: Desk) -> None:
    rows = spread(desk, 6)
    mine = desk.take("spam", site="other").comment
    assert seen(desk, sites=("other",)) == [[mine]]
    assert seen(desk, label="hate") == [[]]
    change(desk, mine, kind="appeal")
    assert set(seen(desk, appeals=False)[0]) == set(rows)
    change(desk, mine, kind="held", not_for="ann")
    assert set(desk.claim("ann", 20, "learn")) == set(rows)
    assert desk.claim("ben", 20, "learn") == [mine]


def test_leases_hold_in_this_order_too(desk: Desk) -> None:
    spread(desk, 6)
    got = desk.claim("ann", 4, "learn")
    assert len(got) == 4
    rest = desk.claim("ben", 6, "learn")
    assert len(rest) == 2
    assert not set(got) & set(rest)
    assert set(desk.claim("ann", 4, "learn")) == set(got)
    assert desk.claim("cleo", 6, "learn") == []
    late = now() + timedelta(minutes=5, seconds=1)
    assert len(desk.claim("cleo", 6, "learn", moment=late)) == 6


def test_who_claims_one_at_a_time_gets_a_quarter_by_chance(desk: Desk) -> None:
    spread(desk, 200)
    start = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
    got = [
        desk.claim(f"m{number}", 1, "learn", moment=start + timedelta(microseconds=number))[0]
        for number in range(100)
    ]
    assert len(set(got)) == 100
    assert 12 <= Counter(why(desk, got))["random"] <= 40


def test_many_who_claim_at_once_share_the_items_out(desk: Desk) -> None:
    ids = list(spread(desk, 40))
    got = at_once([lambda who=who: desk.claim(f"m{who}", 5, "learn") for who in range(8)])
    assert [len(some) for some in got] == [5] * 8
    assert sorted(one for some in got for one in some) == ids


def test_moderators_of_all_orders_work_side_by_side(desk: Desk) -> None:
    ids = list(spread(desk, 60))
    orders: tuple[items.Order, ...] = ("learn", "priority", "learn", "newest")

    def work(number: int) -> list[int]:
        who, done = Moderator(f"m{number}"), []
        while got := desk.claim(who.name, 2, orders[number]):
            for one in got:
                desk.rule(one, "reject", who)
                done.append(one)
        return done

    done = at_once([lambda number=number: work(number) for number in range(4)])
    assert sorted(one for some in done for one in some) == ids


STRANGE = [
    "", "x", "W10",
    cursor.encode("newest", [1]),
    cursor.encode("learn", [0, 0.5, 3]),
    cursor.encode("learn", [0, 0.5, 3, 4, 5]),
    cursor.encode("learn", [0, float("nan"), 3, 4]),
    cursor.encode("learn", [2**53, 0.5, 3, 4]),
]  # fmt: skip


@pytest.mark.parametrize("word", STRANGE, ids=range(len(STRANGE)))
def test_a_strange_cursor_is_refused(desk: Desk, word: str) -> None:
    desk.hold()
    refused("bad-cursor", desk.see, items.page, Filter(), "learn", 5, word)


@pytest.mark.parametrize("numbers", [[-3, -1, -1, -1], [0.5, 2.5, 0.5, 0.5], [2**52, 2**40, 2**40, 2**40]])
def test_a_cursor_of_any_number_is_answered(desk: Desk, numbers: list[float]) -> None:
    spread(desk, 6)
    rows, _ = desk.see(items.page, Filter(), "learn", 5, cursor.encode("learn", numbers))
    assert len(rows) <= 5


def test_a_page_goes_on_where_it_ended_though_items_came_and_went(desk: Desk) -> None:
    rows = spread(desk, 20)
    whole = list(itertools.chain(*seen(desk)))
    first, after = desk.see(items.page, Filter(), "learn", 8)
    desk.rule(whole[2], "reject")
    desk.rule(whole[10], "reject")
    change(desk, desk.hold()[0], uncertainty=1.0)
    rest, _ = desk.see(items.page, Filter(), "learn", 50, after)
    assert [row.comment_id for row in first] == whole[:8]
    left = [row.comment_id for row in rest if row.comment_id in rows]
    assert sorted(left) == sorted(set(whole[8:]) - {whole[10]})


def test_an_export_calls_random_only_what_the_policy_drew(desk: Desk, tmp_path: Path) -> None:
    """What chance chose among held comments is no random sample of comments."""
    spread(desk, 30)
    got = desk.claim("ann", 20, "learn")
    assert set(why(desk, got)) == {"uncertain", "random"}
    for one in got:
        desk.rule(one, "reject")
    export_decisions(desk.database, tmp_path / "d.jsonl")
    assert {(one.sampled, one.weight) for one in read_decided(tmp_path / "d.jsonl")} == {("picked", 1.0)}


def test_scores_do_not_choose_among_the_policys_random_sample(desk: Desk, tmp_path: Path) -> None:
    """Their weight in an export says that each was as likely to be decided as any other."""
    desk.pipeline = desk.pipeline.with_policy("sample = 0.5\n", "test")
    kept = [desk.take(f"fine {number}").comment for number in range(60)]
    drawn = [one for one in kept if desk.waiting(one)]
    for one in drawn:
        change(desk, one, uncertainty=one / 1000)
    got = desk.claim("ann", len(drawn) // 2, "learn")
    assert why(desk, got) == ["random"] * len(got)
    assert got == sorted(drawn, key=lambda one: -learning.lot(desk.waiting(one).id))[: len(got)]
    for one in got:
        desk.rule(one, "publish")
    policy = tmp_path / "policy.toml"
    policy.write_text("sample = 0.5\n")
    export_decisions(desk.database, tmp_path / "d.jsonl", policy=policy)
    assert {(one.sampled, one.weight) for one in read_decided(tmp_path / "d.jsonl")} == {("random", 2.0)}
