"""Signing in to the console with a key, and what every page knows of who looks at it."""

from typing import Annotated, Any
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from belowline.serve.http.auth import (
    SESSION_COOKIE,
    Actor,
    asks_for_key,
    by_key,
    caller,
    refuse_foreign_pages,
)
from belowline.serve.http.errors import Problem
from belowline.serve.http.service import ServiceDep
from belowline.serve.store import accounts
from belowline.serve.store.database import digest
from belowline.serve.templating import templates

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
HOME = "/console"
BLIND_COOKIE = "belowline_blind"
BLUR_COOKIE = "belowline_blur"
_PERSONS = ("triage", "moderator", "admin")


class SignInFirst(Exception):
    """Nobody is signed in; ``path`` is where they wanted to go."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def person(request: Request) -> Actor:
    """Who is signed in; raises SignInFirst where nobody is, Problem for a machine's key."""
    try:
        actor = caller(request)
    except Problem as problem:
        if problem.kind == "invalid-key":
            raise SignInFirst(request.url.path) from None
        raise
    if actor.role not in _PERSONS:
        raise Problem("forbidden", "this key is a machine's; sign in with a person's")
    return actor


Person = Annotated[Actor, Depends(person)]


async def form_fields(request: Request) -> dict[str, list[str]]:
    """The fields of a posted form, each with all its values; raises Problem for one that cannot be read."""
    try:
        body = (await request.body()).decode("ascii")
        sent = parse_qs(body, keep_blank_values=True, errors="strict", max_num_fields=2000)
    except ValueError:  # UnicodeDecodeError is one
        raise Problem("malformed-body", "the form could not be read as UTF-8; send it again") from None
    # Browsers send line ends as CRLF, which nobody typed.
    return {name: [value.replace("\r\n", "\n") for value in values] for name, values in sent.items()}


Form = Annotated[dict[str, list[str]], Depends(form_fields)]


def first(form: dict[str, list[str]], name: str, default: str = "") -> str:
    """The first value of a field."""
    return form.get(name, [default])[0]


def numbers(form: dict[str, list[str]], name: str) -> list[int]:
    """All values of a field that names things by their numbers; raises Problem for anything else."""
    values = form.get(name, [])
    if not all(value.isascii() and value.isdecimal() and len(value) < 10 for value in values):
        raise Problem("invalid-request", f"the form's {name} must be a number; open the page again")
    return [int(value) for value in values]


def number(form: dict[str, list[str]], name: str) -> int:
    """The number in a field; raises Problem where there is none."""
    found = numbers(form, name)
    if not found:
        raise Problem("invalid-request", f"the form lacks its {name}; open the page again")
    return found[0]


def page(name: str, request: Request, actor: Actor | None, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of the console from its template."""
    common = {
        "actor": actor,
        "path": request.url.path,
        "blind": request.cookies.get(BLIND_COOKIE) == "1",
        "blur": request.cookies.get(BLUR_COOKIE) == "1",
        "signed_in": SESSION_COOKIE in request.cookies,
    }
    return HTMLResponse(templates.get_template(name).render(common | values), status)


def redirect(to: str) -> RedirectResponse:
    """After a form: on to a page by GET."""
    return RedirectResponse(to, 303)


@router.get("/console/sign-in")
def sign_in_form(request: Request, service: ServiceDep, next: str = HOME) -> Response:
    """The form for a key, or straight on where none is asked for."""
    if not asks_for_key(service):
        return redirect(HOME)
    return page("console_sign_in.html", request, None, next=_inside(next), problem=None)


@router.post("/console/sign-in")
def sign_in(request: Request, service: ServiceDep, form: Form) -> Response:
    """Opens a session; the cookie holds a random token, the store its hash. No other site's page signs somebody in."""
    refuse_foreign_pages(request)
    key, onward = first(form, "key").strip(), _inside(first(form, "next", HOME))
    actor = by_key(request, key)
    if actor is None or actor.role not in _PERSONS:
        problem = (
            "That key is not known here." if actor is None else "That key is a machine's; use a person's."
        )
        return page("console_sign_in.html", request, None, 401, next=onward, problem=problem)
    with service.database.write() as tx:
        token = accounts.open_session(tx, digest(key))
    response = redirect(onward)
    _set_cookie(response, request, SESSION_COOKIE, token, 12 * 3600)
    return response


@router.post("/console/sign-out")
def sign_out(request: Request, service: ServiceDep, actor: Person) -> Response:
    """Ends the session."""
    token = request.cookies.get(SESSION_COOKIE)
    if token:
        with service.database.write() as tx:
            accounts.close_session(tx, token)
    response = redirect("/console/sign-in")
    response.delete_cookie(SESSION_COOKIE)
    return response


@router.post("/console/preferences")
def preferences(request: Request, actor: Person, form: Form) -> Response:
    """Whether scores are hidden until one decides, and harmful text blurred until one looks."""
    response = redirect(_inside(first(form, "next", HOME)))
    for name, field in ((BLIND_COOKIE, "blind"), (BLUR_COOKIE, "blur")):
        if field in form:
            _set_cookie(response, request, name, "1" if first(form, field) == "1" else "0", 31_536_000)
    return response


def _set_cookie(response: Response, request: Request, name: str, value: str, max_age: int) -> None:
    """A cookie that no script reads and no other site's page brings along; over HTTPS it stays there."""
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, httponly=True, secure=secure, samesite="strict", max_age=max_age)


def to_sign_in(wanted: SignInFirst) -> RedirectResponse:
    """The answer to SignInFirst."""
    return redirect(f"/console/sign-in?next={quote(wanted.path)}")


def _inside(path: str) -> str:
    """``path`` if it is one of the console's, for a link must not lead elsewhere."""
    return path if path.startswith(HOME) and "//" not in path and "\\" not in path else HOME
