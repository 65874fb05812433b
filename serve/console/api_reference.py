"""The API's OpenAPI document, flattened for a page that needs no script."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A field of a message or a parameter, by its dotted name."""

    name: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path; ``problems`` are pairs of a status and its meaning."""

    method: str
    path: str
    summary: str
    description: str
    parameters: list[FieldRow]
    body: list[FieldRow]
    answer: list[FieldRow]
    problems: list[tuple[str, str]]


def operations(openapi: Schema) -> list[Operation]:
    """All operations of an OpenAPI document, in its order."""
    schemas = openapi.get("components", {}).get("schemas", {})
    return [
        _operation(method, path, operation, schemas)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]


def _operation(method: str, path: str, operation: Schema, schemas: Schema) -> Operation:
    responses = operation["responses"].items()
    return Operation(
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        parameters=[
            _row(one["name"], one.get("schema", {}), one.get("required", False), schemas, one)
            for one in operation.get("parameters", [])
        ],
        body=_fields_of(operation.get("requestBody", {}), schemas),
        answer=_fields_of(next((answer for status, answer in responses if status[0] == "2"), {}), schemas),
        problems=[(status, answer["description"]) for status, answer in responses if status[0] in "45"],
    )


def _fields_of(message: Schema, schemas: Schema) -> list[FieldRow]:
    schema = message.get("content", {}).get("application/json", {}).get("schema", {})
    return list(_fields(schema, schemas, ""))


def _fields(schema: Schema, schemas: Schema, prefix: str) -> Iterator[FieldRow]:
    schema = _resolve(schema, schemas)
    for name, field in schema.get("properties", {}).items():
        yield _row(prefix + name, field, name in schema.get("required", ()), schemas, field)
        resolved = _resolve(field, schemas)
        inner, mark = (resolved["items"], "[].") if "items" in resolved else (resolved, ".")
        yield from _fields(inner, schemas, f"{prefix}{name}{mark}")


def _row(name: str, schema: Schema, required: bool, schemas: Schema, described: Schema) -> FieldRow:
    description = described.get("description") or _resolve(schema, schemas).get("description", "")
    return FieldRow(name, _type(schema, schemas), required, description)


def _resolve(schema: Schema, schemas: Schema) -> Schema:
    options = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(options) == 1:
        return _resolve(options[0], schemas)
    reference = schema.get("$ref")
    return schemas[reference.rsplit("/", 1)[-1]] if reference else schema


def _type(schema: Schema, schemas: Schema) -> str:
    resolved = _resolve(schema, schemas)
    if "items" in resolved:
        return "list of " + _type(resolved["items"], schemas)
    return " or ".join(resolved["enum"]) if "enum" in resolved else str(resolved.get("type", "any"))
