"""Every failure that /api/openapi.json names for an operation happens, and no other."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from gateway import errors
from gateway.model.booking import Move
from gateway.model.connection import Failure, Health
from gateway.model.principal import Owner
from gateway.model.timerange import DAY, format_rfc3339
from gateway.services import contacts, pages
from gateway.services.claim import RateLimits
from gateway.storage import schema
from gateway.storage.bookings import Bookings
from gateway.web.api import OPERATIONS
from gateway.web.api.openapi import failures
from tests.api_desk import Answer, ApiDesk
from tests.api_samples import (
    BOOKING,
    NEW_PAGE,
    NOBODY,
    Ready,
    booking,
    engagement,
    meeting,
    ready,
    request,
)
from tests.booking_desk import TEN

Provoke = Callable[[ApiDesk, Ready], Awaitable[Answer]]
JSON = {"Content-Type": "application/json"}


async def send(desk: ApiDesk, good: Ready, *, body: Any = None, **options: Any) -> Answer:
    """Send the good request of an operation, changed by what is given."""
    sample = good.sample
    options.setdefault("params", good.query)
    options.setdefault("token", None if sample.public else "")
    if "data" not in options:
        body = good.body if body is None else body
    return await desk.call(sample.method, options.pop("path", good.path), body, **options)


# --- what any operation can answer --------------------------------------------------------------


async def malformed(desk: ApiDesk, good: Ready) -> Answer:
    """Send half an object, or a path with a hidden NUL."""
    if good.body is not None:
        return await send(desk, good, data=b"{", headers=JSON)
    return await send(desk, good, headers={"Host": "a@b:99999"})


async def wrong_host(desk: ApiDesk, good: Ready) -> Answer:
    """Ask under somebody else's name."""
    return await send(desk, good, headers={"Host": "evil.example"})


async def broken(desk: ApiDesk, good: Ready, error: Exception) -> Answer:
    """Break the store as the request comes in."""

    def fail(*_: object, **__: object) -> Any:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        for method in ("read", "write"):
            patch.setattr(desk.services.store, method, fail)
        return await send(desk, good)


async def overloaded(desk: ApiDesk, good: Ready) -> Answer:
    """Let the database be busy."""
    return await broken(desk, good, errors.Overloaded("busy", retry_after=7))


async def unavailable(desk: ApiDesk, good: Ready) -> Answer:
    """Let the gateway have what only its operator can mend."""
    return await broken(desk, good, errors.BadKey("canary"))


async def not_signed_in(desk: ApiDesk, good: Ready) -> Answer:
    """Send no token."""
    return await send(desk, good, token=None)


async def too_many_requests(desk: ApiDesk, good: Ready) -> Answer:
    """Try wrong tokens until the address has to wait."""
    for _ in range(31):
        answer = await send(desk, good, token="wrong-token-wrong-token")
        if answer.status != 401:
            break
    return answer


async def too_large(desk: ApiDesk, good: Ready) -> Answer:
    """Send more than anybody needs."""
    return await send(desk, good, data=b" " * 300_000 + b"{}", headers=JSON)


async def not_json(desk: ApiDesk, good: Ready) -> Answer:
    """Send a form."""
    return await send(desk, good, data={"title": "x"})


async def not_found(desk: ApiDesk, good: Ready) -> Answer:
    """Name what is not there."""
    if good.name == "createEngagement":
        return await send(desk, good, body={**good.body, "contact": NOBODY})
    path = good.path_of(NOBODY)
    return await send(desk, good, path=path, params={**good.query, **GONE.get(good.name, {})})


async def invalid(desk: ApiDesk, good: Ready) -> Answer:
    """Send one member or parameter that is wrong."""
    wrong = WRONG[good.name]
    if good.body is not None:
        return await send(desk, good, body={**good.body, **wrong})
    return await send(desk, good, params={**good.query, **wrong})


