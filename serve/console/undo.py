"""The console's undo, and the correction of a reason right after a rejection."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import Connection, Row

from belowline.serve.api.decision_reason import agreeing
from belowline.serve.console.authors import on_cards
from belowline.serve.console.queue import chosen_code
from belowline.serve.console.session import Console, FormDep
from belowline.serve.console.toasts import toast_of
from belowline.serve.http.errors import invalid_field
from belowline.serve.queue import acts, moderator_decisions
from belowline.serve.queue.comments import last_decision
from belowline.serve.queue.moderator_decisions import ModeratorDecision
from belowline.serve.queue.undo import undo_act

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.post("/console/undo")
def undo(console: Console, form: FormDep) -> Response:
    """Undoes an act, or one decision of it; without either the moderator's newest act that is not undone."""
    act, decision = form.optional_number("act"), form.optional_number("decision")
    with console.service.database.write() as tx:
        policy = console.service.pair_in(tx).policy
        if decision is not None:
            rows, skipped = [moderator_decisions.undo(tx, console.actor, decision, policy)], 0
            act = rows[0].act_id
            words = "Undone: the decision on this comment"
        else:
            result = undo_act(tx, console.actor, act, policy)
            rows, skipped, act = result.decisions, len(result.skipped), result.act.id
            words = toast_of(tx, act).words
        restored = {row.comment_id: row.id for row in rows}  # the later one of two
        answer = {"act": act, "words": words, "restored": restored, "skipped": skipped}
        if act is not None:
            answer |= _besides(tx, acts.read(tx, act))
    return console.done(form, answer, act)


def _besides(tx: Connection, act: Row[Any]) -> dict[str, Any]:
    """The comment whose escalation was undone, or the author's standing and notes that count again."""
    if act.kind == "escalation" and act.state == "undone":
        last = last_decision(tx, act.comment_id)
        return {"restored": {act.comment_id: last.id if last is not None else ""}}
    return on_cards(tx, act.author_id) if act.kind in ("standing", "note") else {}


@router.post("/console/reason")
def reason(console: Console, form: FormDep) -> Response:
    """Gives the moderator's last rejection of a comment another reason."""
    code = chosen_code(form)
    if not code:
        raise invalid_field("code", "is missing; choose the reason")
    wanted = agreeing(
        ModeratorDecision("reject", code=code, code_choice="person"), console.service.pipeline.scorer.labels
    )
    fields = {"code": code, "code_choice": "person", "labels": wanted.labels}
    with console.service.database.write() as tx:
        policy = console.service.pair_in(tx).policy
        row = moderator_decisions.change_reason(tx, console.actor, form.number("decision"), fields, policy)
        toast = toast_of(tx, row.act_id)
    answer = {"decision": row.id, "comment": row.comment_id, "action": row.action, **toast.answer}
    return console.done(form, answer, row.act_id)
