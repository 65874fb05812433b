"""What the queue's API takes and gives; fields that are not listed here are refused."""

from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import Query
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from belowline.serve.http.schemas import MAX_COMMENTS, CommentId, Site
from belowline.serve.scoring.reason_codes import CODES
from belowline.serve.scoring.results import EvidenceSpan, Result


def _known_code(code: str) -> str:
    if code not in CODES:
        raise ValueError(f"is not a reason code; there are {', '.join(CODES)}")
    return code


def _only_text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a string such as 2026-11-25T12:00:00Z")
    return value


Action = Literal["publish", "hold", "reject"]
UtcDateTime = Annotated[datetime, BeforeValidator(_only_text)]
"""A time as JSON has it; pydantic alone would take a number for seconds since 1970."""

Note = Annotated[str, StringConstraints(max_length=4000)]
Number = Annotated[int, Field(ge=1, lt=2**31)]
"""An id that was given here; no table has greater ones, and SQLite fails over those beyond 64 bits."""


Code = Annotated[
    str,
    AfterValidator(_known_code),
    Field(description=f"Reason code: {', '.join(f'`{code}`' for code in CODES)}."),
]


class Message(BaseModel):
    """Something that a caller sends."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class ThreadIn(Message):
    """The article that the comments stand under."""

    id: str | None = Field(
        None, min_length=1, max_length=500, description="The caller's id; `url` serves without it."
    )
    title: str | None = Field(None, description="The article's title.")
    url: str | None = Field(None, max_length=2000, description="Its address; it is not fetched.")
    text: str | None = Field(None, description="Its text; title and text are read up to 4,000 characters.")


class AuthorIn(Message):
    """Who wrote a comment, as the site knows them."""

    id: CommentId = Field(description="The caller's id of the author; a hash will do.")
    name: str | None = Field(None, max_length=200, description="The name that readers see.")
    role: str | None = Field(None, max_length=50, description="Such as `staff`; the policy may trust it.")
    url: str | None = Field(
        None,
        max_length=2000,
        description="The author's own website. The policy's list of blocked domains applies to it; it is not stored.",
    )


class NewComment(Message):
    """A comment to keep."""

    id: CommentId = Field(description="The caller's own id; sent again with another text it is an edit.")
    text: str = Field(min_length=1, description="The comment as its author wrote it.")
    author: AuthorIn | None = Field(None, description="Who wrote it.")
    parent: CommentId | None = Field(
        None, description="The caller's id of the comment that this one answers."
    )
    parent_text: str | None = Field(None, description="Text of that comment, where it was not sent before.")
    written: UtcDateTime | None = Field(None, description="When it was written, ISO 8601 with a zone.")


class NewComments(Message):
    """Comments of one article."""

    site: Site
    thread: ThreadIn | None = Field(None, description="The article that they all stand under.")
    comments: list[NewComment] = Field(
        min_length=1, max_length=MAX_COMMENTS, description="1 to 256 comments."
    )
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "site": "paper.example",
                    "thread": {"id": "a-17", "title": "The harbour reopens"},
                    "comments": [
                        {"id": "c1", "text": "Thanks, I learned something.", "author": {"id": "u5"}}
                    ],
                }
            ]
        }
    )


class KeptComment(Result):
    """What became of a comment that was sent."""

    comment: int = Field(description="Its id here.")
    stands: Action = Field(description="What is to be done with it now; a moderator may have decided since.")
    changed: bool = Field(description="False if it was known just so.")


class KeptComments(BaseModel):
    """One answer for each comment, in order."""

    results: list[KeptComment]
    model: str = Field(description="Version of the model.")


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ThreadOut(_Out):
    """An article."""

    id: int
    site: str
    caller_id: str
    title: str | None
    url: str | None


class AuthorOut(_Out):
    """An author, and how many of their comments stand, wait and were turned away."""

    id: int
    caller_id: str | None = Field(description="Null once erased.")
    name: str | None
    role: str | None
    first_seen: datetime | None
    published: int
    held: int
    rejected: int


class ItemOut(_Out):
    """A place in the queue."""

    id: int
    kind: str = Field(
        description="`held`, `sample` (drawn at random), `appeal` or `second` (a second review)."
    )
    label: str | None
    code: str
    priority: float = Field(description="0 to 1; an appeal has 1.")
    uncertainty: float = Field(description="1 just at a threshold.")
    created: datetime
    claimed_by: str | None
    claimed_until: datetime | None


class DecisionOut(_Out):
    """A decision, the policy's or a person's."""

    id: int
    comment_id: int
    revision: int
    actor: str
    via: str = Field(
        description="`policy`, `console`, `api`, `site`, `bulk`, `undo`, `appeal`, `sample` or `second`."
    )
    action: Action
    before: Action | None
    labels: list[str]
    code: str
    code_choice: Literal["person", "default", "unclear"] | None = Field(
        description="`person`: chosen; `default`: left as it was preselected; `unclear`: a rejection as spam by an earlier version, where "
        "`spam` may only have been the first reason of the list; null where nobody could choose."
    )
    rule: str
    spans: list[Annotated[list[int], Field(min_length=2, max_length=2)]] = Field(
        description="The characters that drove the rule."
    )
    note: str | None
    policy: str
    model: str
    model_digest: str | None = Field(description="SHA-256 of the model's files; null of older decisions.")
    scores: dict[str, float]
    blind: bool = Field(description="Whether the scores were hidden from who decided.")
    undoes: int | None
    at: datetime


class CommentOut(_Out):
    """A comment with what is known of it."""

    id: int
    site: str
    caller_id: str
    text: str | None = Field(description="Null once erased.")
    language: str
    revision: int
    action: Action = Field(description="What stands.")
    campaign: int | None = Field(description="The group of its near-copies.")
    copies: int = Field(description="How many comments that group has, this one included.")
    written: datetime | None
    received: datetime | None
    erased: datetime | None
    thread: ThreadOut | None
    author: AuthorOut | None
    parent: str | None
    parent_text: str | None
    probabilities: dict[str, float]
    relevance: float | None
    evidence: list[EvidenceSpan]
    model: str | None
    decision: DecisionOut | None = Field(description="The decision that stands.")
    item: ItemOut | None = Field(description="Its place in the queue while it waits.")


class RevisionOut(_Out):
    """A text that the comment had."""

    number: int
    text: str | None
    at: datetime


class AppealOut(_Out):
    """An author's appeal."""

    id: int
    comment_id: int
    decision_id: int
    text: str | None
    state: Literal["open", "upheld", "overturned", "withdrawn"]
    created: datetime
    answered_by: int | None


