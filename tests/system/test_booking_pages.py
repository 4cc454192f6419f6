"""The booking pages over HTTP without a script: times, details, sent, managed."""

import html
import json
import re
from dataclasses import replace
from datetime import datetime

import pytest

from gateway.model.booking import BookingState
from gateway.model.page import (
    PageState,
)
from gateway.model.timerange import format_utc
from tests.plain_browser import ShownPage
from tests.visitor_desk import ADDRESS, booked, bookings_of, links, send, times_of, to_details


async def test_from_a_first_look_to_a_booking(desk, jane, visitor):
    """Choose a time, say who you are, be confirmed: one redirect, one booking, one event."""
    shown = await booked(visitor)
    (booking,) = await bookings_of(desk, jane)

    assert shown.url.path.startswith("/meetings/b/")
    assert "Your meeting is booked" in shown.text
    assert (booking.state, booking.name) == (BookingState.CONFIRMED, "Vera")
    assert booking.answers == {"topic": "A garden"}
    assert booking.source == "page"


async def test_what_was_booked_is_not_offered_any_more(visitor):
    """The next visitor sees other times; the old address says so."""
    taken = links(await times_of(visitor), "start=")[0]
    await booked(visitor)
    again = await visitor.open(taken)

    assert taken not in links(await times_of(visitor), "start=")
    assert "That time is not offered any more." in again.text


async def test_cancelled_by_the_button_alone(desk, jane, visitor):
    """A sent form cancels; the time is free again; a second press does no harm."""
    shown = await booked(visitor)
    action = f"{shown.url.path}/cancel"
    for _ in range(2):
        gone = await visitor.send(shown.form(action))
        assert "This meeting is cancelled" in gone.text
        assert gone.url.path == shown.url.path
    (booking,) = await bookings_of(desk, jane)
    (calendar,) = (await desk.calendars(jane)).values()

    assert booking.state is BookingState.CANCELLED
    assert await desk.services.objects.list(calendar) == []
    assert action not in [form.action for form in gone.forms]


async def test_moved_by_the_form_alone(desk, jane, visitor):
    """Another time of the week, chosen and sent; opening its page changes nothing."""
    shown = await booked(visitor)
    (before,) = await bookings_of(desk, jane)
    there = f"{shown.url.path}/move"
    times = await visitor.open(there)
    await visitor.open(there)
    (unmoved,) = await bookings_of(desk, jane)
    assert unmoved == before
    starts = re.findall(r'name="start" value="([0-9TZ]+)"', times.text)
    assert format_utc(before.start) not in starts
    fields = [(name, value) for name, value in times.form(there).fields if name != "start"]
    moved = await visitor.post(there, [*fields, ("start", starts[-1])])
    (after,) = await bookings_of(desk, jane)

    assert moved.url.path == shown.url.path
    assert (format_utc(after.start), after.sequence) == (starts[-1], 1)
    nothing = await visitor.post(there, fields)
    assert "Choose another time" in nothing.text
    assert (await bookings_of(desk, jane)) == [after]


async def test_errors_stand_beside_their_fields(desk, jane, visitor):
    """What was filled in is kept; each field says what is wrong with it; nothing is booked."""
    form = await to_details(visitor)
    shown = await send(
        visitor,
        form,
        name="  ",
        email="a@b, victim@x.example",
        guests="no address",
        **{"answers.topic": "", "answers.how": "Otherwise"},
    )
    again = shown.form(ADDRESS)

    assert shown.status == 422
    for name in ("name", "email", "guests", "answers.topic", "answers.how"):
        assert f'id="e-{name}"' in shown.text
        assert f'<a href="#f-{name}">' in shown.text
        assert re.search(f'id="f-{name}"[^>]*aria-invalid="true"[^>]*aria-describedby', shown.text)
    assert again.value("email") == "a@b, victim@x.example"
    assert (again.value("guests") or "").strip() == "no address"
    assert again.value("key") == form.form(ADDRESS).value("key")
    assert await bookings_of(desk, jane) == []

    fixed = await send(visitor, shown, guests="", **{"answers.how": "Web"})
    assert "Your meeting is booked" in fixed.text


async def test_sent_twice_is_booked_once(desk, jane, visitor):
    """The back button and a double click lead to the same booking."""
    form = await to_details(visitor)
    first, second = [await send(visitor, form) for _ in range(2)]
    third = await send(visitor, form, name="Otto")

    assert first.url == second.url
    assert third.status == 422
    assert "sent before, with other words" in third.text
    assert len(await bookings_of(desk, jane)) == 1


