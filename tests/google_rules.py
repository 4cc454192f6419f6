"""Google's own description of its API, and its rules for push, held against what is said (pure)."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from googleapiclient.discovery_cache import get_static_doc

from gateway.sandbox.google.server import Answered
from gateway.sandbox.google.world import Channel

DOCUMENT: dict[str, Any] = json.loads(get_static_doc("calendar", "v3"))
TYPES = {"string": str, "boolean": bool, "integer": int, "number": (int, float), "any": object}
FORMATS = {
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "date-time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"),
    "int32": re.compile(r"-?\d{1,10}"),
    "int64": re.compile(r"-?\d{1,19}"),
}
HEADERS = {
    *("X-Goog-Channel-ID", "X-Goog-Channel-Token", "X-Goog-Channel-Expiration"),
    *("X-Goog-Resource-ID", "X-Goog-Resource-URI", "X-Goog-Resource-State"),
    "X-Goog-Message-Number",
}
DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")


def faults_of(one: Answered) -> Iterator[str]:
    """Yield what an answer holds that Google does not describe for its method."""
    if one.status >= 400:
        yield from _error_faults(one)
        return
    resource, _, method = one.route.partition(".")
    described = DOCUMENT["resources"][resource]["methods"][method].get("response")
    if described is not None:
        yield from schema_faults(one.answer, described, described["$ref"])
    elif one.answer:
        yield "a body where there is none"


def schema_faults(value: Any, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    """Yield what differs from a schema of the description, unknown properties included."""
    if "$ref" in schema:
        schema = DOCUMENT["schemas"][schema["$ref"]]
    kind = schema.get("type", "object")
    if kind == "array" and isinstance(value, list):
        for one in value:
            yield from schema_faults(one, schema["items"], f"{where}[]")
    elif kind == "object" and isinstance(value, Mapping):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, one in value.items():
            if name in known or others:
                yield from schema_faults(one, known.get(name) or others, f"{where}.{name}")
            else:
                yield f"{where}.{name} is not in Google's description"
    elif not _is(kind, value):
        yield f"{where} is no {kind}"
    else:
        pattern = FORMATS.get(schema.get("format", ""))
        if pattern is not None and not pattern.fullmatch(str(value)):
            yield f"{where}: {value}"


def _is(kind: str, value: object) -> bool:
    is_number = kind in {"integer", "number"}
    return isinstance(value, TYPES.get(kind, ())) and not (is_number and isinstance(value, bool))


def _error_faults(one: Answered) -> Iterator[str]:
    error = one.answer.get("error")
    if one.answer.keys() != {"error"} or not isinstance(error, Mapping):
        yield "an error that is no object"
        return
    if error.get("code") != one.status or not error.get("message"):
        yield "an error without its code and message"
    for cause in error.get("errors") or [{}]:
        yield from (
            f"a cause without {name}"
            for name in ("domain", "reason", "message")
            if not isinstance(cause.get(name), str)
        )


def push_faults(channel: Channel, headers: Mapping[str, str]) -> Iterator[str]:
    """Yield what breaks a rule in a notification, which is headers and nothing else."""
    yield from (f"{name} is missing" for name in HEADERS - headers.keys())
    yield from (f"{name} is no header of a notification" for name in headers.keys() - HEADERS)
    told = (headers.get("X-Goog-Channel-ID"), headers.get("X-Goog-Channel-Token"))
    if (*told, headers.get("X-Goog-Resource-ID")) != (channel.id, channel.token, channel.resource):
        yield "a notification of another channel"
    state, number = headers.get("X-Goog-Resource-State"), headers.get("X-Goog-Message-Number", "")
    if state not in {"sync", "exists", "not_exists"}:
        yield f"the state {state}"
    if not number.isdigit() or (state == "sync") is not (number == "1"):
        yield f"a {state} with the number {number}"
    if not DATE.fullmatch(headers.get("X-Goog-Channel-Expiration", "")):
        yield "X-Goog-Channel-Expiration is no date"
