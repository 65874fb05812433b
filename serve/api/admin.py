"""The API: policy, keys, webhooks, golden items and the audit log."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from belowline.model import PolicyError
from belowline.serve.active import policy_history as policies
from belowline.serve.api.comments import Admin
from belowline.serve.api.messages import DryRunIn, HookIn, KeyIn, Number, PolicyIn, Table
from belowline.serve.http.auth import LOCAL, Actor, allowed, asks_for_key
from belowline.serve.http.errors import Problem, documented
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.json_body import JsonRoute
from belowline.serve.queue.dry_run import DryRun, dry_run
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.store import accounts
from belowline.serve.store.database import Database
from belowline.serve.store.tables import SYSTEM
from belowline.serve.webhooks import endpoints as hooks

router = APIRouter(
    prefix="/v1",
    route_class=JsonRoute,
    tags=["administration"],
    responses=documented(400, 401, 403, 404, 409, 413, 415, 421, 422, 429, 503),
)
Reader = Annotated[Actor, Depends(allowed("read the log"))]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most that are listed.")]
HookId = Annotated[Number, Path(description="Id of a webhook.")]
_OURS = (SYSTEM, LOCAL.name)
"""Names that decisions bear which no key made."""


@router.get("/policy", summary="The policy in force")
def read_policy(service: ServiceDep, actor: Reader) -> Table:
    """As it was written; `number` is 0 while it is the file that the service was started with."""
    with service.database.read() as tx:
        version = service.pair_in(tx).policy.version
        return {"number": policies.newest(tx), "version": version, "text": service.active.text(tx)}


@router.get("/policy/history", summary="Policies that were in force, newest first")
def policy_history(service: ServiceDep, actor: Admin) -> list[Table]:
    """Each with who put it in force and when."""
    with service.database.read() as tx:
        return [dict(row._mapping) for row in policies.history(tx)]


@router.post("/policy/dry-run", summary="What a policy would have done to recent comments")
def try_policy(service: ServiceDep, actor: Reader, request: DryRunIn) -> Table:
    """Both policies on the newest comments by their kept scores; nothing is changed."""
    proposed = proposed_judge(service, request.text)
    with service.database.read() as tx:
        present = service.pair_in(tx)
        found = dry_run(tx, present.policy, proposed.policy, actor.sites, request.limit)
    return {
        "compared": found.compared,
        "before": dict(found.before),
        "after": dict(found.after),
        "changes": [
            {"before": before, "after": after, "comments": number}
            for (before, after), number in found.changes.most_common()
        ],
        "summary": in_words(found),
        "examples": [
            dict(zip(("comment", "before", "after", "rule"), example, strict=True))
            for example in found.examples
        ],
    }


@router.put("/policy", summary="Put a policy in force")
def replace_policy(service: ServiceDep, actor: Admin, request: PolicyIn) -> Table:
    """This worker decides by it at once, every other one within a second; what was decided before stays as it is."""
    proposed_judge(service, request.text)
    with service.database.write() as tx:
        number = policies.replace(tx, actor.name, request.text, request.note, request.after)
    service.active.follow()  # once it is kept
    return {"number": number, "version": service.active.pair.policy.version}


@router.get("/keys", summary="Keys, without their secrets")
def list_keys(service: ServiceDep, actor: Admin) -> list[Table]:
    """Revoked ones too, for decisions bear their names."""
    with service.database.read() as tx:
        return [dict(row._mapping) for row in accounts.keys(tx)]


@router.post("/keys", status_code=201, summary="Make a key")
def make_key(service: ServiceDep, actor: Admin, request: KeyIn) -> Table:
    """The answer holds the key, which is never shown again. From the first one on every call needs a key."""
    return {"name": request.name, "key": new_key(service, actor, request)}


@router.delete("/keys/{key}", status_code=204, summary="Revoke a key")
def revoke_key(
    service: ServiceDep, actor: Admin, key: Annotated[Number, Path(description="Id of a key.")]
) -> Response:
    """It and its sessions end at once."""
    with service.database.write() as tx:
        accounts.revoke_key(tx, actor.name, key)
    return Response(status_code=204)


@router.get("/webhooks", summary="Webhooks")
def list_hooks(service: ServiceDep, actor: Admin) -> list[Table]:
    """Without their secrets."""
    with service.database.read() as tx:
        return [
            {
                **{name: row._mapping[name] for name in ("id", "url", "events", "created")},
                "secrets": len(row.secrets),
            }
            for row in hooks.hooks(tx)
        ]


@router.post("/webhooks", status_code=201, summary="Add a webhook")
def add_hook(service: ServiceDep, actor: Admin, request: HookIn) -> Table:
    """The answer holds the secret that signs deliveries, which is never shown again."""
    with service.database.write() as tx:
        number, secret = hooks.add_hook(tx, actor.name, request.url, request.events)
    return {"id": number, "secret": secret}


@router.post("/webhooks/{hook}/rotate", summary="Give a webhook a new secret")
def rotate(service: ServiceDep, actor: Admin, hook: HookId) -> Table:
    """Both the new and the old one sign until the old one is retired."""
    with service.database.write() as tx:
        return {"id": hook, "secret": hooks.rotate_secret(tx, actor.name, hook)}


@router.post("/webhooks/{hook}/retire", summary="End a webhook's old secret")
def retire(service: ServiceDep, actor: Admin, hook: HookId) -> Response:
    """Once the receiver knows the new one."""
    with service.database.write() as tx:
        hooks.retire_secret(tx, actor.name, hook)
    return Response(status_code=204)


@router.delete("/webhooks/{hook}", status_code=204, summary="Remove a webhook")
def remove_hook(service: ServiceDep, actor: Admin, hook: HookId) -> Response:
    """What waited for it is not sent any more."""
    with service.database.write() as tx:
        hooks.disable_hook(tx, actor.name, hook)
    return Response(status_code=204)


@router.get("/webhooks/{hook}/deliveries", summary="How deliveries went, newest first")
def deliveries(service: ServiceDep, actor: Admin, hook: HookId, limit: Limit = 100) -> list[Table]:
    """With status, tries and the time of the next one."""
    with service.database.read() as tx:
        return [dict(row._mapping) for row in hooks.delivery_log(tx, hook, limit)]


@router.get("/audit-log", summary="What was administered, newest first")
def audit_log(service: ServiceDep, actor: Admin, limit: Limit = 100) -> list[Table]:
    """Keys, policies, webhooks and erasures: who, what, when."""
    with service.database.read() as tx:
        return [dict(row._mapping) for row in accounts.audit_trail(tx, limit)]


def proposed_judge(service: Service, text: str) -> ModerationPipeline:
    """The model under a policy that somebody wrote; raises Problem that names the field at fault."""
    try:
        return service.pipeline.with_policy(text, "the policy")
    except PolicyError as error:
        raise Problem("bad-policy", str(error)) from None


def new_key(service: Service, actor: Actor, request: KeyIn) -> str:
    """Makes a key; raises Problem if the first one is not an admin's, for then nobody could make another."""
    if not asks_for_key(service) and request.role != "admin":
        raise Problem("conflict", "from the first key on every call needs one; make an admin's first")
    if request.name in _OURS:
        raise Problem(
            "conflict", f"{request.name!r} is what the service itself signs with; take another name"
        )
    return _make(service.database, actor, request)


def _make(database: Database, actor: Actor, request: KeyIn) -> str:
    with database.write() as tx:
        return accounts.create_key(
            tx, actor.name, request.name, request.role, request.sites, request.protocol
        )


def in_words(found: DryRun) -> str:
    """A dry run as a sentence: "This change would have held 41 more of 1,000 comments"."""
    verbs = {"hold": "held", "reject": "rejected", "publish": "published"}
    parts = []
    for action, verb in verbs.items():
        gap = found.after[action] - found.before[action]
        if gap:
            parts.append(f"{verb} {abs(gap):,} {'more' if gap > 0 else 'fewer'}")
    if not parts:
        same = "and changed none of them" if not found.changes else "in the same numbers"
        return f"This change would have treated the last {found.compared:,} comments alike, {same}."
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
    return f"This change would have {listed} of the last {found.compared:,} comments."
