"""Adapters of the corpora on hate speech. Column mappings are described in ``corpora.toml``."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from belowline.data.corpora.tables import rows
from belowline.data.example import Example, Span, Split, digest, known

_NAMES_JEWS = re.compile(
    r"\b(?:anti-?semit\w*|heeb\w*|hebrews?|holocaust|israel\w*|jew\w*|judais\w*|kikes?|rabbis?|semit\w*|shoah|synagogues?"
    r"|yids?|zionis\w*|zionazi\w*)\b",
    re.IGNORECASE,
)

_SPLITS: tuple[Split, ...] = ("train", "validation", "test")
_EDOS_SPLITS: dict[str, Split] = {"train": "train", "dev": "validation", "test": "test"}


def _hate(hate: float, *, of_jews: bool) -> Mapping[str, float]:
    """Labels for an annotation of hate whose target (Jews or not) is known.

    Toxicity stays unknown although hate is toxic: these corpora would label it for hateful texts only, and a model
    without non-toxic mentions of a group learns that mentions are toxic.
    """
    return known(hate=hate, antisemitism=float(hate > 0 and of_jews))


def isca(folder: Path) -> Iterator[Example]:
    """Tweets naming Jews or Israel, by the IHRA definition."""
    for file, column in (("gold_standard.csv", "TweetID"), ("gold_standard_2024.csv", "ID")):
        for row in rows(folder / file):
            text = html.unescape(row["Text"]).replace("\\n", "\n")
            biased = row["Biased"] == "1"
            yield Example(
                text,
                _hate(float(biased), of_jews=biased),
                "isca",
                row[column],
                row[column],
                slice=row["Keyword"],
            )


def ghc(folder: Path) -> Iterator[Example]:
    """Gab posts; the file has no quoting."""
    for number, row in enumerate(rows(folder / "ghc_train.tsv", delimiter="\t", quoted=False)):
        violent = float(row["cv"])
        hate = max(float(row["hd"]), violent)
        labels = {"hate": hate, "profanity": float(row["vo"]), "threat": violent}
        if not hate:
            labels["antisemitism"] = 0.0
        text = row["text"]
        yield Example(text, known(**labels), "ghc", str(number), digest(text))


def implicit_hate(folder: Path) -> Iterator[Example]:
    """Tweets of hate groups; kind and target are known for the implicit ones."""
    stage = "implicit_hate_v1_stg{}_posts.tsv"
    kinds = {row["post"]: row for row in rows(folder / stage.format(2), delimiter="\t", quoted=False)}
    targets = {
        row["post"]: row["target"] for row in rows(folder / stage.format(3), delimiter="\t", quoted=False)
    }
    for number, row in enumerate(rows(folder / stage.format(1), delimiter="\t", quoted=False)):
        text = row["post"]
        if row["class"] == "not_hate":
            labels = known(hate=0.0, antisemitism=0.0)
        else:
            target = targets.get(text)
            labels = known(hate=1.0)
            if target is not None:
                labels = _hate(1.0, of_jews=bool(_NAMES_JEWS.search(target)))
            if text in kinds:
                labels = known(**labels, threat=_is_threat(kinds[text]))
        yield Example(text, labels, "implicit-hate", str(number), digest(text), slice=row["class"])


def implied_statements(folder: Path) -> dict[str, str]:
    """Post of ``implicit-hate`` to what its annotators wrote that it implies of a group."""
    file = folder / "implicit_hate_v1_stg3_posts.tsv"
    return {row["post"]: row["implied_statement"] for row in rows(file, delimiter="\t", quoted=False)}


def _is_threat(kind: Mapping[str, str]) -> float:
    return float("threatening" in (kind["implicit_class"], kind["extra_implicit_class"]))


# all.csv codes 0 as normal, 1 as hate and 2 as offensive; what is normal was judged neither.
_VERDICTS = {
    0: known(hate=0.0, antisemitism=0.0, toxicity=0.0),
    1: known(hate=1.0, toxicity=1.0),
    2: known(toxicity=1.0),
}


def hatexplain(folder: Path) -> Iterator[Example]:
    """Twitter and Gab posts with targets; half of the 1,922 with rationales are test, the others train evidence."""
    with (folder / "val_full_annotation.jsonl").open(encoding="utf-8") as file:
        yield from map(_rationales, map(json.loads, file))
    jewish = {row["comment"]: row["Religion"] == "Jewish" for row in rows(folder / "targets.csv")}
    for row in rows(folder / "all.csv"):
        text = row["text"].strip()
        labels = _VERDICTS.get(int(row["category"]))
        if row["category"] == "1" and text in jewish:
            labels = known(**_hate(1.0, of_jews=jewish[text]), toxicity=1.0)
        if labels is not None:
            yield Example(text, labels, "hatexplain", row["id"], digest(text), slice=row["category"])


def _rationales(post: dict[str, Any]) -> Example:
    tokens, votes, targets, masks = (
        post[column] for column in ("post_tokens", "labels", "targets", "rationales")
    )
    if not all(isinstance(value, list) for value in (tokens, votes, targets, masks)):
        raise ValueError(f"post {post['id']}: tokens, labels, targets and rationales must be lists")
    text = " ".join(tokens)
    # Upstream codes 0 as hate speech, 1 as normal and 2 as offensive.
    majority = max(set(votes), key=votes.count)
    labels = _VERDICTS[{0: 1, 1: 0, 2: 2}[majority]]
    if majority == 0:
        named = sum("Jewish" in annotator for annotator in targets)
        labels = known(**_hate(1.0, of_jews=2 * named > len(votes)), toxicity=1.0)
    spans, start = [], 0
    for position, token in enumerate(tokens):
        marks = [mask[position] for mask in masks if position < len(mask)]
        if marks and sum(marks):
            label = "hate" if majority == 0 else "toxicity"
            spans.append(Span(label, start, start + len(token), sum(marks) / len(marks)))
        start += len(token) + 1
    return Example(
        text,
        labels,
        "hatexplain",
        str(post["id"]),
        digest(text),
        split="test" if int(digest(text), 16) % 2 else "train",
        spans=tuple(spans),
        slice=f"rationales {majority}",
    )


def hatemoji(folder: Path) -> Iterator[Example]:
    """Adversarial sentences with emoji; a sentence and its twin share the split that the corpus fixes."""
    for split in _SPLITS:
        for row in rows(folder / f"build_{split}.csv"):
            hate = float(row["label_gold"])
            labels = _hate(hate, of_jews="'jew'" in row["target"])
            threat = float(row["type"] == "threateninglanguage")
            yield Example(
                row["text"],
                known(**labels, threat=threat, spam=0.0),
                "hatemoji",
                row["entry_id"],
                row["entry_id"],
                split=split,
                slice=row["target"],
            )


def stormfront(folder: Path) -> Iterator[Example]:
    """Forum sentences without context."""
    for row in rows(folder / "sentences.csv"):
        if row["label"] in ("hate", "noHate"):
            labels = known(hate=1.0) if row["label"] == "hate" else known(hate=0.0, antisemitism=0.0)
            yield Example(row["text"], labels, "stormfront", row["file_id"], row["file_id"].split("_")[0])


def edos(folder: Path) -> Iterator[Example]:
    """Sexism; a post that is not sexist may hold another kind of hate, so only sexism is known."""
    for row in rows(folder / "edos_labelled_aggregated.csv"):
        if row["label_sexist"] == "sexist":
            threat = float(row["label_category"].startswith("1."))
            labels = known(**_hate(1.0, of_jews=False), threat=threat)
        else:
            labels = known()
        yield Example(
            row["text"],
            labels,
            "edos",
            row["rewire_id"],
            row["rewire_id"],
            split=_EDOS_SPLITS[row["split"]],
            slice=row["label_category"],
        )


def dghs(folder: Path) -> Iterator[Example]:
    """Adversarial hate and harmless twins; a text that names Jews counts as antisemitism if it is hate."""
    for row in rows(folder / "train_dev.csv"):
        of_jews = bool(_NAMES_JEWS.search(row["text"]))
        labels = known(**_hate(float(row["label"]), of_jews=of_jews), spam=0.0)
        split: Split | None = "test" if row["split"] == "dev" else None
        yield Example(row["text"], labels, "dghs", row["raw_row"], digest(row["text"]), split=split)


def toxigen(folder: Path) -> Iterator[Example]:
    """Machine-written statements about groups."""
    for row in rows(folder / "annotated.csv"):
        text = row["text"].replace("_x000D_", " ").strip()
        labels = _hate(float(row["label"] == "hate"), of_jews="'jewish'" in row["target_groups"])
        toxicity = (float(row["toxicity_score"]) - 1) / 4
        yield Example(
            text,
            known(**labels, toxicity=toxicity, spam=0.0),
            "toxigen",
            row["id"],
            digest(text),
            slice=row["target_groups"],
        )


def mhs(folder: Path) -> Iterator[Example]:
    """Comments from three platforms."""
    for number, row in enumerate(rows(folder / "train.csv")):
        labels = known(hate=1.0) if row["label"] == "1" else known(hate=0.0, antisemitism=0.0)
        yield Example(row["text"], labels, "mhs", str(number), digest(row["text"]))
