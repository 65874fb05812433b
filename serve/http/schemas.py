"""Request and response bodies of scoring; unknown fields are refused."""

import re
from typing import Annotated

import httpx
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from belowline.serve.scoring.results import Result

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

    comments: list[CommentIn] = Field(min_length=1, max_length=MAX_COMMENTS, description="1 to 256 comments.")
    article: ArticleIn | None = Field(None, description="The article, if there is one.")
    site: Site | None = Field(
        None,
        description="If set, every comment needs an `id`, and comments that are not published enter the queue.",
    )
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"comments": [{"id": "c1", "text": "Thanks, I learned something."}]}]}
    )


class ScoreAnswer(BaseModel):
    """One result for each comment, in order."""

    results: list[Result]
    model: str = Field(description="Version of the model.")
