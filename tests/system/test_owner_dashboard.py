"""The dashboard: how calendars fare, what is booked and asked for, mails that are kept."""

import re

from gateway.model.booking import BookingState
from gateway.model.principal import Owner
from gateway.model.timerange import DAY, TimeRange, format_utc
from gateway.ports import StoredMail
from gateway.services.mails import raw_of
from tests.booking_desk import a_request
from tests.owner_desk import OwnerDesk
from tests.plain_browser import PlainBrowser

OTHER = "john@example.org"
ALWAYS = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), (("00:00", "24:00"),))


async def test_an_empty_dashboard_shows_first_steps(browser: PlainBrowser) -> None:
    """Who has nothing yet reads what to do."""
    page = await browser.open("/dashboard")

    assert "First steps" in page.text
    assert "Connect your calendar" in page.text
    assert "Create scheduling page" in page.text


async def test_offline_is_said(desk: OwnerDesk, jane: Owner, browser: PlainBrowser) -> None:
    """Without a calendar to write to, the dashboard says that pages take requests."""
    await desk.page(jane)
    await desk.lost_calendar(jane)

    assert "You are offline" in (await browser.open("/dashboard")).text


async def test_a_lost_calendar_is_named_with_its_cause(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """The dashboard says that nobody can book, which calendar it is, and why."""
    await desk.lost_calendar(jane, "School")
    page = await browser.open("/dashboard")

    assert "Nobody can book with you right now" in page.text
    assert "School" in page.text
    assert "The address gives no calendar any more (404)." in page.text


async def test_calendars_of_one_name_are_told_apart(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """Every account has its "Calendar": where two are called alike, each says whose it is."""
    await desk.lost_calendar(jane, "School")
    alone = (await browser.open("/settings/calendar")).text
    await desk.services.objects.create_collection(jane, name="own", display_name="School")
    beside = (await browser.open("/settings/calendar")).text

    assert "School (school.example.org)" not in alone
    assert "Remove School (school.example.org)" in beside


async def test_what_visitors_write_is_only_text(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """Markup in a visitor's name and answers is shown, not obeyed."""
    page = await desk.page(jane)
    evil = "<script>alert(1)</script>"
    await desk.booking(jane, page, name=evil, answers={"topic": evil}, state=BookingState.REQUESTED)
    shown = await browser.open("/dashboard")

    assert evil not in shown.text
    assert "&lt;script&gt;" in shown.text


async def test_a_request_is_accepted(desk: OwnerDesk, jane: Owner, browser: PlainBrowser) -> None:
    """Accept books the request into the default calendar."""
    await desk.calendar(jane)
    page = await desk.page(jane, weekly_hours=ALWAYS)
    booking = await desk.booking(jane, page, state=BookingState.REQUESTED)
    form = (await browser.open("/dashboard")).form(f"/dashboard/bookings/{booking.id}/accept")
    shown = await browser.send(form)

    assert "The request is accepted and booked." in shown.text
    stored = await desk.services.bookings.get(jane.id, booking.id)
    assert stored.state is BookingState.CONFIRMED


ALWAYS = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), (("00:00", "24:00"),))


async def test_offline_a_request_cannot_be_accepted(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """The dashboard says why, and the request stays open."""
    page = await desk.page(jane, weekly_hours=ALWAYS)
    booking = await desk.booking(jane, page, state=BookingState.REQUESTED)
    form = (await browser.open("/dashboard")).form(f"/dashboard/bookings/{booking.id}/accept")
    shown = await browser.send(form)

    assert shown.status == 409
    assert "Connect a calendar first: a booking is written to one." in shown.text
    stored = await desk.services.bookings.get(jane.id, booking.id)
    assert stored.state is BookingState.REQUESTED


async def test_a_request_is_declined(desk: OwnerDesk, jane: Owner, browser: PlainBrowser) -> None:
    """Decline closes the request, and the visitor's mail is kept to be read."""
    page = await desk.page(jane)
    booking = await desk.booking(jane, page, state=BookingState.REQUESTED)
    form = (await browser.open("/dashboard")).form(f"/dashboard/bookings/{booking.id}/decline")
    shown = await browser.send(form)

    stored = await desk.services.bookings.get(jane.id, booking.id)
    assert stored.state is BookingState.DECLINED
    assert "vera@example.net" in shown.text


async def test_a_meeting_is_cancelled(desk: OwnerDesk, jane: Owner, browser: PlainBrowser) -> None:
    """Cancel ends the meeting."""
    await desk.calendar(jane)
    page = await desk.page(jane)
    booking = await desk.booking(jane, page, state=BookingState.CONFIRMED)
    form = (await browser.open("/dashboard")).form(f"/dashboard/bookings/{booking.id}/cancel")
    await browser.send(form)

    stored = await desk.services.bookings.get(jane.id, booking.id)
    assert stored.state is BookingState.CANCELLED


async def keep_mail(desk: OwnerDesk, owner: Owner, mail_id: str = "ml_1") -> None:
    """Put a mail into the store as the postbox does."""
    raw = b"From: a@example.org\r\nTo: v@example.net\r\nSubject: Hi\r\n\r\nSee <b>you</b> then.\r\n"
    sealed = desk.services.cipher.seal(raw, bound_to=raw_of(mail_id))
    mail = StoredMail(
        id=mail_id,
        owner_id=owner.id,
        recipient="v@example.net",
        subject="Hi there",
        raw=sealed,
        created_at=desk.services.clock.now(),
    )
    async with desk.services.store.write() as tx:
        await tx.mails.add(mail)


async def test_kept_mails_can_be_read(desk: OwnerDesk, jane: Owner, browser: PlainBrowser) -> None:
    """Without a mail host the dashboard lists the mails, and each can be read as text."""
    await keep_mail(desk, jane)

    assert "/dashboard/mails/ml_1" in (await browser.open("/dashboard")).text
    assert "See &lt;b&gt;you&lt;/b&gt; then." in (await browser.open("/dashboard/mails/ml_1")).text


async def test_anothers_mail_cannot_be_read(desk: OwnerDesk, browser: PlainBrowser) -> None:
    """A mail of another owner's is 404."""
    await keep_mail(desk, await desk.owner(OTHER))

    assert (await browser.open("/dashboard/mails/ml_1")).status == 404


async def test_a_meeting_is_moved(desk: OwnerDesk, jane: Owner, browser: PlainBrowser) -> None:
    """The owner picks a time of the week; the dashboard says who moved it."""
    await desk.calendar(jane)
    page = await desk.page(jane, weekly_hours=ALWAYS, durations=(30,))
    bookings, now = desk.services.bookings, desk.services.clock.now()
    offer = await bookings.slots(page, TimeRange(now, now + 3 * DAY), now, 30)
    booking = await bookings.book(page, a_request(offer.slots[-1].start))
    there = f"/dashboard/bookings/{booking.id}/move"
    times = await browser.open(there)
    starts = re.findall(r'name="start" value="([0-9TZ]+)"', times.text)
    fields = [(name, value) for name, value in times.form(there).fields if name != "start"]
    shown = await browser.post(there, [*fields, ("start", starts[-1])])
    after = await desk.services.bookings.get(jane.id, booking.id)

    assert format_utc(after.start) == starts[-1]
    assert "The meeting was moved." in shown.text
    assert "Moved by you" in shown.text