async def test_a_time_just_taken_offers_the_nearest(desk, jane, visitor):
    """Too late by a moment: the details are kept and three other times can be chosen."""
    form = await to_details(visitor)
    await booked(visitor)
    late = await send(visitor, form, email="otto@example.net")
    assert late.status == 409
    assert "That time was just taken" in late.text
    assert late.text.count('type="radio"') == 3
    again = await visitor.send(late.form(ADDRESS))

    assert "Your meeting is booked" in again.text
    assert len(await bookings_of(desk, jane)) == 2


async def test_times_are_shown_in_a_chosen_zone(visitor, desk, jane):
    """The zone goes along to the booking and its page; an unknown one is said to be unknown."""
    here = await visitor.open(f"{ADDRESS}?tz=Europe/Amsterdam")
    there = await visitor.open(f"{ADDRESS}?tz=Asia/Tokyo")
    form = await visitor.open(links(there, "start=")[0])
    shown = await send(visitor, form)
    odd = await visitor.open(f"{ADDRESS}?tz=Europe/Atlantis")
    (booking,) = await bookings_of(desk, jane)

    def starts(one: ShownPage) -> set[str]:
        return {re.search(r"start=(\w+)", link).group(1) for link in links(one, "start=")}

    assert starts(here) & starts(there)
    assert booking.time_zone == "Asia/Tokyo"
    assert "Asia/Tokyo" in shown.text
    assert "That time zone is unknown" in odd.text
    every = await visitor.open(f"{ADDRESS}?zones=all")
    assert every.text.count("<option") > 300 > here.text.count("<option")


async def test_the_pages_speak_dutch(desk, jane, page):
    """By the browser's language, from the first look to the mail."""
    async with desk.browser(language="nl") as visitor:
        times = await visitor.open(ADDRESS)
        form = await visitor.open(links(times, "start=")[0])
        wrong = await send(visitor, form, email="x")
        shown = await send(visitor, form)
    (booking,) = await bookings_of(desk, jane)

    assert '<html lang="nl">' in times.text
    assert "Kies een dag en een tijd" in times.text
    assert "Geef één e-mailadres" in wrong.text
    assert "Uw afspraak is geboekt" in shown.text
    assert booking.locale == "nl"


@pytest.mark.parametrize(
    ("language", "day", "first"),
    [("en-GB,en;q=0.9", r"{weekday},? {day} {month}", "Mon"), ("en-US", r"{month} {day}, ", "Sun")],
)
async def test_dates_are_written_as_the_reader_does(desk, jane, page, language, day, first):
    """In English the day comes before the month, Monday first; not for Americans."""
    async with desk.browser(language=language) as visitor:
        times = await visitor.open(ADDRESS)
        link = links(times, "start=")[0]
        form = await visitor.open(link)
    start = datetime.strptime(re.search(r"start=(\w+)", link)[1], "%Y%m%dT%H%M%SZ")  # noqa: DTZ007 - UTC, as the Z says
    words = {"weekday": f"{start:%A}", "day": str(start.day), "month": f"{start:%B}"}

    assert re.search(day.format(**words), form.text)
    assert re.search(r'<th scope="col"[^>]*>(\w+)', times.text)[1] == first
    assert bool(re.search(r"\d\s[AP]M\b", form.text)) is (language == "en-US")


async def test_offline_it_is_a_request(desk, jane):
    """Without a calendar the page says so before, and "requested, not confirmed" after (S05)."""
    joe = await desk.owner("joe@example.org", name="Joe")
    await desk.page(joe, "Ask", slug="joe")
    async with desk.browser() as visitor:
        times = await visitor.open("/meetings/joe")
        start = re.search(r'href="(\?[^"]*start=[^"]*)"', times.text).group(1)
        form = await visitor.open("/meetings/joe" + html.unescape(start))
        shown = await visitor.send(
            form.form("/meetings/joe"), name="Vera", email="vera@example.net"
        )
        assert "It is booked only when Joe accepts it." in times.text
        assert "Send the request" in form.text
        assert "Requested, not confirmed" in shown.text
        assert "/meeting.ics" not in shown.text


async def test_a_lost_calendar_shows_no_times_and_can_be_told(desk, jane, visitor, page):
    """No times, a plain sentence, and a button that lets the owner know (S29, S30)."""
    await desk.lost_calendar(jane)
    times = await visitor.open(ADDRESS)
    assert links(times, "start=") == []
    assert "Booking is not possible right now" in times.text
    assert "School" not in times.text, "which calendar is nobody else's business"
    told = await visitor.post(ADDRESS, [("tell", "yes")])
    assert "Jane is told that somebody tried to book" in told.text
    async with desk.services.store.read() as tx:
        (mail,) = await tx.mails.of_owner(jane.id)
    assert mail.recipient == "jane@example.org"


