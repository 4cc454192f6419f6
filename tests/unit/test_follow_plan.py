"""What a booking makes of its event's life in the calendar: every decision, without a clock."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.model.booking import BLOCKING, BookingState, Move
from gateway.model.booking_mark import Marks, mark, transaction_of
from gateway.model.event_time import at_another_time, event_time
from gateway.model.timerange import HOUR, TimeRange
from gateway.model.zones import UTC_ZONE
from gateway.services.follow_plan import (
    SETTLING,
    Finding,
    is_replaced,
    judge,
    suspicions,
)
from tests.builders import a_booking, an_event, an_hour

NINE, TWO = an_hour(9), an_hour(14)
STANDS = a_booking(1, start=NINE.start, minutes=60, state=BookingState.CONFIRMED)
MOVING = replace(STANDS, moving=Move(start=TWO.start, end=TWO.end, by="visitor", since=0))
NOW = NINE.start - HOUR

states = st.sampled_from(sorted(BookingState))
found_times = st.sampled_from([None, NINE, TWO])


@given(
    state=states,
    moving=st.booleans(),
    written=st.integers(0, 2 * SETTLING),
    later=st.integers(-HOUR, 3 * HOUR),
    found=found_times,
    gone=st.booleans(),
)
def test_only_a_settled_booking_follows(state, moving, written, later, found, gone):
    """Never while it is written, in flight or just written, never after its end, never of doubt."""
    booking = replace(MOVING if moving else STANDS, state=state, written_at=NOW - written)
    now = NOW + later
    finding = judge(booking, found, gone=gone, now=now)
    if state is not BookingState.CONFIRMED or now >= booking.end:
        assert finding is Finding.SAME
    elif moving or now < NOW - written + SETTLING:
        assert finding is Finding.LATER
    elif finding is Finding.GONE:
        assert (found, gone) == (None, True)
    else:
        assert (finding is Finding.MOVED) is (found == TWO)


def event(span: TimeRange = NINE, **lines: str) -> bytes:
    """Return the booking's event at a time."""
    return at_another_time(an_event(STANDS.uid, **lines), span)


def test_a_copy_raises_a_suspicion_only_by_its_times():
    """Words, links and a UID of the provider's say nothing; an own time in flight neither."""
    marked = event(summary="Anything", **{"X-CALGATE-BOOKING": transaction_of(STANDS.uid)})
    for booking, data, told in (
        (STANDS, event(), []),
        (STANDS, marked, []),
        (MOVING, event(TWO), []),
        (STANDS, event(TWO), [False]),
        (STANDS, marked.replace(b"T090000Z", b"T100000Z", 1), [False]),
        (STANDS, event(status="CANCELLED"), [True]),
    ):
        uid = "040000008200E00074C5@provider" if data is marked else booking.uid
        found = suspicions(Marks([booking]), [(uid, data)], [], UTC_ZONE)
        assert [one.gone for one in found] == told, data


def test_an_event_under_another_name_is_not_gone():
    """Removed under one name and there under another in one read: it is there."""
    put, removed = [(STANDS.uid, event())], [(STANDS.uid, event())]
    assert list(suspicions(Marks([STANDS]), put, removed, UTC_ZONE)) == []
    assert [one.gone for one in suspicions(Marks([STANDS]), [], removed, UTC_ZONE)] == [True]


def test_another_calendar_at_the_same_address_deletes_nothing():
    """A complete read that shares nothing with what was known says nothing of our events."""
    assert is_replaced(complete=True, stored=3, removed=3)
    assert not is_replaced(complete=True, stored=3, removed=2)
    assert not is_replaced(complete=False, stored=3, removed=3)
    assert not is_replaced(complete=True, stored=1, removed=1)


@given(start=st.integers(0, 2**31), minutes=st.integers(1, 600))
def test_a_moved_event_is_where_it_was_moved_to(start, minutes):
    """What is moved says its new time, a grown SEQUENCE, and everything else that it said."""
    span = TimeRange(start, start + minutes * 60)
    data = at_another_time(event(summary="Kept", sequence="4", duration="PT1H"), span)

    assert event_time(data, UTC_ZONE) == span
    assert b"SUMMARY:Kept" in data
    assert b"SEQUENCE:6" in data
    assert mark(STANDS.uid).name == "X-CALGATE-BOOKING"
    assert STANDS.state in BLOCKING