GONE: dict[str, dict[str, str]] = {
    "pageBySlug": {"slug": "no/body"},
    "explain": {"page": NOBODY},
    "listContacts": {"after": NOBODY, "email": ""},
    "listEngagements": {"contact": NOBODY},
}
WRONG: dict[str, dict[str, Any]] = {
    "pageBySlug": {"slug": "x" * 501},
    "slots": {"duration": "1"},
    "book": {"email": "a@example.net, b@example.net"},
    "createPage": {"time_zone": "Mars/Olympus"},
    "updatePage": {"step": 0},
    "replacePage": {"durations": []},
    "listBookings": {"from": "yesterday"},
    "rescheduleBooking": {"duration": 45},
    "explain": {"duration": "-1"},
    "listContacts": {"email": "x" * 501},
    "createContact": {"email": "nobody"},
    "updateContact": {"phone": "1" * 41},
    "createEngagement": {"guests": ["nobody"]},
    "updateEngagement": {"start": "tomorrow"},
    "listEngagements": {"from": "2026-13-01T00:00:00Z"},
    "updateCalendar": {"selected": "yes"},
    "saveSettings": {"indexing": "secret"},
    "createFeed": {"calendars": [NOBODY]},
    "createToken": {"label": " "},
}

# --- what only some can -------------------------------------------------------------------------


async def needs_seat(desk: ApiDesk, good: Ready) -> Answer:
    """Change an address without a seat."""
    async with desk.services.store.write() as tx:
        owner = await tx.owners.get(desk.desk.owner.id)
        assert owner
        await tx.owners.update(_unseated(owner))
    return await send(desk, good)


def _unseated(owner: Owner) -> Owner:
    return replace(owner, seat=False)


async def custom_domains_off(desk: ApiDesk, good: Ready) -> Answer:
    """Ask for a domain that is not built in where that is all there is."""
    desk.services.settings._custom_domains = False
    return await send(desk, good, body={"domain": "jane.example.com"})


async def slug_taken(desk: ApiDesk, good: Ready) -> Answer:
    """Want the address of another owner's page, or another owner's meetings URL."""
    _, token = await desk.another()
    await desk.call("POST", "/pages", {"title": "Bob", "slug": "bob"}, token=token)
    if good.name == "saveSettings":
        return await send(desk, good, body={"meetings_url": "bob"})
    return await send(desk, good, body={**NEW_PAGE, "slug": "BOB"})


async def too_many_pages(desk: ApiDesk, good: Ready) -> Answer:
    """Make one more page than there may be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "MAX_PAGES", 1)
        return await send(desk, good)


async def contact_exists(desk: ApiDesk, good: Ready) -> Answer:
    """Give a contact the address of another one, in other letters."""
    await desk.call("POST", "/contacts", {"email": "ann@example.net"})
    return await send(desk, good, body={"email": "Ann@Example.net"})


async def too_many_contacts(desk: ApiDesk, good: Ready) -> Answer:
    """Make one more contact than there may be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contacts, "MAX_CONTACTS", 0)
        return await send(desk, good)


async def busy(desk: ApiDesk, good: Ready) -> Answer:
    """Make a meeting where an event is."""
    await desk.desk.put("home", "dentist", "20261221T093000Z", "20261221T110000Z")
    return await send(desk, good)


async def from_calendar(desk: ApiDesk, good: Ready) -> Answer:
    """Change a meeting that an event of a calendar is."""
    return await send(desk, replace(good, id=await engagement(desk)))


async def invited(desk: ApiDesk, good: Ready) -> Answer:
    """Give a meeting another title after its invitation went out."""
    return await send(desk, replace(good, id=await meeting(desk)))


