"""The queue's filter and order in the page's address, lists of what waits, and saved filters."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from sqlalchemy import Connection

from belowline.serve.api.comments import sites_of
from belowline.serve.console.session import Console, FormDep, redirect
from belowline.serve.queue import card_claims, queue_items, saved_filters
from belowline.serve.queue.queue_items import ORDERS, Filter, Order
from belowline.serve.scoring.wording import label_name, language_name
from belowline.serve.store.accounts import Actor

router = APIRouter(include_in_schema=False)
_ESCALATED = "escalated"
_KINDS = {"held": "Held", "appeal": "Appeals", "sample": "Random sample", "second": "Second review"}
_KINDS[_ESCALATED] = "Escalated to me"
_BLIND_KINDS = ("appeal", "second", _ESCALATED)
_BLIND_ORDERS: tuple[Order, ...] = ("oldest", "newest")
_NAMES: Mapping[str, Callable[[str], str]] = {
    "label": label_name,
    "kind": lambda kind: _KINDS.get(kind, kind),
    "language": language_name,
    "site": str,
}
_ALWAYS = ("label", "kind")
"""Lists that are shown even if nothing can be chosen."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The filter and the order of the queue, from the page's address."""

    site: str = ""
    label: str = ""
    kind: str = ""
    language: str = ""
    sort: Order = "priority"

    @property
    def query(self) -> str:
        """The part of the page's address; without conditions it is empty."""
        values = {name: value for name, value in asdict(self).items() if value}
        return urlencode(values) if values != {"sort": "priority"} else ""

    @property
    def conditions(self) -> int:
        """The number of conditions."""
        return sum(bool(value) for name, value in asdict(self).items() if name != "sort")

    def filter(self, actor: Actor, *, blind: bool = False) -> Filter:
        """The store's filter, limited to the sites of ``actor``; a blind review has none that tells the decision."""
        kinds = _BLIND_KINDS if blind else _KINDS
        return Filter(
            sites=sites_of(actor, self.site or None),
            label=None if blind else self.label or None,
            kind=self.kind if self.kind in kinds and self.kind != _ESCALATED else None,
            escalated=self.kind == _ESCALATED,
            reader=actor,
            language=self.language or None,
            appeals=actor.may("answer appeals"),
        )

    def order(self, *, blind: bool) -> Order:
        """The order; priority and uncertainty tell the scores, so a blind review has the order of arrival."""
        return "oldest" if blind and self.sort not in _BLIND_ORDERS else self.sort


ChosenDep = Annotated[Chosen, Depends()]


def lists(tx: Connection, chosen: Chosen, actor: Actor, *, blind: bool) -> dict[str, Any]:
    """Values of the filter form: for each list its values with their names and the number of waiting items."""
    wanted = chosen.filter(actor, blind=blind)
    waiting = card_claims.waiting(tx, wanted, actor.sites)
    if escalated := queue_items.count(tx, replace(wanted, kind=None, escalated=True)):
        waiting["kind"][_ESCALATED] = escalated
    if blind:
        waiting["kind"] = {kind: number for kind, number in waiting["kind"].items() if kind in _BLIND_KINDS}
    found: dict[str, list[tuple[str, str, int]]] = {}
    for name in ("kind", "site", "language") if blind else ("label", "kind", "site", "language"):
        picked, counts = getattr(chosen, name), waiting[name]
        numbers = counts | ({picked: 0} if picked and picked not in counts else {})
        if len(numbers) > 1 or picked or name in _ALWAYS:
            found[name] = [(value, _NAMES[name](value), number) for value, number in numbers.items()]
    return {
        "lists": found,
        "orders": _BLIND_ORDERS if blind else ORDERS,
        "saved": saved_filters.saved(tx, actor.name),
        "chosen": chosen,
    }


def without_conditions(chosen: Chosen) -> Chosen:
    """The same order without conditions."""
    return replace(Chosen(), sort=chosen.sort)


@router.post("/console/filters")
def save(console: Console, form: FormDep) -> Response:
    """Saves the filter in the form under a name, or removes a saved one; the queue then has that filter."""
    query = _checked(form.first("query"))
    with console.service.database.write() as tx:
        if "drop" in form:
            saved_filters.drop(tx, console.actor.name, form.number("drop"))
        else:
            saved_filters.save(tx, console.actor.name, form.first("name"), query)
    return redirect(f"/console?{query}")


def _checked(query: str) -> str:
    """The known parts of an address's query."""
    known = {field.name for field in fields(Chosen)}
    sent = {name: value for name, value in parse_qsl(query[:2000]) if name in known}
    if sent.get("sort") not in ORDERS:
        sent.pop("sort", None)
    return urlencode(sent)
