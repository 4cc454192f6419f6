"""The claim's rules: what may be booked is exactly what is offered, on both engines."""

import asyncio
from dataclasses import replace

import pytest

from gateway import errors
from gateway.freebusy.busytime import BusyType
from gateway.model.booking import BookingState
from gateway.model.page import WEEKDAYS, BookingLimits, PageState
from gateway.model.timerange import DAY, HOUR, MINUTE
from gateway.services.claim import RateLimits
from tests.booking_desk import TEN, Desk, a_desk, a_request, busy, closing, overlaps
from tests.conftest import START

SPRING = 1805932800
"""2027-03-25T00:00:00Z; on Sunday the 28th Amsterdam's clocks go from 02:00 to 03:00."""
GAP = SPRING + 3 * DAY + HOUR
"""The instant at which they do."""
FOLD = 1824944400
"""2027-10-31T01:00:00Z, when they go back from 03:00 to 02:00."""


async def refused(desk: Desk, start: int, **values) -> None:
    """Assert that a start is SlotTaken and leaves nothing behind but what was there."""
    before = await everything(desk)
    with pytest.raises(errors.SlotTaken):
        await desk.book(start, **values)
    assert await everything(desk) == before


async def everything(desk: Desk) -> tuple[object, ...]:
    """Return all that a booking could have left behind."""
    async with desk.store.read() as tx:
        waiting = await tx.outbox.waiting()
    return await desk.stored(), len(await desk.mails()), await desk.names("home"), waiting


async def test_an_offered_time_is_booked(store, clock, owner):
    """A booking is confirmed at once and stands in the default calendar under its own name."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        assert TEN in await desk.starts()
        booking = await desk.book()

        assert booking.state is BookingState.CONFIRMED
        assert await desk.names("home") == [f"{booking.id}.ics"]
        assert TEN not in await desk.starts()


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (TEN - 2 * HOUR, "before the hours"),
        (TEN + 7 * HOUR, "after the hours"),
        (TEN + 6 * HOUR + 45 * MINUTE, "reaches beyond the hours"),
        (TEN + 7 * MINUTE, "on no step"),
        (TEN + 1, "on no step by a second"),
        (START - DAY - 2 * HOUR, "in the past"),
        (START, "this very moment, closed by the notice"),
        (START + HOUR, "too soon"),
        (TEN + 60 * DAY, "beyond the horizon"),
        (TEN + 2 * HOUR + 30 * MINUTE, "in the lunch break"),
    ],
)
async def test_a_time_that_is_not_offered_is_refused(store, clock, owner, start, why):
    """Whatever a client claims to have been shown, only the page's rules count."""
    hours = (("09:00", "12:30"), ("13:30", "17:00"))
    page = {"weekly_hours": dict.fromkeys(WEEKDAYS, hours), "min_notice": 240, "horizon_days": 30}
    async with closing(await a_desk(store, clock, owner, page=page)) as desk:
        await refused(desk, start)


@pytest.mark.parametrize("duration", [15, 29, 31, 60, 1440])
async def test_a_length_that_the_page_does_not_offer_is_invalid(store, clock, owner, duration):
    """The length is a field of its own, and its refusal names it."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        with pytest.raises(errors.Invalid) as caught:
            await desk.book(duration=duration)

        assert set(caught.value.fields) == {"duration"}
        assert await desk.stored() == []


@pytest.mark.parametrize("state", [PageState.DRAFT, PageState.ARCHIVED])
async def test_a_page_that_is_not_live_takes_nothing(store, clock, owner, state):
    """A page taken down while its form was open is as good as gone."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        async with store.write() as tx:
            await tx.pages.update(replace(desk.page, state=state))
        with pytest.raises(errors.NotFound):
            await desk.book()

        assert await desk.stored() == []


async def test_an_hour_that_the_clocks_skip_is_never_offered(store, clock, owner):
    """Hours that lie in the gap of a spring night are no hours; what follows them is not moved."""
    page = {
        "time_zone": "Europe/Amsterdam",
        "weekly_hours": {"sun": (("02:00", "03:00"), ("03:30", "04:00"))},
        "horizon_days": 365,
    }
    async with closing(await a_desk(store, clock, owner, page=page)) as desk:
        assert await desk.starts(GAP - 2 * HOUR) == [GAP + 30 * MINUTE]
        for start in (GAP - 30 * MINUTE, GAP, GAP - HOUR):
            await refused(desk, start)


