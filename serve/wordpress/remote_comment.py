"""A comment from WordPress's REST API, and the values that belowline reads from it."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from belowline.data import html_to_text
from belowline.data.archives.values import one_line


class _Rendered(BaseModel):
    rendered: str = ""


class _Embedded(BaseModel):
    """The post or the parent of a comment; empty where WordPress does not show it."""

    link: str = ""
    title: _Rendered = _Rendered()
    excerpt: _Rendered = _Rendered()
    content: _Rendered = _Rendered()


class RawText(BaseModel):
    """A comment's text as WordPress stores it, possibly with markup."""

    raw: str


class RemoteComment(BaseModel):
    """A comment with the fields that a moderator sees."""

    model_config = ConfigDict(hide_input_in_errors=True)
    id: int = Field(ge=1)
    post: int
    parent: int
    author: int
    author_name: str
    author_email: str
    author_url: str = ""
    date_gmt: str | None
    content: RawText
    embedded: dict[str, list[_Embedded]] = Field({}, alias="_embedded")

    @property
    def text(self) -> str:
        """Plain text: markup becomes line ends, entities become characters, link addresses stay."""
        return html_to_text(self.content.raw, links=True)

    @property
    def written(self) -> datetime | None:
        """The time of writing, None if WordPress has no valid one."""
        try:
            return datetime.fromisoformat(self.date_gmt or "").replace(tzinfo=UTC)
        except ValueError:
            return None

    @property
    def article(self) -> tuple[str, str, str | None]:
        """Title, excerpt and address of the post."""
        post = self._embed("up")
        is_address = post.link.startswith(("http://", "https://")) and len(post.link) <= 2000
        return plain(post.title.rendered), plain(post.excerpt.rendered), post.link if is_address else None

    @property
    def parent_text(self) -> str | None:
        """The text of the comment that this one answers, None if it answers none."""
        return plain(self._embed("in-reply-to").content.rendered) or None

    def _embed(self, relation: str) -> _Embedded:
        return next(iter(self.embedded.get(relation, ())), _Embedded())


def plain(rendered: str) -> str:
    """The text of a piece of HTML, on one line."""
    return one_line(rendered) or ""