class FullComment(CommentOut):
    """A comment with its history."""

    revisions: list[RevisionOut]
    decisions: list[DecisionOut]
    appeals: list[AppealOut]


class CommentPage(BaseModel):
    """A page of comments."""

    items: list[CommentOut]
    next: str | None = Field(description="Give it as `after` for the next page; null on the last one.")


class ClaimIn(Message):
    """Which items to lease."""

    limit: int = Field(1, ge=1, le=100, description="Most items to hold, those held already among them.")
    sort: Literal["priority", "uncertainty", "learn", "newest", "oldest"] = Field(
        "priority", description="Which come first."
    )
    site: Site | None = Field(None, description="Only of this site.")
    label: str | None = Field(None, max_length=50, description="Only those held for this label.")
    kind: Literal["held", "sample", "appeal", "second"] | None = Field(
        None, description="Only those that wait for this reason."
    )
    language: str | None = Field(None, max_length=10, description="Only in this language, such as `en`.")


class ReleaseIn(Message):
    """Which items to give back."""

    items: list[Number] | None = Field(
        None, max_length=1000, description="Ids of items; all that you hold if not given."
    )


class _Verdict(Message):
    """What every decision says."""

    action: Action = Field(description="What is to be done.")
    labels: list[str] = Field(default=[], max_length=10, description="What was written; labels of the model.")
    code: Code = "none"
    """A rejection without one is recorded as ``other``."""
    note: Note | None = Field(None, description="For other moderators; it goes with a comment's erasure.")


