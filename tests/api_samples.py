"""A good request for each operation of the JSON API, with whatever it needs in place."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.model.timerange import DAY, format_rfc3339
from tests.api_desk import API, ApiDesk
from tests.booking_desk import TEN
from tests.builders import an_event

Made = Callable[[ApiDesk], Awaitable[str]]
NOBODY = "no_0000000000000000"
"""An id that has the right shape and belongs to nothing."""

NEW_PAGE: dict[str, Any] = {
    "title": "Intro",
    "slug": "jane/sample",
    "description": "A first talk.\nBring questions.",
    "durations": [30, 60],
    "step": 15,
    "time_zone": "Europe/Amsterdam",
    "weekly_hours": {"mon": [["09:00", "12:30"], ["13:30", "17:00"]], "sat": []},
    "overrides": {"2026-12-25": [], "2026-12-24": [["09:00", "12:00"]]},
    "buffer_before": 0,
    "buffer_after": 10,
    "min_notice": 240,
    "horizon_days": 60,
    "limits": {"per_day": 4, "per_week": None, "per_month": None},
    "seats": 1,
    "tentative_blocks": True,
    "questions": [{"id": "topic", "label": "Topic", "type": "text", "required": True}],
    "location": {"type": "phone", "value": "+31 20 123 4567"},
    "state": "live",
}
"""The page of the contract, with every member that an owner sets."""

CONTACT: dict[str, Any] = {
    "email": "cor@example.net",
    "name": "Cor de Wit",
    "phone": "+31 20 123 4567",
    "notes": "Met at the fair.",
}

MEETING: dict[str, Any] = {
    "title": "The fair",
    "duration": 45,
    "time_zone": "Europe/Amsterdam",
    "location": "Hall 3",
    "guests": ["ann@example.net"],
}

BOOKING: dict[str, Any] = {
    "start": format_rfc3339(TEN),
    "duration": 30,
    "time_zone": "Europe/Amsterdam",
    "name": "Vera",
    "email": "vera@example.net",
    "answers": {},
    "guests": [],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A request; `{id}` in the path stands for what `make` returns."""

    method: str
    path: str
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    make: Made | None = None
    public: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The good request of an operation, whose `{id}` exists."""

    name: str
    sample: Sample
    id: str = ""

    @property
    def path(self) -> str:
        """The full path."""
        return self.path_of(self.id)

    def path_of(self, identifier: str) -> str:
        """Return the path with another id."""
        return API + self.sample.path.replace("{id}", identifier)

    @property
    def body(self) -> Any:
        """The body, with the id in it where it stands there."""
        body = self.sample.body
        if not isinstance(body, dict):
            return body
        return {key: self.id if value == "{id}" else value for key, value in body.items()}

    @property
    def query(self) -> dict[str, str]:
        """The query, with the id in it where it stands there."""
        return {key: value.replace("{id}", self.id) for key, value in self.sample.query.items()}


async def page(desk: ApiDesk) -> str:
    """Return the id of the live page."""
    return desk.desk.page.id


async def calendar(desk: ApiDesk) -> str:
    """Return the id of the local calendar."""
    return desk.desk.calendars["home"].public_id


async def connection(desk: ApiDesk) -> str:
    """Connect a subscription; return its id."""
    address = desk.subscription(f"work{len(desk.server.calendars)}")
    made = await desk.services.connections.connect_ics(desk.desk.owner, address)
    return made.connection.id


async def booking(desk: ApiDesk) -> str:
    """Book the last free time of the samples' day; return the booking's id."""
    return (await desk.desk.book((await desk.desk.starts())[-1])).id


async def request(desk: ApiDesk) -> str:
    """Ask for a time while the owner is offline, then connect the calendar again."""
    objects, owner = desk.services.objects, desk.desk.owner
    await objects.set_default(owner, None)
    asked = await desk.desk.book((await desk.desk.starts(TEN + 2 * DAY))[0])
    await objects.set_default(owner, desk.desk.calendars["home"])
    return asked.id


async def feed(desk: ApiDesk) -> str:
    """Make a feed; return its id."""
    made = await desk.call("POST", "/feeds", {"label": "Family"})
    return str(made.body["id"])


async def token(desk: ApiDesk) -> str:
    """Make a token; return its id."""
    made = await desk.call("POST", "/tokens", {"label": "script"})
    return str(made.body["id"])


async def contact(desk: ApiDesk) -> str:
    """Make a contact nobody else has; return its id."""
    number = len((await desk.call("GET", "/contacts")).body)
    body = CONTACT | {"email": f"cor{number}@example.net"}
    return str((await desk.call("POST", "/contacts", body)).body["id"])


async def engagement(desk: ApiDesk) -> str:
    """Put an event with a contact into the local calendar; return the engagement's id."""
    await desk.call("PATCH", "/settings", {"calendar_sync": True})
    who = await contact(desk)
    email = (await desk.call("GET", f"/contacts/{who}")).body["email"]
    home = desk.desk.calendars["home"]
    data = an_event(f"{who}@client", end="20261201T093000Z", attendee=f"mailto:{email}")
    await desk.services.objects.put(desk.desk.owner, home, f"{who}.ics", data)
    await desk.services.contacts.looking.settle()
    return str((await desk.get("/engagements", contact=who))[0]["id"])


async def meeting(desk: ApiDesk) -> str:
    """Make a meeting on a contact's record, at a time that is free; return its id."""
    taken = len((await desk.call("GET", "/engagements")).body)
    body = MEETING | {
        "contact": await contact(desk),
        "start": format_rfc3339(TEN + (3 + taken) * DAY),
    }
    return str((await desk.call("POST", "/engagements", body)).body["id"])


