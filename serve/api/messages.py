"""Requests and answers of the API; unknown fields of a request are errors."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from belowline.model.policy import Action
from belowline.serve.http.items import EachByItself
from belowline.serve.http.schemas import MAX_COMMENTS, CommentId, Message, NamedAuthor, RefusedComment, Site
from belowline.serve.queue.author_acts import Choice
from belowline.serve.queue.comments import AuthorOut, CommentOut, DecisionOut, Record
from belowline.serve.queue.queue_items import Kind, Order
from belowline.serve.scoring.reason_codes import CODES
from belowline.serve.scoring.results import Result


def _known_code(code: str) -> str:
    if code not in CODES:
        raise ValueError(f"is not a reason code; known are {', '.join(CODES)}")
    return code


def _only_text(value: object) -> object:
    # Pydantic alone would read a number, or a string of one, as seconds since 1970.
    if not isinstance(value, str) or value.lstrip("+-").replace(".", "").isdecimal():
        raise ValueError("must be a string such as 2026-11-25T12:00:00Z")
    return value


def _in_calendar(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside of the calendar") from None


Moment = Annotated[AwareDatetime, BeforeValidator(_only_text), AfterValidator(_in_calendar)]
Note = Annotated[str, StringConstraints(max_length=4000)]
# The ids of all tables are below 2**31, and SQLite fails on numbers beyond 64 bits.
Number = Annotated[int, Field(ge=1, lt=2**31)]
Code = Annotated[
    str,
    AfterValidator(_known_code),
    Field(description=f"Reason code: {', '.join(f'`{code}`' for code in CODES)}."),
]
Name = StringConstraints(min_length=1, pattern=r"^[^\x00-\x1f\x7f]+$")
PolicyText = Annotated[
    str, Field(min_length=1, max_length=200_000, description="TOML; see model/policy.toml.")
]
Table = dict[str, Any]
"""A row of the database."""


class ThreadIn(Message):
    """The article of the comments."""

    id: str | None = Field(
        None, min_length=1, max_length=500, description="The caller's id; may be absent if `url` is given."
    )
    title: str | None = Field(None, description="The article's title.")
    url: str | None = Field(None, max_length=2000, description="The article's address; it is not fetched.")
    text: str | None = Field(
        None, description="The article's text; of title and text 4,000 characters are used."
    )


class AuthorIn(NamedAuthor):
    """The author of a comment, as the site knows them."""

    id: CommentId = Field(description="The caller's id of the author; a hash is sufficient.")
    role: str | None = Field(None, max_length=50, description="Such as `staff`; the policy may trust a role.")


class NewComment(Message):
    """A comment to store."""

    id: CommentId = Field(description="The caller's id; another text under the same id is an edit.")
    text: str = Field(min_length=1, description="The comment as its author wrote it.")
    author: AuthorIn | None = Field(None, description="The comment's author.")
    parent: CommentId | None = Field(None, description="The caller's id of the parent comment.")
    parent_text: str | None = Field(
        None, description="Text of the parent comment, if it was not sent before."
    )
    written: Moment | None = Field(None, description="Time of writing, ISO 8601 with a zone.")


class NewComments(Message):
    """Comments on one article."""

    site: Site
    thread: ThreadIn | None = Field(None, description="The article of all these comments.")
    comments: list[Annotated[NewComment, EachByItself]] = Field(
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
    """Outcome of ingesting one comment."""

    comment: int = Field(description="The comment's id here.")
    stands: Action = Field(description="The current action; a moderator may have decided since.")
    changed: bool = Field(description="False if the comment was stored before with the same text.")


class RefusedKept(KeptComment, RefusedComment):
    """In the place of the result of an invalid comment, which is not stored: `comment` is 0, `action` is `hold`."""


class KeptComments(BaseModel):
    """One result for each comment, in order."""

    results: list[RefusedKept | KeptComment]
    model: str = Field(description="Version of the model.")


class RevisionOut(Record):
    """A revision of a comment's text."""

    number: int
    text: str | None
    at: datetime


class AppealOut(Record):
    """An appeal of the author."""

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
    next: str | None = Field(description="Pass it as `after` for the next page; null on the last page.")


class ClaimIn(Message):
    """The items to claim."""

    limit: int = Field(1, ge=1, le=100, description="Most items, those already held included.")
    sort: Order = Field("priority", description="Sort order.")
    site: Site | None = Field(None, description="Only this site.")
    label: str | None = Field(None, max_length=50, description="Only comments held for this label.")
    kind: Kind | None = Field(None, description="Only items of this kind.")
    escalated: StrictBool = Field(False, description="Only items that were escalated to you.")
    language: str | None = Field(None, max_length=10, description="Only this language, such as `en`.")


