"""A moderator at the console: does one thing at a time, waits for its effect, and keeps a list of what was meant."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from belowline.serve.scoring.reason_codes import REASON_KEYS
from belowline.serve.scoring.wording import code_words
from tests.support.browser import wait_for_queue
from tests.support.hands import Hands

_OPEN = ".card:not(.done)"
Act = tuple[str, str | None, str | None]
"""The kind of an act, its value, and the comment that it decides or passes on."""


class Moderator:
    """A person who works through the queue with one kind of hands.

    Attributes:
        seen: The comments on cards that this moderator was shown.
        blind: Whether scores are hidden.
        acts: What was meant, in order: each act and whether it was undone.
        decided: The actions that were meant for each comment, in order, with those that an undo restored.
    """

    def __init__(self, hands: Hands, name: str, key: str, names: Mapping[int, str]) -> None:
        self.hands, self.name, self.page = hands, name, hands.page
        self.names, self.blind = names, False
        self.seen: set[str] = set()
        self.acts: list[tuple[Act, str]] = []
        self.decided: dict[str, list[str]] = defaultdict(list)
        self._sign_in(key)

    def _sign_in(self, key: str) -> None:
        self.page.goto("/console/sign-in")
        self.hands.write(self.page.locator("#key"), key)
        self.hands.press(self.page.locator("main form button").last)
        wait_for_queue(self.page)

    def show(self, list_name: str, words: str) -> None:
        """Filter the queue by the entry of a list that begins with ``words``."""
        self.hands.choose(self.page.locator(f".filters [name={list_name}]"), words)
        self.open(self.page.locator("#tools .filters button").first)

    def next(self) -> str | None:
        """Return the comment of the first card that waits, None if the queue is empty."""
        self.page.wait_for_function(
            "() => !document.getElementById('new').textContent.startsWith('loading')"
            " && (document.querySelector('.card:not(.done)') || !document.getElementById('empty').hidden)"
        )
        shown = [self.names[int(one)] for one in self._attributes(_OPEN)]
        self.seen.update(shown)
        return shown[0] if shown else None

    def card(self, comment: str) -> Any:
        """The card of a comment."""
        return self.page.locator(f"#c{self._number(comment)}")

    def publish(self, comment: str) -> None:
        """Publish a comment."""
        self._decide(comment, "publish", "f")

    def reject(self, comment: str, code: str = "") -> None:
        """Reject a comment for the reason that the card preselects, or for another one."""
        self._decide(comment, "reject", "d")
        if code:
            menu, key = self.page.locator("#toast .correct"), REASON_KEYS[code]
            with self._posting():
                self.hands.act(None, key, menu.locator("summary"), menu.locator(f"[data-key='{key}']"))
            self._said(f"Comment rejected: {code_words(code)}")
            self.decided[comment].append("reject")

    def leave(self, comment: str) -> None:
        """Leave a comment for others."""
        self._decide(comment, "hold", "s")

    def decide_campaign(self, action: str, comment: str, copies: Sequence[str], code: str = "spam") -> None:
        """Decide all copies of a campaign from its card."""
        card = self.card(comment)
        key = "f" if action == "publish" else f"d{REASON_KEYS[code]}"
        if action == "reject" and not self._by_key:
            self.hands.choose(card.locator("[name=code]"), "spam")
        with self._posting():
            self.hands.act(card, key, card.locator(f"button[value={action}]"))
        self._wait_done(comment)
        self._note_bulk(action, copies)

    def decide_together(self, action: str, comments: Sequence[str], code: str = "spam") -> None:
        """Select comments and decide them at once."""
        for comment in comments:
            card = self.card(comment)
            self.hands.act(card, "x", card.locator(".pick input"))
        if action == "reject" and not self._by_key:
            self.hands.choose(self.page.locator("#bulk [name=code]"), "spam")
        key = "f" if action == "publish" else f"d{REASON_KEYS[code]}"
        with self._posting():
            self.hands.act(None, key, self.page.locator(f"#bulk button[value={action}]"))
        for comment in comments:
            self._wait_done(comment)
        self._note_bulk(action, comments)

    def reject_in_conversation(self, comment: str, other: str) -> None:
        """Open the conversation around a comment, reject another comment of it, and close it again."""
        card, reply = self.card(comment), self._reply(comment, other)
        self.hands.act(card, "t", card.locator(".talk"))
        reply.wait_for()
        with self._posting():
            self.hands.act(reply, "d", reply.locator("button[value=reject]"))
        self._reply(comment, other, ".done").wait_for()
        self._note("decision", "reject", other)
        self.decided[other].append("reject")
        self.hands.act(card, "t", card.locator(".talk"))
        reply.wait_for(state="hidden")

    def act_on_author(self, comment: str, what: str, standing: str | None = None, note: str = "") -> None:
        """Choose an action on the author of a comment; without a standing it is a note alone."""
        card = self.card(comment)
        menu = card.locator(".author-menu")
        self.hands.act(card, "a", menu.locator("summary"))
        self.hands.choose(menu.locator("[name=do]"), what)
        if note:
            self.hands.write(menu.locator("[name=note]"), note)
        with self._posting():
            self.hands.press(menu.locator("form button"))
        self._said("Author:" if standing else "Note added")
        self._note("standing" if standing else "note", standing, None)

    def escalate(self, comment: str, to: str, note: str) -> None:
        """Pass a comment on to a colleague."""
        card = self.card(comment)
        menu = card.locator(".escalate")
        self.hands.act(card, "e", menu.locator("summary"))
        self.hands.choose(menu.locator("[name=to]"), to)
        self.hands.write(menu.locator("[name=note]"), note)
        with self._posting():
            self.hands.press(menu.locator("form button"))
        self._wait_done(comment)
        self._note("escalation", f"person:{to}", comment)

    def undo(self, *comments: str) -> None:
        """Undo the newest act, which decided these comments, by the button of the message or by key."""
        with self._posting():
            self.hands.act(None, "u", self.page.locator("#toast .undo button"))
        self._undone(comments)

    def undo_on_card(self, comment: str) -> None:
        """Undo the newest act by the button on the decided card, or by key."""
        with self._posting():
            self.hands.act(None, "u", self.card(comment).locator("> .outcome button"))
        self._undone((comment,))

    def hide_scores(self) -> None:
        """Switch to blind review."""
        with self.page.expect_navigation():
            self.hands.act(None, "h", self.page.locator(".preferences [name=blind]"))
        assert self.page.locator("[name=blind][aria-pressed=true]").count() == 1
        self.blind = True

    def release(self) -> None:
        """Give back all comments that are claimed."""
        self.open(self.page.get_by_text("Release my comments"))

    def open(self, link: Any) -> None:
        """Open the page behind a link or a button."""
        with self.page.expect_navigation():
            self.hands.press(link)

    def never_hold(self, label: str, why: str) -> None:
        """Change the policy: this label holds no comment any more."""
        self.hands.push_to_end(self.page.locator(f"[data-for='hold.{label}']"))
        self.hands.write(self.page.locator("#note"), why)
        self.open(self.page.locator("#policy-form button[value=replace]"))

    @property
    def _by_key(self) -> bool:
        return "keys" in self.hands.counted

    def _attributes(self, selector: str) -> list[str]:
        found: list[str] = self.page.eval_on_selector_all(
            selector, "all => all.map((one) => one.dataset.comment)"
        )
        return found

    def _reply(self, comment: str, other: str, more: str = "") -> Any:
        return self.card(comment).locator(f"#r{self._number(other)}{more}")

    def _number(self, comment: str) -> int:
        return next(number for number, name in self.names.items() if name == comment)

    def _posting(self) -> Any:
        """Wait, at the end of the block, for the answer to what was sent."""
        return self.page.expect_response(lambda answer: answer.request.method == "POST")

    def _said(self, words: str) -> None:
        # "Undone: Note added" is the message about the act before, and does not begin with "Note added".
        self.page.locator("#toast .said", has_text=re.compile(f"^{re.escape(words)}")).wait_for()

    def _wait_done(self, comment: str) -> None:
        self.card(comment).and_(self.page.locator(".done")).wait_for(state="attached")

    def _decide(self, comment: str, action: str, key: str) -> None:
        card = self.card(comment)
        with self._posting():
            self.hands.act(card, key, card.locator(f"> .side button[value={action}]"))
        self._wait_done(comment)
        self._note("decision", action, comment)
        self.decided[comment].append(action)

    def _note(self, kind: str, value: str | None, comment: str | None) -> None:
        self.acts.append(((kind, value, comment), "done"))

    def _note_bulk(self, action: str, comments: Sequence[str]) -> None:
        self._note("bulk", action, None)
        for comment in comments:
            self.decided[comment].append(action)

    def _undone(self, comments: Sequence[str]) -> None:
        self._said("Undone")
        if comments:  # the copies of a campaign have one card
            self.card(comments[-1]).and_(self.page.locator(_OPEN)).wait_for(state="attached")
        newest = max(at for at, (_, state) in enumerate(self.acts) if state == "done")
        act = self.acts[newest][0]
        self.acts[newest] = (act, "undone")
        if act[0] in ("decision", "bulk"):
            for comment in comments:
                self.decided[comment].append("hold")
