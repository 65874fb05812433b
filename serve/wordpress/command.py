"""The command ``belowline bridge wordpress``: one round or repeated rounds, and their printed results."""

import os
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field

import typer
from rich.console import Console
from rich.text import Text

from belowline.serve.active.follower import Follower
from belowline.serve.active.loading import active_at_start
from belowline.serve.batch.terminal import counting
from belowline.serve.scoring.safe_text import visible
from belowline.serve.settings import load_settings
from belowline.serve.store.database import Database
from belowline.serve.wordpress.client import Unreachable, WordPress, WordPressError, address_of
from belowline.serve.wordpress.sync import Bridge, Outcome, Step

PASSWORD = "BELOWLINE_WORDPRESS_PASSWORD"  # noqa: S105 - the variable's name
_WORDS: Mapping[Outcome, str] = {
    "approve": "approved",
    "spam": "marked as spam",
    "trash": "put into the trash",
    "hold": "put on hold again",
    "wait": "left on hold",
    "learn": "decided in WordPress",
    "leave": "left to wp-admin (WordPress would alter its text)",
    "later": "changed in WordPress meanwhile",
    "fail": "not changed",
}
_LEFT = (
    "WordPress filters a comment's text when its status changes over REST, and would remove formatting for good. "
    "Decide these comments in wp-admin, or use belowline's plugin."
)


def run_wordpress(site: str, user: str, *, apply: bool, every: float | None) -> None:
    """One round, or with ``every`` one in so many seconds until Ctrl-C; raises WordPressError."""
    address = address_of(site)
    settings = load_settings()  # with the model, the policy and the database that the service has
    with (
        WordPress(address, user, _password(address.host, user)) as remote,
        closing(Database.open(settings.database_url)) as database,
    ):
        active = active_at_start(settings, database)
        bridge = Bridge(remote, active, database, apply=apply)
        rounds = Rounds(bridge, Follower(active, settings, database), remote, apply)
        if every is None:
            if failed := rounds.run():
                raise WordPressError(f"comments not changed in WordPress: {failed}; the next run tries again")
            return
        with suppress(KeyboardInterrupt):
            while True:
                try:
                    rounds.run()
                except Unreachable as error:
                    print(f"belowline: {visible(str(error))}", file=sys.stderr)
                time.sleep(every)


def _password(host: str, user: str) -> str:
    password = os.environ.get(PASSWORD)
    if password:
        return password
    if not sys.stdin.isatty():
        raise WordPressError(f"set {PASSWORD} to the application password of {user}")
    return str(typer.prompt(f"Application password of {user} on {host}", hide_input=True, err=True))


@dataclass(frozen=True, slots=True)
class Rounds:
    """Rounds of one bridge; a comment that is left to wp-admin is printed once and counted in each round."""

    bridge: Bridge
    follower: Follower
    remote: WordPress
    apply: bool
    listed: set[tuple[int, str]] = field(default_factory=set)

    def run(self) -> int:
        """One round, printed even if it is interrupted; returns the number of comments that failed to change."""
        steps: list[Step] = []
        self.follower.catch_up()
        try:
            with counting() as count:
                for step in self.bridge.round():
                    steps.append(step)
                    count(1)
        finally:
            self._print(steps)
        return sum(step.outcome == "fail" for step in steps)

    def _print(self, steps: Sequence[Step]) -> None:
        """A line for each comment, without its text, and the number of comments by outcome."""
        console = Console(highlight=False, soft_wrap=True)
        for step in steps:
            if step.outcome == "leave":
                if (step.remote, step.action) in self.listed:
                    continue
                self.listed.add((step.remote, step.action))
            console.print(Text(visible(self._line(step))))
        counts = Counter(step.outcome for step in steps)
        listed = ", ".join(
            f"{counts[outcome]} {words}" for outcome, words in _WORDS.items() if counts[outcome]
        )
        note = "" if self.apply else "dry run, nothing was changed (use --apply): "
        console.print(Text(f"{note}{listed or 'nothing to do'}"))
        if counts["leave"]:
            console.print(Text(_LEFT))

    def _line(self, step: Step) -> str:
        link = self.remote.site.join(f"wp-admin/comment.php?action=editcomment&c={step.remote}")
        action = f"  (belowline: {step.action})" if step.outcome == "leave" else ""
        return f"{step.remote}  {_WORDS[step.outcome]}{action}  {step.code} ({step.rule})  {link}"
