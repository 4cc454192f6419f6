"""The events of bookings: one each, whatever breaks off on the way (docs/adr/0011).

Law: nothing is written before it was looked for, and an answer that does not come is found out by
looking, never guessed and never tried again at once.
"""

from collections.abc import Awaitable, Callable

from gateway.adapters.graph.answers import GraphRefusal
from gateway.adapters.graph.booking_event import event_body, found_by, is_meeting, times_of
from gateway.adapters.graph.client import INCOMPLETE, GraphClient, Json, path
from gateway.adapters.graph.fields import Item, is_true, objects_of, text_of
from gateway.adapters.graph.normalise import render
from gateway.errors import Refused, Unavailable
from gateway.model.event_time import event_time
from gateway.model.timerange import TimeRange
from gateway.model.zone import UTC_ZONE, Zone

ROUNDS = 3
"""How often a change is decided anew because somebody else changed the event meanwhile."""
CONFLICT, CHANGED = 409, 412
GONE = frozenset({404, 410})
UNCLEAR = "Office 365 did not say whether the event was written."


class Writing:
    """Creates, changes and removes the events of bookings in one account."""

    def __init__(self, client: GraphClient, home: Callable[[], Awaitable[Zone]]) -> None:
        self._client = client
        self._home = home

    async def create(self, calendar_id: str, uid: str, data: bytes) -> None:
        """Make the booking's event; where it is there already, its owner may have changed it."""
        found = await self._find(calendar_id, uid)
        if not found:
            made = await self._post(calendar_id, event_body(data, uid))
            found = await self._find(calendar_id, uid)
            if not found:
                if made:
                    return  # said to be made; a search may lag behind
                raise Unavailable(UNCLEAR)
        await self._keep_one(found)

    async def find(self, calendar_id: str, uid: str) -> TimeRange | None:
        """Return when the booking's event is; None where there is none that stands."""
        found = await self._find(calendar_id, uid)
        return await self._time(found[0]) if found else None

    async def move(
        self, calendar_id: str, uid: str, before: TimeRange, after: TimeRange
    ) -> TimeRange | None:
        """Move the booking's event unless its owner did; return when it is, None where it is gone.

        Only its times are sent: whatever else is in it stays as its owner has it.
        """
        found = await self._find(calendar_id, uid)
        if not found:
            return None
        await self._keep_one(found)
        item: Item | None = found[0]
        for _ in range(ROUNDS):
            now = await self._time(item) if item is not None else None
            if item is None or now != before:
                return now
            if await self._moved(item, after):
                return after
            item = await self._again(text_of(item, "id"))
        raise Unavailable(UNCLEAR)

    async def remove(self, calendar_id: str, uid: str) -> None:
        """Delete every event of the booking."""
        found = await self._find(calendar_id, uid)
        cleared = [await self._delete(one) for one in found]
        if not all(cleared) and await self._find(calendar_id, uid):
            raise Unavailable("Office 365 did not say whether the event was removed.")

    # --- steps -----------------------------------------------------------------------------------

    async def _find(self, calendar_id: str, uid: str) -> list[Item]:
        """Return the booking's events, the one that stays first, on whatever node."""
        where = path("me", "calendars", calendar_id, "events", _filter=found_by(uid))
        found: list[Item] = []
        async for page in self._client.pages(where):
            if not all(text_of(one, "id") for one in page["value"]):
                raise Unavailable(INCOMPLETE)
            found += objects_of(page, "value")
        return sorted(found, key=lambda one: (text_of(one, "createdDateTime"), text_of(one, "id")))

    async def _post(self, calendar_id: str, body: Json) -> bool:
        """Tell whether Graph says that it made the event; False: it is unclear, or was made."""
        try:
            made = await self._client.write(
                "POST", path("me", "calendars", calendar_id, "events"), body=body
            )
        except GraphRefusal as refusal:
            if refusal.status == CONFLICT or refusal.is_unclear:
                return False
            raise
        return bool(text_of(made, "id"))

    async def _keep_one(self, found: list[Item]) -> None:
        """Delete what a late or repeated request made besides."""
        for one in found[1:]:
            if not await self._delete(one):
                raise Unavailable(UNCLEAR)

    async def _delete(self, item: Item) -> bool:
        """Tell whether an event is surely gone; a meeting's attendees hear of it."""
        name = text_of(item, "id")
        try:
            if is_meeting(item):
                await self._client.write("POST", path("me", "events", name, "cancel"), body={})
            else:
                await self._client.write("DELETE", path("me", "events", name))
        except GraphRefusal as refusal:
            if refusal.status in GONE:
                return True
            if refusal.is_unclear:
                return False
            raise
        return True

    async def _time(self, item: Item) -> TimeRange | None:
        """Return when an event is; None where it is called off."""
        home = await self._home() if is_true(item, "isAllDay") else UTC_ZONE
        try:
            data = render({**item, "recurrence": None}, (), home).data
            assert data is not None, "render gives bytes"
            return event_time(data, home)
        except (ValueError, OverflowError, Refused) as error:
            raise Unavailable("The booking's event cannot be read.") from error

    async def _moved(self, item: Item, after: TimeRange) -> bool:
        """Tell whether Graph says that it moved the event, as it was just read."""
        try:
            await self._client.write(
                "PATCH",
                path("me", "events", text_of(item, "id")),
                body=times_of(after),
                if_match=text_of(item, "@odata.etag"),
            )
        except GraphRefusal as refusal:
            if refusal.status not in GONE | {CHANGED} and not refusal.is_unclear:
                raise
            return False
        return True

    async def _again(self, name: str) -> Item | None:
        try:
            item = await self._client.read(path("me", "events", name))
        except GraphRefusal as refusal:
            if refusal.status in GONE:
                return None
            raise
        if text_of(item, "id") != name:
            raise Unavailable(INCOMPLETE)
        return item
