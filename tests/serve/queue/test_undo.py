"""Undo: one stack of single and bulk decisions, and the reason that an undone comment keeps."""

from typing import Any

from sqlalchemy import update

from belowline.serve.queue import acts, comments, moderator_decisions, undo
from belowline.serve.queue.erasure import erase_comment
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import Database
from belowline.serve.store.tables import acts as acts_table
from belowline.serve.store.tables import decisions
from tests.support.replay import replay
from tests.support.store_fakes import ANN, BEN, SECOND, Desk, refused

CHIEF = Actor("chief", role="admin")


def undo_newest(desk: Desk, who: Actor = ANN) -> undo.Undone:
    return desk.do(undo.undo_act, who, None, desk.pipeline.policy)


def undo_act(desk: Desk, act: int, who: Actor = ANN) -> undo.Undone:
    return desk.do(undo.undo_act, who, act, desk.pipeline.policy)


def undone(result: undo.Undone) -> list[int]:
    return sorted(row.comment_id for row in result.decisions)


def test_single_and_bulk_decisions_are_undone_from_the_newest_to_the_oldest(desk: Desk) -> None:
    held = desk.hold(6)
    desk.rule(held[0])
    desk.rule_all(chosen=held[1:3])
    desk.rule(held[3], "publish")
    desk.rule_all("publish", chosen=held[4:6])
    stands = [[desk.stands(one) for one in held]]
    for expected in (held[4:6], held[3:4], held[1:3], held[:1]):
        assert undone(undo_newest(desk)) == expected
        stands.append([desk.stands(one) for one in held])
    assert stands[0] == ["reject", "reject", "reject", "publish", "publish", "publish"]
    assert stands[1] == ["reject", "reject", "reject", "publish", "hold", "hold"]
    assert stands[3] == ["reject", *["hold"] * 5]
    assert stands[4] == ["hold"] * 6
    assert "nothing to undo" in refused("conflict", undo_newest, desk)
    assert list(replay(desk.database)) == []


def test_another_persons_acts_are_not_on_the_stack(desk: Desk) -> None:
    first, second = desk.hold(2)
    desk.rule(first)
    theirs = desk.rule(second, who=BEN)
    assert undone(undo_newest(desk)) == [first]
    refused("forbidden", undo_act, desk, theirs.act_id)
    assert undone(undo_act(desk, theirs.act_id, CHIEF)) == [second]
    refused("conflict", undo_act, desk, theirs.act_id, CHIEF)
    refused("not-found", undo_act, desk, 9999)
    refused("not-found", undo_act, desk, theirs.act_id, Actor("eve", sites=("elsewhere",)))


def test_two_decisions_on_one_comment_are_undone_one_after_the_other(desk: Desk) -> None:
    [only] = desk.hold()
    desk.rule(only, "reject", code="spam", labels=("spam",))
    desk.rule(only, "publish")
    restored = undo_newest(desk).decisions[0]
    assert (restored.action, restored.code, restored.labels) == ("reject", "spam", ["spam"])
    assert undone(undo_newest(desk)) == [only]
    assert desk.stands(only) == "hold"
    assert desk.waiting(only).claimed_by == "ann"
    assert list(replay(desk.database)) == []


def test_what_was_decided_edited_or_erased_since_is_skipped_and_the_rest_is_undone(desk: Desk) -> None:
    held = [desk.take("spam", name).comment for name in ("a", "b", "c", "d")]
    act = desk.rule_all(chosen=held).act
    desk.rule(held[0], "publish", BEN)
    desk.take("a threat", "b")
    desk.do(erase_comment, CHIEF, held[2])
    result = undo_act(desk, act)
    assert undone(result) == [held[3]]
    assert sorted(result.skipped) == held[:3]
    assert "erased" in result.skipped[held[2]]
    assert [desk.stands(one) for one in held] == ["publish", "hold", "reject", "hold"]
    assert desk.row("acts", id=act).state == "undone"
    assert list(replay(desk.database)) == []


def test_an_act_of_which_nothing_is_left_leaves_the_stack(desk: Desk) -> None:
    first, second = desk.hold(2)
    desk.rule(first)
    desk.rule(second)
    desk.rule(second, "publish", BEN)
    result = undo_newest(desk)
    assert (result.decisions, sorted(result.skipped), result.state) == ([], [second], "kept")
    assert undone(undo_newest(desk)) == [first]