async def test_an_hour_that_the_clocks_show_twice_is_offered_twice(store, clock, owner):
    """Both passes of an autumn hour are times of their own, each booked once."""
    page = {
        "time_zone": "Europe/Amsterdam",
        "weekly_hours": {"sun": (("02:00", "03:00"),)},
        "horizon_days": 400,
    }
    offered = [FOLD - HOUR, FOLD - 30 * MINUTE, FOLD, FOLD + 30 * MINUTE]
    async with closing(await a_desk(store, clock, owner, page=page)) as desk:
        assert await desk.starts(FOLD - 2 * HOUR) == offered
        for start in offered:
            assert (await desk.book(start)).state is BookingState.CONFIRMED
            await refused(desk, start)

        assert overlaps(await desk.stored()) == []


async def test_the_same_time_is_booked_once(store, clock, owner):
    """Without a key, too, the second booking of a time is refused, with the nearest free ones."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        await desk.book()
        with pytest.raises(errors.SlotTaken) as caught:
            await desk.book(email="otto@example.net")

        nearest = (TEN - 30 * MINUTE, TEN + 30 * MINUTE, TEN + HOUR)
        assert set(caught.value.nearest) <= {TEN - HOUR, *nearest}
        assert len(caught.value.nearest) == 3
        assert len(await desk.stored()) == 1


@pytest.mark.parametrize(("by", "offered"), [(1, False), (0, True)])
async def test_an_overlap_by_one_second_is_an_overlap(store, clock, owner, by, offered):
    """An event that ends a second into a slot takes it away; one that ends where it starts not."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        await desk.put("home", "guest", "20261201T093000Z", f"20261201T1000{by:02}Z")
        if offered:
            assert (await desk.book()).state is BookingState.CONFIRMED
        else:
            assert TEN not in await desk.starts()
            with pytest.raises(errors.SlotTaken):
                await desk.book()
            assert await desk.stored() == []


@pytest.mark.parametrize(
    ("first", "second", "apart", "fits"),
    [
        # (before, after) of the page that is booked first and of the one booked after it.
        ((0, 0), (0, 0), 0, True),
        ((0, 30), (0, 0), 29, False),
        ((0, 30), (0, 0), 30, True),
        ((0, 0), (30, 0), 29, False),
        ((0, 0), (30, 0), 30, True),
        ((0, 20), (30, 0), 29, False),
        ((0, 20), (30, 0), 30, True),
        ((0, 30), (20, 0), 29, False),
        ((0, 30), (20, 0), 30, True),
        # What faces away from the neighbour counts for nothing.
        ((60, 0), (0, 60), 0, True),
    ],
)
async def test_buffers_between_two_bookings(store, clock, owner, first, second, apart, fits):
    """The larger of the two buffers that face each other is kept, whichever page was booked first.

    Both orders are tried: the later meeting booked second, and the earlier one booked second.
    """
    early = {"buffer_before": first[0], "buffer_after": first[1]}
    late = {"buffer_before": second[0], "buffer_after": second[1]}
    for order in ("early first", "late first"):
        day = TEN + (DAY if order == "late first" else 0)
        desk = await a_desk_with_two(store, clock, owner, early, late, order)
        async with closing(desk):
            plan = [(desk.pages["early"], day), (desk.pages["late"], day + (30 + apart) * MINUTE)]
            if order == "late first":
                plan.reverse()
            (page, start), (other, wanted) = plan
            await desk.bookings.book(page, a_request(start))
            if fits:
                await desk.bookings.book(other, a_request(wanted))
            else:
                with pytest.raises(errors.SlotTaken):
                    await desk.bookings.book(other, a_request(wanted))


class TwoPages(Desk):
    """A desk with two pages of one owner."""

    pages: dict


