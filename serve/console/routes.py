"""The console's routes, and its errors as pages."""

from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response

from belowline.serve.console import (
    administration,
    authors,
    browse,
    dashboard,
    log,
    policy,
    queue,
    queue_filter,
    search,
    session,
    threads,
    undo,
)
from belowline.serve.http.errors import PROBLEMS, Problem

ROUTERS = [
    part.router
    for part in (
        session,
        queue,
        queue_filter,
        undo,
        authors,
        threads,
        search,
        browse,
        log,
        dashboard,
        policy,
        administration,
    )
]


def as_page(request: Request, problem: Problem) -> Response | None:
    """A problem as a page of the console, or the way to sign in; None for other addresses and for scripts."""
    path = request.url.path
    if session.wants_json(request) or not path.startswith(session.HOME):
        return None
    if problem.kind == "invalid-key":
        return session.redirect(f"/console/sign-in?next={quote(path)}")
    actor = getattr(request.state, "person", None)
    typed = session.typed_in(request) if actor else []
    values = {"heading": PROBLEMS[problem.kind][1], "detail": problem.detail, "typed": typed}
    page = session.render("console_problem.html", request, actor, problem.status_code, **values)
    page.headers.update(problem.headers or {})
    return page
