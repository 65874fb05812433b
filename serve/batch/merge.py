"""Input columns beside a result, under names that do not clash."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from belowline.data.comment import whole
from belowline.serve.batch.inventory import Inventory
from belowline.serve.batch.read import Row
from belowline.serve.scoring.results import Result

_PREFIX = "input_"
OF_REASON = ("code", "rule", "label")
"""Fields of ``reason``, which are columns of a CSV file."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of a file of results.

    Attributes:
        labels: Labels of the model.
        columns: Input columns and the types of their values, ``text`` for several or none.
        names: New names of input columns that would clash with a field of the results.
        byte_order_mark: Whether a CSV file begins with one, by which Excel recognises UTF-8.
    """

    labels: Sequence[str]
    columns: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    byte_order_mark: bool = False

    @classmethod
    def of(cls, inventory: Inventory, labels: Sequence[str]) -> Self:
        """The layout for an input. Its column ``action`` becomes ``input_action``, the same in every format.

        A column ``id`` with the ids keeps its name.
        """
        own = [*Result.model_fields, *OF_REASON, *(f"score_{label}" for label in labels)]
        if inventory.id_column == "id":
            own.remove("id")
        names = {column: _free(_PREFIX + column, inventory.columns) for column in own}
        names |= {column: whole(column) for column in inventory.columns if whole(column) != column}
        columns = {column: inventory.type_of(column) for column in inventory.columns}
        if inventory.id_column == "id":
            del columns["id"]
        return cls(labels, columns, names, inventory.from_spreadsheet)

    def name(self, column: str) -> str:
        """The name of an input column in the results."""
        return self.names.get(column, column)

    def merged(self, row: Row, result: Mapping[str, Any]) -> dict[str, Any]:
        """The id, the input columns, and the fields of the result."""
        return (
            {"id": row.id} | {self.name(column): value for column, value in row.record.items()} | dict(result)
        )


def _free(name: str, taken: Mapping[str, object]) -> str:
    while name in taken:
        name = _PREFIX + name
    return name