def meeting_moved(provoke: Provoke) -> Provoke:
    """Let something keep a meeting, to which a contact was invited, from another time."""

    async def moved(desk: ApiDesk, good: Ready) -> Answer:
        identifier = await meeting(desk)
        async with desk.desk.store.read() as tx:
            found = await tx.engagements.get(identifier)
        assert found
        sample = replace(good.sample, body={"start": format_rfc3339(TEN + 20 * DAY)})
        if provoke is moving:
            booked = replace(good, sample=sample, id=found.booking_id)
            await provoke(desk, booked)  # refused as an engagement's id, which it is not
        elif provoke is not_confirmed:
            async with desk.desk.store.connect() as connection:  # its calendar has not answered yet
                await connection.execute(update(schema.booking).values(state="pending"))
        elif provoke is slot_taken:
            await desk.desk.book(TEN + 20 * DAY)
        elif provoke is calendar_unavailable:
            await provoke(desk, good)
        else:
            await desk.desk.put("home", "dentist", "20261221T093000Z", "20261221T110000Z")
        return await send(desk, replace(good, sample=sample, id=identifier))

    return moved


async def cancelled_already(desk: ApiDesk, good: Ready) -> Answer:
    """Change a meeting that is cancelled."""
    await desk.call("POST", f"/engagements/{good.id}/cancel")
    return await send(desk, good)


async def read_only_calendar(desk: ApiDesk, good: Ready) -> Answer:
    """Make a subscription the default."""
    made = await desk.services.connections.connect_ics(desk.desk.owner, desk.subscription("school"))
    path = f"/api/v1/calendars/{made.calendars[0].collection.public_id}"
    return await send(desk, good, path=path, body={"default": True})


async def slot_taken(desk: ApiDesk, good: Ready) -> Answer:
    """Want a time that somebody has just got."""
    known = {"book": TEN, "createEngagement": TEN + 20 * DAY}
    wanted = known.get(good.name) or (await desk.desk.starts(TEN + 2 * DAY))[0]
    await desk.desk.book(wanted)
    return await send(desk, good)


async def calendar_unavailable(desk: ApiDesk, good: Ready) -> Answer:
    """Lose access to a selected calendar."""
    made = await desk.services.connections.connect_ics(desk.desk.owner, desk.subscription("school"))
    lost = Health(failing_since=desk.desk.clock.now() - DAY, failure=Failure.ACCESS_LOST, strikes=2)
    async with desk.services.store.write() as tx:
        await tx.collections.set_health(made.calendars[0].collection.id, lost)
    return await send(desk, good)


async def idempotency_mismatch(desk: ApiDesk, good: Ready) -> Answer:
    """Use a key again for something else."""
    key = {"Idempotency-Key": "one"}
    first = await send(desk, good, headers=key)
    assert first.status == 201
    changed = {"name": "Wilma"} if good.name == "book" else {"title": "Tea"}
    return await send(desk, good, headers=key, body={**good.body, **changed})


async def too_often(desk: ApiDesk, good: Ready) -> Answer:
    """Book until the mailbox has had enough."""
    desk.desk.bookings._claim._limits = RateLimits(per_address_per_hour=1, per_email_per_day=1)
    await send(desk, good)
    return await send(desk, good, body={**BOOKING, "start": format_rfc3339(TEN + 1800)})


async def over(desk: ApiDesk, good: Ready) -> Answer:
    """Cancel a meeting of last week."""
    desk.desk.clock.set(TEN + 7 * DAY)
    return await send(desk, good)


async def not_booked(desk: ApiDesk, good: Ready) -> Answer:
    """Cancel what was declined."""
    declined = await request(desk)
    await desk.call("POST", f"/bookings/{declined}/decline")
    return await send(desk, replace(good, id=declined))


async def not_confirmed(desk: ApiDesk, good: Ready) -> Answer:
    """Move what was cancelled."""
    await desk.call("POST", f"/bookings/{good.id}/cancel")
    return await send(desk, good)


async def moving(desk: ApiDesk, good: Ready) -> Answer:
    """Move what is being moved already."""
    async with desk.desk.store.write() as tx:
        found = await tx.bookings.get(good.id)
        assert found
        move = Move(start=TEN + DAY, end=TEN + DAY + 1800, by="visitor", since=TEN)
        await tx.bookings.move(replace(found, moving=move), found.state, found.updated_at)
    return await send(desk, good)


