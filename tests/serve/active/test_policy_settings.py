"""Settings of a policy: read from its text, written back with its comments, and compared."""

import tomllib
from dataclasses import replace
from time import process_time
from typing import Any

import pytest

from belowline.model import PolicyError
from belowline.model.directory import Thresholds
from belowline.model.labels import HARMFUL
from belowline.model.policy import DEFAULT_POLICY
from belowline.serve.active.policy_settings import PolicyText, limits_of

MODEL = {label: Thresholds(hold=0.5, reject=0.9) for label in HARMFUL}
TEXT = """# ours
version = "harbour"  # the name
sample = 0.01

[words]
hold = [
  "casino*",  # asked for by Ann
  "pills",
]

[thresholds.spam]  # after the wave of May
hold = 0.3

[sites."sports.example".links]
max = 1
"""


def changed(text: str, site: str | None = None, **values: Any) -> str:
    wanted = {path.replace("__", "."): value for path, value in values.items()}
    policy = PolicyText(text, MODEL)
    return policy.with_settings(site, policy.settings(site) | wanted).text


def test_settings_are_those_of_the_text_over_those_of_the_model() -> None:
    policy = PolicyText(TEXT, MODEL)
    settings = policy.settings()
    assert (settings["version"], settings["sample"], settings["words.hold"]) == (
        "harbour",
        0.01,
        ("casino*", "pills"),
    )
    assert settings["thresholds.spam"] == Thresholds(hold=0.3)
    assert settings["thresholds.threat"] == Thresholds(hold=0.5, reject=0.9)
    assert settings["links.max"] is None
    assert policy.sites == ["sports.example"]
    assert (policy.settings("sports.example")["links.max"], policy.settings("other")["links.max"]) == (
        1,
        None,
    )
    assert "profanity" not in limits_of(settings)
    assert limits_of(settings)["spam"] == Thresholds(hold=0.3)


def test_a_change_is_written_and_every_comment_stays() -> None:
    text = changed(
        TEXT,
        words__hold=("casino*", "giveaway"),
        thresholds__threat=Thresholds(hold=0.8),
        automatic_rejection=True,
        links__max=3,
    )
    for comment in ("# ours", "# the name", "# asked for by Ann", "# after the wave of May"):
        assert comment in text
    values = tomllib.loads(text)
    assert values["words"]["hold"] == ["casino*", "giveaway"]
    assert values["thresholds"] == {"spam": {"hold": 0.3}, "threat": {"hold": 0.8}}
    assert (values["automatic_rejection"], values["links"]["max"], values["sample"]) == (True, 3, 0.01)
    assert values["sites"] == {"sports.example": {"links": {"max": 1}}}


def test_nothing_changes_without_a_change() -> None:
    assert changed(TEXT) == TEXT
    assert changed(TEXT, "sports.example") == TEXT


def test_a_value_equal_to_the_inherited_one_is_taken_out() -> None:
    values = tomllib.loads(changed(TEXT, sample=0.0, thresholds__spam=MODEL["spam"]))
    assert "sample" not in values
    assert "spam" not in values.get("thresholds", {})
    values = tomllib.loads(changed(TEXT, "sports.example", sample=0.2, links__max=1))
    assert values["sites"]["sports.example"] == {"links": {"max": 1}, "sample": 0.2}


def test_a_site_gets_a_section_with_its_own_values_alone() -> None:
    text = changed(TEXT, "new.example", words__reject=("x",), thresholds__hate=Thresholds(hold=0.7))
    section = tomllib.loads(text)["sites"]["new.example"]
    assert section == {"words": {"reject": ["x"]}, "thresholds": {"hate": {"hold": 0.7}}}
    assert PolicyText(text, MODEL).settings("new.example")["words.hold"] == ("casino*", "pills")


def test_a_limit_of_all_sites_cannot_be_taken_from_one() -> None:
    text = changed(TEXT, links__max=3)
    with pytest.raises(PolicyError):
        changed(text, "sports.example", links__max=None)
    assert (
        PolicyText(changed(text, "sports.example", links__max=3), MODEL).settings("sports.example")[
            "links.max"
        ]
        == 3
    )


@pytest.mark.parametrize(
    "text",
    [
        DEFAULT_POLICY.read_text("utf-8"),
        "",
        "\ufeffversion = 'a'\n",
        "thresholds = {spam = {hold = 0.2}}\nlinks = {max = 1, blocked = ['a.example']}\n",
        "sites.'a.example'.sample = 0.1\nthresholds.spam.hold = 0.1\n",
        "[sites.'a.example']\nsample = 0.1\n[links]\nmax = 2\n[sites.'b.example'.words]\nhold = ['x']\n",
        "[words]\nhold = ['a', 'b', 'a']\n",
    ],
)
@pytest.mark.parametrize("site", [None, "a.example", "c.example"])
def test_every_setting_can_be_written_into_every_kind_of_text(text: str, site: str | None) -> None:
    policy = PolicyText(text, MODEL)
    wanted = policy.settings(site) | {
        "automatic_rejection": True,
        "labels": ("spam", "profanity"),
        "unknown_language": "publish",
        "links.max": 7,
        "links.blocked": ("b.example",),
        "links.allowed": ("c.example", "d.example"),
        "words.hold": ("one", "two*", "three", "four", "five"),
        "words.reject": (),
        "campaign.copies": 4,
        "new_authors.comments": 2,
        "trusted_authors": ("u-1",),
        "trusted_roles": ("staff",),
        "sample": 0.25,
        "second_review": 1.0,
        "thresholds.spam": Thresholds(hold=0.25, reject=0.75),
        "thresholds.toxicity": Thresholds(),
    }
    written = policy.with_settings(site, wanted)
    assert written.settings(site) == wanted
    assert PolicyText(written.text, MODEL).settings(site) == wanted


def test_differences_name_each_changed_setting_once() -> None:
    before = PolicyText(TEXT, MODEL)
    after = PolicyText(
        changed(
            changed(TEXT, words__hold=("pills", "x"), thresholds__threat=Thresholds(hold=0.8, reject=0.9)),
            "sports.example",
            links__max=4,
        ),
        MODEL,
    )
    found = [(one.site, one.before, one.after) for one in before.differences(after)]
    assert found == [
        (None, "− casino*", "+ x"),
        (None, "0.5", "0.8"),
        ("sports.example", "1", "4"),
    ]
    assert not list(before.differences(PolicyText(TEXT + "# a comment\n", MODEL)))
    twice = [replace(one, site=None) for one in before.differences(after)]
    assert len(set(twice)) == 3


@pytest.mark.parametrize("site", [None, "a.example"])
def test_long_lists_are_written_in_linear_time(site: str | None) -> None:
    words = tuple(f"word{number}" for number in range(4000))
    text = changed("", words__hold=words)
    began = process_time()
    text = changed(text, site, words__hold=words[2000:], words__reject=("x",))
    assert process_time() - began < 8, "appending one by one takes a minute"
    assert PolicyText(text, MODEL).settings(site)["words.hold"] == words[2000:]
