"""Properties of all texts, scores and policies; tests of each module cover single steps and rules."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belowline.model import (
    HARMFUL,
    Context,
    Policy,
    ScoreInput,
    Scorer,
    Scores,
    Thresholds,
    decide,
    normalise,
)
from belowline.model.directory import EvidenceChannel

# --- obfuscation ---

WORDS = (
    "idiot",
    "stupid",
    "society",
    "money",
    "hello",
    "loan",
    "password",
    "good",
    "hate",
    "link",
    "you",
    "apple",
)
_LEET = str.maketrans("oieast", "013457")
_TWINS = str.maketrans("aeopcyxi", "аеорсухі")
DISGUISES = {
    "plain": lambda word: word,
    "hyphens": "-".join,
    "dots": ".".join,
    "stars": "*".join,
    "bars": "_".join,
    "slashes": "/".join,
    "spaces": " ".join,
    "invisible": "\u200b".join,
    "soft": "\xad".join,
    "brackets": lambda word: "".join(f"[{letter}]" for letter in word),
    "broken": lambda word: f"{word[:2]}-{word[2:]}",
    "leet": lambda word: word.translate(_LEET),
    "dollars": lambda word: word.replace("s", "$"),
    "stretched": lambda word: word.replace(word[1], word[1] * 4),
    "twins": lambda word: word.translate(_TWINS),
    "wide": lambda word: "".join(chr(ord(letter) + 0xFEE0) for letter in word),
    "bold": lambda word: "".join(chr(ord(letter) - ord("a") + 0x1D41A) for letter in word),
    "flags": lambda word: "\u2009".join(chr(ord(letter) - ord("a") + 0x1F1E6) for letter in word),
    "accents": lambda word: "".join(letter + "\u0301" for letter in word),
    "shouted": str.upper,
    "tag": lambda word: f"#{word}#{word}",
    "link": lambda word: f"https://www.{word}.example/{word}",
    "mention": lambda word: f"@{word}",
    "mojibake": lambda word: f"{word}â€™s",
    "emoji": lambda word: f"{word}😂😂😂😂",
    "hearts": "♥".join,
}
"""Obfuscations that ``normalise`` and ``respell`` undo, by name."""

disguised = st.tuples(
    st.sampled_from(WORDS), st.lists(st.sampled_from(tuple(DISGUISES)), min_size=1, max_size=3)
)
glue = st.sampled_from((" ", "", "-", ".", ", ", "!!! ", "\n", "\u200b", " @", "#", "(", "'", "_", "| "))
between = st.lists(st.tuples(disguised, glue), min_size=1, max_size=6)


def written(pieces: Sequence[tuple[tuple[str, list[str]], str]]) -> str:
    """Return words, each obfuscated in several ways on top of each other, with separators between them."""
    text = ""
    for (word, ways), after in pieces:
        for way in ways:
            word = DISGUISES[way](word)
        text += word + after
    return text


@given(between)
@settings(max_examples=300)
def test_disguises_on_disguises_are_undone_at_once(pieces: Any) -> None:
    once = normalise(written(pieces)).text
    assert normalise(once).text == once


@given(between, between)
@settings(max_examples=200)
def test_every_stretch_leads_back_between_its_neighbours(before: Any, after: Any) -> None:
    """The original span of an obfuscated word never reaches beyond a plain word beside it."""
    left, right = written(before), written(after)
    text = f"{left} ; MIDDLE ; {right}"
    plain = normalise(text)
    middle = plain.text.index("; MIDDLE ;")
    assert plain.original_span(middle, middle + 10) == (len(left) + 1, len(left) + 11)
    spans = [plain.original_span(position, position + 1) for position in range(len(plain.text))]
    assert all(0 <= start < end <= len(left) + 1 for start, end in spans[:middle])
    assert all(len(left) + 11 <= start < end <= len(text) for start, end in spans[middle + 10 :])
    assert spans == sorted(spans)


# --- scores ---


@pytest.fixture(scope="module")
def telling(tiny_scorer: Scorer) -> Scorer:
    """The tiny model, in which every word is evidence for every label."""
    channels = {label: EvidenceChannel(channel=label, floor=0.0) for label in HARMFUL}
    holding = {label: Thresholds(hold=0.0 if label in HARMFUL else None) for label in tiny_scorer.labels}
    config = tiny_scorer.config.model_copy(update={"thresholds": holding, "evidence": channels})
    return Scorer(config, tiny_scorer._session, tiny_scorer.tokenizer, threads=1)


@given(between)
@settings(max_examples=100)
def test_evidence_is_a_piece_of_the_comment_as_written(telling: Scorer, pieces: Any) -> None:
    text = written(pieces)
    [scores] = telling.score([ScoreInput(text)])
    for one in scores.evidence:
        assert text[one.start : one.end].strip()
        assert len(text[one.start : one.end]) == one.end - one.start
    found = [text[one.start : one.end] for one in scores.evidence if one.label == "spam"]
    assert "".join(found) or not normalise(text).text.strip()


@pytest.fixture(scope="module")
def released() -> Scorer:
    return Scorer.load(threads=2)


REAL = (
    "Thank you, I learned something.",
    "I earn $97 an hour, visit easy-cash-4u.example!!!",
    "such a 1d10t",
    "שלום עולם",
    "The harbour bridge is late again. " * 60,
    "😂 no",
)


def test_order_and_company_change_no_score_of_the_released_model(released: Scorer) -> None:
    rng = random.Random(8)
    inputs = [ScoreInput(text, "The harbour reopens") for text in REAL]
    alone = {}
    for one in inputs:
        released.forget()
        alone[one.text] = released.score([one])[0]
    for _ in range(3):
        company = rng.sample(inputs, len(inputs)) + rng.choices(inputs, k=3)
        released.forget()
        for one, found in zip(company, released.score(company), strict=True):
            expected = alone[one.text]
            assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-6)
            assert found.relevance == pytest.approx(expected.relevance, abs=1e-6)
            assert [(e.label, e.start, e.end) for e in found.evidence] == [
                (e.label, e.start, e.end) for e in expected.evidence
            ]


# --- the policy ---

SEVERITY = {"publish": 0, "hold": 1, "reject": 2}
MODEL = {label: Thresholds(hold=0.6, reject=0.9) for label in HARMFUL}
probability = st.floats(0, 1, allow_subnormal=False)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the settings of a policy file for every site, or for one."""
    found: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "automatic_rejection": st.booleans(),
                "labels": st.lists(st.sampled_from(HARMFUL), unique=True),
                "unknown_language": st.sampled_from(("hold", "publish")),
                "trusted_authors": st.just(["a"]),
                "trusted_roles": st.just(["staff"]),
                "links": st.fixed_dictionaries(
                    {}, optional={"max": st.integers(0, 2), "blocked": st.just(["casino.example"])}
                ),
                "campaign": st.just({"copies": 3}),
                "words": st.fixed_dictionaries(
                    {}, optional={"hold": st.just(["muppet"]), "reject": st.just(["loans"])}
                ),
                "new_authors": st.just({"comments": 2}),
            },
        )
    )
    bounds = draw(st.dictionaries(st.sampled_from(HARMFUL), st.tuples(probability, probability), max_size=3))
    found["thresholds"] = {label: {"hold": min(both), "reject": max(both)} for label, both in bounds.items()}
    return found


