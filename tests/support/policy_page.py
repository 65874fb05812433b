"""The policy page of the console over HTTP: its fields as a browser would send them."""

from typing import Any

import httpx
from selectolax.lexbor import LexborHTMLParser

PATH = "/console/policy"


def fields_of(page: str, form: str = "#policy-form") -> dict[str, str]:
    """Return the fields of a form with the values that a browser sends, without buttons."""
    tree = LexborHTMLParser(page)
    fields: dict[str, str] = {}
    for node in tree.css(f"{form} input[name], {form} textarea[name]"):
        given: Any = node.attributes
        if given.get("type") == "checkbox" and "checked" not in given:
            continue
        text = node.text() if node.tag == "textarea" else given.get("value") or ""
        fields[given["name"]] = text.removeprefix("\n") if node.tag == "textarea" else text
    return fields


def send(client: httpx.Client, do: str, site: str = "", **changes: str | None) -> httpx.Response:
    """Open the page, change fields (None: an unset checkbox), press a button; return the answer."""
    fields = fields_of(client.get(PATH, params={"site": site}).text)
    for name, value in changes.items():
        name = name.replace("__", ".")
        if value is None:
            fields.pop(name, None)
        else:
            fields[name] = value
    return client.post(PATH, data=fields | {"do": do}, follow_redirects=False)


def problems_on(page: str) -> dict[str, str]:
    """Return the values of the fields that the page marks as invalid."""
    marked = LexborHTMLParser(page).css("[aria-invalid=true][name]")
    return {str(node.attributes["name"]): node.attributes.get("value") or node.text() for node in marked}
