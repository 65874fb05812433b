"""The report's method in words: the policy in force, the model's windows and thresholds, its card."""

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from belowline.model import DEFINITIONS, ModelConfig, Policy
from belowline.serve.scoring.wording import label_name


@dataclass(frozen=True, slots=True)
class LabelRule:
    """A label's meaning, what it is held and rejected from, and whether the policy asks it at all."""

    label: str
    meaning: str
    hold: float | None
    reject: float | None
    in_policy: bool


def label_rules(policy: Policy, config: ModelConfig) -> list[LabelRule]:
    """Every label of the model, with the thresholds that count."""
    rules = []
    for label in config.labels:
        both = policy.thresholds.get(label) or config.thresholds.get(label)
        hold, reject = (both.hold, both.reject) if both else (None, None)
        rules.append(
            LabelRule(label, DEFINITIONS.get(label, ""), hold, reject, in_policy=label in policy.thresholds)
        )
    return rules


def policy_words(policy: Policy) -> Iterator[str]:
    """The policy, a sentence for each rule that an audit, which knows a comment's text alone, can apply."""
    if policy.automatic_rejection:
        yield "Comments at a label's reject threshold, or with a word that rejects, are rejected without a person."
    else:
        yield "Nothing is rejected without a person; what would be rejected is held."
    order = ", ".join(label_name(label).lower() for label in policy.thresholds)
    yield f"Labels that hold a comment, the first at its threshold naming the reason: {order}."
    if policy.hold_words.entries or policy.reject_words.entries:
        yield "Listed words and phrases hold a comment, or reject it, whatever the labels say."
    if policy.blocked_domains:
        yield f"Links to blocked domains ({len(policy.blocked_domains)}) hold a comment."
    if policy.max_links is not None:
        yield f"More than {policy.max_links} links hold a comment."
    if policy.unknown_language == "hold":
        yield "Comments in a language that the model was not trained on are held: a score on them cannot be trusted."
    else:
        yield "Comments in a language that the model was not trained on are published unless another rule fires."
    yield "A comment that could not be scored is held."
    if (
        policy.copies is not None
        or policy.new_author_comments
        or policy.trusted_authors
        or policy.trusted_roles
    ):
        yield "Rules on campaigns, new and trusted authors look at a site's queue; they are not applied to an archive."
    if policy.sites:
        yield "Rules of single sites are not applied to an archive."


def method_words(config: ModelConfig, *, context: bool) -> Iterator[str]:
    """How the model comes to a score, and what the score is worth; ``context`` says that the archive tells of articles or parents."""
    window = config.window
    yield (
        f"Texts are freed of disguises and read in windows of {window.tokens} tokens that overlap by {window.overlap}; nothing is cut. "
        + "; ".join(_aggregates(config)).capitalize()
        + "."
    )
    yield (
        "Scores are probabilities, calibrated on labelled comments (Platt scaling). There harm is more frequent than under most "
        "articles: at your rate fewer of the held comments are harmful than a score suggests."
    )
    if context:
        yield "Article and parent enter the relevance alone."
    yield "Labels are read from a comment's own text: an insult that only the thread makes one is not seen."
    languages = ", ".join(config.languages)
    yield f"The model was trained on comments in: {languages}. In other languages its scores mean little."
    yield "Expect errors on quotation, irony, objection to harm, allusions and very short texts."
    yield "A score is for ordering what people read, not for judging people."


def _aggregates(config: ModelConfig) -> Iterator[str]:
    words = {"max": "take the highest window", "mean": "take the mean of the windows"}
    for how, said in words.items():
        labels = [label_name(label).lower() for label, one in config.window.aggregate.items() if one == how]
        if labels:
            yield f"{', '.join(labels)} {said}"


def card_html(card: str) -> Markup:
    """A model card as HTML beneath the report's headings: nothing is loaded, no link leads away, markup in it is text."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    for name in ("link_open", "link_close"):
        reader.add_render_rule(name, lambda *_: "")
    reader.add_render_rule("image", lambda _, tokens, at, *__: f"({tokens[at].content})")
    tokens = reader.parse(card)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 3)}"
    return Markup(reader.renderer.render(tokens, reader.options, {}))  # noqa: S704
