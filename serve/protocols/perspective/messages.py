"""What clients of the Perspective API send and get; fields that are not listed here are refused, null is the same as no field."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

TextType = Literal["TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT", "HTML"]
ScoreType = Literal["SCORE_TYPE_UNSPECIFIED", "PROBABILITY", "STD_DEV_SCORE", "PERCENTILE", "RAW"]
Language = Annotated[str, StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$")]


class _Message(BaseModel):
    """Names are read in both spellings that the JSON of protocol buffers has, ``clientToken`` and ``client_token``."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


class TextEntry(_Message):
    """A comment, or a text of its context."""

    text: str | None = Field(default=None, description="The text, at most 20,480 bytes of a comment.")
    type: TextType | None = Field(default=None, description="Only plain text is served.")


class ArticleAndParentComment(_Message):
    """What a comment was written under."""

    article: TextEntry | None = Field(default=None, description="The article's title and text.")
    parent_comment: TextEntry | None = Field(default=None, description="The comment that this one answers.")


class Context(_Message):
    """What a comment was written under, in one of two ways."""

    entries: list[TextEntry] | None = Field(
        default=None,
        description="Texts. The first one that is not a JSON object is read as the article.",
    )
    article_and_parent_comment: ArticleAndParentComment | None = Field(
        default=None, description="The other way; not both."
    )


class AttributeParameters(_Message):
    """How an attribute is asked for."""

    score_type: ScoreType | None = Field(default=None, description="Only probabilities are served.")
    score_threshold: float | None = Field(default=None, description="Below it the attribute is left out.")


class Score(_Message):
    """How likely an attribute is."""

    value: float = Field(ge=0, le=1, description="0 to 1.")
    type: ScoreType | None = Field(default=None, description="Only probabilities are served.")


class SpanScore(_Message):
    """The score of a part of the text, counted in UTF-16 code units; ``end`` is one past it."""

    begin: int = Field(ge=0, description="First code unit.")
    end: int = Field(ge=0, description="One past the last code unit.")
    score: Score = Field(description="The score of the part.")


class AttributeScores(_Message):
    """The scores of one attribute."""

    span_scores: list[SpanScore] | None = Field(default=None, description="Scores of parts of the text.")
    summary_score: Score | None = Field(default=None, description="The score of the whole text.")


class _Request(_Message):
    comment: TextEntry | None = Field(default=None, description="The comment; required.")
    context: Context | None = Field(default=None, description="What it was written under.")
    languages: list[Language] | None = Field(
        default=None, description="Languages of the comment, such as `en`; unset: they are detected."
    )
    client_token: str | None = Field(default=None, description="Given back as it came.")
    session_id: str | None = Field(default=None, description="Not used.")
    community_id: str | None = Field(
        default=None, description="The site, such as `Coral:https://news.example`."
    )


class AnalyzeRequest(_Request):
    """A comment to score."""

    requested_attributes: dict[str, AttributeParameters | None] | None = Field(
        default=None, description="The attributes to score, such as `TOXICITY`; required."
    )
    drop_unsupported_attributes: bool | None = Field(
        default=None, description="Makes no difference: attributes that are not served are always left out."
    )
    span_annotations: bool | None = Field(default=None, description="Whether each sentence is scored too.")
    do_not_store: bool | None = Field(default=None, description="Nothing is stored, whatever it says.")


class AnalyzeAnswer(_Message):
    """The scores of a comment."""

    attribute_scores: dict[str, AttributeScores] = Field(description="Attribute to its scores.")
    languages: list[str] = Field(description="Those of the request, or else the one that was detected.")
    detected_languages: list[str] = Field(
        description="ISO 639-1, or `und` where there is too little to tell."
    )
    client_token: str | None = Field(default=None, description="As it came.")


class SuggestRequest(_Request):
    """What the scores of a comment should have been."""

    attribute_scores: dict[str, AttributeScores] | None = Field(
        default=None, description="Attribute to what it should have been; required."
    )


class SuggestAnswer(_Message):
    """That it was kept."""

    client_token: str | None = Field(default=None, description="As it came.")
    detected_languages: list[str] = Field(description="Empty: nothing is scored.")
    requested_languages: list[str] = Field(description="Those of the request.")
