"""The corpora on hate speech. ``corpora.toml`` describes the column mappings."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from belowline.data.corpora.tables import Labelling, Row, rows
from belowline.data.example import Example, Span, digest, known

_NAMES_JEWS = re.compile(
    r"\b(?:anti-?semit\w*|heeb\w*|hebrews?|holocaust|israel\w*|jew\w*|judais\w*|kikes?|rabbis?|semit\w*|shoah|synagogues?"
    r"|yids?|zionis\w*|zionazi\w*)\b",
    re.IGNORECASE,
)

_HARMLESS = known(hate=0.0, antisemitism=0.0)


def _hate(hate: float, *, of_jews: bool) -> Mapping[str, float]:
    """Labels for an annotation of hate whose target (Jews or not) is known.

    Toxicity stays unknown although hate is toxic: these corpora would label it for hateful texts only, and a model
    without non-toxic mentions of a group learns that mentions are toxic.
    """
    return known(hate=hate, antisemitism=float(hate > 0 and of_jews))


def implicit_hate(folder: Path) -> Iterator[Example]:
    """Tweets of hate groups; kind and target are known for the implicit ones."""
    stage = "implicit_hate_v1_stg{}_posts.tsv"
    kinds = {row["post"]: row for row in rows(folder / stage.format(2), quoted=False)}
    targets = {row["post"]: row["target"] for row in rows(folder / stage.format(3), quoted=False)}
    for number, row in enumerate(rows(folder / stage.format(1), quoted=False)):
        text = row["post"]
        if row["class"] == "not_hate":
            labels = _HARMLESS
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
    return {row["post"]: row["implied_statement"] for row in rows(file, quoted=False)}


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


def _isca(row: Row) -> Mapping[str, float]:
    biased = row["Biased"] == "1"
    return _hate(float(biased), of_jews=biased)


def _ghc(row: Row) -> Mapping[str, float]:
    violent = float(row["cv"])
    hate = max(float(row["hd"]), violent)
    labels = known(hate=hate, profanity=float(row["vo"]), threat=violent)
    return labels if hate else known(**labels, antisemitism=0.0)


def _hatemoji(row: Row) -> Mapping[str, float]:
    labels = _hate(float(row["label_gold"]), of_jews="'jew'" in row["target"])
    return known(**labels, threat=float(row["type"] == "threateninglanguage"), spam=0.0)


def _stormfront(row: Row) -> Mapping[str, float] | None:
    return {"hate": known(hate=1.0), "noHate": _HARMLESS}.get(row["label"])


def _edos(row: Row) -> Mapping[str, float]:
    # A post that is not sexist may hold another kind of hate, so only sexism is known.
    if row["label_sexist"] != "sexist":
        return known()
    return known(**_hate(1.0, of_jews=False), threat=float(row["label_category"].startswith("1.")))


def _dghs(row: Row) -> Mapping[str, float]:
    return known(**_hate(float(row["label"]), of_jews=bool(_NAMES_JEWS.search(row["text"]))), spam=0.0)


def _toxigen(row: Row) -> Mapping[str, float]:
    labels = _hate(float(row["label"] == "hate"), of_jews="'jewish'" in row["target_groups"])
    return known(**labels, toxicity=(float(row["toxicity_score"]) - 1) / 4, spam=0.0)


LABELLINGS: Mapping[str, Labelling] = {
    "isca": _isca,
    "ghc": _ghc,
    "hatemoji": _hatemoji,
    "stormfront": _stormfront,
    "edos": _edos,
    "dghs": _dghs,
    "toxigen": _toxigen,
    "mhs": lambda row: known(hate=1.0) if row["label"] == "1" else _HARMLESS,
}
