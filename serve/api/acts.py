"""The API: acts of people, and their undo."""

from typing import Annotated

from fastapi import Path, Query

from belowline.serve.api.messages import ActOut, ActPage, Number, UndoOut
from belowline.serve.api.queue import Worker
from belowline.serve.http.errors import api_router
from belowline.serve.http.service import ServiceDep
from belowline.serve.queue import acts
from belowline.serve.queue.comments import DecisionOut
from belowline.serve.queue.undo import Undone, undo_act

router = api_router("queue", 404, 409)


@router.get("/acts", summary="List what moderators did, newest first")
def list_acts(
    service: ServiceDep,
    actor: Worker,
    own: Annotated[bool, Query(description="Only your own: your undo stack.")] = False,
    limit: Annotated[int, Query(ge=1, le=200, description="Most acts on one page.")] = 50,
    after: Annotated[str | None, Query(max_length=200, description="`next` of the previous page.")] = None,
) -> ActPage:
    """Decisions on one comment or on many, actions on authors, notes and escalations. Triage sees its own only."""
    with service.database.read() as tx:
        own = own or not actor.may("read the log")
        rows, following = acts.page(tx, actor, limit, after, own=own)
        return ActPage(items=[ActOut.model_validate(row) for row in rows], next=following)


@router.post("/acts/{act}/undo", status_code=201, summary="Undo an act")
def undo(
    service: ServiceDep, actor: Worker, act: Annotated[Number, Path(description="Id of an act.")]
) -> UndoOut:
    """Undoes every decision of the act that is still the last one on its comment; the others are `skipped`.

    An admin can undo other moderators' acts.
    """
    with service.database.write() as tx:
        return answer_of(undo_act(tx, actor, act, service.pair_in(tx).policy))


def answer_of(result: Undone) -> UndoOut:
    """Return the answer to an undo."""
    made = [DecisionOut.model_validate(row) for row in result.decisions]
    return UndoOut(act=ActOut.model_validate(result.act), decisions=made, skipped=result.skipped)
