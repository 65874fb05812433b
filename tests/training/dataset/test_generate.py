"""Generated spam and readers' own links."""

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from belowline.data.example import Example, known
from belowline.model.labels import HARMFUL
from belowline.training.dataset.generate import link_spam, own_links, spin

SLOT = re.compile(r"[{}]|\$\{")
LINK = re.compile(r"\w\.[a-z]{2,7}\b")


@pytest.fixture
def material(tmp_path: Path) -> Path:
    terms = ["cheap watches", "herbal tea", "abc", "Größe", "x" * 40, "shop24.example", "handbags"]
    (tmp_path / "blacklist.txt").write_text("\n".join(terms) + "\n", "utf-8")
    praise = "{Great|Nice} {post|blog {entry|page}}!\n I {really |}liked it.|\nUnbalanced {one|\nThanks for {this|that} |\n"
    (tmp_path / "constructs.txt").write_text(praise, "utf-8")
    return tmp_path


def comments(count: int) -> list[Example]:
    return [
        Example(f"The bridge was discussed, no {n}.", known(spam=0.0), "toy", str(n), str(n))
        for n in range(count)
    ]


def test_spinning_takes_one_part_from_the_inside_out() -> None:
    done = {spin("{a|b {c|d}} e", random.Random(seed)) for seed in range(60)}
    assert done == {"a e", "b c e", "b d e"}
    assert spin("no choice", random.Random(0)) == "no choice"
    assert {spin("{x|}", random.Random(seed)) for seed in range(20)} == {"x", ""}


def test_count_and_labels_of_link_spam(material: Path) -> None:
    made = list(link_spam(200, material, [], random.Random(1)))
    assert len(made) == 200
    assert len({example.row for example in made}) == 200
    assert len({example.text for example in made}) > 190
    for example in made:
        assert example.labels["spam"] == 1.0
        assert example.labels["on_topic"] == 0.0  # nothing but spam
        assert all(example.labels[label] == 0.0 for label in HARMFUL if label != "spam")
        assert (example.source, example.split) == ("generated-link-spam", "train")


def test_the_spam_is_marked_also_where_it_hangs_on_a_real_comment(material: Path) -> None:
    harmless = [replace(one, labels=known(toxicity=0.0, hate=0.0, spam=0.0)) for one in comments(5)]
    rude = [Example("Not this one.", known(toxicity=1.0, spam=0.0), "toy", "r", "r")]
    made = list(link_spam(300, material, harmless + rude, random.Random(4)))
    hung = [example for example in made if example.text.startswith("The bridge was discussed")]
    assert 40 < len(hung) < 120
    assert not [example for example in made if example.text.startswith("Not this one.")]
    for example in made:
        (span,) = example.spans or ()
        assert (span.label, span.end, span.strength) == ("spam", len(example.text), 1.0)
        assert span.start == (example.text.index(". ") + 2 if example in hung else 0)
        assert example.labels["spam"] == 1.0
        assert example.labels["toxicity"] == 0.0
        assert ("on_topic" in example.labels) == (example not in hung)


def test_no_slot_is_left_unfilled(material: Path) -> None:
    made = [example.text for example in link_spam(600, material, [], random.Random(2))]
    assert not [text for text in made if SLOT.search(text)]
    assert sum(bool(LINK.search(text)) for text in made) > 300
    assert any("cheap watches" in text for text in made)


def test_only_readable_terms_and_whole_templates_are_used(material: Path) -> None:
    text = " ".join(example.text for example in link_spam(600, material, [], random.Random(3)))
    assert "shop24.example" not in text
    assert "x" * 40 not in text
    assert "Größe" not in text
    assert "Unbalanced" not in text


def test_a_seed_makes_the_same_spam(material: Path) -> None:
    first, again, other = (list(link_spam(20, material, [], random.Random(seed))) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_an_own_link_is_not_spam_whether_the_comment_is_there_or_not() -> None:
    given = comments(300)
    made = list(own_links(300, given, random.Random(1)))
    assert len(made) == 300
    ways = {"after": 0, "before": 0, "in its place": 0}
    for example in made:
        (link,) = re.findall(r"https?://[\w.]+/\S+", example.text)
        assert not SLOT.search(example.text)
        assert dict(example.labels) == {"spam": 0.0}
        assert (example.source, example.split) == ("generated-own-links", "train")
        whole = next((one.text for one in given if one.text in example.text), "")
        where = "after" if example.text.startswith(whole or "no") else "before"
        ways[where if whole else "in its place"] += 1
        assert example.text.endswith(link) or example.text.startswith(link)
    assert min(ways.values()) > 20
    assert len({example.text for example in made}) == 300
    assert any("the-bridge-was-discussed" in example.text for example in made)


def test_no_more_own_links_than_comments() -> None:
    assert len(list(own_links(10, comments(4), random.Random(1)))) == 4
    assert list(own_links(10, [], random.Random(1))) == []
