"""Takes pictures of the demo, with Chromium, in light and in dark.

``python -m tests.release.screenshots`` renews the pictures of the documents in ``serve/pictures``.
``python -m tests.release.screenshots FOLDER`` takes more pages, and the queue also on a telephone.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Browser, Page

from belowline.serve.cli import run
from belowline.serve.demo.command import fill_store
from belowline.serve.settings import load_settings
from tests.conftest import ROOT
from tests.support.browser import CHROMIUM, chromium
from tests.support.served_process import served
from tests.support.sqlite_store import sqlite_url

_WIDE, _PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 780}
_COLOURS = ("light", "dark")
_FEW = 128
PICTURES = ROOT / "serve" / "pictures"
_WHOLE = ("try",)
"""Pages that are taken down to their end."""
_IN_DOCUMENTS = ("queue", "conversation", "policy", "dashboard", "try", "report")
_SLOW_MS = 180_000
"""Time limit of a step: the script may run beside other work."""
_INSULT = "You stupid clown. The depot costs 12.5 million, and everybody but you has read page 14."
Step = Callable[[Page, str], object]


def _queue(page: Page, base: str) -> None:
    page.goto(f"{base}/console")
    page.wait_for_selector("#cards article")


def _conversation(page: Page, base: str) -> None:
    page.goto(f"{base}/console/search?words=Biscuit")
    page.click("main a[href*='/console/threads/']")
    page.wait_for_load_state()


def _try(page: Page, base: str) -> None:
    page.goto(base)
    page.fill("[name=text]", _INSULT)
    page.fill("[name=title]", "Council Votes 31 To 24 For The Tram To Northfield")
    page.click("main form button:not([name])")
    page.wait_for_selector("#answer.decision")


_STEPS: Mapping[str, Step] = {
    "queue": _queue,
    "conversation": _conversation,
    "policy": lambda page, base: page.goto(f"{base}/console/policy"),
    "dashboard": lambda page, base: page.goto(f"{base}/console/dashboard"),
    "try": _try,
}


def take(folder: Path, *, all_pages: bool) -> None:
    """Write the pictures of the documents, or of all pages, into a folder."""
    if CHROMIUM is None:
        raise SystemExit("no Chromium; Debian: apt install chromium")
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as kept, _service(Path(kept)) as base, chromium() as browser:
        for name, step in _STEPS.items():
            if all_pages or name in _IN_DOCUMENTS:
                _in_both_colours(browser, folder, name, lambda page, step=step: step(page, base))
        if all_pages:
            _in_both_colours(browser, folder, "queue-phone", lambda page: _queue(page, base), _PHONE)
        report = Path(kept) / "audit"
        if run(["audit", str(ROOT / "data" / "sample"), "--out", str(report), "--threads", "1"]):
            raise SystemExit("the audit of data/sample failed")
        _in_both_colours(browser, folder, "report", lambda page: page.goto((report / "report.html").as_uri()))


@contextmanager
def _service(folder: Path) -> Iterator[str]:
    url = sqlite_url(folder / "demo.sqlite3")
    fill_store(load_settings(database_url=url, threads=1))
    with served(folder, settings={"database_url": url, "threads": 1}) as service:
        yield service.url


def _in_both_colours(
    browser: Browser,
    folder: Path,
    name: str,
    step: Callable[[Page], object],
    size: Mapping[str, int] = _WIDE,
) -> None:
    for colours in _COLOURS:
        context = browser.new_context(viewport=dict(size), color_scheme=colours)  # type: ignore[arg-type]
        context.set_default_timeout(_SLOW_MS)
        page = context.new_page()
        step(page)
        target = folder / f"{name}-{colours}.png"
        page.screenshot(path=target, full_page=name in _WHOLE)
        _shrink(target)
        context.close()
        print(f"{target.name}: {target.stat().st_size / 1000:.0f} kB")


def _shrink(picture: Path) -> None:
    """Reduce a picture to few colours, which makes it about a third as large."""
    with Image.open(picture) as whole:
        few = whole.convert("RGB").quantize(_FEW)
    few.save(picture, optimize=True)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folder", type=Path, nargs="?", help="folder of the pictures; default: serve/pictures")
    folder = asked.parse_args().folder
    take(folder or PICTURES, all_pages=folder is not None)