def parsed(general: dict[str, Any], own: dict[str, Any]) -> Policy:
    """Return the policy of a file with these rules; JSON values are TOML values, except objects."""

    def toml(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{json.dumps(name)} = {toml(one)}" for name, one in value.items()) + "}"
        return json.dumps(value)

    lines = [f"{name} = {toml(value)}" for name, value in general.items()]
    return Policy.parse("\n".join([*lines, f"sites = {toml({'s': own})}"]), "drawn", MODEL)


contexts = st.builds(
    Context,
    text=st.lists(
        st.sampled_from(("muppet", "l-o-a-n-s", "https://casino.example", "www.a.example", "fine")),
        max_size=3,
    ).map(" ".join),
    site=st.sampled_from(("s", "another")),
    author=st.sampled_from((None, "a", "b")),
    role=st.sampled_from((None, "staff")),
    published=st.none() | st.integers(0, 4),
    copies=st.integers(1, 4),
)
drawn = st.builds(
    lambda found, language: Scores(found, (), language, "t"),
    st.fixed_dictionaries(dict.fromkeys((*HARMFUL, "on_topic"), probability)),
    st.sampled_from(("en", "und", "de")),
)


@given(rules(), rules(), contexts, drawn, st.dictionaries(st.sampled_from(HARMFUL), probability), probability)
@settings(max_examples=300)
@pytest.mark.slow
def test_worse_scores_never_make_any_policys_decision_looser(
    general: dict[str, Any],
    own: dict[str, Any],
    context: Context,
    before: Scores,
    raised: dict[str, float],
    topic: float,
) -> None:
    """For any policy file: no rule tests whether a probability is low, and ``on_topic`` decides nothing."""
    policy = parsed(general, own)
    worse = {label: max(value, before.probabilities[label]) for label, value in raised.items()}
    after = replace(before, probabilities={**before.probabilities, **worse, "on_topic": topic})
    assert SEVERITY[decide(after, policy, context).action] >= SEVERITY[decide(before, policy, context).action]
    assert decide(None, policy, context).action == "hold"