async def test_the_calendar_file_opens_anywhere(visitor):
    """The visitor's copy is one published event without attendees."""
    shown = await booked(visitor)
    answer = await visitor.open(f"{shown.url.path}/meeting.ics")

    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "METHOD:PUBLISH" in answer.text
    assert "ATTENDEE" not in answer.text


async def test_json_and_page_book_the_same_times(desk, jane, visitor, page):
    """What the API offers is what the page shows."""
    times = await visitor.open(f"{ADDRESS}?tz=UTC")
    shown = {re.search(r"start=(\w+)", link).group(1) for link in links(times, "start=")}
    day = min(shown)[:8]
    text = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    path = f"/api/v1/pages/{page.id}/slots?from={text}&to={text}&tz=UTC&duration=30"
    slots = json.loads((await visitor.open(path)).text)["slots"]
    starts = {format_utc(int(datetime.fromisoformat(one["start"]).timestamp())) for one in slots}

    assert starts == shown


async def test_a_month_far_ahead_and_one_gone_by(visitor):
    """Wherever one looks, the page stays within what can be booked."""
    for query in ("month=1999-01", "month=2199-12", "day=2027-02-31", "day=1900-01-01", "month=x"):
        answer = await visitor.open(f"{ADDRESS}?{query}")
        assert answer.status == 200
        assert answer.text.count('<table class="month"') == 1


async def test_a_page_that_is_down_is_gone(desk, jane, visitor, page):
    """A draft answers 404, also to a form that was opened before."""
    form = await to_details(visitor)
    await desk.services.pages.update(jane, replace(page, state=PageState.DRAFT))

    assert (await visitor.open(ADDRESS)).status == 404
    assert (await send(visitor, form)).status == 404


async def test_spellings_of_an_address_lead_to_one(visitor):
    """Capitals and a slash at the end are sent on to the page's one address."""
    for path in ("/meetings/JANE", "/meetings/jane/", "/meetings/Jane/?day=2027-01-01"):
        answer = await visitor.open(path, follow=False)
        assert answer.status == 308
        assert answer.headers["Location"].startswith(ADDRESS)


async def test_a_visitor_who_wishes_it_is_remembered(desk, visitor):
    """Name and address, in this browser alone, until "Not you?" is pressed (S36)."""
    await send(visitor, await to_details(visitor), remember="on")
    known = await to_details(visitor)
    async with desk.browser() as stranger:
        unknown = await to_details(stranger)
    [forms] = [[form for form in known.forms if ("forget", "yes") in form.buttons]]
    gone = await visitor.send(forms[0], ("forget", "yes"))
    later = await to_details(visitor)

    def filled(shown):
        form = shown.forms[-1]
        return form.value("name"), form.value("email"), form.value("remember")

    assert filled(known) == ("Vera", "vera@example.net", "on")
    assert filled(unknown) == filled(gone) == filled(later) == ("", "", None)
    assert "start=" in str(gone.url)
    assert known.headers["Cache-Control"] == "no-store"


async def test_nobody_is_remembered_unasked(visitor):
    """Without the tick nothing is kept; taking it away forgets at once."""
    await booked(visitor)
    assert "calgate_visitor" not in str(list(visitor.session.cookie_jar))
    await send(visitor, await to_details(visitor), remember="on")
    form = (await to_details(visitor)).forms[-1]
    form.fields = [pair for pair in form.fields if pair[0] != "remember"]
    await visitor.send(form, **{"answers.topic": "x"})

    assert (await to_details(visitor)).forms[-1].value("name") == ""


@pytest.mark.parametrize("cookie", ["x", "AAAA", "A" * 3000, "\u00e9"])
async def test_a_strange_cookie_fills_in_nothing(visitor, cookie):
    """What we did not seal is not shown, least of all as an error."""
    visitor.session.headers["Cookie"] = f"calgate_visitor={cookie}"
    shown = await to_details(visitor)

    assert (shown.status, shown.forms[-1].value("name")) == (200, "")


async def test_the_cookie_says_nothing_to_others(visitor):
    """It is sealed, out of reach of scripts, and only sent to booking pages."""
    await send(visitor, await to_details(visitor), remember="on")
    (cookie,) = [one for one in visitor.session.cookie_jar if one.key == "calgate_visitor"]

    assert "vera" not in cookie.value.lower()
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/meetings")
