"""What tests share."""

from pathlib import Path

import pytest
from hypothesis import settings

from belowline.model import Scorer
from tests.tiny_model import build_tiny_model

# How long an example takes says how busy the machine is, nothing of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory of random weights."""
    return build_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def tiny_scorer(tiny_model_dir: Path) -> Scorer:
    """The random model, loaded."""
    return Scorer.load(tiny_model_dir, threads=2)


@pytest.fixture(scope="session")
def archives() -> Path:
    """The real saved pages, where they are at hand."""
    return shared("archives")


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The labelled corpora, where they are at hand."""
    return shared("corpora")


def shared(name: str) -> Path:
    """A folder beside the checkout that a stranger's clone does not have; skips the test without it."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs ../shared/{name}, which is not part of the project")
    return folder
