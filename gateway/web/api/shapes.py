"""Every shape of the JSON API, as the server reads and writes it; /api/openapi.json is made of it.

Requests refuse unknown members. Members that only the server decides (`id`, `url`, …) may stand in
a request, so that what was read can be sent back; they are ignored.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

Time = Annotated[
    str,
    msgspec.Meta(
        description="An instant, RFC 3339 with an offset or Z.",
        extra_json_schema={"format": "date-time"},
    ),
]
Minutes = Annotated[int, msgspec.Meta(description="Minutes.")]
Hours = dict[str, list[tuple[str, str]]]
QuestionKind = Literal["text", "long_text", "choice", "phone"]
PlaceKind = Literal["address", "phone", "link", "conference"]
Stage = Literal["live", "draft", "archived"]
IndexingMode = Literal["hidden", "noindex", "public"]
ReceiptStage = Literal["confirmed", "requested", "pending"]
BookingStage = Literal[
    "held",
    "writing",
    "pending",
    "confirmed",
    "requested",
    "declined",
    "rejected",
    "cancelled",
]


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A JSON object with exactly these members."""


# --- pages --------------------------------------------------------------------------------------


class Question(Shape, frozen=True):
    """A question of the booking form; `choices` for the type choice alone."""

    id: str
    label: str
    type: QuestionKind = "text"
    required: bool = False
    choices: list[str] = []


class Place(Shape, frozen=True):
    """Where a meeting takes place."""

    type: PlaceKind
    value: str = ""


class Limits(Shape, frozen=True):
    """How many bookings a page takes; null is no limit."""

    per_day: int | None = None
    per_week: int | None = None
    per_month: int | None = None


class PageFields(Shape, frozen=True):
    """Members of a page to be set; what is left out stays as it is."""

    title: str | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    durations: list[Minutes] | UnsetType = UNSET
    step: Minutes | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
    weekly_hours: Hours | UnsetType = UNSET
    overrides: Hours | UnsetType = UNSET
    buffer_before: Minutes | UnsetType = UNSET
    buffer_after: Minutes | UnsetType = UNSET
    min_notice: Minutes | UnsetType = UNSET
    horizon_days: int | UnsetType = UNSET
    limits: Limits | UnsetType | None = UNSET
    seats: int | UnsetType = UNSET
    tentative_blocks: bool | UnsetType = UNSET
    questions: list[Question] | UnsetType = UNSET
    location: Place | UnsetType | None = UNSET
    state: Stage | UnsetType = UNSET
    id: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    is_offline: bool | UnsetType = UNSET
    is_default: bool | UnsetType = UNSET


class NewPage(PageFields, frozen=True):
    """A page to be made; what is left out has a sensible beginning."""

    title: str


class Page(Shape, frozen=True):
    """A page as its owner sees it."""

    id: str
    slug: str
    url: str
    title: str
    description: str
    durations: list[Minutes]
    step: Minutes
    time_zone: str
    weekly_hours: Hours
    overrides: Hours
    buffer_before: Minutes
    buffer_after: Minutes
    min_notice: Minutes
    horizon_days: int
    limits: Limits
    seats: int
    tentative_blocks: bool
    questions: list[Question]
    location: Place | None
    state: Stage
    is_offline: bool
    is_default: bool


class PublicPlace(Shape, frozen=True):
    """How a meeting takes place; where exactly is told with the booking."""

    type: PlaceKind


class PublicPage(Shape, frozen=True):
    """A page as anybody sees it: nothing of the owner's hours, rules and limits."""

    id: str
    slug: str
    url: str
    title: str
    description: str
    owner_name: str
    durations: list[Minutes]
    time_zone: str
    seats: int
    questions: list[Question]
    location: PublicPlace | None
    is_offline: bool


class Slot(Shape, frozen=True):
    """A time that can be booked."""

    start: Time
    end: Time


class Slots(Shape, frozen=True):
    """The slots of a window; `unavailable` says why there are none to be had."""

    time_zone: str
    is_offline: bool
    unavailable: str | None
    fresh_as_of: Time
    slots: list[Slot]


# --- bookings -----------------------------------------------------------------------------------


class NewBooking(Shape, frozen=True):
    """A visitor's booking."""

    start: Time
    duration: Minutes
    time_zone: str
    name: str
    email: str
    answers: dict[str, str] = {}
    guests: list[str] = []


class BookingReceipt(Shape, frozen=True):
    """What a visitor gets: the state and the address to manage the booking at."""

    id: str
    state: ReceiptStage
    start: Time
    end: Time
    manage_url: str


