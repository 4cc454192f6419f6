"""Lost access: no calendar that cannot be read is ever "free" (S29 to S31)."""

from dataclasses import replace

import pytest

from gateway import errors
from gateway.errors import AccessLost, SignInNeeded, UpstreamError
from gateway.model.booking import BookingState
from gateway.model.connection import Failure, Health
from gateway.model.timerange import DAY, HOUR, MINUTE, TimeRange
from tests.booking_desk import TEN, Desk, a_desk, closing
from tests.conftest import START

DAY_OF_TEN = TimeRange(TEN - 10 * HOUR, TEN + 14 * HOUR)


def healthy(now: int) -> Health:
    """Return the health after a good read."""
    return Health(last_success_at=now)


def lost(failure: Failure, detail: str, *, seen: int = START, strikes: int = 2) -> Health:
    """Return the health after a source has said no for good."""
    return Health(
        last_success_at=seen,
        failing_since=seen,
        failure=failure,
        detail=detail,
        strikes=strikes,
    )


WAYS = {
    "401 after a refresh": lost(Failure.SIGN_IN_NEEDED, "It wants you to sign in anew."),
    "revoked token": lost(Failure.SIGN_IN_NEEDED, "invalid_grant", strikes=1),
    "403": lost(Failure.ACCESS_LOST, "It does not let us read any more (403)."),
    "404": lost(Failure.ACCESS_LOST, "There is no such calendar any more (404)."),
    "host gone for ten minutes": Health(
        last_success_at=START - 11 * MINUTE,
        failing_since=START - 10 * MINUTE,
        failure=Failure.UNAVAILABLE,
        detail="The host does not answer.",
        strikes=9,
    ),
    "not read for twenty minutes": healthy(START - 20 * MINUTE),
    "never read": Health(),
}


async def three(store, clock, owner, **values) -> Desk:
    """Return a desk with three selected calendars, one of them Google's."""
    return await a_desk(store, clock, owner, local=("home", "club"), connected=["work"], **values)


async def attempts(desk: Desk) -> list[str]:
    """Return what the trail says of attempts."""
    async with desk.store.read() as tx:
        trail = await tx.notices.trail(desk.owner.id)
    return [detail for _, event, detail in trail if event == "booking.attempt"]


@pytest.mark.parametrize("way", WAYS)
async def test_one_lost_calendar_stops_all_booking(store, clock, owner, way):
    """However access was lost: no slots, calendar_unavailable, nothing kept but the attempt (S29).

    The two other calendars work; that changes nothing.
    """
    async with closing(await three(store, clock, owner)) as desk:
        await desk.set_health("work", WAYS[way])
        offer = await desk.bookings.slots(desk.page, DAY_OF_TEN, clock.now(), 30)
        with pytest.raises(errors.CalendarUnavailable) as caught:
            await desk.book(key="k1")
        await desk.outbox.settle()

        assert offer.slots == ()
        assert offer.unavailable == ("Work",)
        assert caught.value.calendars == ("Work",)
        assert await desk.stored() == []
        assert [await desk.names(name) for name in ("home", "club")] == [[], []]
        assert desk.sources.calls == []
        assert attempts_of_page(await attempts(desk)) == [(desk.page.id, "Work")]
        async with store.read() as tx:
            assert await tx.keys.get(desk.page.id, "k1") is None


def attempts_of_page(details: list[str]) -> list[tuple[str, str]]:
    """Return page and calendars of each attempt."""
    return [(page, names) for page, _, names in (detail.partition(" ") for detail in details)]


@pytest.mark.parametrize("way", ["403", "401 after a refresh", "never read"])
async def test_the_owner_reads_which_calendar_why_and_both_remedies(store, clock, owner, way):
    """One mail names the calendar, the cause, and what can be done (S30)."""
    async with closing(await three(store, clock, owner)) as desk:
        await desk.set_health("work", WAYS[way])
        with pytest.raises(errors.CalendarUnavailable):
            await desk.book()
        (mail,) = await desk.mails()
        text = mail.get_content()

        assert mail["To"] == "jane@example.org"
        assert mail["Subject"] == "Somebody tried to book, but a calendar cannot be read"
        cause = WAYS[way].detail or "The calendar could not be read for too long."
        assert f"“Work”: {cause}" in text
        assert "sign in anew" in text
        assert "press the X beside its name, then Save" in text
        assert "https://meet.example.org/settings/calendar" in text
        assert "“Intro”" in text


async def test_the_owner_reads_it_in_dutch(store, clock, owner):
    """The mail is in the owner's language."""
    async with store.write() as tx:
        await tx.owners.update(replace(owner, locale="nl"))
    async with closing(await three(store, clock, owner)) as desk:
        await desk.set_health("work", WAYS["404"])
        with pytest.raises(errors.CalendarUnavailable):
            await desk.book()
        (mail,) = await desk.mails()

        assert (
            mail["Subject"] == "Iemand probeerde te boeken, maar een agenda kan niet worden gelezen"
        )


async def test_repeats_are_digested(store, clock, owner):
    """The first attempt is told at once, the next ones once a day with their number (S30)."""
    async with closing(await three(store, clock, owner)) as desk:
        await desk.set_health("work", WAYS["404"])
        for _ in range(5):
            with pytest.raises(errors.CalendarUnavailable):
                await desk.book()
            clock.advance(HOUR)
        assert len(await desk.mails()) == 1

        clock.advance(DAY)
        for _ in range(3):
            with pytest.raises(errors.CalendarUnavailable):
                await desk.book()
        assert len(await desk.mails()) == 2
        assert len(await attempts(desk)) == 8


