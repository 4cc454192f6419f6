"""Slots by the cases of tests/cases/slots.json, and by their laws."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.freebusy.busytime import BusyPeriod, BusyType
from gateway.freebusy.explain import (
    Circumstances,
    Decision,
    Rule,
    explain,
    explain_window,
    reading_window,
)
from gateway.freebusy.slots import find_slots, is_offered, nearest, offered
from gateway.model.booking import BLOCKING, Booking, BookingState, conflicts
from gateway.model.page import WEEKDAYS, BookingLimits, PageState, SchedulingPage
from gateway.model.timerange import TimeRange, format_rfc3339, to_instant
from gateway.model.zones import zone

CASES = json.loads((Path(__file__).parent.parent / "cases" / "slots.json").read_text())["cases"]
MONDAY = 1767571200  # 2026-01-05T00:00:00Z
HOUR, MINUTE, DAY = 3600, 60, 86400
WEEK = TimeRange(MONDAY, MONDAY + 7 * DAY)


def instant(text: str) -> int:
    """Return the instant of an RFC 3339 text."""
    return to_instant(datetime.fromisoformat(text))


def a_page(**fields: object) -> SchedulingPage:
    """Return a page, open every day from 9 to 17 UTC, an hour each."""
    plain = {
        "id": "pg_1",
        "owner_id": 1,
        "slug": "jane",
        "title": "Intro",
        "durations": (60,),
        "step": 60,
        "weekly_hours": dict.fromkeys(WEEKDAYS, (("09:00", "17:00"),)),
        "horizon_days": 36500,
    }
    return SchedulingPage(**(plain | fields))


def a_booking(start: int, end: int, **fields: object) -> Booking:
    """Return a confirmed booking of the page."""
    plain = {
        "id": f"bk_{start}",
        "owner_id": 1,
        "page_id": "pg_1",
        "state": BookingState.CONFIRMED,
        "start": start,
        "end": end,
        "time_zone": "UTC",
        "name": "V",
        "email": "v@example.org",
        "uid": f"u{start}",
        "manage_digest": f"d{start}",
        "created_at": 0,
        "updated_at": 0,
    }
    return Booking(**(plain | fields))


def hours_of(days: dict[str, list[list[str]]]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return hours as the page keeps them."""
    return {day: tuple((opens, closes) for opens, closes in hours) for day, hours in days.items()}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_cases(case: dict) -> None:
    """The slots of the case are the ones worked out by hand."""
    page = a_page(
        time_zone=case["host_tz"],
        weekly_hours=hours_of(case["weekly_hours"]),
        overrides=hours_of(case["overrides"]),
        durations=(case["duration"],),
        step=case["step"],
        buffer_before=case["buffer_before"],
        buffer_after=case["buffer_after"],
        min_notice=case["min_notice"],
        tentative_blocks=case.get("tentative_blocks", True),
    )
    busy = [
        BusyPeriod(instant(start), instant(end), BusyType(*kind or ["BUSY"]))
        for start, end, *kind in case["busy"]
    ]
    window = TimeRange(*map(instant, case["window"]))
    found = find_slots(page, busy, [], window, now=instant(case["now"]), duration=case["duration"])

    assert [format_rfc3339(slot.start) for slot in found] == case["expect_slots_utc"]


def starts(page: SchedulingPage, **given: object) -> list[int]:
    """Return the hours after Monday 00:00Z at which a slot of this week starts."""
    window = given.pop("window", WEEK)
    duration = given.pop("duration", page.durations[0])
    circumstances = Circumstances(page=page, **({"now": 0} | given))
    return [(slot.start - MONDAY) / HOUR for slot in offered(circumstances, window, duration)]


def test_an_override_replaces_the_hours_of_its_date() -> None:
    """An override holds for its date alone; an empty one closes it."""
    page = a_page(overrides={"2026-01-05": (("20:00", "21:00"),), "2026-01-06": ()})

    assert [hour for hour in starts(page) if hour < 48 + 10] == [20, 48 + 9]


def test_too_soon_and_too_far() -> None:
    """Notice and horizon are counted from now, both ends included."""
    page = a_page(min_notice=120, horizon_days=1)

    assert starts(page, now=MONDAY + 13 * HOUR) == [15, 16, *(24 + h for h in range(9, 14))]


def test_buffers_of_bookings_are_mirrored() -> None:
    """Between two bookings the larger buffer is kept, not the sum."""
    mine = a_booking(MONDAY + 12 * HOUR, MONDAY + 13 * HOUR, buffer_after=60)
    day = TimeRange(MONDAY, MONDAY + DAY)

    assert starts(a_page(), bookings=[mine], window=day) == [9, 10, 11, 14, 15, 16]
    assert starts(a_page(buffer_before=30), bookings=[mine], window=day) == [9, 10, 11, 14, 15, 16]
    assert starts(a_page(buffer_before=61), bookings=[mine], window=day) == [9, 10, 11, 15, 16]
    assert starts(a_page(buffer_after=1), bookings=[mine], window=day) == [9, 10, 14, 15, 16]


