"""The console as a part of the app: its routes, and its errors as pages."""

from fastapi import FastAPI, Request
from fastapi.responses import Response

from belowline.serve.console import administration, browse, queue, reports, session
from belowline.serve.http.auth import caller
from belowline.serve.http.errors import PROBLEMS, Problem


def add_console(app: FastAPI) -> None:
    """Adds the console to ``app``."""

    async def on_sign_in(request: Request, error: Exception) -> Response:
        if not isinstance(error, session.SignInFirst):
            raise error
        if "json" in request.headers.get("accept", ""):
            return Problem(
                "invalid-key", "you were signed out; open the console again and sign in"
            ).response()
        return session.to_sign_in(error)

    app.add_exception_handler(session.SignInFirst, on_sign_in)
    for part in (session, queue, browse, reports, administration):
        app.include_router(part.router)


def as_page(request: Request, problem: Problem) -> Response | None:
    """A problem as a page, for a person who looks at the console; None for everybody else."""
    wants_json = "json" in request.headers.get("accept", "")
    if wants_json or not request.url.path.startswith(session.HOME):
        return None
    try:
        actor = caller(request)
    except Problem:
        actor = None
    title = PROBLEMS[problem.kind][1]
    told = session.page(
        "console_problem.html", request, actor, problem.status_code, heading=title, detail=problem.detail
    )
    told.headers.update(problem.headers or {})
    return told
