"""The corpora: permitted uses, mapping of columns to labels, and numbers of rows."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path

import pytest

from belowline.data.corpora import ADAPTERS, CORPORA, CorpusError, read_corpus
from belowline.data.corpora.on_topic_grades import (
    GRADES,
    on_topic,
    on_topic_grades,
    on_topic_test_grades,
)
from belowline.data.example import HARMLESS, Example, Span, known
from belowline.model import DEFINITIONS

ROWS = {
    "toxic-spans": 13_910,
    "jigsaw": 21_523,
    "cat": 10_890,
    "cad": 18_084,
    "civil-sample": 3_154,
    "isca": 7_806,
    "ghc": 22_013,
    "implicit-hate": 21_440,
    "hatexplain": 19_233,
    "hatemoji": 5_908,
    "stormfront": 10_698,
    "edos": 19_996,
    "dghs": 36_974,
    "toxigen": 6_513,
    "mhs": 20_687,
    "youtube-spam": 1_458,
    "sms-spam": 5_574,
    "janitr": 4_271,
    "spamassassin": 1_779,
    "blog-spam": 6_105,
    "blog-ham": 6_651,
    "youtube-spam-2014": 851,
    "threatgram": 12_445,
    "github-incivility": 4_928,
    "counterspeech": 7_615,
    "twitcivility": 10_498,
    "conflict-talk": 1_495,
    "fnc1": 25_413,
    "c3": 11_899,
    "appropriateness": 2_191,
}
"""Number of examples of each corpus, fetched at its pinned commits and prepared."""

EMPTY = {"cad": 2, "janitr": 4}
"""Number of examples without any text; all are harmless."""

BEYOND = {"toxic-spans": 72}
"""Number of spans that end beyond their text. No token is there, so they do not affect training."""


class Folder:
    """A corpora directory of hand-made files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def table(self, file: str, header: str, *rows: Sequence[object], delimiter: str = ",") -> None:
        path = self.root / file
        path.parent.mkdir(exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, delimiter=delimiter)
            writer.writerow(header.split())
            writer.writerows(rows)

    def tabs(self, file: str, header: str, *rows: Sequence[str]) -> None:
        """A file without quoting, where a quotation mark is an ordinary character."""
        path = self.root / file
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join("\t".join(row) + "\n" for row in (header.split(), *rows)), "utf-8")

    def lines(self, file: str, *objects: object) -> None:
        (self.root / file).write_text("".join(json.dumps(one) + "\n" for one in objects), "utf-8")

    def read(self, name: str) -> list[Example]:
        return read_corpus(name, self.root)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def labels(examples: Iterable[Example]) -> list[dict[str, float]]:
    return [dict(example.labels) for example in examples]


# --- the entries ---


def test_each_adapter_has_an_entry_and_each_entry_of_labelled_rows_an_adapter() -> None:
    assert set(ADAPTERS) == {name for name, corpus in CORPORA.items() if not corpus.material}
    assert set(ADAPTERS) == set(ROWS)


@pytest.mark.parametrize("name", CORPORA)
def test_an_entry_says_what_a_user_must_know(name: str) -> None:
    corpus = CORPORA[name]
    assert corpus.name == name
    assert corpus.use in ("train", "eval")
    assert all((corpus.about, corpus.licence, corpus.split, corpus.columns))
    assert corpus.upstream
    assert all(origin.repository.count("/") == 1 and len(origin.commit) >= 10 for origin in corpus.upstream)
    assert corpus.files
    assert all(len(sha) == 64 and set(sha) <= set("0123456789abcdef") for sha in corpus.files.values())


def test_what_is_not_licensed_or_not_reliable_is_not_for_training() -> None:
    assert {name for name, corpus in CORPORA.items() if not corpus.trainable} == {
        "c3",
        "appropriateness",
        "blog-ham",
        "twitcivility",
        "conflict-talk",
        "spamassassin",
        "wp-blacklist",
    }
    assert [name for name, corpus in CORPORA.items() if corpus.use == "eval"] == [
        "c3",
        "appropriateness",
        "blog-ham",
        "twitcivility",
        "conflict-talk",
    ]
    assert not CORPORA["spamassassin"].reliable
    assert "never trained on" in CORPORA["spamassassin"].note
    for corpus in CORPORA.values():
        barred = "NC" in corpus.licence or corpus.licence == "unstated"
        assert barred == (corpus.use == "eval"), corpus.name


