"""Domain errors: facts only.

Tables at the edges turn them into DAV conditions, problems and pages.
"""

from dataclasses import dataclass
from enum import StrEnum

LONGEST_DETAIL = 500


class Condition(StrEnum):
    """A named precondition of RFC 4918, 3744, 4791, 5689, 6578 or 6638.

    The edge adds its namespace.
    """

    VALID_CALENDAR_DATA = "valid-calendar-data"
    VALID_CALENDAR_OBJECT_RESOURCE = "valid-calendar-object-resource"
    SUPPORTED_CALENDAR_DATA = "supported-calendar-data"
    SUPPORTED_CALENDAR_COMPONENT = "supported-calendar-component"
    NO_UID_CONFLICT = "no-uid-conflict"
    MAX_RESOURCE_SIZE = "max-resource-size"
    MIN_DATE_TIME = "min-date-time"
    MAX_DATE_TIME = "max-date-time"
    MAX_INSTANCES = "max-instances"
    MAX_ATTENDEES = "max-attendees-per-instance"
    CALENDAR_COLLECTION_LOCATION_OK = "calendar-collection-location-ok"
    INITIALIZE_CALENDAR_COLLECTION = "initialize-calendar-collection"
    RESOURCE_MUST_BE_NULL = "resource-must-be-null"
    VALID_CALENDAR_TIMEZONE = "valid-calendar-timezone"
    VALID_TIMEZONE = "valid-timezone"
    VALID_FILTER = "valid-filter"
    SUPPORTED_FILTER = "supported-filter"
    SUPPORTED_COLLATION = "supported-collation"
    SUPPORTED_REPORT = "supported-report"
    VALID_SYNC_TOKEN = "valid-sync-token"  # noqa: S105 - a condition, not a secret
    NUMBER_OF_MATCHES = "number-of-matches-within-limits"
    NEED_PRIVILEGES = "need-privileges"
    CANNOT_MODIFY_PROTECTED = "cannot-modify-protected-property"
    PROPFIND_FINITE_DEPTH = "propfind-finite-depth"
    NO_EXTERNAL_ENTITIES = "no-external-entities"
    VALID_RESOURCETYPE = "valid-resourcetype"
    VALID_SCHEDULING_MESSAGE = "valid-scheduling-message"
    VALID_DEFAULT_CALENDAR = "valid-schedule-default-calendar-URL"
    ORGANIZER_ALLOWED = "organizer-allowed"
    QUOTA_NOT_EXCEEDED = "quota-not-exceeded"


class CalgateError(Exception):
    """Anything the gateway refuses or cannot do, with facts for whoever must say it."""


@dataclass
class Refused(CalgateError):
    """A client's input breaks a named rule; nothing was changed."""

    condition: Condition
    detail: str
    href: str | None = None

    def __str__(self) -> str:
        return f"{self.condition}: {self.detail}"


@dataclass
class NotFound(CalgateError):
    """What was asked for does not exist, or is not the asker's: the two look the same."""

    what: str

    def __str__(self) -> str:
        return f"no such {self.what}"


@dataclass
class Forbidden(CalgateError):
    """The signed-in owner may not do this (`code` is stable.

    `needs_seat`, `read_only_calendar`, …).
    """

    code: str
    detail: str

    def __str__(self) -> str:
        return self.detail


@dataclass
class Conflict(CalgateError):
    """The request contradicts what is stored (`code` is stable: `slug_taken`, `slot_taken`, …)."""

    code: str
    detail: str

    def __str__(self) -> str:
        return self.detail


@dataclass
class StaleETag(CalgateError):
    """If-Match or If-None-Match did not hold (RFC 9110 section 13.1)."""

    current: str | None


@dataclass
class Invalid(CalgateError):
    """Fields of a form or JSON body are wrong: field name to sentence."""

    fields: dict[str, str]

    def __str__(self) -> str:
        return "; ".join(f"{name}: {text}" for name, text in self.fields.items())


@dataclass
class SlotTaken(CalgateError):
    """The wanted start is not, or no longer, offered.

    `nearest` holds up to three starts in UTC seconds.
    """

    nearest: tuple[int, ...] = ()


@dataclass
class CalendarUnavailable(CalgateError):
    """A selected calendar cannot be read, so nobody can book (S29)."""

    calendars: tuple[str, ...]
    cause: str


@dataclass
class IdempotencyMismatch(CalgateError):
    """The same Idempotency-Key came with another body."""


@dataclass
class TooManyRequests(CalgateError):
    """A limit of `[limits]` is reached; `retry_after` is in seconds."""

    limit: str
    retry_after: int


@dataclass
class Overloaded(CalgateError):
    """The store cannot answer in time; the edge says 503 with Retry-After."""

    detail: str
    retry_after: int = 2


@dataclass
class UpstreamError(CalgateError):
    """A source failed.

    `detail` is one sentence without secrets, `retry_after` in seconds if it said so. What sources
    say is in many a detail: nothing is left of it that no database, mail or log could hold.
    """

    detail: str
    retry_after: int | None = None

    def __post_init__(self) -> None:
        shown = (one if one.isprintable() else " " for one in self.detail)
        self.detail = " ".join("".join(shown).split())[:LONGEST_DETAIL]

    def __str__(self) -> str:
        return self.detail


class Unavailable(UpstreamError):
    """A transient failure.

    Timeout, 429, 5xx, DNS, TLS, refused, or an answer that makes no sense.
    """


class RefusedOnce(Unavailable):
    """A sign-in that was refused once: perhaps by mistake, so it is tried again after a while."""


class NotRegistered(Unavailable):
    """The provider refuses the gateway itself, not an account: whoever runs it must mend that."""


class SignInNeeded(UpstreamError):
    """The source no longer accepts our credentials: 401 after a refresh, `invalid_grant`."""


class AccessLost(UpstreamError):
    """The source says no for good: 403 permission, or the calendar is gone (404)."""


class TooOld(AccessLost):
    """The source is a server that is older than what is supported."""


class SchemaTooNew(CalgateError):
    """The database was written by a newer version of the gateway."""


class BadKey(CalgateError):
    """The key is missing, readable by others, malformed.

    Or not the one this database was written with.
    """


class ConfigError(CalgateError):
    """What the configuration names (a database, a folder) cannot be used; the sentence says why."""
