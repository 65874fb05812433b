"""Request and response bodies of scoring; unknown fields are refused."""

import re
from typing import Annotated, Any, Self

import httpx
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from belowline.model import PolicyDecision
from belowline.serve.http.items import EachByItself, ItemProblem, Refused
from belowline.serve.scoring.results import Result, make_result

MAX_COMMENTS = 256
SITE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_NOT_IN_SITE = re.compile(r"[^A-Za-z0-9._-]+")
ID_PATTERN = r"^[^\x00-\x1f\x7f]+$"
Site = Annotated[
    str,
    StringConstraints(max_length=100, pattern=SITE_PATTERN),
    Field(description="Site of the comments, such as `example.org`."),
]
CommentId = Annotated[
    str,
    StringConstraints(max_length=200, pattern=ID_PATTERN),
    Field(description="The client's id of the comment."),
]


def site_name(name: str) -> str:
    """Returns ``name``, such as a host with its port, as a valid site name; empty if nothing is left."""
    return _NOT_IN_SITE.sub("-", name).strip("._-")[:100]


def host_of(address: str) -> str:
    """Returns the host in an address with or without a scheme, in lower-case ASCII; empty without a valid one."""
    try:
        host = httpx.URL(address if "://" in address else f"//{address}").raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError):
        return ""
    return "" if "%" in host else host


class Message(BaseModel):
    """A request body; unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NamedAuthor(Message):
    """The author of a comment."""

    name: str | None = Field(
        None, max_length=200, description="The name that readers see. It affects `spam` only."
    )
    url: str | None = Field(
        None,
        max_length=2000,
        description="The author's website. It affects `spam` only, and the policy's list of blocked domains applies "
        "to it; it is not stored.",
    )


class CommentIn(Message):
    """One comment to score."""

    id: CommentId | None = None
    text: str = Field(min_length=1, description="The comment as its author wrote it.")
    parent: str | None = Field(None, description="Text of the parent comment; at most as long as a comment.")
    author: NamedAuthor | None = Field(None, description="The comment's author; it is not stored.")


class ArticleIn(Message):
    """The article of all comments in a request."""

    title: str = Field(description="The article's title.")
    url: str | None = Field(None, max_length=2000, description="The article's address; it is not fetched.")
    text: str | None = Field(
        None, description="The article's text; the first 4,000 characters of title and text are used."
    )


class ScoreRequest(Message):
    """Comments to score, and their article."""

    comments: list[Annotated[CommentIn, EachByItself]] = Field(
        min_length=1, max_length=MAX_COMMENTS, description="1 to 256 comments."
    )
    article: ArticleIn | None = Field(None, description="The article, if there is one.")
    site: Site | None = Field(
        None,
        description="If set, every comment needs an `id`, and comments that are not published enter the queue.",
    )
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"comments": [{"id": "c1", "text": "Thanks, I learned something."}]}]}
    )


class RefusedComment(Result):
    """In the place of the result of an invalid comment: `action` is `hold`, and `error` says why it is not scored."""

    error: ItemProblem

    @classmethod
    def of(cls, refused: Refused, model: str, **more: Any) -> Self:
        """The result in the place of a refused comment; ``more`` are further fields."""
        rule = f"not scored: {refused.problem.detail}"
        decision = PolicyDecision("hold", "scoring_failed", rule, None)
        fields = dict(make_result(refused.id, None, decision, model)) | more
        return cls.model_construct(**fields, error=refused.error)


_FAULT = "is blank; send the comment's text"
_DETAIL = f"comments[1].text {_FAULT}"
_NO_RESULT: dict[str, Any] = {"relevance": None, "evidence": [], "model": "0.6.0"}
_EXAMPLE: dict[str, Any] = {
    "results": [
        {
            **_NO_RESULT,
            "id": "c1",
            "scores": {"spam": 0.0062, "toxicity": 0.007},
            "action": "publish",
            "reason": {"code": "none", "rule": "no rule fired", "label": None},
            "language": "en",
        },
        {
            **_NO_RESULT,
            "id": "c2",
            "scores": {},
            "action": "hold",
            "reason": {"code": "scoring_failed", "rule": f"not scored: {_DETAIL}", "label": None},
            "language": "und",
            "error": {
                "code": "invalid-request",
                "type": "urn:belowline:problem:invalid-request",
                "title": "Invalid request",
                "status": 422,
                "detail": _DETAIL,
                "errors": [{"field": "comments[1].text", "detail": _FAULT}],
            },
        },
    ],
    "model": "0.6.0",
}


class ScoreAnswer(BaseModel):
    """One result for each comment, in order."""

    results: list[RefusedComment | Result]
    model: str = Field(description="Version of the model.")
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})