def test_only_blocking_bookings_keep_others_away() -> None:
    """A request, a cancelled or declined booking blocks nothing and counts for no limit."""
    page = a_page(limits=BookingLimits(per_day=1))
    for state in BookingState:
        booking = a_booking(MONDAY + 9 * HOUR, MONDAY + 10 * HOUR, state=state)

        assert (9.0 in starts(page, bookings=[booking])) is (state not in BLOCKING)
        assert (15.0 in starts(page, bookings=[booking])) is (state not in BLOCKING)


def test_limits_count_local_days_weeks_and_months() -> None:
    """A booking counts for the day, week and month of its start in the page's zone."""
    sunday = MONDAY + 6 * DAY + 23 * HOUR + 30 * MINUTE  # Monday 00:30 in Amsterdam
    booking = a_booking(sunday, sunday + 60)
    page = a_page(
        time_zone="Europe/Amsterdam", weekly_hours=dict.fromkeys(WEEKDAYS, (("12:00", "13:00"),))
    )
    two_weeks = TimeRange(MONDAY, MONDAY + 14 * DAY)

    def days(limits: BookingLimits, window: TimeRange) -> list[int]:
        limited = a_page(time_zone=page.time_zone, weekly_hours=page.weekly_hours, limits=limits)
        return [int(hour // 24) for hour in starts(limited, bookings=[booking], window=window)]

    assert days(BookingLimits(per_day=1), two_weeks) == [0, 1, 2, 3, 4, 5, 6, *range(8, 14)]
    assert days(BookingLimits(per_week=1), two_weeks) == [0, 1, 2, 3, 4, 5, 6]
    january_on = TimeRange(MONDAY, MONDAY + 29 * DAY)
    assert days(BookingLimits(per_month=1), january_on) == [27, 28]
    assert days(BookingLimits(per_month=2), two_weeks) == list(range(14))


def test_bookings_of_another_page_do_not_count() -> None:
    """A limit is a page's own; the time of the other page's booking is still taken."""
    other = a_booking(MONDAY + 9 * HOUR, MONDAY + 10 * HOUR, page_id="pg_2")
    found = starts(a_page(limits=BookingLimits(per_day=1)), bookings=[other])

    assert found[:2] == [10, 11]


def test_reasons_are_named_with_their_facts() -> None:
    """Each rule that a start breaks is told, with the calendar, booking or limit it comes from."""
    nine = MONDAY + 9 * HOUR
    booking = a_booking(nine + 1800, nine + 5400)
    given = Circumstances(
        page=a_page(
            state=PageState.DRAFT, min_notice=60, horizon_days=1, limits=BookingLimits(per_day=1)
        ),
        now=nine,
        busy={
            "cal_1": [BusyPeriod(nine + 60, nine + 120, BusyType.BUSY)],
            "cal_2": [BusyPeriod(nine + DAY, nine + DAY + 60, BusyType.BUSY)],
        },
        bookings=[booking],
        unavailable={"cal_3": "sign_in_needed"},
    )
    reasons = explain(given, nine, 45)

    assert [(reason.rule, reason.subject) for reason in reasons] == [
        (Rule.STATE, "draft"),
        (Rule.DURATION, ""),
        (Rule.UNAVAILABLE, "cal_3"),
        (Rule.NOTICE, ""),
        (Rule.BUSY, "cal_1"),
        (Rule.BOOKING, booking.id),
        (Rule.LIMIT, "day"),
    ]
    assert (reasons[4].start, reasons[4].end) == (nine + 60, nine + 120)
    assert [one.rule for one in explain(given, nine + 7 * MINUTE, 60) if one.rule is Rule.STEP]
    late = explain(given, nine + 12 * HOUR + 2 * DAY, 60)
    assert {Rule.CLOSED, Rule.HORIZON} <= {reason.rule for reason in late}


def test_no_slot_while_a_calendar_is_unavailable() -> None:
    """One unreadable calendar is enough for nothing to be offered (S29)."""
    assert starts(a_page(), unavailable={"cal_1": "access_lost"}) == []


def test_only_configured_durations() -> None:
    """A length that the page does not have is never offered."""
    assert starts(a_page(), duration=30) == []


def test_the_nearest_slots() -> None:
    """Of the offered slots the three closest to a time are named, in order of time."""
    found = find_slots(a_page(), [], [], WEEK, now=0, duration=60)

    assert nearest(found, MONDAY + 12 * HOUR + 1) == tuple(
        MONDAY + hour * HOUR for hour in (11, 12, 13)
    )


# --- laws, over random pages, zones and times ----------------------------------------------------

ZONES = st.sampled_from(
    [
        *("UTC", "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"),
        *("Africa/Casablanca", "Europe/Dublin", "Pacific/Apia", "Pacific/Chatham"),
        *("America/Sao_Paulo", "Antarctica/Troll", "Asia/Tehran", "America/Nuuk"),
    ]
)
TIMES = st.builds(lambda h, m: f"{h:02d}:{m:02d}", st.integers(0, 23), st.sampled_from([0, 15, 30]))
DAYS = st.lists(st.tuples(TIMES, st.one_of(TIMES, st.just("24:00"))), max_size=2).map(tuple)
# Instants around clock changes: spring and autumn of 2026, and the date Apia skipped.
ANCHORS = st.sampled_from(
    [1774746000, 1792890000, 1772953200, 1793512800, 1325203200, 1791043200, MONDAY]
)
DURATIONS = st.sampled_from([15, 30, 45, 60, 90])


@st.composite
def situations(draw: st.DrawFn) -> tuple[Circumstances, TimeRange, int]:
    """Draw a page with busy time and bookings near a window that may hold a clock change."""
    start = draw(ANCHORS) + draw(st.integers(-36, 36)) * HOUR
    window = TimeRange(start, start + draw(st.integers(1, 72)) * HOUR)
    offsets = st.integers(-10 * 4, 80 * 4).map(lambda quarter: start + quarter * 900)
    lengths = st.integers(0, 300).map(lambda minutes: minutes * 60)
    duration = draw(DURATIONS)
    page = a_page(
        time_zone=draw(ZONES),
        weekly_hours=draw(st.fixed_dictionaries(dict.fromkeys(WEEKDAYS, DAYS))),
        durations=(duration,),
        step=draw(st.sampled_from([15, 30, 60])),
        buffer_before=draw(st.sampled_from([0, 10, 60])),
        buffer_after=draw(st.sampled_from([0, 5, 45])),
        min_notice=draw(st.sampled_from([0, 60, 600])),
        horizon_days=draw(st.sampled_from([1, 60])),
        tentative_blocks=draw(st.booleans()),
        limits=BookingLimits(
            per_day=draw(st.sampled_from([None, 1, 2])),
            per_week=draw(st.sampled_from([None, 2])),
            per_month=draw(st.sampled_from([None, 3])),
        ),
    )
    busy = [
        BusyPeriod(at, at + draw(lengths), draw(st.sampled_from(BusyType)))
        for at in draw(st.lists(offsets, max_size=4))
    ]
    bookings = [
        a_booking(
            at,
            at + max(draw(lengths), 900),
            id=f"bk_{number}",
            state=draw(st.sampled_from([BookingState.CONFIRMED, BookingState.CANCELLED])),
            buffer_before=draw(st.sampled_from([0, 30])),
            buffer_after=draw(st.sampled_from([0, 20])),
        )
        for number, at in enumerate(draw(st.lists(offsets, max_size=3)))
    ]
    now = start + draw(st.integers(-30, 10)) * HOUR
    return (
        Circumstances(page=page, now=now, busy={"cal": busy}, bookings=bookings),
        window,
        duration,
    )


@settings(max_examples=40)  # each asks about every quarter of an hour
@given(situations())
def test_a_slot_is_offered_exactly_when_nothing_speaks_against_it(
    situation: tuple[Circumstances, TimeRange, int],
) -> None:
    """Slots and explanations agree on every candidate and beside the grid."""
    given_, window, duration = situation
    slots = {slot.start for slot in offered(given_, window, duration)}
    refused = dict(explain_window(given_, window, duration))

    assert not slots & set(refused)
    assert all(refused.values())
    for at in range(window.start, window.end - duration * MINUTE + 1, 15 * MINUTE):
        assert (explain(given_, at, duration) == []) is (at in slots)
        assert is_offered(
            given_.page, given_.busy, given_.bookings, at, now=given_.now, duration=duration
        ) is (at in slots)


@given(situations())
def test_slots_keep_off_what_is_busy(situation: tuple[Circumstances, TimeRange, int]) -> None:
    """No slot with its buffers meets busy time; none conflicts with a booking; none is too soon."""
    given_, window, duration = situation
    page = given_.page
    before, after = page.buffer_before * MINUTE, page.buffer_after * MINUTE
    for slot in offered(given_, window, duration):
        for start, end, kind in given_.busy["cal"]:
            blocks = kind in (BusyType.BUSY, BusyType.UNAVAILABLE) or (
                kind is BusyType.TENTATIVE and page.tentative_blocks
            )
            meets = slot.start - before < end and start < slot.end + after
            assert not (blocks and start < end and meets)
        candidate = a_booking(
            slot.start, slot.end, buffer_before=page.buffer_before, buffer_after=page.buffer_after
        )
        live = [one for one in given_.bookings if one.state in BLOCKING]
        assert not any(conflicts(candidate, booking) for booking in live)
        assert window.start <= slot.start
        assert slot.end <= window.end
        assert slot.start >= given_.now + page.min_notice * MINUTE
        assert slot.start <= given_.now + page.horizon_days * DAY


@given(situations())
def test_every_quarter_of_a_slot_is_inside_the_hours(
    situation: tuple[Circumstances, TimeRange, int],
) -> None:
    """Each moment of a slot is in the hours of its date or the day before; clock changes apart."""
    given_, window, duration = situation
    page = given_.page
    place = zone(page.time_zone)
    assert place
    for slot in offered(given_, window, duration):
        for at in range(slot.start, slot.end, 15 * MINUTE):
            # Hours that end in a repeated hour hold all of it; the cases have those by hand.
            if place.offset_at(at - 6 * HOUR) != place.offset_at(at + 6 * HOUR):
                continue
            wall = place.to_local(at)
            assert any(_holds(page, wall, back) for back in (0, 1)), (wall, page.weekly_hours)


def _holds(page: SchedulingPage, wall: datetime, back: int) -> bool:
    day = wall.date() - timedelta(days=back)
    minute = back * 1440 + wall.hour * 60 + wall.minute
    for opens, closes in page.weekly_hours[WEEKDAYS[day.weekday()]]:
        low, high = (int(text[:2]) * 60 + int(text[3:]) for text in (opens, closes))
        if low <= minute < (high if high > low else high + 1440):
            return True
    return False


@given(situations(), st.integers(0, 12))
def test_a_wider_window_offers_the_same_slots(
    situation: tuple[Circumstances, TimeRange, int], hours: int
) -> None:
    """The grid depends on the hours alone: what a wider window shows, a narrower one shows too."""
    given_, window, duration = situation
    wider = TimeRange(window.start - hours * HOUR, window.end + hours * HOUR)
    inside = [slot for slot in offered(given_, wider, duration) if window.contains(slot)]

    assert inside == offered(given_, window, duration)


@given(situations())
def test_what_lies_outside_the_reading_window_decides_nothing(
    situation: tuple[Circumstances, TimeRange, int],
) -> None:
    """Busy time and bookings beyond the window that is read make no difference to its slots."""
    given_, window, duration = situation
    read = reading_window(given_.page, window)
    near = Circumstances(
        page=given_.page,
        now=given_.now,
        busy={
            name: [one for one in periods if one.end > read.start and one.start < read.end]
            for name, periods in given_.busy.items()
        },
        bookings=[one for one in given_.bookings if one.end > read.start and one.start < read.end],
    )

    assert offered(near, window, duration) == offered(given_, window, duration)


SPANS = st.tuples(
    st.integers(0, 600),
    st.integers(1, 120),
    st.sampled_from([0, 15, 40]),
    st.sampled_from([0, 10, 50]),
)


@given(SPANS, SPANS)
def test_conflict_is_the_rule_of_the_contract(
    one: tuple[int, int, int, int], other: tuple[int, int, int, int]
) -> None:
    """`[c - before, c + after)` meets `b`, or b's own buffered span meets `c`."""
    c, b = (
        a_booking(at * MINUTE, (at + length) * MINUTE, buffer_before=before, buffer_after=after)
        for at, length, before, after in (one, other)
    )

    def meets(x: Booking, y: Booking) -> bool:
        low, high = x.start - x.buffer_before * MINUTE, x.end + x.buffer_after * MINUTE
        return low < y.end and y.start < high

    assert conflicts(c, b) is (meets(c, b) or meets(b, c))
    assert conflicts(c, b) is conflicts(b, c)


def test_a_decision_knows_its_candidates() -> None:
    """Candidates are the grid inside the hours, whatever is busy."""
    given_ = Circumstances(
        page=a_page(), now=0, busy={"x": [BusyPeriod(MONDAY, MONDAY + DAY, BusyType.BUSY)]}
    )
    day = TimeRange(MONDAY, MONDAY + DAY)
    found = [at for at in Decision(given_, day, 60).candidates() if MONDAY <= at < MONDAY + DAY]

    assert [(at - MONDAY) // HOUR for at in found] == list(range(9, 17))
