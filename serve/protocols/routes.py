"""All protocols, and which of them an address belongs to."""

from fastapi import Request
from fastapi.responses import Response

from belowline.serve.errors import Problem
from belowline.serve.protocols import perspective
from belowline.serve.protocols.protocol import Protocol

PROTOCOLS: tuple[Protocol, ...] = (perspective.PROTOCOL,)


def in_own_shape(request: Request, problem: Problem) -> Response | None:
    """A problem in the shape of the protocol whose address was called; None for an address of no other protocol."""
    path = request.url.path
    for protocol in PROTOCOLS:
        if path.startswith(protocol.paths):
            return protocol.problem(request, problem)
    return None
