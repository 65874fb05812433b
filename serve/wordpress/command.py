"""The command ``belowline bridge wordpress``: rounds once or again and again, and what they did."""

import os
import sys
import time
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date

import typer
from rich.console import Console
from rich.text import Text

from belowline.serve.active.follower import Follower
from belowline.serve.active.loading import active_at_start
from belowline.serve.batch.terminal import counting
from belowline.serve.settings import load_settings
from belowline.serve.store.database import Database
from belowline.serve.wordpress.client import Unreachable, WordPress, WordPressError, address_of
from belowline.serve.wordpress.sync import Bridge, Outcome, Step

PASSWORD = "BELOWLINE_WORDPRESS_PASSWORD"  # noqa: S105 - the variable's name
_WORDS: Mapping[Outcome, str] = {
    "approve": "approved",
    "spam": "marked as spam",
    "hold": "put on hold again",
    "wait": "left on hold",
    "learn": "decided in WordPress",
    "leave": "left to wp-admin (WordPress would alter its text)",
    "later": "changed by somebody meanwhile",
    "fail": "not changed",
}
_LEFT = (
    "WordPress filters a comment's text when its status changes over REST, and would remove formatting for good. "
    "Decide these comments in wp-admin, or use belowline's plugin."
)


def run_wordpress(
    site: str, user: str, *, apply: bool, every: float | None, since: date | None, insecure: bool
) -> None:
    """One round, or with ``every`` one in so many seconds until Ctrl-C; raises WordPressError, and whatever loading a model raises."""
    address = address_of(site, insecure=insecure)
    left: set[tuple[int, str]] = set()
    with WordPress(address, user, _password(address.host, user)) as remote, _bridge(remote, apply) as bridge:
        if every is None:
            failed = _round(bridge, remote, since, apply, left)
            if failed:
                raise WordPressError(f"comments not changed in WordPress: {failed}; the next run tries again")
            return
        try:
            while True:
                _round_that_may_fail(bridge, remote, since, apply, left)
                time.sleep(every)
        except KeyboardInterrupt:
            return


@contextmanager
def _bridge(remote: WordPress, apply: bool) -> Iterator[Bridge]:
    """A bridge with the model, the policy and the database that the settings name, as the service has them."""
    settings = load_settings()
    database = Database.open(settings.database_url)
    try:
        active = active_at_start(settings, database)
        follower = Follower(active, settings, database)
        yield Bridge(remote, active, database, apply=apply, before_round=follower.catch_up)
    finally:
        database.close()


def _password(host: str, user: str) -> str:
    given = os.environ.get(PASSWORD)
    if given:
        return given
    if not sys.stdin.isatty():
        raise WordPressError(f"set {PASSWORD} to the application password of {user}")
    return str(typer.prompt(f"Application password of {user} on {host}", hide_input=True, err=True))


def _round_that_may_fail(
    bridge: Bridge, remote: WordPress, since: date | None, apply: bool, left: set[tuple[int, str]]
) -> None:
    try:
        _round(bridge, remote, since, apply, left)
    except Unreachable as error:
        print(f"belowline: {error}", file=sys.stderr)


def _round(
    bridge: Bridge, remote: WordPress, since: date | None, apply: bool, left: set[tuple[int, str]]
) -> int:
    """Does it and says so, even if it is cut off; returns how many comments were not changed that should have been.

    ``left`` has the comments of former rounds that WordPress would alter: these are counted again but not listed again.
    """
    steps: list[Step] = []
    try:
        with counting() as count:
            for step in bridge.round(since):
                steps.append(step)
                count(1)
    finally:
        _print(steps, remote, apply, left)
        left.update((step.remote, step.action) for step in steps if step.outcome == "leave")
    return sum(step.outcome == "fail" for step in steps)


def _print(steps: Sequence[Step], remote: WordPress, apply: bool, left: Container[tuple[int, str]]) -> None:
    """A line for each comment, without its text, and how many there were of each kind."""
    console = Console(highlight=False, soft_wrap=True)
    for step in steps:
        if step.outcome == "leave" and (step.remote, step.action) in left:
            continue
        link = remote.site.join(f"wp-admin/comment.php?action=editcomment&c={step.remote}")
        wanted = f"  (belowline: {step.action})" if step.outcome == "leave" else ""
        console.print(
            Text(f"{step.remote}  {_WORDS[step.outcome]}{wanted}  {step.code} ({step.rule})  {link}")
        )
    counted = Counter(step.outcome for step in steps)
    told = ", ".join(f"{counted[outcome]} {words}" for outcome, words in _WORDS.items() if counted[outcome])
    note = "" if apply else "dry run, nothing was changed (--apply does it): "
    console.print(Text(f"{note}{told or 'nothing to do'}"))
    if counted["leave"]:
        console.print(Text(_LEFT))
