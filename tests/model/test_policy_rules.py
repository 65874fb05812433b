"""Policy rules beside labels.

They cover listed words through obfuscation, links, campaigns, new authors, trust, sites, and the random sample.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belowline.model import (
    HARMFUL,
    Context,
    Policy,
    PolicyDecision,
    PolicyError,
    Scores,
    Thresholds,
    decide,
    normalise,
    sampled,
)

THRESHOLDS = {label: Thresholds(hold=0.6, reject=0.9) for label in HARMFUL}
SEVERITY = {"publish": 0, "hold": 1, "reject": 2}
REJECTING = "automatic_rejection = true\n"
WORDS = '[words]\nhold = ["muppet", "loan*", "free money"]\n'
LINKS = '[links]\nmax = 1\nblocked = ["casino.example"]\nallowed = ["paper.example"]\n'


def policy(text: str) -> Policy:
    return Policy.parse(text, "mine.toml", THRESHOLDS)


def scores(language: str = "en", **probabilities: float) -> Scores:
    harmless = dict.fromkeys((*HARMFUL, "on_topic"), 0.01)
    return Scores(harmless | probabilities, evidence=(), language=language, model="t")


def stretches(decision: PolicyDecision, text: str) -> list[str]:
    return [text[start:end] for start, end in decision.spans]


# --- words ---


@pytest.mark.parametrize(
    ("text", "stretch", "entry"),
    [
        ("You MUPPET!", "MUPPET", "muppet"),
        ("you m u p p e t there", "m u p p e t", "muppet"),
        ("a ｍｕｐｐｅｔ", "ｍｕｐｐｅｔ", "muppet"),
        ("mup\u200bpet", "mup\u200bpet", "muppet"),
        ("a muрреt", "muрреt", "muppet"),
        ("get Loans here", "Loans", "loan*"),
        ("a loan", "loan", "loan*"),
        ("Free \n money", "Free \n money", "free money"),
    ],
)
def test_a_listed_word_is_found_through_disguises(text: str, stretch: str, entry: str) -> None:
    decision = decide(scores(), policy(WORDS), Context(text))
    assert (decision.action, decision.code, decision.label) == ("hold", "banned_word", None)
    assert decision.rule == f"listed word {entry!r}"
    assert stretches(decision, text) == [stretch]


@pytest.mark.parametrize("text", ["", "muppets", "xmuppet", "a reloan", "money for free", "free the money"])
def test_parts_of_words_and_torn_phrases_pass(text: str) -> None:
    assert decide(scores(), policy(WORDS), Context(text)) == PolicyDecision(
        "publish", "none", "no rule fired", None
    )


def test_every_place_is_shown() -> None:
    text = "muppet, loans and a muppet"
    assert stretches(decide(scores(), policy(WORDS), Context(text)), text) == ["muppet", "loans", "muppet"]


def test_words_reject_only_where_rejection_is_on() -> None:
    file = '[words]\nreject = ["muppet"]'
    assert decide(scores(), policy(file), Context("muppet")).action == "hold"
    assert decide(scores(), policy(REJECTING + file), Context("muppet")).action == "reject"
    assert decide(scores(), policy(REJECTING + WORDS), Context("muppet")).action == "hold"


plain_words = st.text("bcdfghjkmpqrtvwxz", min_size=5, max_size=9).filter(
    lambda word: len(set(word)) == len(word)
)
disguises = st.sampled_from(
    (
        str.upper,
        "\u200b".join,
        "\u2060".join,
        lambda word: "".join(chr(ord(letter) - ord("a") + 0xFF41) for letter in word),
        lambda word: "".join(chr(ord(letter) - ord("a") + 0x1D41A) for letter in word),
        " ".join,
        ".".join,
    )
)


@given(
    plain_words,
    disguises,
    st.sampled_from(("", "Well, ", "😂😂 ", "“So” – ")),
    st.sampled_from(("", "!", ", he said")),
)
def test_spans_are_the_word_as_it_was_written(word: str, disguise: object, before: str, after: str) -> None:
    assert callable(disguise)
    disguised = disguise(word)
    text = before + disguised + after
    decision = decide(scores(), policy(f'[words]\nhold = ["{word}"]'), Context(text))
    assert stretches(decision, text) == [disguised]


# --- links ---


@pytest.mark.parametrize(
    "link",
    [
        "https://casino.example",
        "http://www.Casino.Example/a?b",
        "https://eu.casino.example:8080/",
        "https://paper.example@casino.example/",
        "casino.example/win",
    ],
)
def test_a_blocked_link_holds(link: str) -> None:
    text = f"See {link} now"
    decision = decide(scores(), policy(LINKS), Context(text))
    assert (decision.action, decision.code) == ("hold", "links")
    assert decision.rule.endswith("casino.example")
    assert stretches(decision, text) == [link]


@pytest.mark.parametrize(
    "text",
    ["https://notcasino.example", "https://a.example/casino.example", "me@casino.example", "no.Really"],
)
def test_what_only_looks_blocked_passes(text: str) -> None:
    assert decide(scores(), policy(LINKS), Context(text)).action == "publish"


def test_more_links_than_allowed_hold() -> None:
    text = "www.a.example and https://b.example"
    decision = decide(scores(), policy(LINKS), Context(text))
    assert (decision.action, decision.code) == ("hold", "links")
    assert stretches(decision, text) == ["www.a.example", "https://b.example"]
    assert decide(scores(), policy(LINKS), Context("https://b.example")).action == "publish"


def test_allowed_domains_do_not_count() -> None:
    text = "https://a.example https://paper.example/1 https://eu.paper.example"
    assert decide(scores(), policy(LINKS), Context(text)).action == "publish"


def test_links_are_free_by_default() -> None:
    assert decide(scores(), policy(""), Context("https://a.example " * 9)).action == "publish"
    assert decide(scores(), policy("[links]\nmax = 0"), Context("https://a.example")).action == "hold"


# --- near-duplicates, new authors, trust ---


def test_a_campaign_holds_from_its_number_of_copies_on() -> None:
    campaign = policy("[campaign]\ncopies = 5")
    assert decide(scores(), campaign, Context(copies=4)).action == "publish"
    assert decide(scores(), campaign, Context(copies=5)).code == "campaign"
    assert decide(scores(), policy(""), Context(copies=500)).action == "publish"


@pytest.mark.parametrize(
    ("context", "code"),
    [
        (Context(author="a", published=0), "new_author"),
        (Context(author="a", published=2), "new_author"),
        (Context(author="a", published=3), "none"),
        (Context(author="a"), "none"),
        (Context(), "none"),
    ],
)
def test_a_new_author_is_held(context: Context, code: str) -> None:
    assert decide(scores(), policy("[new_authors]\ncomments = 3"), context).code == code
    assert decide(scores(), policy(""), context).code == "none"


TRUST = 'trusted_authors = ["17"]\ntrusted_roles = ["staff"]\n'
STRICT = (
    REJECTING
    + TRUST
    + LINKS
    + '[campaign]\ncopies = 2\n[new_authors]\ncomments = 3\n[words]\nreject = ["muppet"]\n'
)


@pytest.mark.parametrize(
    ("who", "rule"),
    [({"role": "staff"}, "trusted role staff"), ({"author": "17", "role": "reader"}, "trusted author")],
)
def test_trust_goes_before_every_rule_but_words_that_reject(who: dict[str, str], rule: str) -> None:
    context = Context("https://casino.example", published=0, copies=9, **who)
    awful = scores("ar", hate=0.99)
    assert decide(awful, policy(STRICT), context) == PolicyDecision("publish", "none", rule, None)
    assert decide(awful, policy(STRICT), replace(context, text="muppet")).action == "reject"
    assert decide(None, policy(STRICT), context).code == "scoring_failed"


def test_others_are_not_trusted() -> None:
    for context in (Context(), Context(author="18", role="reader"), Context(author="staff", role="17")):
        assert decide(scores(hate=0.99), policy(STRICT), context).action == "reject"


def test_the_order_of_rules_names_the_reason() -> None:
    """Each condition is removed in turn; the next one is named."""
    text, found = "loan https://casino.example", scores("ar", spam=0.7)
    everything = policy(WORDS + LINKS + "[campaign]\ncopies = 2\n[new_authors]\ncomments = 1\n")
    context = Context(text, author="a", published=0, copies=2)
    assert decide(found, everything, context).code == "banned_word"
    context = replace(context, text="https://casino.example")
    assert decide(found, everything, context).code == "spam"
    found = scores("ar")
    assert decide(found, everything, context).code == "links"
    context = replace(context, text="")
    assert decide(found, everything, context).code == "campaign"
    context = replace(context, copies=1)
    assert decide(found, everything, context).code == "new_author"
    assert decide(found, everything, replace(context, published=1)).code == "language"


RULES = (
    WORDS,
    '[words]\nreject = ["muppet"]\n',
    LINKS,
    "[campaign]\ncopies = 2\n",
    "[new_authors]\ncomments = 3\n",
    "[thresholds.spam]\nhold = 0.1\nreject = 0.2\n",
)


@given(
    st.sampled_from(RULES),
    st.sampled_from(("", REJECTING)),
    st.lists(
        st.sampled_from(("muppet", "loans", "https://casino.example", "www.a.example", "fine")), max_size=4
    ),
    st.builds(
        Context,
        author=st.none() | st.just("a"),
        published=st.none() | st.integers(0, 4),
        copies=st.integers(1, 4),
    ),
    st.floats(0, 1),
)
def test_a_rule_more_never_makes_a_decision_looser(
    rule: str, start: str, words: list[str], context: Context, spam: float
) -> None:
    context, found = replace(context, text=" ".join(words)), scores(spam=spam)
    with_rule, without = decide(found, policy(start + rule), context), decide(found, policy(start), context)
    assert SEVERITY[with_rule.action] >= SEVERITY[without.action]
    assert all(0 <= first < last <= len(context.text) for first, last in with_rule.spans)


# --- sites and the sample ---

BY_SITE = """
sample = 0.5
[thresholds.spam]
hold = 0.2
[thresholds.hate]
hold = 0.3
[campaign]
copies = 5
[sites."sports.example"]
labels = ["spam", "hate"]
sample = 0.0
[sites."sports.example".thresholds.spam]
hold = 0.8
reject = 0.95
[sites."news.example".campaign]
copies = 2
"""


def test_a_site_has_its_own_rules() -> None:
    general, sports = policy(BY_SITE), policy(BY_SITE).for_site("sports.example")
    assert sports.thresholds == {"spam": Thresholds(hold=0.8, reject=0.95), "hate": Thresholds(hold=0.3)}
    assert general.thresholds["spam"] == Thresholds(hold=0.2)
    assert (sports.version, sports.copies, sports.sites) == (general.version, 5, {})
    assert general.for_site("news.example") == replace(general, copies=2, sites={})
    assert general.for_site(None) is general.for_site("other.example") is general


def test_a_decision_goes_by_the_site_of_the_comment() -> None:
    spam = scores(spam=0.5)
    assert decide(spam, policy(BY_SITE), Context(site="sports.example")).action == "publish"
    assert decide(spam, policy(BY_SITE), Context(site="other.example")).rule == "spam >= 0.2"
    assert decide(spam, policy(BY_SITE)).rule == "spam >= 0.2"


def test_the_sample_is_the_share_and_always_the_same() -> None:
    half = policy(BY_SITE)
    drawn = [sampled(half, "a.example", str(number)) for number in range(2000)]
    assert 900 < sum(drawn) < 1100
    assert drawn == [sampled(half, "a.example", str(number)) for number in range(2000)]
    assert drawn != [sampled(half, "b.example", str(number)) for number in range(2000)]


@given(st.text(), st.text(st.characters()))
def test_a_share_of_nothing_and_of_everything(site: str, comment_id: str) -> None:
    assert not sampled(policy(""), site, comment_id)
    assert sampled(policy("sample = 1.0"), site, comment_id)


def test_a_site_can_leave_the_sample_out() -> None:
    assert not any(sampled(policy(BY_SITE), "sports.example", str(number)) for number in range(100))


# --- refusals ---


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ("[links]\nmax = -1", "links.max: "),
        ("[links]\nmax = 1.5", "links.max: "),
        ("[links]\nmost = 1", "links.most: "),
        ('[links]\nblocked = ["https://a.example/x"]', "links.blocked.0: "),
        ('[links]\nallowed = ["a.example", "a b"]', "links.allowed.1: "),
        ("[campaign]\ncopies = 1", "campaign.copies: "),
        ('[words]\nhold = [""]', "words.hold.0: "),
        ('[words]\nreject = ["fine", "*"]', "words.reject.1: "),
        ('[words]\nhold = ["lo*an"]', "words.hold.0: "),
        ('[words]\nhold = ["\u200b"]', "words.hold.0: "),
        ("[new_authors]\ncomments = -1", "new_authors.comments: "),
        ("sample = 1.1", "sample: "),
        ("sample = nan", "sample: "),
        ('trusted_authors = [""]', "trusted_authors.0: "),
        ("trusted_roles = [1]", "trusted_roles.0: "),
        ("sites = 3", "sites: "),
        ('[sites."a.example"]\nversion = "2"', "sites.a.example.version: "),
        ('[sites."example.org".links]\nmax = -1', "sites.example.org.links.max: "),
        ('[sites."a.example"]\nlabels = ["x"]', "sites.a.example: label 'x'"),
        ('[sites."a.example".thresholds.spam]\nhold = 2.0', "sites.a.example.thresholds.spam.hold: "),
    ],
)
def test_a_wrong_rule_is_refused_in_one_line(content: str, field: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy(content)
    assert str(caught.value).startswith(f"mine.toml: {field}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "[thresholds.spam]\nhold = 0.9\nreject = 0.5",
        "[links]\nmax = true",
        '[links]\nmax = "3"',
        "sample = true",
        'automatic_rejection = "yes"',
        '"a\\nb" = 1',
        "x = " + "[" * 5000,
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_in_one_line(content: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy(content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "link",
    [
        "https://casino.example.",
        "https://eu.casino.example,",
        "casino.example",
        "https://casino.example\\@paper.example",
        "https:///casino.example",
        "https://ca%73ino.example",
        "https://cas\u200bino.example",
        "ｃａｓｉｎｏ.example",
        "**https://casino.example**",
        "[https://casino.example](https://paper.example)",
    ],
)
def test_a_blocked_domain_holds_however_it_is_written(link: str) -> None:
    for domain in ("casino.example", "www.casino.example"):
        decision = decide(scores(), policy(f'[links]\nblocked = ["{domain}"]'), Context(f"See {link} now"))
        assert decision.code == "links"


def test_words_that_normalising_adds_are_not_the_readers() -> None:
    listed = policy('[words]\nhold = ["link", "user"]')
    assert decide(scores(), listed, Context("https://a.example @somebody")).action == "publish"
    assert decide(scores(), listed, Context("a link")).action == "hold"


def test_an_author_that_nobody_named_is_not_new() -> None:
    assert decide(scores(), policy("[new_authors]\ncomments = 3"), Context(published=0)).action == "publish"


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert policy('\ufeffversion = "b"').version == "b"


def test_an_authors_blocked_website_holds_and_marks_nothing_in_the_text() -> None:
    blocked = policy('[links]\nblocked = ["casino.example"]')
    decision = decide(scores(), blocked, Context("All fine", url="https://www.casino.example/win"))
    assert (decision.action, decision.code, decision.spans) == ("hold", "links", ())
    assert decision.rule == "author's website at casino.example"
    assert (
        decide(scores(), blocked, Context("All fine", url="https://fine.example/casino.example")).action
        == "publish"
    )


# --- one normalisation for all rules ---


def test_rules_use_the_normalised_text_that_the_caller_has(monkeypatch: pytest.MonkeyPatch) -> None:
    file = policy(WORDS + '[links]\nblocked = ["casino.example"]\n')
    texts = ["a m u p p e t", "see cas\u200bino.example now", "nothing to see"]
    without = [decide(scores(), file, Context(text)) for text in texts]
    given = [Context(text, plain=normalise(text)) for text in texts]
    seen: list[str] = []
    monkeypatch.setattr("belowline.model.policy.normalise", lambda text: seen.append(text) or normalise(text))
    assert [decide(scores(), file, context) for context in given] == without
    assert not any(seen), "only the empty website is normalised"
    seen.clear()
    scored = replace(scores(), plain={texts[0]: normalise(texts[0])})
    assert decide(scored, file, Context(texts[0])) == without[0]
    assert not any(seen), "scores may bring it"
    decide(scored, file, Context(texts[2]))
    assert [text for text in seen if text] == [texts[2]], (
        "without it the text is normalised once for all rules"
    )


def test_a_policy_without_lists_does_not_normalise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("belowline.model.policy.normalise", lambda text: pytest.fail("normalised"))
    assert decide(scores(), policy(""), Context("some words")).action == "publish"