# --- attacks ---


def test_toxic_spans(folder: Folder) -> None:
    folder.table(
        "toxic-spans/comments.csv",
        "comment_id comment_text",
        ("c1", "you utter turnip, go away"),
        ("c2", "a fine bridge"),
        ("c3", "nobody judged this"),
    )
    (folder.root / "toxic-spans/annotations.csv").write_text(
        "annotation,comment_id,worker,country,all toxic,not toxic\n"
        "1,c1,7,GB,False,False\n2,c1,8,GB,False,False\n3,c1,9,GB,False,True\n4,c1,5,GB,False,False\n5,c2,7,GB,False,True\n",
        "utf-8",
    )
    folder.table(
        "toxic-spans/spans.csv",
        "annotation type start end",
        (1, "Insult", 4, 16),
        (2, "Insult", 4, 16),
        (2, "Insult", 18, 25),
        (4, "Other Toxicity", 18, 25),
    )
    turnip, fine = folder.read("toxic-spans")
    assert dict(turnip.labels) == {
        "personal_attack": 0.5,
        "hate": 0.0,
        "profanity": 0.0,
        "threat": 0.0,
        "toxicity": 0.75,
        "spam": 0.0,
        "antisemitism": 0.0,
    }
    assert turnip.spans == (
        Span("personal_attack", 4, 16, 0.5),
        Span("personal_attack", 18, 25, 0.25),
        Span("toxicity", 18, 25, 0.25),
    )
    assert turnip.text[4:16] == "utter turnip"
    assert (fine.row, fine.spans, fine.labels["toxicity"]) == ("c2", (), 0.0)


def test_toxic_spans_leave_antisemitism_open_where_an_identity_is_attacked(folder: Folder) -> None:
    folder.table("toxic-spans/comments.csv", "comment_id comment_text", ("c1", "all Martians lie"))
    (folder.root / "toxic-spans/annotations.csv").write_text(
        "annotation,comment_id,not toxic\n1,c1,False\n", "utf-8"
    )
    folder.table("toxic-spans/spans.csv", "annotation type start end", (1, "Identity based Attack", 4, 12))
    [martians] = folder.read("toxic-spans")
    assert martians.labels["hate"] == 1.0
    assert "antisemitism" not in martians.labels


def test_jigsaw(folder: Folder) -> None:
    folder.table(
        "jigsaw/train.csv",
        "id comment_text toxic severe_toxic obscene threat insult identity_hate split",
        ("j1", "You turnip,\nyou.", 1, 0, 0, 0, 1, 0, "train"),
        ("j2", "All Martians lie.", 1, 0, 0, 0, 0, 1, "train"),
    )
    folder.table("jigsaw/binary.csv", "comment_text toxic", ("Fine page.", 0), ("Daft page.", 1))
    turnip, martians, fine, daft = folder.read("jigsaw")
    assert turnip.text == "You turnip,\nyou."
    assert dict(turnip.labels) == {**HARMLESS, "personal_attack": 1.0, "toxicity": 1.0, "spam": 0.0}
    assert martians.labels["hate"] == 1.0
    assert "antisemitism" not in martians.labels
    assert fine.labels == {**HARMLESS, "spam": 0.0}
    assert daft.labels == {"toxicity": 1.0, "spam": 0.0}
    assert [example.row for example in (fine, daft)] == ["binary:0", "binary:1"]


def test_cat_has_parents_and_keeps_a_conversation_together(folder: Folder) -> None:
    folder.table(
        "cat/gc.csv",
        "id text parent label api",
        ("77.1.2", "No, you are wrong.", "It is so.", 0, 0.1),
        ("77.8.9", "Turnip.", "No, you are wrong.", 1, 0.4),
    )
    folder.table(
        "cat/cat_small.csv",
        "text parent_text tox_codes_oc label_oc tox_codes_ic label_ic",
        ("Daft.", "It is so.", "", 0, "", 1),
    )
    calm, rude, small = folder.read("cat")
    assert (calm.parent, calm.split_key, calm.labels) == ("It is so.", "77", {**HARMLESS, "spam": 0.0})
    assert (rude.split_key, rude.labels) == ("77", {"toxicity": 1.0, "spam": 0.0})
    assert (small.parent, small.row, small.labels) == ("It is so.", "small:0", {"toxicity": 1.0, "spam": 0.0})