class ReleaseIn(Message):
    """The items to release."""

    items: list[Number] | None = Field(
        None, max_length=1000, description="Ids of items; if absent, all items that you hold."
    )


class _Decision(Message):
    action: Action = Field(description="The action for the comment.")
    labels: list[str] = Field(default=[], max_length=10, description="Labels of the model that apply.")
    code: Code = "none"  # a rejection without a code gets that of its labels, else ``other``
    note: Note | None = Field(
        None, description="A note for other moderators; erased together with the comment."
    )
    message: Note | None = Field(
        None,
        description="Words for the author of a rejected comment. Webhooks deliver them (`message`); they are "
        "erased together with the comment.",
        examples=["Please argue about the harbour, not about Ann."],
    )

    @field_validator("message")
    @classmethod
    def _to_whom_is_rejected(cls, message: str | None, info: ValidationInfo) -> str | None:
        if message and info.data.get("action") != "reject":
            raise ValueError("goes with a rejection only; leave it out")
        return message or None


class DecisionIn(_Decision):
    """A decision on one comment."""

    blind: StrictBool = Field(False, description="Whether the scores were hidden.")
    revision: Number | None = Field(
        None, description="The revision that was read; a newer one is a conflict."
    )
    after: Number | None = Field(
        None, description="The last decision that was seen; a newer one is a conflict."
    )
    made_by: Annotated[str, Name] | None = Field(
        None,
        max_length=60,
        description="Name of the moderator who decided on the site itself. The decision counts even while "
        "another moderator holds the comment here. A key with the role `service` may send it.",
    )


class BulkIn(_Decision):
    """One decision for many comments: give exactly one of `campaign`, `author` and `comments`."""

    campaign: Number | None = Field(None, description="`campaign` of any of the near-duplicates.")
    author: Number | None = Field(None, description="Id of an author here.")
    comments: list[Number] = Field(default=[], max_length=1000, description="Ids of comments here.")
    queued_only: StrictBool = Field(
        True, description="Only comments in the queue; false: also those with another action."
    )


class BulkOut(BaseModel):
    """The recorded decisions and the skipped comments."""

    decisions: list[int]
    skipped: list[int] = Field(description="Comments that another moderator holds or must review.")
    act: int | None = Field(None, description="The act; null if nothing was decided.", examples=[31])


class ActOut(Record):
    """Something that a person did: one entry of the undo stack."""

    id: int = Field(examples=[31])
    kind: Literal["decision", "bulk", "standing", "note", "escalation"] = Field(
        description="`decision` (one comment), `bulk` (many), `standing` or `note` (an author), or `escalation`."
    )
    site: str | None = Field(description="Null for comments of several sites.")
    comment_id: int | None
    author_id: int | None
    value: str | None = Field(
        description="The action, the standing, or the receiver of an escalation.", examples=["reject"]
    )
    until: datetime | None = Field(description="End of a suspension.")
    note: str | None
    actor: str
    at: datetime
    state: Literal["done", "undone", "kept"] = Field(
        description="`kept`: an undo came too late and changed nothing."
    )
    undone_by: str | None
    undone_at: datetime | None


class ActPage(BaseModel):
    """A page of acts."""

    items: list[ActOut]
    next: str | None = Field(description="Pass it as `after` for the next page; null on the last page.")


class UndoOut(BaseModel):
    """Outcome of an undo."""

    act: ActOut
    decisions: list[DecisionOut] = Field(description="The decisions that restore the earlier actions.")
    skipped: dict[int, str] = Field(
        description="Comments that stay as they are, such as those with a newer decision, and why.",
        examples=[{"17": "only the latest decision can be undone, and an undo cannot itself be undone"}],
    )


class StandingIn(Message):
    """A standing of an author."""

    standing: Choice = Field(
        description="`suspended` (until a time) or `banned`: new comments are held, or rejected if the policy's "
        "`banned_authors` says so; `pre_moderated`: all are held; `trusted`: held for labels, listed words and blocked "
        "domains only; `normal` ends the standing.",
        examples=["suspended"],
    )
    until: Moment | None = Field(
        None, description="End of a suspension, ISO 8601 with a zone.", examples=["2026-12-07T12:00:00Z"]
    )
    note: Note | None = Field(
        None, description="The reason, for other moderators.", examples=["third insult"]
    )


class NoteIn(Message):
    """A note about an author."""

    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)] = Field(
        description="Words for other moderators.", examples=["Argues hard, but corrects mistakes when asked."]
    )


class EscalationIn(Message):
    """An escalation."""

    to: str = Field(
        max_length=130,
        pattern=r"^(person|role):.+$",
        description="`person:NAME`, the name of a key, or `role:moderator` or `role:admin`.",
        examples=["role:admin"],
    )
    note: Note | None = Field(None, description="A note for the receiver.", examples=["Is this libel?"])


