"""The API's OpenAPI document, flattened for a page that needs no script."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A field of a message or a parameter: its dotted name, type, whether it must be sent, and meaning."""

    name: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    summary: str
    description: str
    parameters: list[FieldRow]
    body: list[FieldRow]
    answer: list[FieldRow]
    problems: list[tuple[str, str]]  # status and what it says


def operations(openapi: Mapping[str, Any]) -> list[Operation]:
    """Every operation of an OpenAPI document, in its order."""
    schemas = openapi.get("components", {}).get("schemas", {})
    return [
        _operation(method, path, what, schemas)
        for path, methods in openapi["paths"].items()
        for method, what in methods.items()
    ]


def _operation(method: str, path: str, what: Mapping[str, Any], schemas: Mapping[str, Any]) -> Operation:
    answers = [answer for status, answer in what["responses"].items() if status.startswith("2")]
    return Operation(
        method=method.upper(),
        path=path,
        summary=what.get("summary", ""),
        description=what.get("description", ""),
        parameters=[_parameter(one, schemas) for one in what.get("parameters", [])],
        body=_rows(what.get("requestBody", {}), schemas),
        answer=_rows(answers[0], schemas) if answers else [],
        problems=[
            (status, answer["description"])
            for status, answer in what["responses"].items()
            if status[0] in "45"
        ],
    )


def _parameter(one: Mapping[str, Any], schemas: Mapping[str, Any]) -> FieldRow:
    schema = one.get("schema", {})
    description = one.get("description") or schema.get("description", "")
    return FieldRow(one["name"], _type(schema, schemas), one.get("required", False), description)


def _rows(holder: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[FieldRow]:
    schema = holder.get("content", {}).get("application/json", {}).get("schema", {})
    return list(_fields(schema, schemas, ""))


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any], prefix: str) -> Iterator[FieldRow]:
    schema = _resolve(schema, schemas)
    for name, field in schema.get("properties", {}).items():
        resolved = _resolve(field, schemas)
        required = name in schema.get("required", ())
        description = field.get("description") or resolved.get("description", "")
        yield FieldRow(prefix + name, _type(field, schemas), required, description)
        inner, mark = (resolved["items"], "[].") if "items" in resolved else (resolved, ".")
        yield from _fields(inner, schemas, f"{prefix}{name}{mark}")


def _resolve(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    options = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(options) == 1:
        return _resolve(options[0], schemas)
    reference = schema.get("$ref")
    return schemas[reference.rsplit("/", 1)[-1]] if reference else schema


def _type(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    resolved = _resolve(schema, schemas)
    if "items" in resolved:
        return "list of " + _type(resolved["items"], schemas)
    return " or ".join(resolved["enum"]) if "enum" in resolved else str(resolved.get("type", "any"))
