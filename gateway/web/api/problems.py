"""Domain errors as problems (RFC 9457): one total table, a stable `code` for each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import msgspec
from aiohttp import web

from gateway import errors
from gateway.model.timerange import format_rfc3339

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
RETRY_LATER = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is told of a failure; `more` holds the members of this kind of problem."""

    status: int
    code: str
    detail: str
    more: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class ProblemError(Exception):
    """A problem that was found at the edge, before any domain code."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def answer(problem: Problem) -> web.Response:
    """Return the problem as an answer."""
    body = {
        "type": f"urn:calgate:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        **problem.more,
    }
    return web.Response(
        status=problem.status,
        body=msgspec.json.encode(body),
        content_type="application/problem+json",
        headers=HEADERS | problem.headers,
    )


def problem_of(error: errors.CalgateError) -> Problem:
    """Return the problem that a domain error is, by the nearest class in the table."""
    for kind in type(error).__mro__:
        if kind in TABLE:
            return TABLE[kind](error)
    raise TypeError(f"no problem for {type(error).__name__}")


def _not_found(_error: errors.NotFound) -> Problem:
    # One text for all: what is another owner's and what never was must look the same.
    return Problem(status=404, code="not_found", detail="There is no such thing here.")


def _forbidden(error: errors.Forbidden) -> Problem:
    return Problem(status=403, code=error.code, detail=error.detail)


def _conflict(error: errors.Conflict) -> Problem:
    return Problem(status=409, code=error.code, detail=error.detail)


def _refused(error: errors.Refused) -> Problem:
    code = error.condition.value.replace("-", "_")
    return Problem(status=422, code=code, detail=error.detail)


def _stale(_error: errors.StaleETag) -> Problem:
    return Problem(status=412, code="stale", detail="It has changed in the meantime.")


def _invalid(error: errors.Invalid) -> Problem:
    return Problem(
        status=422,
        code="invalid",
        detail="Some fields are not right.",
        more={"fields": dict(error.fields)},
    )


def _slot_taken(error: errors.SlotTaken) -> Problem:
    return Problem(
        status=409,
        code="slot_taken",
        detail="That time is not, or no longer, offered.",
        more={"nearest": [format_rfc3339(start) for start in error.nearest]},
    )


def _calendar_unavailable(_error: errors.CalendarUnavailable) -> Problem:
    # Visitors read this: neither the calendar nor the cause is theirs to know.
    return Problem(
        status=409,
        code="calendar_unavailable",
        detail="Booking is not possible at the moment. Nothing was booked.",
    )


def _mismatch(_error: errors.IdempotencyMismatch) -> Problem:
    return Problem(
        status=422,
        code="idempotency_mismatch",
        detail="This Idempotency-Key was used with another request.",
    )


def _too_many(error: errors.TooManyRequests) -> Problem:
    return _later(429, "too_many_requests", "That was too often.", error.retry_after)


def _overloaded(error: errors.Overloaded) -> Problem:
    return _later(503, "overloaded", "Nothing was changed; try again.", error.retry_after)


def _unavailable(error: errors.Unavailable) -> Problem:
    return _later(503, "source_unavailable", error.detail, error.retry_after or RETRY_LATER)


def _sign_in_needed(error: errors.SignInNeeded) -> Problem:
    return Problem(status=409, code="sign_in_needed", detail=error.detail)


def _access_lost(error: errors.AccessLost) -> Problem:
    return Problem(status=409, code="access_lost", detail=error.detail)


def _other(_error: errors.CalgateError) -> Problem:
    """Tell of what only the operator can mend: a key, a schema, a configuration."""
    return _later(503, "unavailable", "The gateway cannot do this now.", RETRY_LATER)


def _later(status: int, code: str, detail: str, seconds: int) -> Problem:
    return Problem(
        status=status, code=code, detail=detail, headers={"Retry-After": str(max(1, seconds))}
    )


CODES: Mapping[str, int] = MappingProxyType(
    {
        "malformed": 400,
        "not_signed_in": 401,
        "custom_domains_off": 403,
        "needs_seat": 403,
        "read_only_calendar": 403,
        "not_found": 404,
        "method_not_allowed": 405,
        "booking_changed": 409,
        "busy": 409,
        "calendar_unavailable": 409,
        "contact_exists": 409,
        "from_calendar": 409,
        "invited": 409,
        "moving": 409,
        "not_booked": 409,
        "not_confirmed": 409,
        "not_requested": 409,
        "offline": 409,
        "over": 409,
        "page_gone": 409,
        "slot_taken": 409,
        "slug_taken": 409,
        "too_many_contacts": 409,
        "too_many_pages": 409,
        "too_large": 413,
        "not_json": 415,
        "wrong_host": 421,
        "idempotency_mismatch": 422,
        "invalid": 422,
        "too_many_requests": 429,
        "overloaded": 503,
        "unavailable": 503,
    }
)
"""The codes of the problems that operations document, each with its status."""

BY_STATUS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        400: ("malformed", "This request makes no sense."),
        404: ("not_found", "There is no such thing here."),
        405: ("method_not_allowed", "This address does not have that method."),
        413: ("too_large", "The body is too large."),
        421: ("wrong_host", "Nothing is published under this name."),
    }
)
"""What the framework refuses before any operation is reached."""


def answer_to(error: Exception) -> web.Response:
    """Return the answer to whatever ended a request below /api/; a bug tells nothing of itself."""
    if isinstance(error, errors.CalgateError):
        return answer(problem_of(error))
    if isinstance(error, web.HTTPException):
        status = error.status if error.status in BY_STATUS else 400
        code, detail = BY_STATUS[status]
        return answer(Problem(status=status, code=code, detail=detail))
    return answer(Problem(status=500, code="bug", detail="Something went wrong on our side."))


TABLE: Mapping[type, Callable[[Any], Problem]] = MappingProxyType(
    {
        errors.NotFound: _not_found,
        errors.Forbidden: _forbidden,
        errors.Conflict: _conflict,
        errors.Refused: _refused,
        errors.StaleETag: _stale,
        errors.Invalid: _invalid,
        errors.SlotTaken: _slot_taken,
        errors.CalendarUnavailable: _calendar_unavailable,
        errors.IdempotencyMismatch: _mismatch,
        errors.TooManyRequests: _too_many,
        errors.Overloaded: _overloaded,
        errors.Unavailable: _unavailable,
        errors.SignInNeeded: _sign_in_needed,
        errors.AccessLost: _access_lost,
        errors.CalgateError: _other,
    }
)
"""Every class of errors.py, or the class it stands under; a test holds it complete."""
