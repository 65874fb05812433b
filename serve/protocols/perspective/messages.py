"""Requests of the Perspective API; null means absent."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from belowline.serve.protocols.protocol import Body

Language = Annotated[str, StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$")]


class _Message(Body):
    """Names are read in both spellings of protocol buffers' JSON: ``clientToken`` and ``client_token``."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        strict=True,
        allow_inf_nan=False,
    )


class TextEntry(_Message):
    """A comment, or a text of its context."""

    text: str | None = None
    type: str | None = None


class ArticleAndParentComment(_Message):
    """The article's title and text, and the comment that this one answers."""

    article: TextEntry | None = None
    parent_comment: TextEntry | None = None


class Context(_Message):
    """The texts around a comment; of ``entries`` the first that is not a JSON object is the article."""

    entries: list[TextEntry] | None = None
    article_and_parent_comment: ArticleAndParentComment | None = None


class AttributeParameters(_Message):
    """The score below which an attribute is left out."""

    score_threshold: float | None = None


class Score(_Message):
    """The probability of an attribute."""

    value: float = Field(ge=0, le=1)


class SpanScore(_Message):
    """The score of a part of the text."""

    score: Score


class AttributeScores(_Message):
    """The scores of one attribute: of parts of the text, and of the whole text."""

    span_scores: list[SpanScore] | None = None
    summary_score: Score | None = None


class _Request(_Message):
    """Fields of both requests; ``community_id`` is the site, such as ``Coral:https://news.example``."""

    comment: TextEntry | None = None
    context: Context | None = None
    languages: list[Language] | None = None
    client_token: str | None = None
    community_id: str | None = None


class AnalyzeRequest(_Request):
    """A comment to score."""

    requested_attributes: dict[str, AttributeParameters | None] | None = None
    span_annotations: bool | None = None


class SuggestRequest(_Request):
    """The scores that a comment should have."""

    attribute_scores: dict[str, AttributeScores] | None = None
