"""The console's policy editor, models, keys, webhooks and quality check."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError

from belowline.serve.active import model_history as models
from belowline.serve.active import policy_history as policies
from belowline.serve.api import admin
from belowline.serve.api.messages import DryRunIn, HookIn, KeyIn, PolicyIn
from belowline.serve.console.forms import Form
from belowline.serve.console.queue import card
from belowline.serve.console.session import Console, ConsoleRequest, FormDep, redirect
from belowline.serve.http.errors import Problem, invalid_fields
from belowline.serve.queue import comments, reviews
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
    service, actor, text = console.service, console.actor, form.first("text")
    try:
        if form.first("do") == "replace":
            actor.require("administer")
            note = form.first("note").strip() or None
            admin.replace_policy(service, actor, PolicyIn(text=text, note=note, after=form.number("after")))
            return redirect("/console/policy?replaced=1")
        run = admin.try_policy(service, actor, DryRunIn(text=text, limit=_DRY_RUN))
    except (Problem, Refusal, ValidationError) as error:
        return _policy_page(console, text, status=422, problem=_detail(error))
    changes = {change["comment"]: change for change in run["examples"]}
    with service.database.read() as tx:
        examples = [(card(comment), changes[comment.id]) for comment in comments.load(tx, list(changes))]
    return _policy_page(console, text, tried={"summary": run["summary"], "examples": examples})


def _detail(error: Problem | Refusal | ValidationError) -> str:
    if not isinstance(error, ValidationError):
        return error.detail
    errors = error.errors(include_input=False)
    return invalid_fields([{**one, "loc": ("form", *one["loc"])} for one in errors]).detail


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
    except (Problem, Refusal, ValidationError) as error:
        return _keys_page(console, status=422, problem=_detail(error))


def _change(console: ConsoleRequest, form: Form) -> tuple[str, str] | None:
    """Makes the change that a form asks for; returns the name of a new secret and the secret."""
    service, actor = console.service, console.actor
    match form.first("do"):
        case "make key":
            key = _key_in(form)
            return f"Key of {key.name}", admin.make_key(service, actor, key)["key"]
        case "revoke key":
            admin.revoke_key(service, actor, form.number("key"))
        case "add webhook":
            hook = HookIn.model_validate({"url": form.first("url").strip(), "events": form.all("events")})
            return f"Secret of {hook.url}", admin.add_hook(service, actor, hook)["secret"]
        case "rotate secret":
            return "New secret", admin.rotate(service, actor, form.number("hook"))["secret"]
        case "remove webhook":
            admin.remove_hook(service, actor, form.number("hook"))
        case _:
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
    one, agreed = card(golden[0], blind=True) if golden else None, console.request.query_params.get("agreed")
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
