"""Contacts on the owner's side: the list, a record, a meeting, and whose they are."""

import re

import pytest

from gateway.model.principal import Owner
from gateway.model.timerange import DAY
from tests.builders import an_event
from tests.owner_desk import OwnerDesk

COR = "cor@example.net"


async def _contact(browser, email: str = COR, name: str = "Cor") -> str:
    """Make a contact; return the address of its record."""
    page = await browser.open("/contacts")
    page = await browser.send(page.form("/contacts"), email=email, name=name)
    assert page.status == 200, page.text
    return page.url.path


async def _meeting(browser, path: str, **fields: str):
    """Make a meeting on a record."""
    form = (await browser.open(f"{path}/meeting")).form(f"{path}/meeting")
    return await browser.send(form, title="Tea & cake", **fields)


async def test_a_contact_is_made_changed_and_removed(desk: OwnerDesk, jane: Owner) -> None:
    """The list leads to a record, whose form saves and whose button removes."""
    async with desk.signed_in() as browser:
        path = await _contact(browser)
        record = await browser.open(path)
        saved = await browser.send(record.form(path), name="Cor <b>de</b> Wit", notes="Fair")
        assert saved.status == 200
        assert "Cor &lt;b&gt;de&lt;/b&gt; Wit" in saved.text
        again = await browser.open("/contacts")
        refused = await browser.send(again.form("/contacts"), email="COR@example.net")
        assert (refused.status, "already" in refused.text) == (409, True)
        wrong = await browser.send(again.form("/contacts"), email="nobody")
        assert wrong.status == 422
        gone = await browser.send(record.form(f"{path}/remove"))
        assert (gone.url.path, COR in gone.text) == ("/contacts", False)


async def test_a_meeting_is_made_and_called_off(desk: OwnerDesk, jane: Owner) -> None:
    """The form invites the contact, the record shows the meeting, its button cancels it."""
    await desk.calendar(jane)
    async with desk.signed_in() as browser:
        path = await _contact(browser)
        made = await _meeting(browser, path, location="Kitchen")
        assert made.url.path == path
        assert "Tea &amp; cake" in made.text
        async with desk.services.store.read() as tx:
            mails = [one.recipient for one in await tx.mails.of_owner(jane.id)]
        assert mails == [COR]
        (cancel,) = (one for one in made.forms if one.action.endswith("/cancel"))
        off = await browser.send(cancel)
        assert "Cancelled" in off.text


async def test_the_owner_is_asked_when_busy(desk: OwnerDesk, jane: Owner) -> None:
    """Where the owner is busy the form asks once; said to be meant, the meeting is made."""
    calendar = await desk.calendar(jane)
    async with desk.signed_in() as browser:
        path = await _contact(browser)
        form = (await browser.open(f"{path}/meeting")).form(f"{path}/meeting")
        day = dict(form.fields)["date"].replace("-", "")
        data = an_event(start=f";VALUE=DATE:{day}", end=None)
        await desk.services.objects.put(jane, calendar, "away.ics", data)
        asked = await _meeting(browser, path)
        assert (asked.status, "despite_busy" in asked.text) == (409, True)
        made = await browser.send(asked.form(f"{path}/meeting"), despite_busy="on")
        assert made.url.path == path


async def test_a_meeting_is_moved_on_the_record(desk: OwnerDesk, jane: Owner) -> None:
    """The form knows the time that it has; a busy one is asked about once, then meant."""
    calendar = await desk.calendar(jane)
    async with desk.signed_in() as browser:
        path = await _contact(browser)
        made = await _meeting(browser, path)
        (link,) = re.findall(r'href="(/contacts/meetings/[^"]+/move)"', made.text)
        form = (await browser.open(link)).form(link)
        fields = dict(form.fields)
        assert (fields["time"], fields["duration"]) == ("10:00", "30")
        wrong = await browser.send(form, date="soon", duration="x")
        assert (wrong.status, "Give a number of minutes." in wrong.text) == (422, True)
        day = fields["date"].replace("-", "")
        data = an_event(start=f"{day}T190000Z", end=f"{day}T210000Z")
        await desk.services.objects.put(jane, calendar, "away.ics", data)
        asked = await browser.send(form, time="21:00", duration="45")
        assert (asked.status, "despite_busy" in asked.text) == (409, True)
        moved = await browser.send(asked.form(link), despite_busy="on")
        assert (moved.url.path, "The meeting was moved." in moved.text) == (path, True)
        assert re.search("21:00.21:45", moved.text)
        async with desk.services.store.read() as tx:
            mails = [one.subject for one in await tx.mails.of_owner(jane.id)]
        # Within one second their order is nobody's.
        assert sorted(one.partition(":")[0] for one in mails) == ["Invitation", "Moved"]
        (cancel,) = (one for one in moved.forms if one.action.endswith("/cancel"))
        off = await browser.send(cancel)
        assert link not in off.text
        late = await browser.open(link)
        assert (late.status, "cannot be moved here any more" in late.text) == (409, True)


async def test_offline_nobody_is_invited(desk: OwnerDesk, jane: Owner) -> None:
    """S12: without a calendar the form says so, and the meeting is on the record only."""
    async with desk.signed_in() as browser:
        path = await _contact(browser)
        assert "nobody is invited" in (await browser.open(f"{path}/meeting")).text
        made = await _meeting(browser, path)
        assert "Nobody was invited" in made.text
        async with desk.services.store.read() as tx:
            assert await tx.mails.of_owner(jane.id) == []


async def test_calendar_sync_is_switched_in_the_tab(desk: OwnerDesk, jane: Owner) -> None:
    """The Calendar tab's box switches calendar sync; then events are on the record."""
    calendar = await desk.calendar(jane)
    async with desk.signed_in() as browser:
        path = await _contact(browser)
        tab = await browser.open("/settings/calendar")
        await browser.send(tab.form("/settings/calendar"), calendar_sync="on")
        assert (await desk.fresh(jane)).settings.calendar_sync
        start = (desk.services.clock.now() // DAY + 2) * DAY
        from gateway.model.timerange import format_utc

        data = an_event(
            start=format_utc(start),
            end=format_utc(start + 3600),
            summary="Surgery",
            attendee=f"mailto:{COR}",
            **{"class": "PRIVATE"},
        )
        await desk.services.objects.put(jane, calendar, "event.ics", data)
        await desk.services.contacts.looking.settle()
        record = await browser.open(path)
        assert ("Private meeting" in record.text, "Surgery" in record.text) == (True, False)


@pytest.mark.parametrize("where", ["", "/meeting"])
async def test_anothers_contact_is_not_there(desk: OwnerDesk, jane: Owner, where: str) -> None:
    """Nobody sees another owner's contacts: not listed, not found by id (security row 51)."""
    await desk.owner("bob@example.org", name="Bob")
    async with desk.signed_in() as browser:
        path = await _contact(browser)
    async with desk.signed_in("bob@example.org") as browser:
        assert COR not in (await browser.open("/contacts")).text
        assert (await browser.open(path + where)).status == 404


async def test_the_pages_are_in_dutch(desk: OwnerDesk) -> None:
    """An owner who reads Dutch gets the pages in Dutch."""
    await desk.owner("piet@example.org", locale="nl")
    async with desk.signed_in("piet@example.org") as browser:
        path = await _contact(browser)
        assert "Komende afspraken" in (await browser.open(path)).text
        assert "Afspraak toevoegen" in (await browser.open(f"{path}/meeting")).text
