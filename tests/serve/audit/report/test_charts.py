import re
from typing import Any

import pytest

from belowline.serve.audit.report.charts import (
    FEWEST_IN_MONTH,
    HEIGHT,
    WIDTH,
    columns,
    highest_shares,
    label_lines,
    percent,
    shares,
)


def month(name: str, comments: int, spam: int) -> dict[str, Any]:
    return {"month": name, "comments": comments, "labels": {"spam": spam}}


def points(path: str) -> list[tuple[str, float, float]]:
    return [(kind, float(x), float(y)) for kind, x, y in re.findall(r"([ML])([\d.]+) ([\d.]+)", path)]


def test_a_line_runs_from_the_first_to_the_last_month_and_its_highest_touches_the_top() -> None:
    [line] = label_lines(
        [month("2024-11", 100, 5), month("2024-12", 100, 20), month("2025-01", 200, 0)], ["spam"]
    )
    assert points(line.path) == [("M", 0, HEIGHT * 0.75), ("L", WIDTH / 2, 0), ("L", WIDTH, HEIGHT)]
    assert (line.first, line.last) == ("2024-11", "2025-01")
    assert (line.highest, line.highest_in, line.average) == (20.0, "2024-12", 6.25)


def test_a_line_is_broken_where_months_are_missing_or_have_too_few_comments() -> None:
    few = month("2025-02", FEWEST_IN_MONTH - 1, 19)
    told = [month("2025-01", 50, 5), few, month("2025-03", 50, 5), month("2025-05", 50, 0)]
    [line] = label_lines(told, ["spam"])
    assert [kind for kind, _, _ in points(line.path)] == ["M", "M", "M"]
    assert [x for _, x, _ in points(line.path)] == [0, WIDTH / 2, WIDTH]
    assert line.path.count("h0") == 3, "lone points are drawn"
    assert line.highest == 10.0


@pytest.mark.parametrize(
    "months", [[], [month("2025-01", 500, 3)], [month("2025-01", 500, 3), month("2025-02", 2, 2)]]
)
def test_there_is_no_line_through_fewer_than_two_months(months: list[dict[str, Any]]) -> None:
    assert label_lines(months, ["spam"]) == []


def test_a_label_that_nobody_reaches_lies_on_the_ground() -> None:
    [line] = label_lines([month("2025-01", 50, 0), month("2025-02", 50, 0)], ["spam"])
    assert {y for _, _, y in points(line.path)} == {HEIGHT}


def test_bars_add_up() -> None:
    assert shares({"publish": 1, "hold": 1, "reject": 2}) == [
        ("publish", 0.0, 25.0),
        ("hold", 25.0, 25.0),
        ("reject", 50.0, 50.0),
    ]
    assert shares({"publish": 0, "hold": 0, "reject": 0})[2] == ("reject", 0.0, 0.0)
    assert columns([0, 4, 1]) == [(0, 0.0), (1, 1.0), (2, 0.5)]


def test_the_highest_share_of_a_column_is_of_those_with_comments() -> None:
    counted = [{"comments": 4, "labels": {"spam": 1}}, {"comments": 0, "labels": {"spam": 0}}]
    assert highest_shares(counted, ["spam"]) == {"spam": 0.25}
    assert highest_shares([], ["spam"]) == {"spam": 0.0}


def test_shares_in_words() -> None:
    assert [percent(part, 10_000) for part in (0, 1, 10, 423, 10_000)] == [
        "0 %",
        "< 0.1 %",
        "0.1 %",
        "4.2 %",
        "100.0 %",
    ]
    assert percent(0, 0) == "0 %"