async def a_desk_with_two(store, clock, owner, early, late, order) -> TwoPages:
    """Return a desk with two pages, any minute bookable, that differ in their buffers."""
    name = order.replace(" ", "-")
    common = {"step": 5, "weekly_hours": dict.fromkeys(WEEKDAYS, (("00:00", "24:00"),))}
    desk = await a_desk(
        store,
        clock,
        owner,
        local=[name],
        default=name,
        page={**common, **early, "slug": f"{name}/1"},
    )
    # A step of one minute, so that 29 and 30 minutes apart are both starts of the grid.
    pages = {
        "early": replace(desk.page, id=f"pg_{name}_1", step=1, slug=f"{name}/early", **early),
        "late": replace(desk.page, id=f"pg_{name}_2", step=1, slug=f"{name}/late", **late),
    }
    async with store.write() as tx:
        for page in pages.values():
            await tx.pages.add(page)
    desk.pages = pages
    return desk


@pytest.mark.parametrize(
    ("start", "end", "fits"),
    [
        ("20261201T094500Z", "20261201T095000Z", True),
        ("20261201T094500Z", "20261201T095001Z", False),
        ("20261201T105000Z", "20261201T110000Z", True),
        ("20261201T104959Z", "20261201T110000Z", False),
    ],
)
async def test_buffers_beside_events(store, clock, owner, start, end, fits):
    """An event has no buffer of its own: only the page's is kept from it, to the second."""
    page = {"buffer_before": 10, "buffer_after": 20}
    async with closing(await a_desk(store, clock, owner, page=page)) as desk:
        await desk.put("home", "guest", start, end)
        if fits:
            await desk.book()
        else:
            with pytest.raises(errors.SlotTaken):
                await desk.book()


@pytest.mark.parametrize(
    ("limits", "full", "free"),
    [
        # The first of December 2026 is a Tuesday.
        (BookingLimits(per_day=2), TEN + 2 * HOUR, TEN + DAY),
        (BookingLimits(per_week=2), TEN + 5 * DAY, TEN + 6 * DAY),
        (BookingLimits(per_month=2), TEN + 30 * DAY, TEN + 31 * DAY),
    ],
)
async def test_limits_of_a_page(store, clock, owner, limits, full, free):
    """At the limit of its day, week or month a page is closed; the next one is open."""
    page = {"limits": limits}
    async with closing(await a_desk(store, clock, owner, page=page)) as desk:
        first = await desk.book(TEN)
        await desk.book(TEN + HOUR)
        await refused(desk, full)
        await desk.book(free)
        # A cancelled booking gives its place back.
        await desk.bookings.cancel_as_owner(owner.id, first.id)
        await desk.book(full)


async def test_limits_count_days_in_the_pages_zone(store, clock, owner):
    """A limit of a day means the day on the owner's wall: in Auckland it begins at eleven UTC."""
    page = {
        "time_zone": "Pacific/Auckland",
        "weekly_hours": dict.fromkeys(WEEKDAYS, (("00:00", "24:00"),)),
        "limits": BookingLimits(per_day=1),
    }
    async with closing(await a_desk(store, clock, owner, page=page)) as desk:
        # 11:00Z is midnight in Auckland (UTC+13).
        await desk.book(TEN + HOUR)
        await refused(desk, TEN + HOUR + 23 * HOUR)
        await desk.book(TEN + 30 * MINUTE)
        await desk.book(TEN + 25 * HOUR)


async def test_of_many_overlapping_claims_one_wins(store, clock, owner):
    """Sixty at once, with different starts and lengths, through the service: no two overlap."""
    page = {"durations": (30, 60), "step": 15, "buffer_after": 10}
    async with closing(await a_desk(store, clock, owner, page=page)) as desk:

        async def attempt(number: int) -> object:
            try:
                return await desk.book(
                    TEN + number % 4 * 15 * MINUTE, duration=(30, 60)[number % 2]
                )
            except errors.CalgateError as error:
                return type(error)

        outcomes = await asyncio.gather(*(attempt(number) for number in range(60)))
        won = [one for one in outcomes if not isinstance(one, type)]

        assert {one for one in outcomes if isinstance(one, type)} == {errors.SlotTaken}
        assert len(won) in (1, 2)
        assert overlaps(await desk.stored()) == []
        assert len(await desk.names("home")) == len(won)


