"""A comment as WordPress gives it to a moderator, and as we read it."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from belowline.data import html_to_text
from belowline.data.archives.xml.exports import one_line


class _Rendered(BaseModel):
    rendered: str = ""


class _Embedded(BaseModel):
    """What a comment stands under or answers; all is empty where WordPress does not show it."""

    link: str = ""
    title: _Rendered = _Rendered()
    excerpt: _Rendered = _Rendered()
    content: _Rendered = _Rendered()


class RawText(BaseModel):
    """A comment's text as WordPress stores it; it may hold markup."""

    raw: str


class RemoteComment(BaseModel):
    """A comment as a moderator gets it from WordPress."""

    model_config = ConfigDict(hide_input_in_errors=True)
    id: int = Field(ge=1)
    post: int
    parent: int
    author: int
    author_name: str
    author_email: str
    date_gmt: str | None
    content: RawText
    embedded: dict[str, list[_Embedded]] = Field({}, alias="_embedded")

    @property
    def text(self) -> str:
        """Plain text: markup becomes line ends, entities become characters, link addresses stay."""
        return html_to_text(self.content.raw, links=True)

    @property
    def written(self) -> datetime | None:
        """When it was written."""
        try:
            return datetime.fromisoformat(self.date_gmt or "").replace(tzinfo=UTC)
        except ValueError:
            return None

    @property
    def article(self) -> tuple[str, str, str | None]:
        """Title, excerpt and address of what it stands under."""
        post = self._embed("up")
        address = (
            post.link if post.link.startswith(("http://", "https://")) and len(post.link) <= 2000 else None
        )
        return plain(post.title.rendered), plain(post.excerpt.rendered), address

    @property
    def answered(self) -> str | None:
        """The text of the comment that it answers, if it answers one."""
        return plain(self._embed("in-reply-to").content.rendered) or None

    def _embed(self, relation: str) -> _Embedded:
        return next(iter(self.embedded.get(relation, ())), _Embedded())


def plain(rendered: str) -> str:
    """The text of a piece of HTML, on one line."""
    return one_line(rendered) or ""
