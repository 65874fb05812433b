"""A browser for tests, and pictures of its pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def chromium() -> Iterator[Any]:
    """Yield a launched Chromium; skip the test without one."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    if CHROMIUM is None:
        pytest.skip("needs a Chromium (Debian: apt install chromium)")
    with playwright.sync_playwright() as play:
        launched = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


def wait_for_queue(page: Any) -> None:
    """Wait until the queue is shown and its scripts listen."""
    page.wait_for_selector("#cards", state="attached")
    page.wait_for_load_state()


def follow(page: Any, control: Any) -> None:
    """Click what leads to another page, and wait until that page is loaded."""
    with page.expect_navigation():
        control.click()


def picture(page: Any, name: str, *, whole: bool = True) -> None:
    """Save a screenshot, of the whole page or of its window, in the folder BELOWLINE_SCREENSHOTS if it is set."""
    if folder := os.environ.get("BELOWLINE_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png", full_page=whole)
