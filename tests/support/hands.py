"""Three ways to use a page: with the keyboard alone, with the mouse alone, and by touch on a telephone.

Each way does the same things, so a test that gets one of them says once what is done.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

# Counts what the page gets. Words typed into a text field are no commands: a telephone has a keyboard for them too.
_COUNT = """
(() => {
  if (location.protocol === "about:") return;
  const count = (name) => { sessionStorage[name] = Number(sessionStorage[name] ?? 0) + 1; };
  const writes = (field) => field.matches("textarea, input:not([type=checkbox], [type=range])");
  addEventListener("keydown", (event) => count(writes(event.target) ? "typed" : "keys"), true);
  addEventListener("pointerdown", (event) => count(event.pointerType), true);
  count("pages");
  const later = setTimeout;  // a loaded machine is slower than a person: a message stays until the next one
  window.setTimeout = (run, ms, ...more) => later(run, ms === 15000 ? 600000 : ms, ...more);
})();
"""
_PLACE = """
(target) => {
  const at = document.activeElement;
  if (at === target) return 0;
  return at.compareDocumentPosition(target) & Node.DOCUMENT_POSITION_PRECEDING ? -1 : 1;
}
"""
_STEPS = """
(card) => {
  const all = [...document.querySelectorAll(".card, .reply")].filter((one) => !one.closest(".done, [hidden]"));
  const at = document.activeElement.closest(".card, .reply") ?? all[0];
  return all.indexOf(card) - all.indexOf(at);
}
"""
_PATIENCE_MS = 120_000


class Hands(ABC):
    """A page of its own browser context, and the way in which it is used."""

    options: Mapping[str, Any] = {"viewport": {"width": 1280, "height": 800}}
    counted: tuple[str, ...]
    """The kinds of input that this way makes; a test fails if the page gets another."""

    def __init__(self, browser: Any, base: str) -> None:
        self.context = browser.new_context(base_url=base, **self.options)
        self.context.add_init_script(_COUNT)
        self.page = self.context.new_page()
        self.page.set_default_timeout(_PATIENCE_MS)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    @abstractmethod
    def act(self, card: Any, key: str, *controls: Any) -> None:
        """Do something to a card: by its ``key``, or by pressing ``controls`` one after the other."""

    @abstractmethod
    def press(self, control: Any) -> None:
        """Press a button or a link."""

    @abstractmethod
    def choose(self, field: Any, words: str) -> None:
        """Choose the entry of a list that begins with ``words``."""

    @abstractmethod
    def write(self, field: Any, words: str) -> None:
        """Type words into a text field."""

    @abstractmethod
    def push_to_end(self, slider: Any) -> None:
        """Move a slider to its last position."""

    def counts(self) -> dict[str, int]:
        """Return the number of keys, typed letters, clicks, taps and loaded pages."""
        return {name: int(number) for name, number in self.page.evaluate("({...sessionStorage})").items()}


class Keyboard(Hands):
    """Keys alone: those of the queue, and Tab to all other things."""

    counted = ("keys", "typed")

    def act(self, card: Any, key: str, *controls: Any) -> None:
        if card is not None:
            steps = card.evaluate(_STEPS)
            for _ in range(abs(steps)):
                self.page.keyboard.press("j" if steps > 0 else "k")
        for one in key:
            self.page.keyboard.press(one)

    def press(self, control: Any) -> None:
        self._tab_to(control)
        self.page.keyboard.press("Enter")

    def choose(self, field: Any, words: str) -> None:
        self._tab_to(field)
        self.page.keyboard.type(words)

    def write(self, field: Any, words: str) -> None:
        self._tab_to(field)
        self.page.keyboard.type(words)

    def push_to_end(self, slider: Any) -> None:
        self._tab_to(slider)
        self.page.keyboard.press("End")

    def _tab_to(self, control: Any) -> None:
        for _ in range(200):
            place = control.evaluate(_PLACE)
            if not place:
                return
            self.page.keyboard.press("Tab" if place > 0 else "Shift+Tab")
        raise AssertionError(f"{control} cannot be reached by Tab")


class Mouse(Hands):
    """Clicks alone, and letters where words are asked for."""

    counted = ("mouse", "typed")

    def act(self, card: Any, key: str, *controls: Any) -> None:
        for control in controls:
            self.press(control)

    def press(self, control: Any) -> None:
        control.click()

    def choose(self, field: Any, words: str) -> None:
        # The browser draws the list outside the page, where Playwright has no mouse.
        entry = field.locator("option").filter(has_text=words).first
        field.select_option(entry.get_attribute("value"))

    def write(self, field: Any, words: str) -> None:
        self.press(field)
        self.page.keyboard.type(words)

    def push_to_end(self, slider: Any) -> None:
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        self._press_at(slider, {"x": box["width"] - 2, "y": box["height"] / 2})

    def _press_at(self, control: Any, position: Mapping[str, float]) -> None:
        control.click(position=position)


class Touch(Mouse):
    """Taps alone on a telephone of 360 pixels."""

    options: Mapping[str, Any] = {
        "viewport": {"width": 360, "height": 740},
        "has_touch": True,
        "is_mobile": True,
    }
    counted = ("touch", "typed")

    def press(self, control: Any) -> None:
        self._show(control)
        control.tap()

    def choose(self, field: Any, words: str) -> None:
        self._show(field)
        super().choose(field, words)

    def _show(self, control: Any) -> None:
        """Open the sheet with the filters if the control is in it."""
        if control.evaluate("one => Boolean(one.closest('#tools:not(:popover-open)'))"):
            self.page.locator(".menu").tap()

    def _press_at(self, control: Any, position: Mapping[str, float]) -> None:
        control.tap(position=position)


WAYS: Mapping[str, Callable[[Any, str], Hands]] = {"keyboard": Keyboard, "mouse": Mouse, "touch": Touch}
