"""The import graph by rooms: ``python -m tests.import_graph`` prints rooms, arrows, upward imports and cycles.

A room is a folder directly below one of the four product folders, or a file in one of them.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("serve", "training", "model", "data")
_PACKAGE = "belowline"


@dataclass(frozen=True, slots=True)
class Graph:
    """Rooms of one product folder and the imports between them.

    Attributes:
        rooms: Names of the rooms, sorted.
        arrows: Pairs (importing room, imported room) and the modules that import, sorted.
    """

    rooms: tuple[str, ...]
    arrows: Mapping[tuple[str, str], tuple[str, ...]]

    def upward(self, order: Sequence[str]) -> list[tuple[str, str]]:
        """Return the arrows from a room to one above it in ``order``, which lists rooms from the top down."""
        height = {room: -number for number, room in enumerate(order)}
        return [(a, b) for a, b in self.arrows if a in height and b in height and height[b] > height[a]]

    def cycle(self) -> list[str]:
        """Return the rooms of one import cycle, first and last the same; empty if there is none."""
        sorter = TopologicalSorter[str]()
        for importing, imported in self.arrows:
            sorter.add(importing, imported)
        try:
            sorter.prepare()
        except CycleError as error:
            return list(error.args[1])
        return []


def modules(folder: str) -> Iterator[Path]:
    """Return the Python files of a product folder, except migrations, which Alembic loads by path."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        if "migrations" not in path.parts:
            yield path


def room_of(path: Path) -> str:
    """Return the room of a Python file."""
    inside = path.relative_to(ROOT).parts[1:]
    return inside[0] if len(inside) > 1 else path.stem


def imported(path: Path) -> set[str]:
    """Return the names of the modules that a file imports, anywhere in it.

    A name imported from a package counts as its module too.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def graph(folder: str) -> Graph:
    """Return the import graph of one product folder."""
    paths = list(modules(folder))
    rooms = {room_of(path) for path in paths} - {"__init__"}
    found: dict[tuple[str, str], list[str]] = {}
    for path in paths:
        room = room_of(path)
        for name in imported(path):
            parts = name.split(".")
            if parts[:2] == [_PACKAGE, folder] and len(parts) > 2 and parts[2] in rooms - {room}:
                found.setdefault((room, parts[2]), []).append(str(path.relative_to(ROOT)))
    return Graph(tuple(sorted(rooms)), {arrow: tuple(sorted(set(found[arrow]))) for arrow in sorted(found)})


def main() -> None:
    """Print the graph of each folder."""
    for folder in FOLDERS:
        found = graph(folder)
        cycle = " -> ".join(found.cycle()) or "none"
        print(f"{folder}: {len(found.rooms)} rooms, {len(found.arrows)} arrows, cycle: {cycle}")
        for (importing, room), files in found.arrows.items():
            print(f"  {importing} -> {room}  ({len(files)} files)")


if __name__ == "__main__":
    main()