def test_cad_tells_persons_identities_and_affiliations_apart(folder: Folder) -> None:
    folder.table(
        "cad/cad_v1_1_train.tsv",
        "id text labels",
        ("t1-post", "First[linebreak]second", "Neutral"),
        ("t1-a", "Turnip.", "PersonDirectedAbuse"),
        ("t2-a", "All Martians lie.", "IdentityDirectedAbuse,PersonDirectedAbuse"),
        ("t3-a", "The Teapot Party lies.", "AffiliationDirectedAbuse"),
        delimiter="\t",
    )
    folder.table(
        "cad/cad_v1_1_dev.tsv", "id text labels", ("t4-a", "Not so.", "CounterSpeech"), delimiter="\t"
    )
    neutral, person, identity, party, counter = folder.read("cad")
    harmless = {
        "hate": 0.0,
        "personal_attack": 0.0,
        "toxicity": 0.0,
        "spam": 0.0,
        "threat": 0.0,
        "antisemitism": 0.0,
    }
    assert (neutral.text, neutral.labels, neutral.split_key) == ("First\nsecond", harmless, "t1")
    assert person.labels == {"hate": 0.0, "personal_attack": 1.0, "toxicity": 1.0, "spam": 0.0}
    assert identity.labels == {"hate": 1.0, "personal_attack": 1.0, "toxicity": 1.0, "spam": 0.0}
    assert party.labels == {"hate": 0.0, "personal_attack": 0.0, "toxicity": 1.0, "spam": 0.0}
    assert (counter.labels, counter.split, person.split) == (harmless, "test", None)


# --- hate ---


def test_isca_reads_both_files(folder: Folder) -> None:
    folder.table(
        "isca/gold_standard.csv",
        "TweetID CreateDate Biased Keyword Text",
        (11, "2020", 1, "Jews", "an ugly claim &amp; more\\nlines"),
        (12, "2020", 0, "Israel", "a budget was passed"),
    )
    folder.table(
        "isca/gold_standard_2024.csv", "ID CreateDate Biased Keyword Text", (13, "2024", 0, "Jews", "a feast")
    )
    biased, budget, feast = folder.read("isca")
    assert biased.text == "an ugly claim & more\nlines"
    assert (biased.labels, biased.slice) == ({"hate": 1.0, "antisemitism": 1.0}, "Jews")
    assert budget.labels == feast.labels == {"hate": 0.0, "antisemitism": 0.0}
    assert [example.row for example in (biased, budget, feast)] == ["11", "12", "13"]


def test_implicit_hate_joins_kind_and_target(folder: Folder) -> None:
    stage = "implicit-hate/implicit_hate_v1_stg{}_posts.tsv".format
    folder.tabs(
        stage(1),
        "post class",
        ('he said "hello', "not_hate"),
        ("martians beware", "implicit_hate"),
        ("an old libel", "implicit_hate"),
        ("no stage knows this", "explicit_hate"),
    )
    folder.tabs(
        stage(2),
        "post implicit_class extra_implicit_class",
        ("martians beware", "inferiority", "threatening"),
        ("an old libel", "stereotypical", ""),
    )
    folder.tabs(
        stage(3),
        "post target implied_statement",
        ("martians beware", "martians", "they should leave"),
        ("an old libel", "Jewish people", "they plot"),
    )
    quote, threat, libel, bare = folder.read("implicit-hate")
    assert (quote.text, quote.labels) == ('he said "hello', {"hate": 0.0, "antisemitism": 0.0})
    assert threat.labels == {"hate": 1.0, "antisemitism": 0.0, "threat": 1.0}
    assert libel.labels == {"hate": 1.0, "antisemitism": 1.0, "threat": 0.0}
    assert (bare.labels, bare.slice) == ({"hate": 1.0}, "explicit_hate")