async def test_a_put_and_a_claim_see_each_other(store, clock, owner):
    """A client's PUT and a booking of the same time never both miss the other.

    Either the booking is refused, or the event came after it was decided; then it is in the
    calendar beside the booking, as its owner wanted.
    """
    async with closing(await a_desk(store, clock, owner)) as desk:
        for number in range(12):
            day = TEN + number * DAY
            stamp = f"202612{1 + number:02}"
            outcome, _ = await asyncio.gather(
                desk.book(day, email=f"v{number}@example.net"),
                desk.put("home", f"e{number}", f"{stamp}T100000Z", f"{stamp}T103000Z"),
                return_exceptions=True,
            )
            names = await desk.names("home")

            assert f"e{number}.ics" in names
            if isinstance(outcome, Exception):
                assert isinstance(outcome, errors.SlotTaken)
            else:
                assert f"{outcome.id}.ics" in names
                # Whoever looks now sees both.
                with pytest.raises(errors.SlotTaken):
                    await desk.book(day, email="later@example.net")


async def test_limits_per_mailbox_hold_whatever_the_spelling(store, clock, owner):
    """`v.era+x@`, `VERA@` and a guest's place are all Vera's mailbox (I 149)."""
    limits = RateLimits(per_address_per_hour=0, per_email_per_day=3)
    async with closing(await a_desk(store, clock, owner, limits=limits)) as desk:
        await desk.book(TEN, email="vera@example.net")
        await desk.book(TEN + HOUR, email="v.e.r.a+shop@example.net")
        await desk.book(TEN + 2 * HOUR, email="otto@example.net", guests=("VERA@Example.NET",))
        for values in (
            {"email": "vera@example.net"},
            {"email": "Ve.Ra+1@example.net"},
            {"email": "ida@example.net", "guests": ("vera+2@example.net",)},
        ):
            with pytest.raises(errors.TooManyRequests) as caught:
                await desk.book(TEN + 3 * HOUR, **values)
            assert caught.value.limit == "bookings_per_email_per_day"
            assert 0 < caught.value.retry_after <= DAY
        assert len(await desk.stored()) == 3

        clock.advance(DAY + 1)
        await desk.book(TEN + 3 * HOUR, email="vera@example.net")


async def test_limits_per_network_address(store, clock, owner):
    """An address that booked its share waits; another one does not (I 152)."""
    limits = RateLimits(per_address_per_hour=2, per_email_per_day=0)
    async with closing(await a_desk(store, clock, owner, limits=limits)) as desk:
        await desk.book(TEN, address="192.0.2.1")
        await desk.book(TEN + HOUR, address="192.0.2.1")
        with pytest.raises(errors.TooManyRequests) as caught:
            await desk.book(TEN + 2 * HOUR, address="192.0.2.1")
        await desk.book(TEN + 2 * HOUR, address="192.0.2.2")

        assert (caught.value.limit, caught.value.retry_after) == (
            "bookings_per_address_per_hour",
            HOUR,
        )


async def test_a_refused_attempt_counts_for_no_limit(store, clock, owner):
    """Whoever was too late pays nothing for it: the whole claim is undone."""
    limits = RateLimits(per_address_per_hour=2, per_email_per_day=2)
    async with closing(await a_desk(store, clock, owner, limits=limits)) as desk:
        await desk.book(TEN, address="192.0.2.9", email="otto@example.net")
        for _ in range(5):
            with pytest.raises(errors.SlotTaken):
                await desk.book(TEN, address="192.0.2.1")
        await desk.book(TEN + HOUR, address="192.0.2.1")

        assert len(await desk.stored()) == 2


@pytest.mark.parametrize("blocks", [True, False])
async def test_tentative_time_blocks_by_the_pages_rule(store, clock, owner, blocks):
    """With `tentative_blocks` off a page books over tentative time, in the last look as well."""
    page = {"tentative_blocks": blocks}
    async with closing(await a_desk(store, clock, owner, connected=["work"], page=page)) as desk:
        desk.sources.answers["work"] = [busy(TEN, kind=BusyType.TENTATIVE)]
        if blocks:
            with pytest.raises(errors.SlotTaken):
                await desk.book()
        else:
            assert (await desk.book()).state is BookingState.CONFIRMED
