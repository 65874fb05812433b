"""The API: policy, keys, webhooks and the audit log."""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Response
from sqlalchemy import Row

from belowline.model import PolicyError
from belowline.serve.active.policy_history import history, newest, replace
from belowline.serve.api.comments import Admin, sites_of
from belowline.serve.api.messages import DryRunIn, HookIn, KeyIn, Number, PolicyIn, Table
from belowline.serve.http.auth import LOCAL, allowed, asks_for_key
from belowline.serve.http.errors import Problem, api_router
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.queue.dry_run import Change, DryRun, dry_run
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.store import accounts
from belowline.serve.store.accounts import Actor
from belowline.serve.store.tables import SYSTEM
from belowline.serve.webhooks import endpoints

router = api_router("administration", 404, 409)
Reader = Annotated[Actor, Depends(allowed("read the log"))]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most rows.")]
HookId = Annotated[Number, Path(description="Id of a webhook.")]
_RESERVED = (SYSTEM, LOCAL.name)
"""Actors of decisions that have no key."""


@router.get("/policy", tags=["policy"], summary="The active policy")
def read_policy(service: ServiceDep, actor: Reader) -> Table:
    """The policy's text; `number` is 0 for the file that the service was started with."""
    with service.database.read() as tx:
        version = service.pair_in(tx).policy.version
        return {"number": newest(tx), "version": version, "text": service.active.text(tx)}


@router.get("/policy/history", tags=["policy"], summary="All policies that were active, newest first")
def policy_history(service: ServiceDep, actor: Admin) -> list[Table]:
    """With the time and the name of the key."""
    with service.database.read() as tx:
        return _rows(history(tx))


@router.post(
    "/policy/dry-run", tags=["policy"], summary="Compare a policy with the active one on recent comments"
)
def try_policy(service: ServiceDep, actor: Reader, request: DryRunIn) -> Table:
    """Applies both policies to the stored scores of the newest comments; changes nothing.

    `changes` counts comments with another action, `moved` those that keep their action for another reason. `examples`
    has up to ten comments that the new policy decides more strictly, more mildly, or for another reason.
    """
    proposed = _proposed(service, request.text)
    with service.database.read() as tx:
        present = service.pair_in(tx)
        sites = sites_of(actor, request.site)
        run = dry_run(tx, present.policy, proposed.policy, sites, request.limit)
    return {
        "compared": run.compared,
        "before": dict(run.before),
        "after": dict(run.after),
        "changes": [
            {"before": before, "after": after, "comments": number}
            for (before, after), number in run.changes.most_common()
        ],
        "moved": [
            {"action": action, "code": code, "comments": number}
            for (action, code), number in run.moved.most_common()
        ],
        "directions": dict(run.directions),
        "summary": _summary_of(run),
        "examples": [_example(change) for change in run.examples],
    }


def _example(change: Change) -> Table:
    before, after = change.before, change.after
    return {
        "comment": change.comment,
        "direction": change.direction,
        **{"before": before.action, "code_before": before.code, "rule_before": before.rule},
        **{"after": after.action, "code": after.code, "rule": after.rule},
    }


@router.put("/policy", tags=["policy"], summary="Activate a policy")
def replace_policy(service: ServiceDep, actor: Admin, request: PolicyIn) -> Table:
    """This worker applies it at once, all others within a second. Earlier decisions do not change."""
    _proposed(service, request.text)
    with service.database.write() as tx:
        number = replace(tx, actor.name, request.text, request.note, request.after)
    service.active.follow()  # after the commit
    return {"number": number, "version": service.active.pair.policy.version}


@router.get("/keys", summary="All keys, without their secrets")
def list_keys(service: ServiceDep, actor: Admin) -> list[Table]:
    """Revoked keys are included, because decisions refer to their names."""
    with service.database.read() as tx:
        return _rows(accounts.keys(tx))


@router.post("/keys", status_code=201, summary="Create a key")
def make_key(service: ServiceDep, actor: Admin, request: KeyIn) -> Table:
    """The answer has the key, which is shown only once. After the first key every call needs a key."""
    if not asks_for_key(service) and request.role != "admin":
        # Every call needs a key from then on, so nobody could create another one.
        raise Problem("conflict", "the first key must be an admin key")
    if request.name in _RESERVED:
        raise Problem("conflict", f"the name {request.name!r} is reserved; choose another name")
    with service.database.write() as tx:
        key = accounts.create_key(tx, actor.name, request.name, request.role, request.sites, request.protocol)
    return {"name": request.name, "key": key}


