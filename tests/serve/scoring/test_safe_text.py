import json

import pytest

from belowline.serve.scoring.safe_text import json_line, on_one_line, visible

MOVING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def test_characters_that_move_or_hide_others_are_shown() -> None:
    assert visible("Bo \u202eBerg") == "Bo [U+202E]Berg"
    assert visible("a\x1b[31mb\x7f\x9bc\ud800") == "a[U+001B][31mb[U+007F][U+009B]c[U+D800]"
    assert not set(visible(MOVING)) & set(MOVING)


@pytest.mark.parametrize("text", ["שלום, ‏עולם", "grüße 👩‍👩‍👧", "two\nlines\tand tabs"])
def test_other_text_stays(text: str) -> None:
    assert visible(text) == text


def test_a_line_stays_one_line_of_bounded_length() -> None:
    assert on_one_line("two\r\nlines\u2028 and\u202e a very long rest", 24) == "two lines and[U+202E] a…"
    assert on_one_line(None) == "None"


def test_json_is_exact_and_has_none_of_them() -> None:
    row = {"a": f"{MOVING}\x7f\x9b\u2028\ud800 \\u202e", "b": "שלום"}
    line = json_line(row)
    assert json.loads(line) == row
    assert "שלום".encode() in line
    assert not set(line.decode()) & set(MOVING + "\x7f\x9b\u2028")
