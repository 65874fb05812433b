"""The report's section on the method: the thresholds of the labels, and the model's card."""

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from belowline.model import DEFINITIONS, ModelConfig, Policy


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
