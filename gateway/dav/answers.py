"""Errors as WebDAV answers: one total table from what happened to a status and a condition.

`DAV:error` bodies are those of RFC 4918 section 16; the sentence in them is for people.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from aiohttp import hdrs, web

from gateway import errors
from gateway.dav.wire import multistatus
from gateway.dav.wire.multistatus import condition_xml
from gateway.dav.wire.xml import MalformedError
from gateway.errors import Condition

RETRY_LATER = 30
CHALLENGE = 'Basic realm="calgate", charset="UTF-8"'
HEADERS = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What is told of a failure; `condition` is the content of `DAV:error`, XML already."""

    status: int
    condition: str = ""
    detail: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class FailureError(Exception):
    """A failure that was found at this edge, before any domain code."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


def fail(status: int, detail: str, condition: Condition | None = None) -> FailureError:
    """Return a failure to raise."""
    return FailureError(
        Failure(
            status=status,
            detail=detail,
            condition=condition_xml(condition) if condition is not None else "",
        )
    )


def answer(failure: Failure) -> web.Response:
    """Return the failure as an answer."""
    return web.Response(
        status=failure.status,
        body=multistatus.error_body(failure.condition, failure.detail),
        content_type=multistatus.CONTENT_TYPE,
        charset="utf-8",
        headers=HEADERS | failure.headers,
    )


def failure_of(error: errors.CalgateError) -> Failure:
    """Return the failure that a domain error is, by the nearest class in the table."""
    for kind in type(error).__mro__:
        if kind in TABLE:
            return TABLE[kind](error)
    raise TypeError(f"no failure for {type(error).__name__}")


def answer_to(error: Exception) -> web.Response:
    """Return the answer to whatever ended a request; a bug tells nothing of itself."""
    if isinstance(error, FailureError):
        return answer(error.failure)
    if isinstance(error, errors.CalgateError):
        return answer(failure_of(error))
    if isinstance(error, web.HTTPException):
        allowed = error.headers.get(hdrs.ALLOW)
        return answer(
            Failure(
                status=error.status,
                detail=HTTPStatus(error.status).phrase,
                headers={hdrs.ALLOW: allowed} if allowed else {},
            )
        )
    return answer(Failure(status=500, detail="Something went wrong on our side."))


def not_signed_in() -> FailureError:
    """Return the one answer to everybody who is not signed in."""
    return FailureError(
        Failure(
            status=401,
            detail="Sign in with your e-mail address and an app password.",
            headers={hdrs.WWW_AUTHENTICATE: CHALLENGE},
        )
    )


# --- the table ---------------------------------------------------------------------------------

_CONDITION_STATUS = {
    Condition.QUOTA_NOT_EXCEEDED: 507,
}
"""RFC 4791 section 1.3: a broken precondition is 403, unless something else is said."""


def _refused(error: errors.Refused) -> Failure:
    hrefs = (error.href,) if error.href is not None else ()
    return Failure(
        status=_CONDITION_STATUS.get(error.condition, 403),
        condition=condition_xml(error.condition, hrefs=hrefs),
        detail=error.detail,
    )


def _not_found(_error: errors.NotFound) -> Failure:
    # One text for all: what is another owner's and what never was must look the same.
    return Failure(status=404, detail="There is nothing here.")


def _forbidden(error: errors.Forbidden) -> Failure:
    return Failure(
        status=403, condition=condition_xml(Condition.NEED_PRIVILEGES), detail=error.detail
    )


def _conflict(error: errors.Conflict) -> Failure:
    if error.code == "calendar_exists":
        return Failure(
            status=405,
            condition=condition_xml(Condition.RESOURCE_MUST_BE_NULL),
            detail="Something has this name already.",
        )
    return Failure(status=403 if error.code == "bad_name" else 409, detail=error.detail)


def _stale(_error: errors.StaleETag) -> Failure:
    return Failure(status=412, detail="It has changed in the meantime, or is there already.")


def _malformed(error: MalformedError) -> Failure:
    return Failure(status=400, detail=str(error))


def _invalid(error: errors.Invalid) -> Failure:
    return Failure(status=400, detail=str(error))


def _clash(_error: errors.CalgateError) -> Failure:
    return Failure(status=409, detail="This clashes with what is there.")


def _too_many(error: errors.TooManyRequests) -> Failure:
    return _later(429, "That was too often.", error.retry_after)


def _overloaded(error: errors.Overloaded) -> Failure:
    return _later(503, "Nothing was changed; try again.", error.retry_after)


def _upstream(error: errors.UpstreamError) -> Failure:
    return _later(503, error.detail, error.retry_after or RETRY_LATER)


def _other(_error: errors.CalgateError) -> Failure:
    """Tell of what only the operator can mend: a key, a schema, a configuration."""
    return _later(503, "The gateway cannot do this now.", RETRY_LATER)


def _later(status: int, detail: str, seconds: int) -> Failure:
    return Failure(status=status, detail=detail, headers={hdrs.RETRY_AFTER: str(max(1, seconds))})


TABLE: Mapping[type, Callable[[Any], Failure]] = MappingProxyType(
    {
        errors.NotFound: _not_found,
        errors.Refused: _refused,
        errors.Forbidden: _forbidden,
        errors.Conflict: _conflict,
        errors.StaleETag: _stale,
        errors.Invalid: _invalid,
        errors.SlotTaken: _clash,
        errors.CalendarUnavailable: _clash,
        errors.IdempotencyMismatch: _clash,
        errors.TooManyRequests: _too_many,
        errors.Overloaded: _overloaded,
        errors.UpstreamError: _upstream,
        MalformedError: _malformed,
        errors.CalgateError: _other,
    }
)
"""Every class of errors.py, or the class it stands under; a test holds it complete."""