async def moved_onto_another(desk: ApiDesk, good: Ready) -> Answer:
    """Move to where somebody has booked meanwhile."""
    await desk.desk.book(TEN + 13 * DAY)
    return await send(desk, good)


async def moved_elsewhere(desk: ApiDesk, good: Ready) -> Answer:
    """Send the same key with another time."""
    key = {"Idempotency-Key": "k"}
    await send(desk, good, headers=key)
    return await send(desk, good, headers=key, body={"start": format_rfc3339(TEN + 1800)})


async def not_requested(desk: ApiDesk, good: Ready) -> Answer:
    """Decide about what is booked already."""
    return await send(desk, replace(good, id=await booking(desk)))


async def booking_changed(desk: ApiDesk, good: Ready) -> Answer:
    """Let somebody else change the booking in the same moment."""

    async def meanwhile(*_: object, **__: object) -> None:
        raise errors.Conflict("booking_changed", "The booking has changed in the meantime.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bookings, "move", meanwhile)
        return await send(desk, good)


async def page_gone(desk: ApiDesk, good: Ready) -> Answer:
    """Accept a request whose page was removed."""
    await desk.call("DELETE", f"/pages/{desk.desk.page.id}")
    return await send(desk, good)


async def offline(desk: ApiDesk, good: Ready) -> Answer:
    """Accept a request without a calendar to write to."""
    await desk.services.objects.set_default(desk.desk.owner, None)
    return await send(desk, good)


PROVOKE: dict[str, Provoke] = {
    provoke.__name__: provoke
    for provoke in (
        malformed,
        wrong_host,
        overloaded,
        unavailable,
        not_signed_in,
        too_many_requests,
        too_large,
        not_json,
        not_found,
        invalid,
        needs_seat,
        custom_domains_off,
        slug_taken,
        too_many_pages,
        contact_exists,
        busy,
        from_calendar,
        invited,
        too_many_contacts,
        read_only_calendar,
        slot_taken,
        calendar_unavailable,
        idempotency_mismatch,
        over,
        not_booked,
        not_confirmed,
        moving,
        not_requested,
        booking_changed,
        page_gone,
        offline,
    )
}
OTHERWISE: dict[tuple[str, str], Provoke] = {
    ("book", "too_many_requests"): too_often,
    ("updateEngagement", "over"): cancelled_already,
    **{
        ("updateEngagement", one.__name__): meeting_moved(one)
        for one in (busy, slot_taken, calendar_unavailable, moving, not_confirmed)
    },
    ("rescheduleBooking", "slot_taken"): moved_onto_another,
    ("rescheduleBooking", "idempotency_mismatch"): moved_elsewhere,
}
COMMON = {
    *("malformed", "wrong_host", "overloaded", "unavailable", "not_signed_in", "too_large"),
    *("not_json", "not_found", "invalid"),
}
"""Failures that leave everything as it was, so that one desk serves them all."""
NAMED = {
    one.name: [code for codes in failures(one).values() for code in codes] for one in OPERATIONS
}


@pytest.mark.parametrize("name", sorted(NAMED))
async def test_common_failures_happen_as_described(api: ApiDesk, name: str) -> None:
    """Each failure of requests as such is answered with its code, by each operation."""
    good = await ready(api, name)
    for code in NAMED[name]:
        if code in COMMON:
            answer = await PROVOKE[code](api, good)

            assert answer.code == code, (code, answer)
            assert "canary" not in str(answer.body)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (name, code)
        for name, codes in sorted(NAMED.items())
        for code in codes
        if code not in COMMON and (code != "too_many_requests" or name in ("book", "listPages"))
    ],
)
async def test_failures_happen_as_described(api: ApiDesk, name: str, code: str) -> None:
    """Each failure of what was asked for is answered with its code."""
    provoke = OTHERWISE.get((name, code)) or PROVOKE[code]

    answer = await provoke(api, await ready(api, name))
    assert answer.code == code, answer