def test_hatexplain_with_targets_and_rationales(folder: Folder) -> None:
    folder.table(
        "hatexplain/all.csv",
        "text label category id",
        ("a fine day", "0", 0, "h0"),
        (" an old libel ", "1", 1, "h1"),
        ("all martians lie", "1", 1, "h2"),
        ("daft weather", "1", 2, "h3"),
        ("who can say", "1", 3, "h4"),
        ("martians again", "1", 1, "h5"),
    )
    (folder.root / "hatexplain/targets.csv").write_text(
        "comment,label,Race,Religion,Gender\nan old libel,hate,No_race,Jewish,No_gender\n"
        "all martians lie,hate,Other,Nonreligious,No_gender\n",
        "utf-8",
    )
    folder.lines(
        "hatexplain/val_full_annotation.jsonl",
        {
            "id": "v1",
            "labels": [0, 0, 2],
            "targets": [["Other"], ["Jewish", "Other"], ["None"]],
            "rationales": [[0, 1, 1], [0, 0, 1]],
            "post_tokens": ["all", "martians", "lie"],
        },
        {
            "id": "v2",
            "labels": [1, 1, 2],
            "targets": [],
            "rationales": [],
            "post_tokens": ["fine", "weather"],
        },
        {
            "id": "v3",
            "labels": [2, 2, 0],
            "targets": [],
            "rationales": [[1, 0]],
            "post_tokens": ["daft", "weather"],
        },
        {
            "id": "v4",
            "labels": [0, 0],
            "targets": [["Jewish"], ["Jewish"]],
            "rationales": [],
            "post_tokens": ["old", "libel"],
        },
    )
    hateful, normal, offensive, of_jews, fine, libel, martians, daft, untargeted = folder.read("hatexplain")
    assert fine.labels == normal.labels == {"hate": 0.0, "antisemitism": 0.0, "toxicity": 0.0}
    assert (libel.text, libel.labels) == ("an old libel", {"hate": 1.0, "antisemitism": 1.0, "toxicity": 1.0})
    assert martians.labels == {"hate": 1.0, "antisemitism": 0.0, "toxicity": 1.0}
    assert untargeted.labels == {"hate": 1.0, "toxicity": 1.0}
    assert hateful.labels == {"hate": 1.0, "antisemitism": 0.0, "toxicity": 1.0}
    assert of_jews.labels == {"hate": 1.0, "antisemitism": 1.0, "toxicity": 1.0}
    assert daft.labels == offensive.labels == {"toxicity": 1.0}
    assert (libel.spans, normal.spans) == (None, ())
    assert hateful.spans == (Span("hate", 4, 12, 0.5), Span("hate", 13, 16, 1.0))
    assert [hateful.text[span.start : span.end] for span in hateful.spans] == ["martians", "lie"]
    assert offensive.spans == (Span("toxicity", 0, 4, 1.0),)
    assert {example.split for example in (hateful, normal, offensive, of_jews)} == {"test", "train"}


# --- replies and threads ---


def test_threatgram_says_nothing_but_whether_violence_is_wished(folder: Folder) -> None:
    folder.table(
        "threatgram/labeled.csv",
        "text label channel date",
        ("a fine day", 0, "Martians", "2023-01-02"),
        ("arrest the mayor", 1, "Martians", "2023-01-02"),
        ("hang the mayor", 2, "Martians", "2023-01-03"),
    )
    fine, arrest, hang = folder.read("threatgram")
    assert labels((fine, arrest, hang)) == [{"threat": 0.0}, {"threat": 0.0}, {"threat": 1.0}]
    assert fine.split_key == arrest.split_key != hang.split_key


