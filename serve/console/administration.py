"""The console's policy editor, models, keys, webhooks and quality check."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError

from belowline.serve.active import model_history as models
from belowline.serve.active import policy_history as policies
from belowline.serve.api.admin import new_key, proposed_pipeline, summary_of
from belowline.serve.api.messages import HookIn, KeyIn
from belowline.serve.console.forms import Form
from belowline.serve.console.queue import card
from belowline.serve.console.session import Console, ConsoleRequest, FormDep, redirect
from belowline.serve.http.errors import Problem, invalid_fields
from belowline.serve.queue import comments, reviews
from belowline.serve.queue.dry_run import dry_run
from belowline.serve.store import accounts
from belowline.serve.store.refusal import Refusal
from belowline.serve.webhooks import endpoints
from belowline.serve.webhooks.outbox import EVENTS

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_DRY_RUN = 2000


@router.get("/console/policy")
def policy(console: Console) -> HTMLResponse:
    """The active policy in an editor."""
    console.actor.require("read the log")
    return _policy_page(console)


@router.post("/console/policy")
def change_policy(console: Console, form: FormDep) -> Response:
    """Tries a policy on recent comments, or activates it; a policy with an error stays in the editor."""
    console.actor.require("read the log")
    service, text = console.service, form.first("text")
    try:
        pipeline = proposed_pipeline(service, text)
        if form.first("do") == "replace":
            console.actor.require("administer")
            note = form.first("note").strip() or None
            with service.database.write() as tx:
                policies.replace(tx, console.actor.name, text, note, form.number("after"))
            service.active.follow()  # other workers follow within a second
            return redirect("/console/policy?replaced=1")
        with service.database.read() as tx:
            active = service.pair_in(tx).policy
            run = dry_run(tx, active, pipeline.policy, console.actor.sites, _DRY_RUN)
            examples = comments.load(tx, [comment for comment, *_ in run.examples])
    except (Problem, Refusal) as problem:
        return _policy_page(console, text, status=422, problem=problem.detail)
    changes = {comment: (before, after, rule) for comment, before, after, rule in run.examples}
    tried = {"summary": summary_of(run), "examples": [(card(one), changes[one.id]) for one in examples]}
    return _policy_page(console, text, tried=tried)


def _policy_page(
    console: ConsoleRequest,
    text: str | None = None,
    *,
    status: int = 200,
    problem: str | None = None,
    tried: dict[str, Any] | None = None,
) -> HTMLResponse:
    service = console.service
    with service.database.read() as tx:
        values: dict[str, Any] = {
            "version": service.pair_in(tx).policy.version,
            "text": service.active.text(tx) if text is None else text,
            "number": policies.newest(tx),
            "history": policies.history(tx),
        }
    replaced = "replaced" in console.request.query_params
    return console.page(
        "console_policy.html", status, **values, problem=problem, tried=tried, replaced=replaced
    )


@router.get("/console/models")
def models_page(console: Console) -> HTMLResponse:
    """The active model of this worker and the history of models."""
    console.actor.require("read the log")
    service = console.service
    with service.database.read() as tx:
        history = models.history(tx)
    return console.page(
        "console_models.html",
        history=history,
        serving=service.pipeline.model,
        number=service.pair.model_number,
        behind=service.active.behind,
        gates_in_words=models.gates_in_words,
    )


@router.get("/console/keys")
def keys(console: Console) -> HTMLResponse:
    """Keys and webhooks."""
    console.actor.require("administer")
    return _keys_page(console)


@router.post("/console/keys")
def change_keys(console: Console, form: FormDep) -> HTMLResponse:
    """Makes or revokes a key, or adds, changes or removes a webhook; a new secret is shown once."""
    console.actor.require("administer")
    try:
        return _keys_page(console, made=_change(console, form))
    except (Problem, Refusal) as problem:
        return _keys_page(console, status=422, problem=problem.detail)
    except ValidationError as error:
        errors = [{**one, "loc": ("form", *one["loc"])} for one in error.errors(include_input=False)]
        return _keys_page(console, status=422, problem=invalid_fields(errors).detail)


def _change(console: ConsoleRequest, form: Form) -> tuple[str, str] | None:
    """Makes the change that a form asks for; returns the name of a new secret and the secret."""
    actor, action = console.actor.name, form.first("do")
    if action == "make key":
        key = _key_in(form)
        return f"Key of {key.name}", new_key(console.service, console.actor, key)
    with console.service.database.write() as tx:
        if action == "revoke key":
            accounts.revoke_key(tx, actor, form.number("key"))
        elif action == "add webhook":
            hook = HookIn.model_validate({"url": form.first("url").strip(), "events": form.all("events")})
            return f"Secret of {hook.url}", endpoints.add_webhook(tx, actor, hook.url, hook.events)[1]
        elif action == "rotate secret":
            return "New secret", endpoints.rotate_secret(tx, actor, form.number("hook"))
        elif action == "remove webhook":
            endpoints.disable_webhook(tx, actor, form.number("hook"))
        else:
            raise Problem("invalid-request", "the form is not complete; open the page again")
    return None


def _key_in(form: Form) -> KeyIn:
    sites = [site.strip() for site in form.first("sites").split(",") if site.strip()]
    role = form.first("role")
    kind = {"role": "service", "protocol": role} if role == "akismet" else {"role": role}
    return KeyIn.model_validate({"name": form.first("name").strip(), "sites": sites, **kind})


def _keys_page(
    console: ConsoleRequest,
    *,
    status: int = 200,
    made: tuple[str, str] | None = None,
    problem: str | None = None,
) -> HTMLResponse:
    with console.service.database.read() as tx:
        hooks = endpoints.enabled_webhooks(tx)
        values: dict[str, Any] = {
            "keys": accounts.keys(tx),
            "hooks": hooks,
            "deliveries": {hook.id: endpoints.delivery_log(tx, hook.id, 5) for hook in hooks},
            "trail": accounts.audit_trail(tx, 20),
        }
    choices = {"roles": accounts.ROLES, "events": EVENTS}
    return console.page("console_keys.html", status, **values, **choices, made=made, problem=problem)


@router.get("/console/quality")
def quality(console: Console) -> HTMLResponse:
    """The next golden item that the moderator has not answered, without scores, and the results."""
    actor = console.actor
    with console.service.database.read() as tx:
        following = reviews.golden_for(tx, actor.name, actor.sites)
        golden = comments.load(tx, [following]) if following is not None else []
        results = [row for row in reviews.results(tx) if actor.may("read the log") or row.actor == actor.name]
    one, agreed = card(golden[0]) if golden else None, console.request.query_params.get("agreed")
    return console.page("console_quality.html", one=one, results=results, agreed=agreed)


@router.post("/console/quality")
def answer(console: Console, form: FormDep) -> Response:
    """Records an answer and shows whether it agrees."""
    action = form.first("action")
    if action not in ("publish", "reject"):
        raise Problem("invalid-request", "choose to publish or reject")
    with console.service.database.write() as tx:
        agreed = reviews.answer_golden(tx, console.actor.name, form.number("comment"), action)
    return redirect(f"/console/quality?agreed={'yes' if agreed else 'no'}")
