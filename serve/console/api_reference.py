"""The API's OpenAPI document, flattened for a page that needs no script."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

Schema = Mapping[str, Any]
GROUPS = ("score", "comments", "queue", "authors", "policy", "administration")
"""Tags of the operations, in the order of the page."""
EXAMPLES: Mapping[str, Mapping[str, str]] = tomllib.loads(
    Path(__file__).with_name("api_examples.toml").read_text("utf-8")
)
"""Operation, such as ``POST /v1/score``, to a command (``curl``, without the address) and its ``answer``."""


class FieldRow(NamedTuple):
    """A field of a message or a parameter, by its dotted name."""

    name: str
    type: str
    required: bool
    description: str


def operations(openapi: Schema) -> dict[str, list[dict[str, Any]]]:
    """Group to its operations, in the document's order, with flat fields; ``problems`` are (status, meaning)."""
    schemas = openapi.get("components", {}).get("schemas", {})
    groups: dict[str, list[dict[str, Any]]] = {group: [] for group in GROUPS}
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            shown = {"method": method.upper(), "path": path, "example": EXAMPLES.get(name)}
            # The tag of a call comes after that of its router; health and metrics have none.
            groups[operation.get("tags", GROUPS)[-1]].append(_operation(operation, schemas) | shown)
    return groups


def common_problems(groups: Mapping[str, list[dict[str, Any]]]) -> list[tuple[str, str]]:
    """The (status, meaning) that all operations have."""
    every = [one["problems"] for operations in groups.values() for one in operations]
    return [problem for problem in every[0] if all(problem in problems for problems in every)]


def _operation(operation: Schema, schemas: Schema) -> dict[str, Any]:
    responses = operation["responses"].items()
    parameters = {one["name"]: one | one.get("schema", {}) for one in operation.get("parameters", [])}
    required = [name for name, one in parameters.items() if one.get("required") is True]
    return {
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        "parameters": list(_fields({"properties": parameters, "required": required}, schemas)),
        "body": _fields_of(operation.get("requestBody", {}), schemas),
        "answer": _fields_of(next((one for status, one in responses if status[0] == "2"), {}), schemas),
        "problems": [(status, one["description"]) for status, one in responses if status[0] in "45"],
    }


def _fields_of(message: Schema, schemas: Schema) -> list[FieldRow]:
    schema = message.get("content", {}).get("application/json", {}).get("schema", {})
    return list(_fields(schema, schemas))


def _fields(schema: Schema, schemas: Schema, prefix: str = "") -> Iterator[FieldRow]:
    schema = _resolve(schema, schemas)
    for name, field in schema.get("properties", {}).items():
        resolved = _resolve(field, schemas)
        description = field.get("description") or resolved.get("description", "")
        required = name in schema.get("required", ())
        yield FieldRow(prefix + name, _type(resolved, schemas), required, description)
        inner, mark = (resolved["items"], "[].") if "items" in resolved else (resolved, ".")
        yield from _fields(inner, schemas, f"{prefix}{name}{mark}")


def _resolve(schema: Schema, schemas: Schema) -> Schema:
    options = [_resolve(one, schemas) for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(options) == 1:
        return options[0]
    if options and all("properties" in one for one in options):
        return _one_of(options)
    reference = schema.get("$ref")
    return schemas[reference.rsplit("/", 1)[-1]] if reference else schema


def _one_of(options: list[Schema]) -> Schema:
    """The fields of all options; those that every option requires are required."""
    fields = {name: field for one in options for name, field in one["properties"].items()}
    required = set.intersection(*(set(one.get("required", ())) for one in options))
    return {"type": "object", "properties": fields, "required": list(required)}


def _type(schema: Schema, schemas: Schema) -> str:
    resolved = _resolve(schema, schemas)
    if "items" in resolved:
        return "list of " + _type(resolved["items"], schemas)
    return " or ".join(resolved["enum"]) if "enum" in resolved else str(resolved.get("type", "any"))
