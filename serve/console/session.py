"""Sign-in to the console with a key, and the requests of signed-in moderators."""

from dataclasses import dataclass
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import ValidationError
from starlette.datastructures import URL

from belowline.model import PolicyError
from belowline.serve.console.forms import Form
from belowline.serve.console.toasts import FIELD, standing_words, toast_in
from belowline.serve.http.auth import SESSION_COOKIE, asks_for_key, authenticate, by_key, refuse_foreign_pages
from belowline.serve.http.errors import Problem, invalid_fields
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.scoring.reason_codes import REASON_KEYS
from belowline.serve.store import accounts
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import digest
from belowline.serve.store.refusal import Refusal
from belowline.serve.templating import templates

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
HOME = "/console"
_BLIND_COOKIE = "belowline_blind"
_BLUR_COOKIE = "belowline_blur"
_TYPED = {"note", "text", "name", "sites", "url", "words", "message", "reason", "title", "tags"}
"""Fields of all forms into which a person types words that would be lost."""
_VIEW_COOKIE = "belowline_view"
_PERSONS = ("triage", "moderator", "admin")
_SESSION_S = 12 * 3600
_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class ConsoleRequest:
    """A request of a signed-in moderator."""

    request: Request
    service: Service
    actor: Actor

    @property
    def blind(self) -> bool:
        """True if the moderator hides scores, and all that gives the policy's decision away."""
        return self.request.cookies.get(_BLIND_COOKIE) == "1"

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page of the console, with a toast about the act that led to it."""
        toast = None
        if field := self.request.query_params.get(FIELD):
            with self.service.database.read() as tx:
                toast = toast_in(tx, self.actor, field)
        return render(template, self.request, self.actor, status, toast=toast, **values)

    def done(self, form: Form, answer: dict[str, Any], act: int | None = None, home: str = HOME) -> Response:
        """The answer to a form: JSON for a script, else a redirect to the form's ``next`` page, or ``home``.

        The page shows a toast about ``act``.
        """
        if wants_json(self.request):
            return JSONResponse(answer)
        onward = URL(_inside(form.first("next", home))).remove_query_params(FIELD)
        return redirect(str(onward if act is None else onward.include_query_params(**{FIELD: act})))


async def person(request: Request) -> Actor:
    """The signed-in moderator; raises Problem without a session or key, and for a machine's key."""
    try:
        actor = await authenticate(request)
    except Problem as problem:
        if problem.kind == "invalid-key":
            detail = "your session has ended; open the console and sign in"
            raise Problem("invalid-key", detail) from None
        raise
    if actor.role not in _PERSONS:
        raise Problem("forbidden", "this key belongs to a machine; sign in with a moderator's key")
    request.state.person = actor
    return actor


async def _console(
    request: Request, service: ServiceDep, actor: Annotated[Actor, Depends(person)]
) -> ConsoleRequest:
    return ConsoleRequest(request, service, actor)


async def _form(request: Request) -> Form:
    request.state.form = Form(await request.body())  # for a page of a problem, which shows what was typed
    return cast(Form, request.state.form)


Console = Annotated[ConsoleRequest, Depends(_console)]
FormDep = Annotated[Form, Depends(_form)]


def render(
    template: str, request: Request, actor: Actor | None, status: int = 200, **values: Any
) -> HTMLResponse:
    """A page of the console from its template; ``actor`` is None if nobody is signed in."""
    common = {
        "actor": actor,
        "path": request.url.path,
        "here": str(URL(str(request.url)).remove_query_params(FIELD).replace(scheme="", netloc="")),
        "toast": None,
        "reason_keys": REASON_KEYS,
        "standing_words": standing_words,
        "blind": request.cookies.get(_BLIND_COOKIE) == "1",
        "blur": request.cookies.get(_BLUR_COOKIE) == "1",
        "wide": request.cookies.get(_VIEW_COOKIE) == "1",
        "signed_in": SESSION_COOKIE in request.cookies,
    }
    return HTMLResponse(templates.get_template(template).render(common | values), status)


def detail_of(error: Problem | Refusal | PolicyError | ValidationError) -> str:
    """The text of an error for the form that was sent."""
    if isinstance(error, ValidationError):
        errors = error.errors(include_input=False)
        return invalid_fields([{**one, "loc": ("form", *one["loc"])} for one in errors]).detail
    return str(error) if isinstance(error, PolicyError) else error.detail


def typed_in(request: Request) -> list[tuple[str, str]]:
    """The texts that a person typed into the form of a request, by field; never a key."""
    form: Form | None = getattr(request.state, "form", None)
    sent = request.query_params.multi_items() if form is None else form.items()
    typed = _TYPED if form is not None else {*_TYPED, "site", "who", "label", "language", "days"}
    return [(name, value) for name, value in sent if name in typed and value.strip()]


def redirect(to: str) -> RedirectResponse:
    """A redirect to a page by GET."""
    return RedirectResponse(to, 303)


def wants_json(request: Request) -> bool:
    """True if a script asks, not a page."""
    return "json" in request.headers.get("accept", "")


@router.get("/console/sign-in")
def sign_in_form(request: Request, service: ServiceDep, next: str = HOME) -> Response:
    """The form for a key; a redirect to the console while no key exists."""
    if not asks_for_key(service):
        return redirect(HOME)
    return render("console_sign_in.html", request, None, next=_inside(next), problem=None)


@router.post("/console/sign-in")
def sign_in(request: Request, service: ServiceDep, form: FormDep) -> Response:
    """Opens a session. The cookie holds a random token, the store its hash."""
    refuse_foreign_pages(request)
    key, onward = form.first("key").strip(), _inside(form.first("next", HOME))
    actor = by_key(request, key)
    if actor is None or actor.role not in _PERSONS:
        problem = "This key is not valid." if actor is None else "This key belongs to a machine."
        return render("console_sign_in.html", request, None, 401, next=onward, problem=problem)
    with service.database.write() as tx:
        token = accounts.open_session(tx, digest(key))
    response = redirect(onward)
    _set_cookie(response, request, SESSION_COOKIE, token, _SESSION_S)
    return response


@router.post("/console/sign-out")
def sign_out(console: Console) -> Response:
    """Ends the session."""
    if token := console.request.cookies.get(SESSION_COOKIE):
        with console.service.database.write() as tx:
            accounts.close_session(tx, token)
    response = redirect("/console/sign-in")
    response.delete_cookie(SESSION_COOKIE)
    return response


@router.post("/console/preferences")
def preferences(console: Console, form: FormDep) -> Response:
    """Hides or shows scores before a decision, blurs or shows texts, and sets the view of cards."""
    response = redirect(_inside(form.first("next", HOME)))
    for name, field in ((_BLIND_COOKIE, "blind"), (_BLUR_COOKIE, "blur"), (_VIEW_COOKIE, "wide")):
        if field in form:
            _set_cookie(response, console.request, name, "1" if form.first(field) == "1" else "0", _YEAR_S)
    return response


def _set_cookie(response: Response, request: Request, name: str, value: str, max_age: int) -> None:
    """Sets a cookie that scripts cannot read and that is not sent from other sites' pages; over HTTPS, only there."""
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, httponly=True, secure=secure, samesite="strict", max_age=max_age)


def _inside(path: str) -> str:
    """``path`` if it is one of the console's, else its first page: a link must not lead to another site."""
    return path if path.startswith(HOME) and "//" not in path and "\\" not in path else HOME
