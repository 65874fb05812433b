"""Contents of a source before scoring: a file that cannot be scored is refused before the model is loaded."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from belowline.data import ReadError
from belowline.data.archives.columns import columns_of
from belowline.serve.batch.read import NAME_THE_TEXT, RejectedRow, Row, Source
from belowline.serve.batch.terminal import counting

MOST_COLUMNS = 1000
"""Most columns of a table of results; JSON lines have no limit."""
_INT64 = 2**63
_TYPES: Mapping[frozenset[str], str] = {
    frozenset({"boolean"}): "boolean",
    frozenset({"integer"}): "integer",
    frozenset({"number"}): "number",
    frozenset({"integer", "number"}): "number",
}


@dataclass(slots=True)
class Inventory:
    """Contents of a source.

    Attributes:
        rows: Number of rows to score, None for a source that can be read only once.
        columns: Columns of the rows with the types of their values, up to one more than ``MOST_COLUMNS``.
        unread: Number of unreadable values by side field.
    """

    source: str = "standard input"
    rows: int | None = None
    rejects: int = 0
    first_reject: RejectedRow | None = None
    columns: dict[str, set[str]] = field(default_factory=dict)
    id_column: str | None = None
    from_spreadsheet: bool = False
    unread: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row | RejectedRow) -> None:
        """Count a row."""
        if isinstance(row, RejectedRow):
            self.rejects += 1
            self.first_reject = self.first_reject or row
            return
        self.rows = (self.rows or 0) + 1
        self.unread.update(row.unread)
        for column, value in row.record.items():
            if column in self.columns:
                self.columns[column].add(_type(value))
            elif len(self.columns) <= MOST_COLUMNS:
                self.columns[column] = {_type(value)}

    def type_of(self, column: str) -> str:
        """Type of a column: ``boolean``, ``integer``, ``number`` or ``text``."""
        return _TYPES.get(frozenset(self.columns[column] - {"null"}), "text")


def take_inventory(source: Source) -> Inventory:
    """Read the whole source, if that is possible twice; raises ReadError if nothing in it can be scored."""
    inventory = Inventory(source.name, from_spreadsheet=source.from_spreadsheet)
    if not source.repeatable:
        return inventory
    with counting(what="reading") as advance:
        for row in source.rows():
            inventory.add(row)
            advance(1)
    check_rows(source.name, inventory.rows or 0, inventory.rejects, inventory.first_reject)
    present = columns_of(tuple(inventory.columns), source.columns.mapped)
    for name, column in source.columns.mapped:
        if name not in present and len(inventory.columns) <= MOST_COLUMNS:
            raise ReadError(
                f"no row has the column {column!r} for the field {name!r}; check its name", source.name
            )
    inventory.id_column = present.get("id")
    return inventory


def check_rows(source: str, scored: int, rejects: int, first: RejectedRow | None) -> None:
    """Raise ReadError if no row can be scored."""
    if scored:
        return
    if first is None:
        raise ReadError("no comments in it; nothing to score", source)
    error = first.error
    reason = error.reason
    if first.record is not None and first.column is None:
        reason += f"; {NAME_THE_TEXT}"
    if rejects > 1:
        place = ReadError(reason, "", error.position, error.unit, error.part)
        raise ReadError(f"none of {rejects:,} rows can be scored; the first: {place}", source)
    raise ReadError(reason, error.source, error.position, error.unit, error.part)


def _type(value: object) -> str:
    match value:
        case None:
            return "null"
        case str():
            return "text"
        case bool():
            return "boolean"
        case int() if -_INT64 <= value < _INT64:
            return "integer"
        case float():
            return "number"
    return "other"
