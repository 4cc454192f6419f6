"""What Google's refusals mean: status and reason in, one of our failures out (pure).

https://developers.google.com/workspace/calendar/api/guides/errors
"""

from collections.abc import Mapping
from typing import Any

from gateway.adapters._http import MAX_RETRY_AFTER
from gateway.errors import AccessLost, SignInNeeded, Unavailable, UpstreamError

RATE = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
QUOTA = frozenset({"quotaExceeded", "calendarUsageLimits"})
PROJECT = frozenset(
    {"dailyLimitExceeded", "accessNotConfigured", "SERVICE_DISABLED", "dailyLimitExceededUnreg"}
)
SCOPE = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})
NO_ANSWER = 0
"""The status of what was sent and brought no answer that makes sense: its outcome is unknown."""
SERVER_ERROR = 500


class GoogleRefusal(Exception):
    """A status that is no success, with the reason Google gives; `wait` in seconds, if it said."""

    def __init__(self, status: int, reason: str = "", wait: int | None = None) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.wait = wait

    @property
    def is_rate(self) -> bool:
        """Whether Google wants fewer questions for a while."""
        return self.status == 429 or (self.status == 403 and self.reason in RATE)  # noqa: PLR2004 - RFC 6585, Google's own

    @property
    def is_passing(self) -> bool:
        """Whether the same question may be answered a moment later."""
        return self.status >= SERVER_ERROR or self.is_rate

    @property
    def is_unclear(self) -> bool:
        """Whether what was asked for may have been done all the same."""
        return self.status in {NO_ANSWER, 408} or self.status >= SERVER_ERROR or self.status < 400  # noqa: PLR2004 - what is no refusal

    def as_failure(self) -> UpstreamError:
        """Return the failure it is to everybody else."""
        if self.status == 403:  # noqa: PLR2004 - Forbidden, in all its meanings
            return self._forbidden()
        if self.status == 401:  # noqa: PLR2004 - Unauthorized, after another token was tried
            return SignInNeeded("Google no longer accepts this sign-in.")
        if self.status == 404:  # noqa: PLR2004 - Not Found; also what may not be known of
            return AccessLost("Google no longer shows this calendar to this account.")
        if self.status == 410:  # noqa: PLR2004 - Gone
            return AccessLost("This calendar is gone at Google.")
        if self.status == 429:  # noqa: PLR2004 - Too Many Requests
            return Unavailable("Google asks us to come back later.", self.wait)
        if self.status == NO_ANSWER:
            return Unavailable("Google's answer makes no sense or broke off.")
        if self.status == 400:  # noqa: PLR2004 - Bad Request
            return Unavailable("Google refuses the question.", self.wait)
        return Unavailable(f"Google answered with status {self.status}.", self.wait)

    def _forbidden(self) -> UpstreamError:
        if self.reason in RATE:
            return Unavailable("Google asks us to come back later.", self.wait)
        if self.reason in QUOTA:
            return Unavailable("Google's limits for this account are reached.", MAX_RETRY_AFTER)
        if self.reason in PROJECT:
            return Unavailable(
                "Google does not take questions from this gateway: its project is over a limit "
                "or the Calendar API is not switched on.",
                MAX_RETRY_AFTER,
            )
        if self.reason in SCOPE:
            return SignInNeeded("Google was not given the permissions that calendars need.")
        if self.reason == "notACalendarUser":
            return AccessLost("This Google account has no calendar.")
        return AccessLost("Google denies access to this calendar.")


def reason_of(details: object) -> str:
    """Return the reason in an error's details, which may be a list, a text or nothing."""
    first: Any = details[0] if isinstance(details, list) and details else None
    if isinstance(first, Mapping) and isinstance(first.get("reason"), str):
        return str(first["reason"])
    return ""
