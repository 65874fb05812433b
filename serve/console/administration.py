"""The console's policy editor, models, keys, webhooks and quality check."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError

from belowline.serve.active import model_history as models
from belowline.serve.active import policy_history as policies
from belowline.serve.api.admin import new_key, proposed_pipeline, summary_of
from belowline.serve.api.messages import HookIn, KeyIn
from belowline.serve.console.queue import card
from belowline.serve.console.session import Form, Person, first, number, page, redirect
from belowline.serve.http.errors import Problem, field_name
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.queue import comments, reviews
from belowline.serve.queue.dry_run import dry_run
from belowline.serve.store import accounts
from belowline.serve.store.accounts import Actor
from belowline.serve.store.refusal import Refusal
from belowline.serve.webhooks import endpoints
from belowline.serve.webhooks.outbox import EVENTS

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_DRY_RUN = 2000


@router.get("/console/policy")
def policy(request: Request, service: ServiceDep, actor: Person) -> HTMLResponse:
    """The policy in force, to be edited."""
    actor.require("read the log")
    return _policy_page(request, service, actor)


@router.post("/console/policy")
def change_policy(request: Request, service: ServiceDep, actor: Person, form: Form) -> Response:
    """Tries a policy on recent comments, or puts it in force; what was written stays on the page if it cannot be used."""
    actor.require("read the log")
    text, note = first(form, "text"), first(form, "note").strip() or None
    try:
        pipeline = proposed_pipeline(service, text)
        if first(form, "do") == "replace":
            actor.require("administer")
            with service.database.write() as tx:
                policies.replace(tx, actor.name, text, note, number(form, "after"))
            service.active.follow()  # this worker answers by it at once
            return redirect("/console/policy?replaced=1")
        with service.database.read() as tx:
            found = dry_run(tx, service.pair_in(tx).policy, pipeline.policy, actor.sites, _DRY_RUN)
            examples = comments.load(tx, [comment for comment, *_ in found.examples])
    except (Problem, Refusal) as problem:
        return _policy_page(request, service, actor, text=text, problem=problem.detail, status=422)
    told = {comment: (before, after, rule) for comment, before, after, rule in found.examples}
    tried = {"summary": summary_of(found), "examples": [(card(one), told[one.id]) for one in examples]}
    return _policy_page(request, service, actor, text=text, tried=tried)


def _policy_page(
    request: Request,
    service: Service,
    actor: Actor,
    *,
    text: str | None = None,
    problem: str | None = None,
    tried: dict[str, Any] | None = None,
    status: int = 200,
) -> HTMLResponse:
    with service.database.read() as tx:
        version = service.pair_in(tx).policy.version
        in_force, newest = service.active.text(tx), policies.newest(tx)
        history = policies.history(tx)
    return page(
        "console_policy.html",
        request,
        actor,
        status,
        text=in_force if text is None else text,
        number=newest,
        version=version,
        history=history,
        problem=problem,
        tried=tried,
        replaced="replaced" in request.query_params,
    )


@router.get("/console/models")
def models_page(request: Request, service: ServiceDep, actor: Person) -> HTMLResponse:
    """The active model of this worker and the history of models."""
    actor.require("read the log")
    with service.database.read() as tx:
        history = models.history(tx)
    return page(
        "console_models.html",
        request,
        actor,
        history=history,
        serving=service.pipeline.model,
        number=service.pair.model_number,
        behind=service.active.behind,
        gates_in_words=models.gates_in_words,
    )


@router.get("/console/keys")
def keys(request: Request, service: ServiceDep, actor: Person) -> HTMLResponse:
    """Keys and webhooks."""
    actor.require("administer")
    return _keys_page(request, service, actor)


@router.post("/console/keys")
def change_keys(request: Request, service: ServiceDep, actor: Person, form: Form) -> HTMLResponse:
    """Makes or revokes a key, or adds or removes a webhook; a new secret is shown once."""
    actor.require("administer")
    try:
        made = _CHANGES[first(form, "do")](service, actor, form)
    except (Problem, Refusal) as problem:
        return _keys_page(request, service, actor, problem=problem.detail, status=422)
    except (KeyError, ValueError) as error:
        detail = "the form was not complete"
        if isinstance(error, ValidationError):
            worst = error.errors(include_input=False)[0]
            detail = f"{field_name(('', *worst['loc']))}: {worst['msg']}"
        return _keys_page(request, service, actor, problem=detail, status=422)
    return _keys_page(request, service, actor, made=made)


def _make_key(service: Service, actor: Actor, form: dict[str, list[str]]) -> tuple[str, str]:
    sites = [site.strip() for site in first(form, "sites").split(",") if site.strip()]
    kind = first(form, "role")
    for_protocol = {"role": "service", "protocol": kind} if kind == "akismet" else {"role": kind}
    asked = KeyIn.model_validate({"name": first(form, "name").strip(), "sites": sites, **for_protocol})
    return f"Key of {asked.name}", new_key(service, actor, asked)


def _revoke_key(service: Service, actor: Actor, form: dict[str, list[str]]) -> None:
    with service.database.write() as tx:
        accounts.revoke_key(tx, actor.name, number(form, "key"))


def _add_hook(service: Service, actor: Actor, form: dict[str, list[str]]) -> tuple[str, str]:
    asked = HookIn.model_validate({"url": first(form, "url").strip(), "events": form.get("events", [])})
    with service.database.write() as tx:
        return f"Secret of {asked.url}", endpoints.add_webhook(tx, actor.name, asked.url, asked.events)[1]


def _rotate(service: Service, actor: Actor, form: dict[str, list[str]]) -> tuple[str, str]:
    with service.database.write() as tx:
        return "New secret", endpoints.rotate_secret(tx, actor.name, number(form, "hook"))


def _remove_hook(service: Service, actor: Actor, form: dict[str, list[str]]) -> None:
    with service.database.write() as tx:
        endpoints.disable_webhook(tx, actor.name, number(form, "hook"))


_CHANGES: dict[str, Any] = {
    "make key": _make_key,
    "revoke key": _revoke_key,
    "add webhook": _add_hook,
    "rotate secret": _rotate,
    "remove webhook": _remove_hook,
}


def _keys_page(
    request: Request,
    service: Service,
    actor: Actor,
    *,
    made: tuple[str, str] | None = None,
    problem: str | None = None,
    status: int = 200,
) -> HTMLResponse:
    with service.database.read() as tx:
        values = {
            "keys": accounts.keys(tx),
            "hooks": endpoints.enabled_webhooks(tx),
            "trail": accounts.audit_trail(tx, 20),
        }
        logs = {hook.id: endpoints.delivery_log(tx, hook.id, 5) for hook in values["hooks"]}
    return page(
        "console_keys.html",
        request,
        actor,
        status,
        **values,
        deliveries=logs,
        roles=accounts.ROLES,
        events=EVENTS,
        made=made,
        problem=problem,
    )


@router.get("/console/quality")
def quality(request: Request, service: ServiceDep, actor: Person) -> HTMLResponse:
    """The next golden comment that one has not judged, without scores, and how everybody did."""
    with service.database.read() as tx:
        following = reviews.golden_for(tx, actor.name, actor.sites)
        found = comments.load(tx, [following]) if following is not None else []
        results = [row for row in reviews.results(tx) if actor.may("read the log") or row.actor == actor.name]
    return page(
        "console_quality.html",
        request,
        actor,
        one=card(found[0]) if found else None,
        results=results,
        agreed=request.query_params.get("agreed"),
    )


@router.post("/console/quality")
def answer(service: ServiceDep, actor: Person, form: Form) -> Response:
    """Notes an answer and tells whether it agrees."""
    action = first(form, "action")
    if action not in ("publish", "reject"):
        raise Problem("invalid-request", "choose to publish or reject")
    comment = number(form, "comment")
    with service.database.write() as tx:
        agreed = reviews.answer_golden(tx, actor.name, comment, action)
    return redirect(f"/console/quality?agreed={'yes' if agreed else 'no'}")