@router.delete("/keys/{key}", status_code=204, summary="Revoke a key")
def revoke_key(
    service: ServiceDep, actor: Admin, key: Annotated[Number, Path(description="Id of a key.")]
) -> Response:
    """The key and its sessions end at once."""
    with service.database.write() as tx:
        accounts.revoke_key(tx, actor.name, key)
    return Response(status_code=204)


@router.get("/webhooks", summary="All webhooks")
def list_hooks(service: ServiceDep, actor: Admin) -> list[Table]:
    """With the number of their secrets."""
    with service.database.read() as tx:
        return [
            {
                **{name: row._mapping[name] for name in ("id", "url", "events", "created")},
                "secrets": len(row.secrets),
            }
            for row in endpoints.enabled_webhooks(tx)
        ]


@router.post("/webhooks", status_code=201, summary="Add a webhook")
def add_hook(service: ServiceDep, actor: Admin, request: HookIn) -> Table:
    """The answer has the secret that signs deliveries, which is shown only once."""
    with service.database.write() as tx:
        number, secret = endpoints.add_webhook(tx, actor.name, request.url, request.events)
    return {"id": number, "secret": secret}


@router.post("/webhooks/{hook}/rotate", summary="Create a new secret for a webhook")
def rotate(service: ServiceDep, actor: Admin, hook: HookId) -> Table:
    """The new and the old secret both sign until the old one is retired."""
    with service.database.write() as tx:
        return {"id": hook, "secret": endpoints.rotate_secret(tx, actor.name, hook)}


@router.post("/webhooks/{hook}/retire", summary="Retire the old secret of a webhook")
def retire(service: ServiceDep, actor: Admin, hook: HookId) -> Response:
    """Call it when the receiver knows the new secret."""
    with service.database.write() as tx:
        endpoints.retire_secret(tx, actor.name, hook)
    return Response(status_code=204)


@router.delete("/webhooks/{hook}", status_code=204, summary="Remove a webhook")
def remove_hook(service: ServiceDep, actor: Admin, hook: HookId) -> Response:
    """Pending deliveries are not sent."""
    with service.database.write() as tx:
        endpoints.disable_webhook(tx, actor.name, hook)
    return Response(status_code=204)


@router.get("/webhooks/{hook}/deliveries", summary="Deliveries of a webhook, newest first")
def deliveries(service: ServiceDep, actor: Admin, hook: HookId, limit: Limit = 100) -> list[Table]:
    """With status, number of tries and time of the next try."""
    with service.database.read() as tx:
        return _rows(endpoints.delivery_log(tx, hook, limit))


@router.get("/audit-log", summary="The audit log, newest first")
def audit_log(service: ServiceDep, actor: Admin, limit: Limit = 100) -> list[Table]:
    """Changes of keys, policies and webhooks, and erasures, each with actor and time."""
    with service.database.read() as tx:
        return _rows(accounts.audit_trail(tx, limit))


def _rows(rows: Iterable[Row[Any]]) -> list[Table]:
    return [dict(row._mapping) for row in rows]


def _proposed(service: Service, text: str) -> ModerationPipeline:
    """Return the active model under a policy text; raises Problem that names the wrong field."""
    try:
        return service.pipeline.with_policy(text, "the policy")
    except PolicyError as error:
        raise Problem("bad-policy", str(error)) from None


def _summary_of(run: DryRun) -> str:
    """Return a dry run as a sentence: "This change would have held 41 more of the last 1,000 comments."."""
    verbs = {"hold": "held", "reject": "rejected", "publish": "published"}
    gaps = {verb: run.after[action] - run.before[action] for action, verb in verbs.items()}
    parts = [f"{verb} {abs(gap):,} {'more' if gap > 0 else 'fewer'}" for verb, gap in gaps.items() if gap]
    if not parts:
        same = "with the same numbers of actions" if run.changes else "without any change"
        return f"This change would have decided the last {run.compared:,} comments {same}."
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
    return f"This change would have {listed} of the last {run.compared:,} comments."
