from datetime import datetime
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from belowline.model import first_problem


class Inner(BaseModel):
    name: str


class Outer(BaseModel):
    inner: Inner = Inner(name="a")
    table: dict[str, int] = {}
    items: list[int] = Field([], max_length=2)
    number: int = 0
    share: float = Field(0.5, le=1)
    wanted: bool = True
    word: Literal["a", "b"] = "a"
    time: datetime | None = None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"inner": "x"}, "must be an object"),
        ({"inner": None}, "must be an object"),
        ({"inner": {}}, "is missing"),
        ({"table": []}, "must be an object"),
        ({"table": {"a": "x"}}, "must be a whole number"),
        ({"items": "x"}, "must be a list"),
        ({"items": [1, 2, 3]}, "must have at most 2 items, not 3"),
        ({"number": 1.5}, "must be a whole number"),
        ({"number": []}, "must be a whole number"),
        ({"share": "x"}, "must be a number"),
        ({"share": 2}, "must be less than or equal to 1"),
        ({"wanted": "x"}, "must be true or false"),
        ({"word": "c"}, "must be 'a' or 'b'"),
        ({"time": "x"}, "must be a time such as 2026-11-25T12:00:00Z"),
        ({"inner": {"name": 5}}, "must be a string"),
    ],
)
def test_problems_are_told_without_words_of_python(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Outer.model_validate(values)
    assert first_problem(raised.value).message == words


def test_a_whole_object_of_another_kind() -> None:
    with pytest.raises(ValidationError) as raised:
        Outer.model_validate([])
    assert first_problem(raised.value)[:2] == ("(all)", "must be an object")
    with pytest.raises(ValidationError) as raised:
        Outer.model_validate("x", from_attributes=True)
    assert first_problem(raised.value).message == "must be an object"