async def record(desk: ApiDesk) -> str:
    """Make a meeting while the owner is offline, which is only kept on the record."""
    objects, owner = desk.services.objects, desk.desk.owner
    await objects.set_default(owner, None)
    made = await meeting(desk)
    await objects.set_default(owner, desk.desk.calendars["home"])
    return made


DAYS = {"from": "2026-12-01", "to": "2026-12-31", "tz": "Europe/Amsterdam", "duration": "30"}
SAMPLES: dict[str, Sample] = {
    "pageBySlug": Sample(
        method="GET", path="/pages/by-slug", query={"slug": "jane/intro"}, public=True
    ),
    "slots": Sample(method="GET", path="/pages/{id}/slots", query=DAYS, make=page, public=True),
    "book": Sample(
        method="POST", path="/pages/{id}/bookings", body=BOOKING, make=page, public=True
    ),
    "listPages": Sample(method="GET", path="/pages"),
    "createPage": Sample(method="POST", path="/pages", body=NEW_PAGE | {"slug": "jane/new"}),
    "getPage": Sample(method="GET", path="/pages/{id}", make=page),
    "updatePage": Sample(method="PATCH", path="/pages/{id}", body=NEW_PAGE, make=page),
    "replacePage": Sample(method="PUT", path="/pages/{id}", body=NEW_PAGE, make=page),
    "removePage": Sample(method="DELETE", path="/pages/{id}", make=page),
    "listBookings": Sample(
        method="GET",
        path="/bookings",
        query={"from": "2026-11-01T00:00:00Z", "to": "2027-01-01T00:00:00+01:00"},
        make=booking,
    ),
    "getBooking": Sample(method="GET", path="/bookings/{id}", make=booking),
    "cancelBooking": Sample(method="POST", path="/bookings/{id}/cancel", make=booking),
    "rescheduleBooking": Sample(
        method="POST",
        path="/bookings/{id}/reschedule",
        body={"start": format_rfc3339(TEN + 13 * DAY)},
        make=booking,
    ),
    "acceptBooking": Sample(method="POST", path="/bookings/{id}/accept", make=request),
    "declineBooking": Sample(method="POST", path="/bookings/{id}/decline", make=request),
    "explain": Sample(
        method="GET",
        path="/explain",
        query={"page": "{id}", "start": format_rfc3339(TEN), "duration": "30"},
        make=page,
    ),
    "listContacts": Sample(method="GET", path="/contacts", query={"email": "cor@example.net"}),
    "createContact": Sample(method="POST", path="/contacts", body=CONTACT),
    "getContact": Sample(method="GET", path="/contacts/{id}", make=contact),
    "updateContact": Sample(
        method="PATCH", path="/contacts/{id}", body={"name": "Cor"}, make=contact
    ),
    "removeContact": Sample(method="DELETE", path="/contacts/{id}", make=contact),
    "listEngagements": Sample(
        method="GET", path="/engagements", query={"contact": "{id}"}, make=contact
    ),
    "createEngagement": Sample(
        method="POST",
        path="/engagements",
        body=MEETING | {"contact": "{id}", "start": format_rfc3339(TEN + 20 * DAY)},
        make=contact,
    ),
    "updateEngagement": Sample(
        method="PATCH", path="/engagements/{id}", body={"title": "Tea", "duration": 60}, make=record
    ),
    "cancelEngagement": Sample(method="POST", path="/engagements/{id}/cancel", make=meeting),
    "removeEngagement": Sample(method="DELETE", path="/engagements/{id}", make=meeting),
    "getEngagement": Sample(method="GET", path="/engagements/{id}", make=engagement),
    "listCalendars": Sample(method="GET", path="/calendars"),
    "getCalendar": Sample(method="GET", path="/calendars/{id}", make=calendar),
    "updateCalendar": Sample(
        method="PATCH",
        path="/calendars/{id}",
        body={"selected": True, "default": True, "rules": {"tentative_blocks": False}},
        make=calendar,
    ),
    "listConnections": Sample(method="GET", path="/connections", make=connection),
    "removeConnection": Sample(method="DELETE", path="/connections/{id}", make=connection),
    "checkConnection": Sample(method="POST", path="/connections/{id}/check", make=connection),
    "getSettings": Sample(method="GET", path="/settings"),
    "saveSettings": Sample(
        method="PATCH",
        path="/settings",
        body={
            "meetings_url": "jane",
            "default_page": None,
            "domain": "meet.example.org",
            "indexing": "noindex",
            "robots_extra": "User-agent: GPTBot\nDisallow: /",
            "chat": {"include_link": False, "page": None},
            "calendar_sync": True,
        },
    ),
    "listFeeds": Sample(method="GET", path="/feeds", make=feed),
    "createFeed": Sample(
        method="POST", path="/feeds", body={"label": "Family", "visibility": "title"}
    ),
    "removeFeed": Sample(method="DELETE", path="/feeds/{id}", make=feed),
    "listTokens": Sample(method="GET", path="/tokens"),
    "createToken": Sample(method="POST", path="/tokens", body={"label": "script"}),
    "removeToken": Sample(method="DELETE", path="/tokens/{id}", make=token),
}


async def ready(desk: ApiDesk, name: str) -> Ready:
    """Put in place what the good request of an operation needs."""
    sample = SAMPLES[name]
    return Ready(name=name, sample=sample, id=await sample.make(desk) if sample.make else "")
