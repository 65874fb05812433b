"""Server-sent events that tell consoles of changes to the queue."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool

from belowline.serve.store.database import Database
from belowline.serve.store.tables import LIVE, comments, decisions, items

_EVERY_S = 1.0
_HEARTBEAT_S = 15.0


async def changes(
    database: Database, sites: Sequence[str], gone: Callable[[], Awaitable[bool]], every_s: float = _EVERY_S
) -> AsyncIterator[str]:
    """Yields an event whenever the queue of ``sites`` (none: all) changes, until the client is ``gone``."""
    # It polls the store, because other workers change it too.
    last: dict[str, int] | None = None
    silent = 0.0
    while not await gone():
        state = await run_in_threadpool(_state, database, sites)
        if state != last:
            yield f"event: queue\ndata: {json.dumps(state)}\n\n"
            last, silent = state, 0.0
        elif silent >= _HEARTBEAT_S:  # proxies close silent connections
            yield ": still here\n\n"
            silent = 0.0
        await asyncio.sleep(every_s)
        silent += every_s


def _state(database: Database, sites: Sequence[str]) -> dict[str, int]:
    waiting = select(func.count(), func.coalesce(func.max(items.c.id), 0)).where(items.c.state == LIVE)
    newest = select(decisions.c.id).order_by(decisions.c.id.desc()).limit(1)
    if sites:
        waiting = waiting.where(items.c.site.in_(sites))
        newest = newest.join(comments, comments.c.id == decisions.c.comment_id)
        newest = newest.where(comments.c.site.in_(sites))
    with database.read() as tx:
        count, item = tx.execute(waiting).one()
        decided = tx.execute(newest).scalar() or 0
    return {"waiting": count, "newest": item, "decision": decided}