class DecisionIn(_Verdict):
    """A decision."""

    blind: bool = Field(False, description="Whether the scores were hidden.")
    revision: Number | None = Field(
        None, description="The revision that was read; refused if there is a newer one."
    )
    after: Number | None = Field(
        None, description="The decision that was seen; refused if there is a newer one."
    )
    made_by: str | None = Field(
        None,
        min_length=1,
        max_length=60,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="Name of the moderator who decided this on the site itself. The decision then counts even while another moderator "
        "holds the comment here; a key with the role `service` may send it.",
    )


class BulkIn(_Verdict):
    """One decision for many comments: give exactly one of `campaign`, `author` and `comments`."""

    campaign: Number | None = Field(None, description="`campaign` of any of the near-copies.")
    author: Number | None = Field(None, description="Id of an author here.")
    comments: list[Number] = Field(default=[], max_length=1000, description="Ids of comments here.")
    queued_only: bool = Field(
        True, description="Only comments that wait; false: whatever stands otherwise, too."
    )


class BulkOut(BaseModel):
    """What became of them."""

    decisions: list[int]
    skipped: list[int] = Field(description="Comments that another moderator holds or must review.")


class AppealIn(Message):
    """Why the author asks for another look."""

    text: Note | None = Field(None, description="The author's words, shown to who answers.")


class PolicyIn(Message):
    """A policy to put in force."""

    text: str = Field(min_length=1, max_length=200_000, description="TOML; see model/policy.toml.")
    note: Note | None = Field(None, description="Why it was changed, for the history.")
    after: int = Field(
        ge=0, lt=2**31, description="`number` of the policy that was read; refused if there is a newer one."
    )


class DryRunIn(Message):
    """A policy to try on recent comments."""

    text: str = Field(min_length=1, max_length=200_000, description="TOML; see model/policy.toml.")
    limit: int = Field(1000, ge=1, le=20_000, description="Newest comments to compare.")


class KeyIn(Message):
    """A key to make."""

    name: str = Field(
        min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", description="Decisions bear it."
    )
    role: Literal["service", "triage", "moderator", "admin"] = Field(description="What it may do.")
    sites: list[Site] = Field(
        default=[], max_length=100, description="The sites that it is for; none: all. An admin is for all."
    )
    protocol: Literal["akismet"] | None = Field(
        default=None,
        description="`akismet`: a key of 12 hexadecimal digits that Akismet's WordPress plugin accepts. It needs the role `service` and "
        "exactly one site, and works for Akismet's calls only. Absent: a key for every call.",
    )

    @field_validator("sites")
    @classmethod
    def _admins_see_all(cls, sites: list[str], info: ValidationInfo) -> list[str]:
        if sites and info.data.get("role") == "admin":
            raise ValueError("must be empty for an admin: policy, keys and webhooks are of all sites")
        return sites

    @field_validator("protocol")
    @classmethod
    def _for_one_site(cls, protocol: str | None, info: ValidationInfo) -> str | None:
        if protocol and (info.data.get("role") != "service" or len(info.data.get("sites", ())) != 1):
            raise ValueError("needs the role service and exactly one site")
        return protocol


class HookIn(Message):
    """A webhook to tell."""

    url: str = Field(
        max_length=2000,
        pattern=r"^https?://[^\s\x00-\x1f\x7f]+$",
        description="Where deliveries are posted to; redirects are not followed.",
    )
    events: list[str] = Field(min_length=1, max_length=10, description="`comment.held`, `comment.decided`.")

    @field_validator("url")
    @classmethod
    def _can_be_called(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            sound = bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if not sound:
            raise ValueError("is no address that can be called; write it like https://paper.example/hook")
        return url


SiteAsked = Annotated[str | None, Query(description="Only of this site.")]
ActionAsked = Annotated[
    str | None, Query(pattern="^(publish|hold|reject)$", description="`publish`, `hold` or `reject`.")
]
ThreadAsked = Annotated[Number | None, Query(description="Id of an article here.")]
AuthorAsked = Annotated[Number | None, Query(description="Id of an author here.")]
CampaignAsked = Annotated[Number | None, Query(description="Id of a group of near-copies.")]
PageSize = Annotated[int, Query(ge=1, le=200, description="Most comments of one page.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]
Table = dict[str, Any]
"""A row as it is kept."""
