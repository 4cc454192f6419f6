"""Reads a JSON body strictly: what is not one unambiguous UTF-8 object is refused with 400."""

import json
import math
import zlib
from typing import Any, NoReturn

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.web.api.problems import Problem, ProblemError

BODY_LIMIT = 256 * 1024
"""Bytes of a body, counted after decompression."""
MAX_DIGITS = 18
"""Digits of an integer; more fit no field and cost time."""


async def read_object(request: web.Request, *, limit: int = BODY_LIMIT) -> dict[str, Any]:
    """Return the JSON object of the body; raise ProblemError with 400, 413 or 415."""
    _check_type(request)
    return parse_object(await _read(request, limit))


def parse_object(data: bytes) -> dict[str, Any]:
    """Return the object; refuse other values, double keys, NaN, huge numbers, lone surrogates."""
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_real,
        )
        # Only text without lone surrogates can be stored, mailed or shown.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise _malformed("The JSON is nested too deeply.") from None
    except ValueError as error:  # JSONDecodeError and both Unicode errors are ValueErrors
        raise _malformed(f"The body is not the JSON we read: {_said(error)}") from None
    if not isinstance(value, dict):
        raise _malformed("The body must be a JSON object.")
    return value


def _check_type(request: web.Request) -> None:
    if request.content_type not in ("application/json", "application/merge-patch+json"):
        raise ProblemError(
            Problem(status=415, code="not_json", detail="Send the body as application/json.")
        )
    try:
        charset = request.charset
    except (LookupError, ValueError):
        charset = "unknown"
    if charset is not None and charset.lower() not in ("utf-8", "utf8"):
        raise _malformed("JSON is always UTF-8; leave the charset out.")


async def _read(request: web.Request, limit: int) -> bytes:
    data = bytearray()
    try:
        async for chunk in request.content.iter_any():
            data += chunk
            if len(data) > limit:
                raise ProblemError(
                    Problem(
                        status=413,
                        code="too_large",
                        detail=f"A body has at most {limit} bytes.",
                    )
                )
    except (HttpProcessingError, web.RequestPayloadError, zlib.error):
        raise _malformed("The body could not be read as it was sent.") from None
    return bytes(data)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise ValueError("an integer is too long")
    return int(text)


def _real(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _said(error: ValueError) -> str:
    """Return what is wrong without repeating any of the input."""
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}."
    if isinstance(error, UnicodeError):
        return "it is not UTF-8, or holds half a character."
    return f"{error}."


def _malformed(detail: str) -> ProblemError:
    return ProblemError(Problem(status=400, code="malformed", detail=detail))
