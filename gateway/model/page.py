"""Scheduling pages: what an owner offers, as values."""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.model.booking import Booking
from gateway.model.timerange import MINUTE, Instant

Hours = tuple[tuple[str, str], ...]
"""Wall-clock intervals of a day, `(("09:00", "12:30"), …)`.

24:00 is allowed, an end at or before its start is the next day's.
"""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class PageState(StrEnum):
    """Whether visitors can reach a page."""

    LIVE = "live"
    DRAFT = "draft"
    ARCHIVED = "archived"


class QuestionType(StrEnum):
    """The kinds of question a booking form can ask."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    CHOICE = "choice"
    PHONE = "phone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question of the booking form; `choices` only for a choice."""

    id: str
    label: str
    type: QuestionType = QuestionType.TEXT
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a meeting takes place; type is address, phone, link or conference."""

    type: str
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingLimits:
    """How many live bookings a page takes per local day, week (Monday first) and month.

    None is no limit.
    """

    per_day: int | None = None
    per_week: int | None = None
    per_month: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingPage:
    """A public booking page of an owner. Durations, step, buffers and notice are minutes."""

    id: str
    owner_id: int
    slug: str
    title: str
    description: str = ""
    durations: tuple[int, ...] = (30,)
    step: int = 30
    time_zone: str = "UTC"
    weekly_hours: dict[str, Hours] = field(default_factory=dict)
    overrides: dict[str, Hours] = field(default_factory=dict)
    buffer_before: int = 0
    buffer_after: int = 0
    min_notice: int = 0
    horizon_days: int = 60
    limits: BookingLimits = field(default_factory=BookingLimits)
    seats: int = 1
    tentative_blocks: bool = True
    questions: tuple[Question, ...] = ()
    location: Location | None = None
    state: PageState = PageState.LIVE
    created_at: Instant = 0


def stand_in(booking: Booking) -> SchedulingPage:
    """Return what stands for the page of a booking that never had one, or whose page is gone."""
    return SchedulingPage(
        id=booking.page_id,
        owner_id=booking.owner_id,
        slug="",
        title=booking.title or "Meeting",
        durations=((booking.end - booking.start) // MINUTE,),
        location=Location(type="address", value=booking.place) if booking.place else None,
    )