def test_github_incivility_takes_what_is_sure_of_each_kind(folder: Folder) -> None:
    kinds = ("none", "Insulting", "Vulgarity", "Impatience", "Threat", "Identity attacks/Name-Calling")
    made = [(at, at // 2, kind, f"text {at}", "") for at, kind in enumerate(kinds)]
    folder.table("github-incivility/comments.csv", "id issue_id label text in_shared", *made)
    found = folder.read("github-incivility")
    assert [example.split_key for example in found] == ["0", "0", "1", "1", "2", "2"]
    civil = {"hate": 0.0, "antisemitism": 0.0, "personal_attack": 0.0, "threat": 0.0, "spam": 0.0}
    assert labels(found) == [
        {**HARMLESS, "spam": 0.0},
        {"personal_attack": 1.0, "toxicity": 1.0, "spam": 0.0},
        {"profanity": 1.0, "spam": 0.0},
        civil,
        {"spam": 0.0},
        {"spam": 0.0},
    ]


def test_counterspeech_tells_an_insult_from_disagreement_and_nothing_of_hate(folder: Folder) -> None:
    made = [
        ("t1", 2, "insult", "It is so.", "Turnip.", ""),
        ("t1", 2, "claim", "It is so.", "It is not.", ""),
        ("t2", 1, "agree", "It is so.", "Indeed.", "cad"),
        ("t2", 0, "", "It is so.", "Hm.", ""),
    ]
    folder.table("counterspeech/replies.csv", "thread label Gold_label parent reply in_shared", *made)
    folder.table("counterspeech/in_context.csv", "label parent reply in_shared", (1, "It is so.", "Yes.", ""))
    found = folder.read("counterspeech")
    assert labels(found) == [{"personal_attack": 1.0}, {"personal_attack": 0.0}, {}, {}, {}]
    assert {example.parent for example in found} == {"It is so."}
    assert [example.split_key for example in found[:4]] == ["t1", "t1", "t2", "t2"]


def test_what_is_only_measured_is_all_test(folder: Folder) -> None:
    folder.table(
        "twitcivility/tweets.csv",
        "impoliteness intolerance text",
        (0, 0, "a budget was passed"),
        (1, 0, "you turnip"),
        (0, 1, "all Martians lie"),
    )
    folder.table("conflict-talk/comments.csv", "side date text", ("Neutral", "8/2/2024", "who can say"))
    tweets, [talk] = folder.read("twitcivility"), folder.read("conflict-talk")
    assert labels(tweets) == [
        {"personal_attack": 0.0, "toxicity": 0.0},
        {"personal_attack": 1.0, "toxicity": 1.0},
        {"personal_attack": 0.0, "toxicity": 1.0},
    ]
    assert (dict(talk.labels), talk.slice) == ({}, "Neutral")
    assert {example.split for example in (*tweets, talk)} == {"test"}


# --- spam and relevance ---


def test_blog_spam_leaves_one_blog_out_with_its_near_copies(folder: Folder) -> None:
    made = [
        (
            "1",
            "hendrixjoseph",
            "p",
            "2018",
            "spam",
            "n1",
            "great post, see my shop",
            "A shop",
            "http://a.example",
        ),
        ("2", "hendrixjoseph", "p", "2018", "spam", "n2", "great blog", "A shop", "http://a.example"),
        ("3", "hendrixjoseph", "p", "2018", "ham", "n3", "thanks, it works now", "", ""),
        ("4", "mademistakes", "q", "2019", "spam", "n2", "great blog!", "A shop", "http://a.example"),
    ]
    header = "id source post date label near text spam_author spam_url"
    folder.table("blog-spam/comments.csv", header, *made)
    folder.table("blog-spam/ham_archive.csv", "id post date label text", ("h1", "p", "2011", "ham", "nice"))
    found = folder.read("blog-spam")
    assert [example.split for example in found] == [None, "test", None, "test"]
    assert labels(found) == [{"spam": 1.0}, {"spam": 1.0}, {"spam": 0.0}, {"spam": 1.0}]
    assert [example.weight for example in found] == pytest.approx([2 / 3, 2 / 3, 4 / 3, 4 / 3])
    assert not any("example" in example.text for example in found)  # the author line is not part of the text
    [ham] = folder.read("blog-ham")
    assert (ham.source, dict(ham.labels), ham.split) == ("blog-ham", {"spam": 0.0}, "test")


def test_youtube_spam_2014_is_unescaped_and_divided_by_video(folder: Folder) -> None:
    made = [(video, 1, "see &lt;3&#39;") for video in ("Psy", "KatyPerry", "Avengers", "PlayStation4")]
    folder.table("youtube-spam-2014/comments.csv", "video spam text", *made)
    found = folder.read("youtube-spam-2014")
    assert [example.split for example in found] == ["train", "train", "validation", "test"]
    assert {example.text for example in found} == {"see <3'"}


def test_youtube_spam_is_unescaped_and_divided_by_video(folder: Folder) -> None:
    header = "COMMENT_ID DATE CONTENT CLASS"
    for video in ("Youtube02-KatyPerry", "Youtube03-LMFAO", "Youtube04-Eminem"):
        folder.table(f"youtube-spam/{video}.csv", header, (video, "2015", "good song", 0))
    folder.table(
        "youtube-spam/Youtube01-Psy.csv",
        header,
        (
            "y1",
            "2015",
            'see <a href="http://a.example/?x=1&amp;y=2">here</a><br />you &amp; me &lt;3\ufeff',
            1,
        ),
        ("y2", "", "I &#39;like&#39; a < b", 0),
    )
    see, like, *others = folder.read("youtube-spam")
    assert (see.text.split(), see.labels) == (["see", "here", "you", "&", "me", "<3"], {"spam": 1.0})
    assert (like.text, like.labels) == ("I 'like' a < b", {"spam": 0.0})
    assert [example.split for example in (see, like, *others)] == [
        "train",
        "train",
        "train",
        "validation",
        "test",
    ]


def test_janitr_leaves_mock_rows_out(folder: Folder) -> None:
    folder.table(
        "janitr/sample.csv",
        "id source_id text labels",
        ("x_1", "x_mock_1", "an invented scam", "['scam']"),
        ("x_2", "9001", "send one coin, get two", "['crypto', 'scam']"),
        ("x_3", "9002", "coins are odd", "['crypto']"),
        ("x_4", "9003", "good morning", "['clean']"),
        ("x_5", "9004", "nobody judged this", "[]"),
        ("x_6", "9005", "my new course", "['promo']"),
    )
    found = folder.read("janitr")
    assert [(example.row, example.labels["spam"]) for example in found] == [
        ("x_2", 1.0),
        ("x_3", 0.0),
        ("x_4", 0.0),
        ("x_6", 1.0),
    ]


def test_c3_votes_become_shares(folder: Folder) -> None:
    folder.table(
        "c3/C3_anonymized.csv",
        "article_id comment_counter comment_text constructive crowd_toxicity_level njudgements_constructiveness_expt "
        "njudgements_toxicity_expt non_constructive_characteristics toxicity_characteristics",
        (
            "a1",
            "a1_1",
            "Turnips, all.",
            0.25,
            4.0,
            3,
            4,
            "no_respect:3\nprovocative:1",
            "personal_attack:3\nteasing:1",
        ),
        ("a1", "a1_2", "A reason.", 1.0, 1.0, 3, 5, "no_non_con:3", "no_toxic:5"),
        ("a2", "a2_1", "No votes on tone.", 0.5, "", 3, "", "", ""),
    )
    turnips, reason, none = folder.read("c3")
    assert turnips.labels == {"on_topic": 0.25, "toxicity": 1.0, "personal_attack": 0.75}
    assert reason.labels == {"on_topic": 1.0, "toxicity": 0.0, "personal_attack": 0.0}
    assert none.labels == {"on_topic": 0.5}
    assert (turnips.split_key, turnips.split) == ("a1", "test")


# --- refusals ---


def refusal(name: str, root: Path) -> str:
    with pytest.raises(CorpusError) as caught:
        read_corpus(name, root)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_an_unknown_corpus(tmp_path: Path) -> None:
    assert "unknown corpus 'gossip'; known: appropriateness, " in refusal("gossip", tmp_path)
    assert "unknown corpus 'wp-blacklist'" in refusal("wp-blacklist", tmp_path)


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_missing_file_is_named_with_the_command_that_fetches_it(name: str, tmp_path: Path) -> None:
    message = refusal(name, tmp_path)
    assert message.startswith(f"{tmp_path / CORPORA[name].folder}/")
    assert message.endswith(f"fetch it with `belowline-train fetch --corpus {name}`")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"text,label\nsecret words,1\n", "KeyError: 'SMS'"),
        (b"Label\tSMS\nspam\tsecret words\textra\n", "SMSSpamCollection line 2"),
        (b"Label\tSMS\nspam\n", "SMSSpamCollection line 2"),
        (b"Label\tSMS\nspam\tsecret words \xff\n", "UnicodeDecodeError"),
    ],
)
def test_a_malformed_file_is_said_without_its_text(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "sms-spam").mkdir()
    (tmp_path / "sms-spam" / "SMSSpamCollection").write_bytes(content)
    message = refusal("sms-spam", tmp_path)
    assert message.startswith(f"{tmp_path / 'sms-spam'}: ")
    assert problem in message
    assert message.endswith("fetch it again")
    assert "secret" not in message


