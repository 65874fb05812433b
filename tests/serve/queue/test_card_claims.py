"""Claims for cards: a campaign is one card of one moderator, and every other item is a card of its own."""

from typing import Any

import pytest
from sqlalchemy import func, select

from belowline.serve.queue import card_claims, queue_items
from belowline.serve.queue.queue_items import Filter
from belowline.serve.store.tables import items
from tests.support.store_fakes import ANN, BEN, Desk, at_once

OFFER = "spam: my {} made {} in one week from home with this simple trick, look at my page for the rest"
WHO = ("aunt", "uncle", "sister", "friend", "boss", "cousin")


def offers(desk: Desk, number: int = 3, **more: Any) -> list[int]:
    """Ingest copies of one offer; return their ids."""
    return [desk.take(OFFER.format(WHO[at], 90 + at), **more).comment for at in range(number)]


def cards(
    desk: Desk,
    who: str = "ann",
    limit: int = 10,
    order: queue_items.Order = "oldest",
    have: tuple[int, ...] = (),
    grouped: bool = True,
    **chosen: Any,
) -> list[int]:
    """Claim cards; return the ids of their first comments."""
    rows = desk.do(card_claims.claim_cards, who, Filter(**chosen), order, limit, have=have, grouped=grouped)
    return [row.comment_id for row in rows]


def copies(desk: Desk, campaign: int, who: str = "ann", until: int | None = None) -> tuple[int, ...]:
    found = desk.see(card_claims.copies, [campaign], who, Filter(), until)
    return found[campaign].comments if campaign in found else ()


def test_the_copies_of_a_campaign_are_one_card_that_one_moderator_gets(desk: Desk) -> None:
    [single] = desk.hold()
    many = offers(desk, 4)
    [last] = desk.hold()
    assert cards(desk, "ann", 2) == [single, many[0]]
    assert {desk.waiting(one).claimed_by for one in many} == {"ann"}
    assert cards(desk, "ben") == [last]
    assert copies(desk, many[0], "ann") == tuple(many)
    assert copies(desk, many[0], "ben") == ()


@pytest.mark.parametrize("order", queue_items.ORDERS)
def test_the_card_has_the_copy_that_comes_first_in_the_order(desk: Desk, order: queue_items.Order) -> None:
    many = offers(desk)
    [first] = cards(desk, order=order)
    assert first == (many[0] if order == "oldest" else many[-1])


def test_a_late_copy_belongs_to_the_card_and_is_nobody_elses(desk: Desk) -> None:
    many = offers(desk, 2)
    assert cards(desk, "ann") == [many[0]]
    held = desk.see(card_claims.copies, [many[0]], "ann", Filter())[many[0]]
    late = desk.take(OFFER.format("teacher", 99)).comment
    assert desk.waiting(late).claimed_by is None
    assert cards(desk, "ben") == []
    assert cards(desk, "ann", have=(desk.waiting(many[0]).id,)) == [], "it is no card of its own"
    assert copies(desk, many[0]) == (*many, late)
    assert copies(desk, many[0], until=held.until) == tuple(many)
    desk.rule_all("reject", chosen=many)
    assert cards(desk, "ben") == [], "a renewed lease is one of all copies"
    assert cards(desk, "ann") == [late]
    desk.do(queue_items.release, "ann")
    assert cards(desk, "ben") == [late]


def test_a_page_that_runs_low_gets_other_cards_and_keeps_its_own(desk: Desk) -> None:
    singles = desk.hold(5)
    first = cards(desk, "ann", 2)
    have = tuple(desk.waiting(one).id for one in first)
    before = desk.waiting(first[0]).claimed_until
    assert cards(desk, "ann", 2, have=have) == singles[2:4]
    assert desk.waiting(first[0]).claimed_until > before
    assert cards(desk, "ben") == [singles[4]]
    assert cards(desk, "ben", have=have) == [singles[4]], "what Ann holds stays hers"
    assert {desk.waiting(one).claimed_by for one in first} == {"ann"}


