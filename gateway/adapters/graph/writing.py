"""The events of bookings: one each, whatever breaks off on the way (docs/adr/0011).

Law: nothing is written before it was looked for, and an answer that does not come is found out by
looking, never guessed and never tried again at once.
"""

from gateway.adapters.graph.answers import GraphRefusal
from gateway.adapters.graph.booking_event import (
    changeable,
    event_body,
    found_by,
    is_as_wanted,
    is_meeting,
    patch_for,
)
from gateway.adapters.graph.client import INCOMPLETE, GraphClient, Json, path
from gateway.adapters.graph.fields import Item, objects_of, text_of
from gateway.errors import NotFound, Unavailable

ROUNDS = 3
"""How often a change is decided anew because somebody else changed the event meanwhile."""
CONFLICT, CHANGED = 409, 412
GONE = frozenset({404, 410})
UNCLEAR = "Office 365 did not say whether the event was written."


class Writing:
    """Creates, changes and removes the events of bookings in one account."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    async def create(self, calendar_id: str, uid: str, data: bytes) -> None:
        """Make the booking's event; where it is there already, see that it says the same."""
        found = await self._find(calendar_id, uid)
        if not found:
            made = await self._post(calendar_id, event_body(data, uid))
            found = await self._find(calendar_id, uid)
            if not found:
                if made:
                    return  # said to be made; a search may lag behind
                raise Unavailable(UNCLEAR)
        await self._keep_one(found)
        await self._change(found[0], changeable(data))

    async def update(self, calendar_id: str, uid: str, data: bytes) -> None:
        """Change the booking's event; raise NotFound where it is no longer there."""
        found = await self._find(calendar_id, uid)
        if not found:
            raise NotFound("event")
        await self._keep_one(found)
        await self._change(found[0], changeable(data))

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

    async def _change(self, item: Item, wanted: Json) -> None:
        for _ in range(ROUNDS):
            if is_as_wanted(item, wanted):
                return
            name = text_of(item, "id")
            try:
                await self._client.write(
                    "PATCH",
                    path("me", "events", name),
                    body=patch_for(item, wanted),
                    if_match=text_of(item, "@odata.etag"),
                )
            except GraphRefusal as refusal:
                if refusal.status in GONE:
                    raise NotFound("event") from refusal
                if refusal.status != CHANGED and not refusal.is_unclear:
                    raise
            else:
                return
            item = await self._again(name)
        raise Unavailable(UNCLEAR)

    async def _again(self, name: str) -> Item:
        try:
            item = await self._client.read(path("me", "events", name))
        except GraphRefusal as refusal:
            if refusal.status in GONE:
                raise NotFound("event") from refusal
            raise
        if text_of(item, "id") != name:
            raise Unavailable(INCOMPLETE)
        return item
