"""The console's policy page: a form with the effect of each threshold, a dry run, the text, and the history."""

from dataclasses import dataclass, field
from functools import lru_cache
from time import monotonic
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import ValidationError
from sqlalchemy import Connection

from belowline.model import PolicyError
from belowline.serve.active import policy_history as policies
from belowline.serve.active.policy_settings import PolicyText, limits_of
from belowline.serve.api import admin
from belowline.serve.api.comments import sites_of
from belowline.serve.api.messages import DryRunIn, PolicyIn
from belowline.serve.console.forms import Form
from belowline.serve.console.policy_effects import bars, basis, effects
from belowline.serve.console.policy_form import LIMITS, Fields, fields_of, settings_in, thresholds_in
from belowline.serve.console.queue import card
from belowline.serve.console.session import Console, ConsoleRequest, FormDep, detail_of, redirect
from belowline.serve.http.errors import Problem
from belowline.serve.queue import comments
from belowline.serve.queue.score_sample import ScoreSample, score_sample
from belowline.serve.queue.sites import known_sites
from belowline.serve.store.database import Database
from belowline.serve.store.refusal import Refusal, unknown

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_DRY_RUN = 2000
_FRESH_S = 20
_DIRECTIONS = {
    "stricter": "Newly held or rejected",
    "milder": "No longer held or rejected",
    "moved": "The same action for another reason",
}


@dataclass(slots=True)
class Draft:
    """A policy on the page: its text, the site whose settings the form shows, and what was typed.

    ``edited`` is true if the text itself was edited, not the form.
    ``problem`` is a fault of the whole, ``problems`` are faults by field. ``tried`` is the dry run.
    """

    text: str
    site: str | None = None
    edited: bool = False
    fields: Fields | None = None
    note: str = ""
    problem: str | None = None
    problems: dict[str, str] = field(default_factory=dict)
    tried: dict[str, Any] | None = None


@router.get("/console/policy")
def policy(console: Console, site: str = "", number: int = 0) -> HTMLResponse:
    """The active policy, or an earlier one with its number, as a form for all sites or for one."""
    console.actor.require("read the log")
    with console.service.database.read() as tx:
        row = policies.read(tx, number) if 0 < number < 2**31 else None
        if number and row is None:
            raise unknown("policy")
        text = console.service.active.text(tx) if row is None else row.text
    return _page(console, Draft(text, _site(console, site)))


@router.post("/console/policy")
def change_policy(console: Console, form: FormDep) -> Response:
    """Tries a policy on recent comments, or activates it; one with an error stays on the page as it was typed."""
    console.actor.require("read the log")
    site, edited = _site(console, form.first("site")), "form" not in form
    draft = Draft(form.first("text"), site, edited, note=form.first("note"))
    try:
        if not edited and not _write(console, draft, form):
            return _page(console, draft, 422)
        if form.first("do") == "replace":
            console.actor.require("administer")
            asked = PolicyIn(text=draft.text, note=draft.note.strip() or None, after=form.number("after"))
            admin.replace_policy(console.service, console.actor, asked)
            return redirect("/console/policy?replaced=1")
        _try(console, draft)
    except (Problem, Refusal, PolicyError, ValidationError) as error:
        draft.problem = detail_of(error)
        return _page(console, draft, 422)
    return _page(console, draft)


