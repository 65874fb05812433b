"""Decides on a comment from its scores: an ordered list of rules, of which the first that fires counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self

from belowline.model.directory import Thresholds
from belowline.model.hash_sampling import draw
from belowline.model.labels import HARMFUL, log_odds
from belowline.model.normalise import Normalised, normalise
from belowline.model.policy_file import DEFAULT_POLICY as DEFAULT_POLICY
from belowline.model.policy_file import PolicyError, SiteRules, for_site, policy_text, read_policy
from belowline.model.scorer import Scores
from belowline.model.word_and_link_lists import Link, Listed, hosts_in, links_in

Action = Literal["publish", "hold", "reject"]
Span = tuple[int, int]
Standing = Literal["suspended", "banned", "pre_moderated", "trusted"]
"""A decision of moderators about an author."""

_CODES = {"hate": "hate_speech"}
"""Reason codes that differ from the label's name."""


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """The policy's decision on a comment and its reason.

    Attributes:
        action: ``publish``, ``hold`` or ``reject``.
        code: Reason code: ``spam``, ``hate_speech``, ``antisemitism``, ``threat``, ``personal_attack``, ``profanity``,
            ``toxicity``, ``banned_word``, ``links``, ``campaign``, ``new_author``, ``language``, ``suspended``,
            ``banned``, ``pre_moderated``, ``scoring_failed`` or ``none``.
        rule: The policy rule that fired, in readable form: ``spam >= 0.62``.
        label: The label that the rule checked, or None.
        spans: Offsets in the original text of the words or links that the rule found. For a label, see
            ``Scores.evidence``.
    """

    action: Action
    code: str
    rule: str
    label: str | None
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """Facts about a comment besides its scores.

    Attributes:
        text: The original text.
        site: The site, which selects the policy of that site.
        author: The site's own id of the author.
        role: The author's role there, such as ``staff``.
        url: The author's website.
        published: Number of the author's published comments, or None if unknown.
        standing: What moderators decided about the author, or None.
        until: The day on which a suspension ends, such as ``2026-12-07``.
        copies: Number of near-duplicates, this comment included.
        plain: ``text``, normalised, if the caller has it; ``decide`` normalises the text otherwise.
    """

    text: str = ""
    site: str | None = None
    author: str | None = None
    role: str | None = None
    url: str | None = None
    published: int | None = None
    standing: Standing | None = None
    until: str | None = None
    copies: int = 1
    plain: Normalised | None = field(default=None, repr=False, compare=False)

    @property
    def normalised(self) -> Normalised:
        """``plain``, or the text normalised now."""
        return normalise(self.text) if self.plain is None else self.plain