def test_a_comment_left_for_others_comes_back_only_after_a_lease(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = desk.hold(2)
    assert cards(desk) == [first, second]
    left = desk.rule(first, "hold").id
    assert cards(desk) == [second], "the leaver gets the other one alone"
    assert desk.claim("ann", 5) == [second]
    assert desk.see(card_claims.free, "ann", Filter()) == 1
    assert cards(desk, "ben") == [first]
    desk.do(queue_items.release, "ben")
    desk.undo(left)
    assert cards(desk) == [first, second], "an undone leave does not count"
    desk.rule(first, "hold")
    later = queue_items.now() + queue_items.LEASE
    monkeypatch.setattr(queue_items, "now", lambda: later)
    assert cards(desk, moment=later) == [first, second]


def test_appeals_and_second_reviews_of_copies_are_cards_of_their_own(desk: Desk) -> None:
    many = offers(desk, 3)
    desk.do(
        lambda tx: tx.execute(
            items.update().where(items.c.comment_id == many[2]).values(kind="appeal", not_for="ben")
        )
    )
    assert cards(desk, "ben") == [many[0]]
    assert cards(desk, "ann") == [many[2]]


def test_who_decides_single_comments_gets_each_copy(desk: Desk) -> None:
    many = offers(desk, 3)
    assert cards(desk, "tess", 2, grouped=False) == many[:2]
    assert cards(desk, "ann") == [], "another person holds copies of the campaign"
    assert cards(desk, "ben", grouped=False) == [many[2]]


def test_sites_have_their_own_campaigns(desk: Desk) -> None:
    here, there = offers(desk, 2, site="a"), offers(desk, 2, site="b")
    assert cards(desk, "ann", sites=("a",)) == [here[0]]
    assert cards(desk, "ben") == [there[0]]


def test_two_moderators_with_different_filters_see_everything_once(desk: Desk) -> None:
    everything = desk.hold(6) + [desk.take("a threat").comment for _ in range(6)] + offers(desk, 6)
    seen: list[int] = []
    turns = (("ann", {"label": "spam"}, "newest"), ("ben", {}, "oldest"))
    while True:
        got = []
        for who, chosen, order in turns:
            desk.do(queue_items.release, who)
            for first in cards(desk, who, 2, order, **chosen):  # type: ignore[arg-type]
                many = copies(desk, desk.row("comments", id=first).campaign or 0, who) or (first,)
                got += many
                desk.rule_all("reject", ANN if who == "ann" else BEN, chosen=many)
        if not got:
            break
        seen += got
    assert sorted(seen) == everything


def test_claims_at_the_same_time_share_no_campaign(desk: Desk) -> None:
    everything = offers(desk, 6) + desk.hold(6)
    got = at_once([lambda who=who: cards(desk, who, 3) for who in ("ann", "ben", "cleo", "dan")])
    firsts = [one for each in got for one in each]
    assert len(firsts) == len(set(firsts)) == 7
    assert set(firsts) == {everything[0], *everything[6:]}
    assert len({desk.waiting(one).claimed_by for one in everything[:6]}) == 1


def test_what_waits_is_counted_by_site_language_label_and_kind(desk: Desk) -> None:
    for said, site in (("spam", "a"), ("spam", "b"), ("a threat", "b")):
        desk.take(said, site=site)

    def counts(own: tuple[str, ...] = (), **chosen: Any) -> dict[str, dict[str, int]]:
        return dict(desk.see(card_claims.waiting, Filter(**chosen), own))

    assert counts() == {
        "site": {"b": 2, "a": 1},
        "language": {"en": 3},
        "label": {"spam": 2, "threat": 1},
        "kind": {"held": 3},
    }
    spam = counts(label="spam")
    assert (spam["site"], spam["label"]) == ({"a": 1, "b": 1}, {"spam": 2, "threat": 1})
    assert counts(("a",))["site"] == {"a": 1}
    assert counts(sites=("b",))["label"] == {"threat": 1, "spam": 1}
    assert desk.see(lambda tx: tx.execute(select(func.count()).select_from(items)).scalar_one()) == 3
