"""Cells of CSV files that people open with Excel or LibreOffice."""

CELL_CHARS = 32_000
"""Excel accepts 32,767 characters in a cell and moves the rest of a longer one to further rows."""
_CUT = " […]"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value: object, longest: int | None = CELL_CHARS) -> object:
    """The cell for ``value``: an apostrophe before what a spreadsheet would run, and texts over ``longest`` cut."""
    if not isinstance(value, str):
        return value
    text = value.replace("\x00", "\ufffd")
    if text.lstrip(" ").startswith(_FORMULA):
        text = "'" + text
    return text if longest is None or len(text) <= longest else text[: longest - len(_CUT)] + _CUT