def test_one_decision_of_a_bulk_act_is_undone_alone(desk: Desk) -> None:
    held = desk.hold(3)
    made = desk.rule_all(chosen=held)
    desk.undo(made.decisions[1])
    assert [desk.stands(one) for one in held] == ["reject", "hold", "reject"]
    assert desk.row("acts", id=made.act).state == "done"
    assert undone(undo_act(desk, made.act)) == [held[0], held[2]]


def test_an_act_is_undone_with_its_last_decision(desk: Desk) -> None:
    held = desk.hold(2)
    made = desk.rule_all(chosen=held)
    for decision in made.decisions:
        desk.undo(decision)
    row = desk.row("acts", id=made.act)
    assert (row.state, row.undone_by, row.kind, row.value, row.site) == (
        "undone",
        "ann",
        "bulk",
        "reject",
        "s",
    )
    refused("conflict", undo_act, desk, made.act)


def test_a_bulk_decision_that_decides_nothing_is_no_act(desk: Desk) -> None:
    [only] = desk.hold()
    desk.claim("ben")
    made = desk.rule_all(chosen=[only])
    assert (made.decisions, made.skipped, made.act) == ([], [only], None)
    assert desk.rows("acts") == []


def test_an_old_act_is_undone_by_its_number_only(desk: Desk) -> None:
    [only] = desk.hold()
    act = desk.rule(only).act_id
    late = desk.row("acts").at - acts.WITHIN
    desk.do(lambda tx: tx.execute(update(acts_table).values(at=late)))
    refused("conflict", undo_newest, desk)
    assert undone(undo_act(desk, act)) == [only]


def test_a_decision_of_an_earlier_version_has_no_act_and_is_undone_as_before(desk: Desk) -> None:
    [only] = desk.hold()
    made = desk.rule(only)
    desk.do(lambda tx: tx.execute(update(decisions).values(act_id=None)))
    assert desk.undo(made.id).action == "hold"


def why(desk: Desk, comment: int) -> dict[str, Any]:
    [shown] = desk.see(comments.load, [comment])
    names = ("label", "code", "priority", "uncertainty", "kind")
    decision = {name: getattr(shown.decision, name) for name in ("labels", "code", "rule", "spans")}
    return {**decision, "evidence": shown.evidence, **{name: getattr(shown.item, name) for name in names}}


def test_an_undone_comment_keeps_why_it_was_held(desk: Desk) -> None:
    held = [desk.take("spam it is").comment, desk.take("a threat").comment]
    before = [why(desk, one) for one in held]
    assert before[0]["code"] == "spam"
    assert before[0]["spans"] == [[0, 4]]
    desk.rule(held[0], "reject", code="toxicity")
    desk.rule_all("publish", chosen=held[1:])
    undo_newest(desk)
    undo_newest(desk)
    assert [why(desk, one) for one in held] == before


def test_a_corrected_reason_belongs_to_the_same_act(database: Database) -> None:
    desk = Desk(database, SECOND)
    [only] = desk.hold()
    made = desk.rule(only, "reject", code="other", note="seen")
    reason = {"code": "threat", "labels": ("threat",), "code_choice": "person"}
    desk_policy = desk.pipeline.policy
    again = desk.do(moderator_decisions.change_reason, ANN, made.id, reason, desk_policy)
    assert (again.action, again.code, again.labels, again.note) == ("reject", "threat", ["threat"], "seen")
    assert (again.act_id, desk.waiting(only).kind) == (made.act_id, "second")
    refused("conflict", desk.do, moderator_decisions.change_reason, ANN, made.id, reason, desk_policy)
    refused("conflict", desk.do, moderator_decisions.change_reason, BEN, again.id, reason, desk_policy)
    assert len(undo_newest(desk).decisions) == 2
    assert (desk.stands(only), desk.waiting(only).kind) == ("hold", "held")
    assert desk.claim("ann") == [only]
    assert list(replay(desk.database)) == []


def test_a_published_comment_has_no_reason_to_correct(desk: Desk) -> None:
    [only] = desk.hold()
    made = desk.rule(only, "publish")
    change = moderator_decisions.change_reason
    refused("conflict", desk.do, change, ANN, made.id, {"code": "spam"}, desk.pipeline.policy)