class FullAuthor(AuthorOut):
    """An author with their site."""

    site: str = Field(examples=["paper.example"])


class AppealIn(Message):
    """An appeal."""

    text: Note | None = Field(None, description="The author's words, shown to the moderator.")


class PolicyIn(Message):
    """A policy to activate."""

    text: PolicyText
    note: Note | None = Field(None, description="Reason of the change, for the history.")
    after: int = Field(
        ge=0, lt=2**31, description="`number` of the policy that was read; a newer one is a conflict."
    )


class DryRunIn(Message):
    """A policy to try on recent comments."""

    text: PolicyText
    limit: int = Field(1000, ge=1, le=20_000, description="Number of newest comments to compare.")
    site: Site | None = Field(None, description="Only comments of this site.")


class KeyIn(Message):
    """A key to create."""

    name: Annotated[str, Name] = Field(max_length=100, description="Decisions refer to this name.")
    role: Literal["service", "triage", "moderator", "admin"] = Field(description="Role of the key.")
    sites: list[Site] = Field(
        default=[], max_length=100, description="Sites of the key; none: all. An admin key is for all sites."
    )
    protocol: Literal["akismet"] | None = Field(
        default=None,
        description="`akismet`: a key of 12 hexadecimal digits that Akismet's WordPress plugin accepts. "
        "It needs the role `service` and exactly one site, and works for Akismet's calls only. "
        "Absent: a key for every call.",
    )

    @field_validator("sites")
    @classmethod
    def _admins_see_all(cls, sites: list[str], info: ValidationInfo) -> list[str]:
        if sites and info.data.get("role") == "admin":
            raise ValueError("must be empty for an admin, whose policy, keys and webhooks are for all sites")
        return sites

    @field_validator("protocol")
    @classmethod
    def _for_one_site(cls, protocol: str | None, info: ValidationInfo) -> str | None:
        if protocol and (info.data.get("role") != "service" or len(info.data.get("sites", ())) != 1):
            raise ValueError("needs the role service and exactly one site")
        return protocol


class HookIn(Message):
    """A webhook to add."""

    url: str = Field(
        max_length=2000,
        pattern=r"^https?://[^\s\x00-\x1f\x7f]+$",
        description="Address for deliveries; redirects are not followed.",
    )
    events: list[str] = Field(
        min_length=1, max_length=10, description="`comment.held`, `comment.decided`, `author.changed`."
    )

    @field_validator("url")
    @classmethod
    def _can_be_called(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            sound = bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if not sound:
            raise ValueError("is not a valid address; write it like https://paper.example/hook")
        return url


SiteQuery = Annotated[str | None, Query(description="Only this site.")]


class _PageQuery(BaseModel):
    site: SiteQuery = None
    action: str | None = Field(
        None, pattern="^(publish|hold|reject)$", description="`publish`, `hold` or `reject`."
    )
    thread: Number | None = Field(None, description="Id of an article here.")
    author: Number | None = Field(None, description="Id of an author here.")
    campaign: Number | None = Field(None, description="Id of a group of near-duplicates.")
    limit: int = Field(50, ge=1, le=200, description="Most comments on one page.")
    after: str | None = Field(None, max_length=200, description="`next` of the previous page.")

    def conditions(self) -> dict[str, Any]:
        """Return the conditions other than the site."""
        return self.model_dump(exclude={"site", "id", "sort", "limit", "after"})


class SearchQuery(_PageQuery):
    """Conditions of a search."""

    id: str | None = Field(None, description="The caller's id; needs `site`.")
    words: str | None = Field(None, max_length=200, description="A part of the text, in any case.")
    anything: str | None = Field(
        None,
        max_length=200,
        description="A part of the text or of the author's name, in any case, or an id of the comment or its author.",
    )
    since: Moment | None = Field(
        None,
        description="Not written before this time, ISO 8601 with a zone; received, if that is not known.",
    )
    until: Moment | None = Field(None, description="Written before this time.")


class QueueQuery(_PageQuery):
    """Conditions for the queue."""

    label: str | None = Field(None, description="Only comments held for this label.")
    code: str | None = Field(None, description="Only items with this reason code.")
    kind: str | None = Field(
        None, pattern="^(held|sample|appeal|second)$", description="`held`, `sample`, `appeal` or `second`."
    )
    language: str | None = Field(None, description="Such as `en`.")
    older_than: float | None = Field(None, ge=0, le=3650, description="Age of the item in days.")
    newer_than: float | None = Field(None, ge=0, le=3650, description="Age of the item in days.")
    unclaimed: bool = Field(False, description="Only items that nobody holds.")
    escalated: bool = Field(False, description="Only items that were escalated to you.")
    sort: Order = Field("priority", description="Sort order.")
