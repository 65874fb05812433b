"""Shared routes of all apps of a test process; FastAPI builds them again for each app at its first request."""

from typing import Any

from fastapi import routing

_BUILT: dict[tuple[Any, ...], tuple[Any, Any]] = {}
"""Built routes by route and way of inclusion.

The route itself is stored too, so that its id stays unique.
"""


def share_routes() -> None:
    """Make FastAPI build each route once per process.

    Building takes most of the time of a test with its own app. A built route depends on its app only through
    ``dependency_overrides``, which no test uses. The class is private: with another FastAPI version nothing is shared.
    """
    context = getattr(routing, "_EffectiveRouteContext", None)
    if context is None or hasattr(context.from_api_route, "shared"):
        return
    build = context.from_api_route.__func__

    def from_api_route(cls: Any, *, original_route: Any, include_context: Any) -> Any:
        guards = tuple(id(one.dependency) for one in include_context.dependencies)
        answers = repr(include_context.default_response_class)
        key = (
            id(original_route),
            include_context.prefix,
            guards,
            answers,
            repr(include_context.max_body_size),
        )
        if key not in _BUILT:
            built = build(cls, original_route=original_route, include_context=include_context)
            _BUILT[key] = (built, original_route)
        return _BUILT[key][0]

    from_api_route.shared = True  # type: ignore[attr-defined]
    context.from_api_route = classmethod(from_api_route)
