"""User-visible wording changes only on purpose: it equals the snapshots in ``tests/snapshots``."""

import pytest

from tests.support.snapshots import COMMAND, SURFACES, snapshot


@pytest.mark.parametrize("surface", SURFACES)
def test_the_words_are_those_of_the_snapshot(surface: str) -> None:
    assert SURFACES[surface]() == snapshot(surface), f"if the change is wanted: {COMMAND}"