async def test_the_digest_counts_every_attempt_since_the_last_mail(store, clock, owner):
    """Five attempts after the first mail are told as six with the one that brings the digest."""
    async with closing(await three(store, clock, owner)) as desk:
        await desk.set_health("work", WAYS["404"])
        for _ in range(6):
            with pytest.raises(errors.CalendarUnavailable):
                await desk.book()
            clock.advance(MINUTE)
        clock.advance(DAY - 5 * MINUTE)
        with pytest.raises(errors.CalendarUnavailable):
            await desk.book()
        second = (await desk.mails())[-1]

        assert "6 attempts since the last mail." in second.get_content()


async def test_two_lost_calendars_are_told_in_one_mail(store, clock, owner):
    """Both are named, each with its own cause."""
    async with closing(await a_desk(store, clock, owner, connected=["work", "school"])) as desk:
        await desk.set_health("work", WAYS["403"])
        await desk.set_health("school", WAYS["404"])
        with pytest.raises(errors.CalendarUnavailable) as caught:
            await desk.book()
        (mail,) = await desk.mails()

        assert set(caught.value.calendars) == {"Work", "School"}
        for name, way in (("Work", "403"), ("School", "404")):
            assert f"“{name}”: {WAYS[way].detail}" in mail.get_content()


async def test_an_unselected_calendar_may_be_lost(store, clock, owner):
    """Only selected calendars decide (S25)."""
    async with closing(await three(store, clock, owner)) as desk:
        await desk.set_health("work", WAYS["404"])
        await desk.select("work", selected=False)

        assert (await desk.book()).state is BookingState.CONFIRMED


async def test_a_lost_default_stops_booking_even_if_unselected(store, clock, owner):
    """What cannot be written to takes no booking."""
    async with closing(await three(store, clock, owner, default="work")) as desk:
        await desk.set_health("work", WAYS["404"])
        await desk.select("work", selected=False)
        with pytest.raises(errors.CalendarUnavailable):
            await desk.book()


async def test_access_granted_again_mends_it_at_once(store, clock, owner):
    """The next good read makes slots appear without a restart; the owner is told (S31)."""
    async with closing(await three(store, clock, owner)) as desk:
        await desk.set_health("work", WAYS["401 after a refresh"])
        with pytest.raises(errors.CalendarUnavailable):
            await desk.book()
        clock.advance(MINUTE)
        await desk.set_health("work", healthy(clock.now()))

        assert TEN in await desk.starts()
        assert (await desk.book()).state is BookingState.CONFIRMED
        subjects = [mail["Subject"] for mail in await desk.mails("jane@example.org")]
        assert "A calendar works again, and visitors can book" in subjects


async def test_removing_the_calendar_mends_it_at_once(store, clock, owner):
    """The other remedy: with the lost calendar removed, the rest decide (S31)."""
    async with closing(await three(store, clock, owner)) as desk:
        await desk.set_health("work", WAYS["404"])
        with pytest.raises(errors.CalendarUnavailable):
            await desk.book()
        async with store.write(owner_id=owner.id) as tx:
            await tx.connections.remove(desk.calendars["work"].connection_id or "")

        assert TEN in await desk.starts()
        assert (await desk.book()).state is BookingState.CONFIRMED


async def test_a_second_loss_is_told_again(store, clock, owner):
    """Mended and lost once more, the calendar is the subject of a new mail."""
    async with closing(await three(store, clock, owner)) as desk:
        for round_ in range(2):
            await desk.set_health("work", lost(Failure.ACCESS_LOST, "gone", seen=clock.now()))
            with pytest.raises(errors.CalendarUnavailable):
                await desk.book(TEN + round_ * HOUR)
            clock.advance(MINUTE)
            await desk.set_health("work", healthy(clock.now()))
            await desk.book(TEN + round_ * HOUR)
            clock.advance(MINUTE)
        told = [mail["Subject"] for mail in await desk.mails("jane@example.org")]

        assert sum(one.startswith("Somebody tried to book") for one in told) == 2


async def test_a_visitor_who_found_nothing_can_have_it_told(store, clock, owner):
    """Somebody who saw no times tells the owner; it counts like an attempt (S30)."""
    async with closing(await three(store, clock, owner)) as desk:
        await desk.set_health("work", WAYS["404"])
        await desk.bookings.attempted(desk.page, "192.0.2.1")
        await desk.bookings.attempted(desk.page, "192.0.2.1")

        assert len(await desk.mails()) == 1
        assert len(await attempts(desk)) == 2


async def test_nothing_is_told_of_a_calendar_that_works(store, clock, owner):
    """Without a loss there is no attempt to tell of."""
    async with closing(await three(store, clock, owner)) as desk:
        await desk.bookings.attempted(desk.page, "192.0.2.1")

        assert (await desk.mails(), await attempts(desk)) == ([], [])


@pytest.mark.parametrize(
    "failure",
    [
        SignInNeeded("It wants you to sign in anew."),
        AccessLost("It does not let us read any more (403)."),
        errors.Unavailable("The host does not answer."),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_access_lost_since_the_last_read(store, clock, owner, failure: UpstreamError):
    """The last look finds out first: refused, the owner told, the held time free again (S29)."""
    async with closing(await three(store, clock, owner)) as desk:
        desk.sources.answers["work"] = failure
        with pytest.raises(errors.CalendarUnavailable):
            await desk.book()
        (mail,) = await desk.mails()

        assert [one.state for one in await desk.stored()] == [BookingState.REJECTED]
        assert await desk.names("home") == []
        assert f"“Work”: {failure.detail}" in mail.get_content()

        desk.sources.answers["work"] = ()
        assert (await desk.book()).state is BookingState.CONFIRMED