@router.get("/console/policy/effects")
def live_effects(console: Console, request: Request, site: str = "") -> JSONResponse:
    """The effect of the thresholds in the query, by field, in words."""
    console.actor.require("read the log")
    labels = list(console.service.pipeline.scorer.thresholds)
    limits = thresholds_in(request.query_params, labels)
    sites = sites_of(console.actor, _site(console, site))
    sample = _recent(console.service.database, tuple(labels), sites, int(monotonic() // _FRESH_S))
    return JSONResponse(effects(sample, limits, bool(request.query_params.get("automatic_rejection"))))


@lru_cache(maxsize=8)
def _recent(database: Database, labels: tuple[str, ...], sites: tuple[str, ...], _span: int) -> ScoreSample:
    """The scores of a span of ``_FRESH_S`` seconds: a moving slider asks for effects several times a second."""
    with database.read() as tx:
        return score_sample(tx, labels, sites)


def _site(console: ConsoleRequest, site: str) -> str | None:
    site = site.strip()
    if len(site) > 100:
        raise Problem("invalid-request", "the name of a site has at most 100 characters")
    if site:
        console.actor.require_site(site)
    return site or None


def _write(console: ConsoleRequest, draft: Draft, form: Form) -> bool:
    """Writes the form's settings into the draft's text; returns whether all fields are valid."""
    base = PolicyText(draft.text, console.service.pipeline.scorer.thresholds)
    present = base.settings(draft.site)
    draft.fields = {name: form.first(name) for name in fields_of(present)}
    wanted, draft.problems = settings_in(draft.fields, present)
    if draft.problems:
        return False
    try:
        draft.text = base.with_settings(draft.site, wanted).text
    except PolicyError as error:
        draft.problems = {path: str(error) for path in present if f"{path}." in str(error)}
        raise
    draft.fields = None
    return True


def _try(console: ConsoleRequest, draft: Draft) -> None:
    """Adds the dry run of the draft, with the comments that it decides differently."""
    service, actor = console.service, console.actor
    run = admin.try_policy(service, actor, DryRunIn(text=draft.text, limit=_DRY_RUN, site=draft.site))
    with service.database.read() as tx:
        shown = comments.load(tx, [change["comment"] for change in run["examples"]])
    cards = {comment.id: card(comment) for comment in shown}
    groups = {
        words: [
            (cards[one["comment"]], one)
            for one in run["examples"]
            if one["direction"] == direction and one["comment"] in cards
        ]
        for direction, words in _DIRECTIONS.items()
    }
    counts = {words: run["directions"].get(direction, 0) for direction, words in _DIRECTIONS.items()}
    draft.tried = {**run, "groups": groups, "counts": counts}


def _page(console: ConsoleRequest, draft: Draft, status: int = 200) -> HTMLResponse:
    service = console.service
    with service.database.read() as tx:
        values: dict[str, Any] = {
            "version": service.pair_in(tx).policy.version,
            "number": policies.newest(tx),
            "history": policies.history(tx),
            "sites": known_sites(tx, console.actor.sites),
            "form": _form(console, tx, draft),
            "differences": _differences(console, service.active.text(tx), draft.text),
        }
    replaced = "replaced" in console.request.query_params
    return console.page(
        "console_policy.html", status, **values, draft=draft, replaced=replaced, limits=LIMITS
    )


def _form(console: ConsoleRequest, tx: Connection, draft: Draft) -> dict[str, Any] | None:
    """The values of the form; None for a text with an error."""
    defaults = console.service.pipeline.scorer.thresholds
    try:
        text = PolicyText(draft.text, defaults)
    except PolicyError:
        return None
    settings = text.settings(draft.site)
    labels = [path.removeprefix("thresholds.") for path in settings if path.startswith("thresholds.")]
    fields = draft.fields if draft.fields is not None else fields_of(settings)
    limits = limits_of(settings) if draft.fields is None else thresholds_in(fields, labels)
    sample = score_sample(tx, labels, sites_of(console.actor, draft.site))
    return {
        "fields": fields,
        "labels": [(label, defaults[label], bars(sample, label)) for label in labels],
        "effects": effects(sample, limits, bool(fields["automatic_rejection"])),
        "basis": basis(sample),
        "sites": text.sites,
        "languages": console.service.pipeline.scorer.config.languages,
    }


def _differences(console: ConsoleRequest, active: str, proposed: str) -> list[Any] | None:
    """The settings that the draft changes; None if a text has an error, or nothing is proposed."""
    if active == proposed:
        return None
    defaults = console.service.pipeline.scorer.thresholds
    try:
        return list(PolicyText(active, defaults).differences(PolicyText(proposed, defaults)))
    except PolicyError:
        return None
