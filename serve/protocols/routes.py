"""All protocols, and the protocol of an address."""

from fastapi import Request
from fastapi.responses import Response

from belowline.serve.http.errors import Problem
from belowline.serve.protocols import coral, moderations, text_classification
from belowline.serve.protocols.akismet import routes as akismet
from belowline.serve.protocols.perspective import routes as perspective
from belowline.serve.protocols.protocol import Protocol

PROTOCOLS: tuple[Protocol, ...] = (
    perspective.PROTOCOL,
    moderations.PROTOCOL,
    akismet.PROTOCOL,
    coral.PROTOCOL,
    text_classification.PROTOCOL,
)


def in_own_shape(request: Request, problem: Problem) -> Response | None:
    """A problem in the shape of the protocol whose address was called; None for our own API."""
    protocol = protocol_at(request.url.path)
    return protocol.problem(request, problem) if protocol else None


def protocol_at(path: str) -> Protocol | None:
    """The protocol of an address; None for our own API."""
    for protocol in PROTOCOLS:
        if any(path == one or (one.endswith("/") and path.startswith(one)) for one in protocol.paths):
            return protocol
    return None
