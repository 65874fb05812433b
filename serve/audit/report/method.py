"""The report's section on the method: the policy, the model's windows and thresholds, its card."""

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from belowline.model import DEFINITIONS, ModelConfig, Policy
from belowline.serve.scoring.wording import label_name


@dataclass(frozen=True, slots=True)
class LabelRule:
    """A label's definition and its thresholds; ``in_policy`` is False if the policy ignores the label."""

    label: str
    meaning: str
    hold: float | None
    reject: float | None
    in_policy: bool


def label_rules(policy: Policy, config: ModelConfig) -> Iterator[LabelRule]:
    """Every label of the model, with the policy's thresholds, else the model's."""
    for label in config.labels:
        both = policy.thresholds.get(label) or config.thresholds.get(label)
        hold, reject = (both.hold, both.reject) if both else (None, None)
        yield LabelRule(label, DEFINITIONS.get(label, ""), hold, reject, label in policy.thresholds)


def policy_words(policy: Policy) -> Iterator[str]:
    """One sentence for each rule of the policy that applies to a comment's text alone."""
    if policy.automatic_rejection:
        yield "Comments at a label's reject threshold, or with a rejecting word, are rejected automatically."
    else:
        yield "Nothing is rejected automatically: comments at a reject threshold are held."
    order = ", ".join(label_name(label).lower() for label in policy.thresholds)
    yield f"The first of these labels at its threshold is the reason: {order}."
    if policy.hold_words.entries or policy.reject_words.entries:
        yield "Listed words and phrases hold or reject a comment, whatever its labels are."
    if policy.blocked_domains:
        yield f"Links to blocked domains ({len(policy.blocked_domains)}) hold a comment."
    if policy.max_links is not None:
        yield f"More than {policy.max_links} links hold a comment."
    unknown = "held, because scores on them mean little" if policy.unknown_language == "hold" else "published"
    yield f"Comments in other languages than the model's are {unknown}, unless another rule applies."
    yield "A comment that could not be scored is held."
    if policy.copies or policy.new_author_comments or policy.trusted_authors or policy.trusted_roles:
        yield "Rules on campaigns, new and trusted authors need a site's queue; they are not applied to an archive."
    if policy.sites:
        yield "Rules of single sites are not applied to an archive."


def method_words(config: ModelConfig, *, context: bool) -> Iterator[str]:
    """Sentences on the model's scores; ``context`` is True for an archive with articles or parents."""
    window = config.window
    yield (
        "Texts are normalised, which undoes obfuscation, and read in windows of "
        f"{window.tokens} tokens that overlap by {window.overlap}; nothing is cut."
    )
    for how, words in {"max": "highest window", "mean": "mean of the windows"}.items():
        labels = [label_name(label).lower() for label, one in window.aggregate.items() if one == how]
        if labels:
            yield f"Labels with the score of the {words}: {', '.join(labels)}."
    yield (
        "Scores are probabilities, calibrated on labelled comments (Platt scaling). Harm is more frequent in those "
        "than under most articles, so fewer of your held comments are harmful than their scores suggest."
    )
    if context:
        yield "Article and parent only affect the relevance."
    yield "Labels depend only on the comment's text. An insult that needs the thread to be understood is missed."
    languages = ", ".join(config.languages)
    yield f"The model was trained on comments in: {languages}. In other languages its scores mean little."
    yield "Expect errors on quotation, irony, objection to harm, allusions and very short texts."
    yield "Scores order what people read; they do not judge people."


def card_html(card: str) -> Markup:
    """A model card as HTML below the report's headings; links, images and markup in it become text."""
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