def test_a_label_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="label hate"):
        known(hate=1.5)


# --- the real files ---


@pytest.mark.parametrize("name", ROWS)
def test_the_rows_of_a_corpus(name: str, corpora: Path) -> None:
    examples = read_corpus(name, corpora)
    assert len(examples) == ROWS[name]
    assert sum(not example.text.strip() for example in examples) == EMPTY.get(name, 0)
    assert all(example.source == name for example in examples)
    assert {label for example in examples for label in example.labels} <= set(DEFINITIONS)
    assert all(0 <= strength <= 1 for example in examples for strength in example.labels.values())
    spans = [(span, len(example.text)) for example in examples for span in example.spans or ()]
    assert all(0 <= span.start < span.end and 0 < span.strength <= 1 for span, _ in spans)
    assert sum(span.end > length for span, length in spans) == BEYOND.get(name, 0)
    if CORPORA[name].use == "eval":
        assert {example.split for example in examples} == {"test"}
    spread = Counter(value for example in examples for value in set(example.labels.values()))
    assert (spread[0.0] > 0) == (name != "conflict-talk")  # it only labels sides
    one_sided = {"fnc1", "blog-ham", "conflict-talk"}  # label only what is off topic, or no spam
    assert any(value > 0.5 for value in spread) == (name not in one_sided)