_NOTHING_KNOWN = Context()
_RESTRICTED: Mapping[str | None, str] = {
    "suspended": "author suspended",
    "banned": "author banned",
    "pre_moderated": "every comment of the author is read first",
}
"""Standings that withhold a comment, with the words of the rule."""
_NO_WORDS = Listed()


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy: its rules' settings.

    ``thresholds`` maps every label that can hold a comment, in the order of the rules. ``sites`` maps sites to
    their own policies.
    """

    version: str
    automatic_rejection: bool
    thresholds: Mapping[str, Thresholds]
    unknown_language: Literal["hold", "publish"]
    languages: tuple[str, ...] = ("en",)
    trusted_authors: frozenset[str] = frozenset()
    trusted_roles: frozenset[str] = frozenset()
    banned_authors: Literal["hold", "reject"] = "hold"
    max_links: int | None = None
    blocked_domains: tuple[str, ...] = ()
    allowed_domains: tuple[str, ...] = ()
    copies: int | None = None
    hold_words: Listed = _NO_WORDS
    reject_words: Listed = _NO_WORDS
    new_author_comments: int = 0
    sample: float = 0.0
    second_review: float = 0.0
    sites: Mapping[str, "Policy"] = field(default_factory=dict)

    @classmethod
    def load(
        cls,
        path: Path | None,
        scorer_thresholds: Mapping[str, Thresholds],
        languages: tuple[str, ...] = ("en",),
    ) -> Self:
        """The policy in file ``path`` (None: the default policy) for a model's thresholds and languages.

        Raises PolicyError."""
        text = "" if path is None else policy_text(path)
        return cls.parse(text, str(path), scorer_thresholds, languages)

    @classmethod
    def parse(
        cls,
        text: str,
        name: str,
        scorer_thresholds: Mapping[str, Thresholds],
        languages: tuple[str, ...] = ("en",),
    ) -> Self:
        """The policy in ``text``; raises PolicyError, whose message calls the policy ``name``."""
        file = read_policy(text, name)
        sites = {
            site: cls._of(
                for_site(file, site), file.version, f"{name}: sites.{site}", scorer_thresholds, languages
            )
            for site in file.sites
        }
        return cls._of(file, file.version, name, scorer_thresholds, languages, sites)

    @classmethod
    def _of(
        cls,
        rules: SiteRules,
        version: str,
        name: str,
        scorer_thresholds: Mapping[str, Thresholds],
        languages: tuple[str, ...],
        sites: Mapping[str, "Policy"] | None = None,
    ) -> Self:
        for label in (*rules.labels, *rules.thresholds):
            if label not in HARMFUL or label not in scorer_thresholds:
                able = ", ".join(label for label in HARMFUL if label in scorer_thresholds)
                raise PolicyError(f"{name}: label {label!r} cannot hold a comment; labels that can: {able}")
        thresholds = {**scorer_thresholds, **rules.thresholds}
        return cls(
            version=version,
            automatic_rejection=rules.automatic_rejection,
            thresholds={label: thresholds[label] for label in rules.labels},
            unknown_language=rules.unknown_language,
            languages=languages,
            trusted_authors=frozenset(rules.trusted_authors),
            trusted_roles=frozenset(rules.trusted_roles),
            banned_authors=rules.banned_authors,
            max_links=rules.links.max,
            blocked_domains=rules.links.blocked,
            allowed_domains=rules.links.allowed,
            copies=rules.campaign.copies,
            hold_words=Listed(rules.words.hold),
            reject_words=Listed(rules.words.reject),
            new_author_comments=rules.new_authors.comments,
            sample=rules.sample,
            second_review=rules.second_review,
            sites=sites or {},
        )

    @property
    def searches_text(self) -> bool:
        """True if a rule searches the normalised text."""
        return bool(self.hold_words.entries or self.reject_words.entries or self.blocked_domains)

    def for_site(self, site: str | None) -> "Policy":
        """The policy of ``site``: its own or this one."""
        return self.sites.get(site, self) if site is not None else self


def decide(scores: Scores | None, policy: Policy, context: Context = _NOTHING_KNOWN) -> PolicyDecision:
    """The decision of the first rule that fires, else to publish.

    Order of the rules: reject words, banned authors that the policy rejects, trusted authors and roles, labels that
    reject, authors that moderators restrict, hold words, labels that hold, blocked links (in the text or as the
    author's website), too many links, campaigns, new authors, language. An author that moderators trust is not held
    by the last four. ``scores`` is None if scoring failed: the comment is held.
    """
    if scores is None:
        return PolicyDecision("hold", "scoring_failed", "scoring failed", None)
    policy = policy.for_site(context.site)
    if context.plain is None and policy.searches_text:
        # Up to three rules search the normalised text: normalising takes most of their time.
        plain = scores.plain.get(context.text)
        context = replace(context, plain=normalise(context.text) if plain is None else plain)
    for rule in _RULES_FOR_TRUSTED if context.standing == "trusted" else _RULES:
        decision = rule(scores, policy, context)
        if decision is not None:
            return decision
    return PolicyDecision("publish", "none", "no rule fired", None)


def sampled(policy: Policy, site: str, comment_id: str) -> bool:
    """True if a published comment belongs to the policy's random sample for review; always the same for one comment."""
    return draw(f"sample {site} {comment_id}") < policy.for_site(site).sample


def _reject_words(scores: Scores, policy: Policy, context: Context) -> PolicyDecision | None:
    """Reject words also apply to trusted authors; without automatic rejection they hold."""
    return _listed("reject" if policy.automatic_rejection else "hold", policy.reject_words, context)


def _banned(scores: Scores, policy: Policy, context: Context) -> PolicyDecision | None:
    """Rejects if the policy says so: a person ordered it, so ``automatic_rejection`` does not count."""
    rejects = policy.banned_authors == "reject" and context.standing in ("suspended", "banned")
    return _for_standing("reject", context) if rejects else None


def _restricted(scores: Scores, policy: Policy, context: Context) -> PolicyDecision | None:
    return _for_standing("hold", context) if context.standing in _RESTRICTED else None


def _for_standing(action: Action, context: Context) -> PolicyDecision | None:
    standing = context.standing or ""
    until = f" until {context.until}" if standing == "suspended" and context.until else ""
    return PolicyDecision(action, standing, f"{_RESTRICTED[standing]}{until}", None)


def _trusted(scores: Scores, policy: Policy, context: Context) -> PolicyDecision | None:
    if context.standing in _RESTRICTED:  # decided for this author, and later than the policy's lists
        return None
    if context.author is not None and context.author in policy.trusted_authors:
        return PolicyDecision("publish", "none", "trusted author", None)
    if context.role is not None and context.role in policy.trusted_roles:
        return PolicyDecision("publish", "none", f"trusted role {context.role}", None)
    return None


def _reject(scores: Scores, policy: Policy, context: Context) -> PolicyDecision | None:
    """The label furthest above its reject threshold, if automatic rejection is on."""
    if not policy.automatic_rejection:
        return None
    return _furthest_above(
        scores, {label: both.reject for label, both in policy.thresholds.items()}, "reject"
    )


def _hold_words(scores: Scores, policy: Policy, context: Context) -> PolicyDecision | None:
    return _listed("hold", policy.hold_words, context)


def _hold(scores: Scores, policy: Policy, context: Context) -> PolicyDecision | None:
    """The label furthest above its hold threshold, or its reject threshold if automatic rejection is off."""
    return _furthest_above(scores, {label: both.lowest for label, both in policy.thresholds.items()}, "hold")


def _blocked(scores: Scores, policy: Policy, context: Context) -> PolicyDecision | None:
    if not policy.blocked_domains:
        return None
    found = _hosts_within(context.text, context.normalised, policy.blocked_domains)
    url = context.url or ""
    linked = found or _hosts_within(url, normalise(url), policy.blocked_domains)
    if not linked:
        return None
    # The rule names the policy's domain, not the comment's link, because the rule is kept after the text is erased.
    domain = next(domain for domain in policy.blocked_domains if linked[0].within((domain,)))
    where = "link to" if found else "author's website at"
    return PolicyDecision("hold", "links", f"{where} {domain}", None, _apart([link.span for link in found]))


def _hosts_within(text: str, plain: Normalised, domains: tuple[str, ...]) -> list[Link]:
    return [link for link in hosts_in(text, plain) if link.within(domains)]


def _apart(spans: list[Span]) -> tuple[Span, ...]:
    """The sorted ``spans`` with overlapping ones merged."""
    apart: list[Span] = []
    for start, end in spans:
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return tuple(apart)


def _links(scores: Scores, policy: Policy, context: Context) -> PolicyDecision | None:
    if policy.max_links is None:
        return None
    counted = [link.span for link in links_in(context.text) if not link.within(policy.allowed_domains)]
    if len(counted) <= policy.max_links:
        return None
    return PolicyDecision(
        "hold", "links", f"{len(counted)} links, more than {policy.max_links}", None, tuple(counted)
    )


def _campaign(scores: Scores, policy: Policy, context: Context) -> PolicyDecision | None:
    if policy.copies is None or context.copies < policy.copies:
        return None
    return PolicyDecision("hold", "campaign", f"{context.copies} near-copies >= {policy.copies}", None)


def _new_author(scores: Scores, policy: Policy, context: Context) -> PolicyDecision | None:
    if context.author is None or context.published is None or context.published >= policy.new_author_comments:
        return None
    rule = f"author with {context.published} published comments, fewer than {policy.new_author_comments}"
    return PolicyDecision("hold", "new_author", rule, None)


def _language(scores: Scores, policy: Policy, context: Context) -> PolicyDecision | None:
    """Holds a comment in a language that the model was not trained on."""
    known = scores.language in (*policy.languages, "und")
    if known or policy.unknown_language == "publish":
        return None
    return PolicyDecision("hold", "language", f"language {scores.language} is not one the model knows", None)


def label_code(label: str) -> str:
    """The reason code of a decision for a label."""
    return _CODES.get(label, label)


def _furthest_above(
    scores: Scores, thresholds: Mapping[str, float | None], action: Action
) -> PolicyDecision | None:
    """Return a decision for the label whose log-odds are furthest above its threshold; the first one of equals."""
    above = {
        label: log_odds(scores.probabilities[label]) - log_odds(threshold)
        for label, threshold in thresholds.items()
        if threshold is not None and scores.probabilities[label] >= threshold
    }
    if not above:
        return None
    label = max(above, key=lambda label: above[label])
    return PolicyDecision(action, label_code(label), f"{label} >= {thresholds[label]:g}", label)


def _listed(action: Action, listed: Listed, context: Context) -> PolicyDecision | None:
    found = listed.find(context.text, context.normalised) if listed.entries else []
    if not found:
        return None
    return PolicyDecision(
        action, "banned_word", f"listed word {found[0].entry!r}", None, tuple(one.span for one in found)
    )


_RULES: tuple[Callable[[Scores, Policy, Context], PolicyDecision | None], ...] = (
    _reject_words,
    _banned,
    _trusted,
    _reject,
    _restricted,
    _hold_words,
    _hold,
    _blocked,
    _links,
    _campaign,
    _new_author,
    _language,
)
_RULES_FOR_TRUSTED = tuple(rule for rule in _RULES if rule not in (_links, _campaign, _new_author, _language))