class Booking(Shape, frozen=True):
    """A booking as the page's owner sees it."""

    id: str
    page: str
    state: BookingStage
    reason: str
    start: Time
    end: Time
    time_zone: str
    name: str
    email: str
    answers: dict[str, str]
    guests: list[str]
    created_at: Time
    moving_to: "Slot | None" = None


class NewTime(Shape, frozen=True):
    """Another time for a booking; its length stays where none is given."""

    start: Time
    duration: Minutes | None = None


class Reason(Shape, frozen=True):
    """One rule that speaks against a time; which of the other members it has depends on it."""

    rule: str
    text: str
    subject: str = ""
    name: str = ""
    start: Time | None = None
    end: Time | None = None
    limit: int | str | None = None
    cause: str = ""
    fresh_as_of: Time | None = None


class Explanation(Shape, frozen=True):
    """Why a time is or is not offered; offered exactly when there are no reasons against it."""

    page: str
    start: Time
    duration: Minutes
    offered: bool
    reasons: list[Reason]


# --- calendars and connections ------------------------------------------------------------------


class Rules(Shape, frozen=True):
    """Which kinds of event block."""

    all_day_blocks: bool = True
    tentative_blocks: bool = True
    unanswered_blocks: bool = True
    out_of_office_blocks: bool = True


class RuleFields(Shape, frozen=True):
    """Rules to be set; what is left out stays as it is."""

    all_day_blocks: bool | UnsetType = UNSET
    tentative_blocks: bool | UnsetType = UNSET
    unanswered_blocks: bool | UnsetType = UNSET
    out_of_office_blocks: bool | UnsetType = UNSET


class CalendarFields(Shape, frozen=True):
    """Members of a calendar to be set."""

    selected: bool | UnsetType = UNSET
    default: bool | UnsetType = UNSET
    rules: RuleFields | UnsetType = UNSET


class Calendar(Shape, frozen=True):
    """A calendar that an owner has connected."""

    id: str
    name: str
    provider: str
    connection: str | None
    role: str
    writable: bool
    selected: bool
    default: bool
    rules: Rules
    state: Literal["working", "stale", "no_access"]
    detail: str
    fresh_as_of: Time | None
    failing_since: Time | None


class Connection(Shape, frozen=True):
    """An account at a source, without what it is signed in with."""

    id: str
    provider: str
    account: str
    created_at: Time
    calendars: list[Calendar]


# --- settings, feeds, tokens --------------------------------------------------------------------


class Chat(Shape, frozen=True):
    """The booking link of the chat window."""

    include_link: bool = False
    page: str | None = None


class ChatFields(Shape, frozen=True):
    """Members of the chat settings to be set."""

    include_link: bool | UnsetType = UNSET
    page: str | UnsetType | None = UNSET


class Settings(Shape, frozen=True):
    """What an owner has saved."""

    meetings_url: str
    default_page: str | None
    domain: str
    indexing: IndexingMode
    robots_extra: str
    chat: Chat
    calendar_sync: bool


class SettingsFields(Shape, frozen=True):
    """Settings to be saved; what is left out stays as it is."""

    meetings_url: str | UnsetType = UNSET
    default_page: str | UnsetType | None = UNSET
    domain: str | UnsetType | None = UNSET
    indexing: IndexingMode | UnsetType = UNSET
    robots_extra: str | UnsetType = UNSET
    chat: ChatFields | UnsetType = UNSET
    calendar_sync: bool | UnsetType = UNSET


class NewFeed(Shape, frozen=True):
    """A merged feed to be made; without calendars it shows every selected one."""

    label: str = "Feed"
    visibility: Literal["busy", "title", "full"] = "busy"
    calendars: list[str] = []


class Feed(Shape, frozen=True):
    """A merged feed with its secret addresses."""

    id: str
    label: str
    visibility: Literal["busy", "title", "full"]
    calendars: list[str]
    created_at: Time
    ics_url: str
    ifb_url: str


class NewToken(Shape, frozen=True):
    """A token to be made."""

    label: str


class Token(Shape, frozen=True):
    """A bearer token; the secret is shown once, when it is made."""

    id: str
    label: str
    created_at: Time
    last_used_at: Time | None


class IssuedToken(Token, frozen=True):
    """A new token with its secret."""

    token: str


class Problem(Shape, frozen=True):
    """A failure by RFC 9457; `code` is stable, further members depend on it."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    fields: dict[str, str] | UnsetType = UNSET
    nearest: list[Time] | UnsetType = UNSET
