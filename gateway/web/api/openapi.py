"""/api/openapi.json, made from the same route table and shapes that answer requests."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from gateway import __version__
from gateway.web.api.operation import PREFIX, Operation
from gateway.web.api.shapes import Problem

REF = "#/components/schemas/{name}"
TOKEN_NEEDED = (401,)
WITH_BODY = (400, 413, 415, 422)


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the operations."""
    types = [Problem]
    for one in operations:
        types += [kind for kind in (one.takes, one.gives) if kind is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=REF)
    schema_of = {str(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(PREFIX + one.path, {})[one.method.lower()] = _operation(one, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "calgate",
            "version": __version__,
            "description": "Calendars, booking pages, bookings and feeds of a calendar gateway.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def failures(one: Operation) -> tuple[int, ...]:
    """Return every status with a problem that the operation can have."""
    found = {*one.failures, 503}
    if not one.public:
        found.update(TOKEN_NEEDED)
    if one.takes is not None:
        found.update(WITH_BODY)
    if one.parameters:
        found.add(422)
    if "{id}" in one.path or any(each.name == "page" for each in one.parameters):
        found.add(404)
    return tuple(sorted(found))


def _operation(one: Operation, schema_of: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.about,
        "security": [] if one.public else [{"token": []}],
        "responses": _responses(one, schema_of),
    }
    parameters = [
        {
            "name": each.name,
            "in": each.where,
            "required": each.required,
            "description": each.about,
            "schema": {"type": "string"},
        }
        for each in one.parameters
    ]
    if "{id}" in one.path:
        parameters.insert(
            0,
            {
                "name": "id",
                "in": "path",
                "required": True,
                "description": "The id.",
                "schema": {"type": "string"},
            },
        )
    if parameters:
        found["parameters"] = parameters
    if one.takes is not None:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema_of[str(one.takes)]}},
        }
    return found


def _responses(one: Operation, schema_of: dict[str, Any]) -> dict[str, Any]:
    if one.gives is None:
        answers: dict[str, Any] = {"204": {"description": "Done."}}
    else:
        content = {"application/json": {"schema": schema_of[str(one.gives)]}}
        answers = {str(one.status): {"description": one.about, "content": content}}
    problem = {"application/problem+json": {"schema": schema_of[str(Problem)]}}
    for status in failures(one):
        answers[str(status)] = {"description": HTTPStatus(status).phrase, "content": problem}
    return answers
