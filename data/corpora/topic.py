"""The corpora on relevance and substance. ``corpora.toml`` describes the column mappings."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from belowline.data.corpora.tables import Labelling, Row, rows
from belowline.data.example import Example, known


def fnc1(folder: Path) -> Iterator[Example]:
    """Headlines against article bodies: an unrelated one is off topic; a related one is not always analysis."""
    bodies = {row["Body ID"]: row["articleBody"] for row in rows(folder / "competition_test_bodies.csv")}
    for number, row in enumerate(rows(folder / "competition_test_stances.csv")):
        body, stance = row["Body ID"], row["Stance"]
        labels = known(on_topic=0.0) if stance == "unrelated" else known()
        yield Example(row["Headline"], labels, "fnc1", str(number), body, article=bodies[body], slice=stance)


def _c3(row: Row) -> Mapping[str, float]:
    labels = {"on_topic": float(row["constructive"])}
    if row["crowd_toxicity_level"]:
        labels["toxicity"] = (float(row["crowd_toxicity_level"]) - 1) / 3
    judgements = float(row["njudgements_toxicity_expt"] or 0)
    if judgements:
        votes = _votes(row["toxicity_characteristics"]).get("personal_attack", 0)
        labels["personal_attack"] = min(1.0, votes / judgements)
    return known(**labels)


def _votes(cell: str) -> dict[str, int]:
    """The ``name:votes`` lines of a cell."""
    pairs = (line.rsplit(":", 1) for line in cell.splitlines() if ":" in line)
    return {name: int(votes) for name, votes in pairs}


def _appropriate(row: Row) -> Mapping[str, float]:
    off = any(row[column] in ("1", "True") for column in ("Missing Relevance", "Missing Seriousness"))
    return known(on_topic=float(not off))


LABELLINGS: Mapping[str, Labelling] = {"c3": _c3, "appropriateness": _appropriate}
