"""Scores of the newest comments: bounded, of the sites that are asked for, with the moderators' decisions."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from belowline.model.directory import Thresholds
from belowline.serve.queue import score_sample as module
from belowline.serve.queue.moderator_pace import Pace, moderator_pace
from belowline.serve.queue.score_sample import BINS, score_sample
from belowline.serve.queue.sites import known_sites
from belowline.serve.store.database import now
from belowline.serve.store.tables import comments, decisions
from tests.support.store_fakes import ANN, BEN, Desk

LABELS = ("spam", "toxicity", "threat")
LIMITS = {"spam": Thresholds(hold=0.5, reject=0.8), "toxicity": Thresholds(hold=0.5)}


def test_comments_that_thresholds_reach_are_counted_with_their_decisions(desk: Desk) -> None:
    ids = [
        desk.take(text).comment
        for text in ("fine", "spam", "spam", "spam with toxicity", "toxicity", "threat")
    ]
    desk.take("unscored", scored=False)
    desk.rule(ids[1])
    desk.rule(ids[2], "publish")
    desk.undo(desk.rule(ids[3]).id)
    desk.rule(ids[4], "hold")
    sample = desk.see(score_sample, LABELS)
    assert (sample.comments, sample.days, sample.full) == (6, 1.0, False)
    assert sample.histogram("spam") == [3, *[0] * (BINS - 6), 3, *[0] * 4]
    held = sample.held("spam", LIMITS, rejecting=False)
    assert (held.a_day, held.decided, held.rejected, held.alone) == (3, 2, 1, 2)
    assert sample.held("spam", LIMITS, rejecting=True).a_day == 0, "all of them are rejected"
    assert sample.held("toxicity", LIMITS, rejecting=True).a_day == 1
    assert sample.rejected("spam", LIMITS).a_day == 3
    assert sample.all_held(LIMITS, rejecting=False).a_day == 4
    never = {"threat": Thresholds()}
    assert sample.held("threat", never, rejecting=False).a_day == 0


def test_a_sample_is_bounded_in_number_and_time_and_keeps_to_its_sites(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    old = desk.take("spam", site="x").comment
    moment = now() - timedelta(weeks=module.WEEKS, hours=1)
    desk.do(lambda tx: tx.execute(update(comments).where(comments.c.id == old).values(received=moment)))
    desk.take("spam", site="y")
    sample = desk.see(score_sample, LABELS, ["x"])
    assert sample.comments == 0
    assert sample.histogram("spam") == [0] * BINS
    for _ in range(2):
        desk.hold(site="x")
    sample = desk.see(score_sample, LABELS, ["x"])
    assert (sample.comments, sample.full) == (2, False)
    for _ in range(3):
        desk.hold(site="x")
    for sites in (["x"], ["x", "y"], []):
        sample = desk.see(score_sample, LABELS, sites)
        assert (sample.comments, sample.full) == (3, True)
    assert desk.see(score_sample, LABELS, ["nowhere"]).comments == 0


def test_days_are_those_since_the_oldest_comment(desk: Desk) -> None:
    [one, *_] = desk.hold(4)
    moment = now() - timedelta(days=8)
    desk.do(lambda tx: tx.execute(update(comments).where(comments.c.id == one).values(received=moment)))
    sample = desk.see(score_sample, LABELS)
    assert sample.days == pytest.approx(8, abs=0.01)
    assert sample.held("spam", LIMITS, rejecting=False).a_day == pytest.approx(0.5, abs=0.01)


def test_sites_are_those_with_comments(desk: Desk) -> None:
    for site in ("b", "a", "c", "a"):
        desk.take("fine", site=site)
    assert desk.see(known_sites) == ["a", "b", "c"]
    assert desk.see(known_sites, ["c", "d"]) == ["c"]


def test_the_pace_is_between_decisions_of_one_sitting(desk: Desk) -> None:
    start = now().replace(microsecond=0) - timedelta(hours=2)
    made = [desk.rule(one).id for one in desk.hold(4)]
    desk.rule(desk.hold()[0], who=BEN)
    for number, seconds in zip(made, (0, 10, 16, 3000), strict=True):
        at = {"at": start + timedelta(seconds=seconds)}
        desk.do(
            lambda tx, number=number, at=at: tx.execute(
                update(decisions).where(decisions.c.id == number).values(at)
            )
        )
    desk.rule_all(who=ANN, chosen=desk.hold(5))
    pace = desk.see(moderator_pace, start)
    assert pace["ann"].seconds == 8.0
    assert pace["ben"] == Pace(1, None)
