"""Adapters of the corpora on relevance and substance. Column mappings are described in ``corpora.toml``."""

from collections.abc import Iterator
from pathlib import Path

from belowline.data.corpora.tables import rows
from belowline.data.example import Example, digest, known


def fnc1(folder: Path) -> Iterator[Example]:
    """Headlines against article bodies: an unrelated one is off topic; a related one is not always analysis."""
    bodies = {row["Body ID"]: row["articleBody"] for row in rows(folder / "competition_test_bodies.csv")}
    for number, row in enumerate(rows(folder / "competition_test_stances.csv")):
        labels = known(on_topic=0.0) if row["Stance"] == "unrelated" else known()
        yield Example(
            row["Headline"],
            labels,
            "fnc1",
            str(number),
            row["Body ID"],
            article=bodies[row["Body ID"]],
            slice=row["Stance"],
        )


def c3(folder: Path) -> Iterator[Example]:
    """Comments of a newspaper with votes on constructiveness; for measuring only."""
    for row in rows(folder / "C3_anonymized.csv"):
        labels = {"on_topic": float(row["constructive"])}
        if row["crowd_toxicity_level"]:
            labels["toxicity"] = (float(row["crowd_toxicity_level"]) - 1) / 3
        judgements = float(row["njudgements_toxicity_expt"] or 0)
        if judgements:
            votes = _votes(row["toxicity_characteristics"]).get("personal_attack", 0)
            labels["personal_attack"] = min(1.0, votes / judgements)
        yield Example(
            row["comment_text"],
            known(**labels),
            "c3",
            row["comment_counter"],
            row["article_id"],
            split="test",
        )


def _votes(cell: str) -> dict[str, int]:
    """The ``name:votes`` lines of a cell."""
    pairs = (line.rsplit(":", 1) for line in cell.splitlines() if ":" in line)
    return {name: int(votes) for name, votes in pairs}


def appropriateness(folder: Path) -> Iterator[Example]:
    """Debate posts with their issue; for measuring only."""
    for row in rows(folder / "corpus.csv"):
        off = any(row[column] in ("1", "True") for column in ("Missing Relevance", "Missing Seriousness"))
        yield Example(
            row["post_text"],
            known(on_topic=float(not off)),
            "appropriateness",
            row["post_id"],
            digest(row["issue"]),
            split="test",
            article=row["issue"],
        )
