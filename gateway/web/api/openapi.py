"""/api/openapi.json, made from the same route table and shapes that answer requests."""

from collections.abc import Iterable, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec

from gateway import __version__
from gateway.web.api.operation import IDENTIFIER, PREFIX, Operation
from gateway.web.api.problems import CODES
from gateway.web.api.shapes import Problem

REF = "#/components/schemas/{name}"
ALWAYS = ("malformed", "wrong_host", "overloaded", "unavailable")
WITH_TOKEN = ("not_signed_in", "too_many_requests")
WITH_BODY = ("malformed", "too_large", "not_json", "invalid")
ABOUT = "Calendars, booking pages, bookings and feeds of a calendar gateway."
RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
CHALLENGE = {"WWW-Authenticate": {"description": "Bearer.", "schema": {"type": "string"}}}
HEADERS: dict[int, dict[str, Any]] = {401: CHALLENGE, 429: RETRY, 503: RETRY}


def document(operations: tuple[Operation, ...], public_url: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the operations."""
    return {**_described(operations), "servers": [{"url": public_url}]}


@cache
def _described(operations: tuple[Operation, ...]) -> dict[str, Any]:
    """Return all of the document that is the same at every address; nobody may change it."""
    schema_of, components = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {"/api/openapi.json": {"get": _itself()}}
    for one in operations:
        paths.setdefault(PREFIX + one.path, {})[one.method.lower()] = _operation(one, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "calgate", "version": __version__, "description": ABOUT},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def failures(one: Operation) -> dict[int, list[str]]:
    """Return every problem that the operation can answer: its codes by status."""
    codes = {*ALWAYS, *one.failures}
    if not one.public:
        codes.update(WITH_TOKEN)
    if one.takes is not None:
        codes.update(WITH_BODY)
    if one.parameters:
        codes.add("invalid")
    if "{id}" in one.path:
        codes.add("not_found")
    found: dict[int, list[str]] = {}
    for code in sorted(codes):
        found.setdefault(CODES[code], []).append(code)
    return dict(sorted(found.items()))


Schemas = dict[str, dict[str, Any]]


def _schemas(operations: Iterable[Operation]) -> tuple[Schemas, Schemas]:
    """Return the schema of each type that goes in or out, and what these refer to."""
    types: list[Any] = [Problem]
    for one in operations:
        types += [kind for kind in (one.takes, one.gives) if kind is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=REF)
    pairs = zip(types, schemas, strict=True)
    return {str(kind): schema for kind, schema in pairs}, components


def _operation(one: Operation, schema_of: Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.about,
        "security": [] if one.public else [{"token": []}],
        "responses": _responses(one, schema_of),
    }
    if parameters := list(_parameters(one)):
        found["parameters"] = parameters
    if one.takes is not None:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema_of[str(one.takes)]}},
        }
    return found


def _parameters(one: Operation) -> Iterable[dict[str, Any]]:
    if "{id}" in one.path:
        yield {
            "name": "id",
            "in": "path",
            "required": True,
            "description": "The id.",
            "schema": {"type": "string", "pattern": f"^{IDENTIFIER}$"},
        }
    for each in one.parameters:
        schema: dict[str, Any] = {"type": each.kind}
        if each.pattern:
            schema["pattern"] = each.pattern
        found = {
            "name": each.name,
            "in": each.where,
            "required": each.required,
            "description": each.about,
            "schema": schema,
        }
        if each.example:
            found["example"] = int(each.example) if each.kind == "integer" else each.example
        yield found


def _responses(one: Operation, schema_of: Schemas) -> dict[str, Any]:
    if one.gives is None:
        answers: dict[str, Any] = {"204": {"description": "Done."}}
    else:
        content = {"application/json": {"schema": schema_of[str(one.gives)]}}
        answers = {str(one.status): {"description": one.about, "content": content}}
    for status, codes in failures(one).items():
        answers[str(status)] = _problem(status, codes, schema_of[str(Problem)])
    return answers


def _problem(status: int, codes: Sequence[str], schema: dict[str, Any]) -> dict[str, Any]:
    told = {"properties": {"status": {"const": status}, "code": {"enum": list(codes)}}}
    found: dict[str, Any] = {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(codes)}.",
        "content": {"application/problem+json": {"schema": {"allOf": [schema, told]}}},
    }
    if status in HEADERS:
        found["headers"] = HEADERS[status]
    return found


def _itself() -> dict[str, Any]:
    """Return the description of the request for this document."""
    content = {"application/json": {"schema": {"type": "object"}}}
    return {
        "operationId": "openapi",
        "summary": "This description.",
        "security": [],
        "responses": {"200": {"description": "This description.", "content": content}},
    }
