"""Bookings: their states, the moves between them, and the one rule of conflict (CONTRACT.md)."""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.model.timerange import MINUTE, Instant


class BookingState(StrEnum):
    """Where a booking stands; only BLOCKING states keep others from their time."""

    HELD = "held"
    WRITING = "writing"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    REQUESTED = "requested"
    DECLINED = "declined"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


BLOCKING = frozenset(
    {BookingState.HELD, BookingState.WRITING, BookingState.PENDING, BookingState.CONFIRMED}
)

ON_RECORD = "contact"
"""The `source` of a meeting that the owner made on a contact."""
TRANSITIONS: dict[BookingState, frozenset[BookingState]] = {
    BookingState.HELD: frozenset(
        {
            BookingState.WRITING,
            BookingState.REJECTED,
            BookingState.CANCELLED,
            BookingState.REQUESTED,  # an accepted request that the last look refused
        }
    ),
    BookingState.WRITING: frozenset(
        {BookingState.CONFIRMED, BookingState.PENDING, BookingState.CANCELLED}
    ),
    BookingState.PENDING: frozenset(
        {BookingState.WRITING, BookingState.CONFIRMED, BookingState.CANCELLED}
    ),
    BookingState.CONFIRMED: frozenset({BookingState.CANCELLED}),
    BookingState.REQUESTED: frozenset(
        {BookingState.HELD, BookingState.DECLINED, BookingState.CANCELLED}
    ),
    BookingState.DECLINED: frozenset(),
    BookingState.REJECTED: frozenset(),
    BookingState.CANCELLED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Another time that a booking keeps besides its own until it is sure which of them it has.

    `by` is who asked for it, `written` says that the calendar may have it already, or is to have it
    without another look at whether the owner is free.
    """

    start: Instant
    end: Instant
    by: str
    since: Instant
    written: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """The result of choosing a slot. Buffers are minutes, kept as they were when it was made.

    `reason` says why it is in its state where that is not plain: a stable code. `written_at` is
    when its event was last written: what a calendar tells soon after that may be older than it.
    A meeting that the owner made on a contact has no page; `title` and `place` say what it would.
    """

    id: str
    owner_id: int
    page_id: str
    state: BookingState
    start: Instant
    end: Instant
    buffer_before: int = 0
    buffer_after: int = 0
    time_zone: str
    name: str
    email: str
    answers: dict[str, str] = field(default_factory=dict)
    guests: tuple[str, ...] = ()
    uid: str
    sequence: int = 0
    generation: int = 0
    collection_id: int | None = None
    manage_digest: str
    manage_sealed: bytes = b""
    source: str = "page"
    locale: str = "en"
    reason: str = ""
    moving: Move | None = None
    written_at: Instant = 0
    title: str = ""
    place: str = ""
    created_at: Instant
    updated_at: Instant

    @property
    def is_on_record(self) -> bool:
        """Whether the owner made it on a contact: nobody asked for it, the contact is invited."""
        return self.source == ON_RECORD

    @property
    def spans(self) -> tuple[tuple[Instant, Instant], ...]:
        """Every time that the booking keeps others from."""
        own = (self.start, self.end)
        return (own, (self.moving.start, self.moving.end)) if self.moving else (own,)


def kept_clear(
    booking: Booking, *, buffer_before: int, buffer_after: int
) -> list[tuple[Instant, Instant]]:
    """Return the spans that a candidate with these buffers may not meet.

    On each side the larger of the two buffers that face each other counts, not their sum.
    """
    before = max(booking.buffer_before, buffer_after) * MINUTE
    after = max(booking.buffer_after, buffer_before) * MINUTE
    return [(start - before, end + after) for start, end in booking.spans]


def conflicts(candidate: Booking, other: Booking) -> bool:
    """Tell whether two bookings are closer than the larger of the buffers between them."""
    kept = kept_clear(
        other, buffer_before=candidate.buffer_before, buffer_after=candidate.buffer_after
    )
    return any(low < end and start < high for low, high in kept for start, end in candidate.spans)