# --- the project's own labels ---


def test_the_judgements_of_two_passes() -> None:
    text = resources.files("belowline.data").joinpath("labels", "on_topic.csv").read_text("utf-8")
    judgements = list(csv.DictReader(text.splitlines()))
    keys = {
        number: [(row["corpus"], row["row"]) for row in judgements if row["pass"] == number]
        for number in "12"
    }
    assert len(keys["1"]) == len(set(keys["1"])) == 1_700
    assert len(keys["2"]) == len(set(keys["2"])) == 200
    assert set(keys["2"]) <= set(keys["1"])
    assert {int(row["grade"]) for row in judgements} == set(range(GRADES + 1))
    assert set(judgements[0]) == {"corpus", "row", "grade", "rater", "pass"}  # no text
    raters = {(row["corpus"], row["row"], row["pass"]): row["rater"] for row in judgements}
    assert all(raters[*key, "1"] != raters[*key, "2"] for key in keys["2"])


def test_grades_come_from_them() -> None:
    grades = on_topic_grades()
    assert len(grades) == 1_700
    assert Counter(corpus for corpus, _ in grades) == {"civil-sample": 700, "toxic-spans": 650, "cat": 350}


def test_every_judged_row_is_in_its_corpus(corpora: Path) -> None:
    judged = list(on_topic(corpora))
    measured = on_topic_test_grades()
    grades = on_topic_grades() | measured
    assert len(judged) == len(grades) == 1_700 + 724
    for example in judged:
        assert example.source == "on-topic"
        if (example.slice, example.row) in measured:
            assert example.split == "test"
        assert example.labels["on_topic"] == grades[example.slice, example.row] / GRADES
        assert "toxicity" in example.labels  # the corpus's own labels are kept


def test_a_judged_row_that_is_gone_is_said(folder: Folder) -> None:
    first = next(iter(on_topic_grades()))[0]
    assert first == "cat"
    folder.table("cat/gc.csv", "id text parent label api")
    folder.table("cat/cat_small.csv", "text parent_text tox_codes_oc label_oc tox_codes_ic label_ic")
    with pytest.raises(CorpusError, match=r"^corpus cat: 400 "):
        list(on_topic(folder.root))
