"""The console as a part of the app: its routes, and its errors as pages."""

from fastapi import FastAPI, Request
from fastapi.responses import Response

from belowline.serve.console import administration, browse, queue, reports, session
from belowline.serve.http.errors import PROBLEMS, Problem


def add_console(app: FastAPI) -> None:
    """Adds the console to ``app``."""

    async def on_sign_in(request: Request, error: Exception) -> Response:
        if not isinstance(error, session.SignInFirst):
            raise error
        if session.wants_json(request):
            return Problem("invalid-key", "your session has ended; open the console and sign in").response()
        return session.to_sign_in(error)

    app.add_exception_handler(session.SignInFirst, on_sign_in)
    for part in (session, queue, browse, reports, administration):
        app.include_router(part.router)


def as_page(request: Request, problem: Problem) -> Response | None:
    """A problem as a page of the console; None for other addresses and for scripts."""
    if session.wants_json(request) or not request.url.path.startswith(session.HOME):
        return None
    actor = getattr(request.state, "person", None)
    values = {"heading": PROBLEMS[problem.kind][1], "detail": problem.detail}
    page = session.render("console_problem.html", request, actor, problem.status_code, **values)
    page.headers.update(problem.headers or {})
    return page
