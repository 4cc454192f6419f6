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
class Booking:
    """The result of choosing a slot. Buffers are minutes, kept as they were when it was made.

    `reason` says why it is in its state where that is not plain: a stable code.
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
    created_at: Instant
    updated_at: Instant


def kept_clear(
    booking: Booking, *, buffer_before: int, buffer_after: int
) -> tuple[Instant, Instant]:
    """Return the span that a candidate with these buffers may not meet.

    On each side the larger of the two buffers that face each other counts, not their sum.
    """
    return (
        booking.start - max(booking.buffer_before, buffer_after) * MINUTE,
        booking.end + max(booking.buffer_after, buffer_before) * MINUTE,
    )


def conflicts(candidate: Booking, other: Booking) -> bool:
    """Tell whether two bookings are closer than the larger of the buffers between them."""
    low, high = kept_clear(
        other, buffer_before=candidate.buffer_before, buffer_after=candidate.buffer_after
    )
    return low < candidate.end and candidate.start < high
