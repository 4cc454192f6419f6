"""Bookings written into a calendar: one live event a booking, whatever breaks on the way.

Law: an id is tried until its fate is known. Generation g+1 is used only when g is seen deleted or
somebody else's; after an unclear answer the id is read back before anything else is done.
"""

from typing import Any

from gateway.adapters.google.answers import NO_ANSWER, GoogleRefusal
from gateway.adapters.google.booking_event import (
    changeable,
    event_body,
    event_id,
    fence_body,
    invites,
    is_as_wanted,
    is_fence,
    is_ours,
)
from gateway.adapters.google.client import Ask, GoogleClient, Json
from gateway.adapters.google.normalise import is_cancelled
from gateway.adapters.google.people import text_of
from gateway.errors import NotFound, Unavailable

MAX_GENERATIONS = 16
TRIES = 2
ROUNDS = 3
"""How often a change is decided anew because somebody else changed the event meanwhile."""
NOT_FOUND, CONFLICT, GONE, CHANGED = 404, 409, 410, 412
UNCLEAR = "Google did not say whether the event was written."


class Writing:
    """Creates, changes and removes the events of bookings in one account."""

    def __init__(self, client: GoogleClient) -> None:
        self._client = client

    async def create(self, calendar_id: str, uid: str, data: bytes) -> None:
        """Make the booking's event; where it is there already, see that it says the same."""
        send = "all" if invites(data) else "none"
        for generation in range(MAX_GENERATIONS):
            body = event_body(data, uid, generation)
            found: Json | None = None
            for _ in range(TRIES):
                if await self._insert(calendar_id, body, send):
                    return
                found = await self._get(calendar_id, body["id"])
                if found is not None:
                    break
            if found is None:
                raise Unavailable(UNCLEAR)
            if is_cancelled(found) or not is_ours(found, uid):
                continue
            if is_fence(found):
                # Left by a removal that was cut short; the booking lives under the next id.
                await self._delete(calendar_id, body["id"])
                continue
            if not is_as_wanted(found, body):
                await self._change(calendar_id, found, changeable(data), send)
            return
        raise Unavailable("All ids of this booking's event are taken.")

    async def update(self, calendar_id: str, uid: str, data: bytes) -> None:
        """Change the booking's event; raise NotFound where it is no longer there."""
        for generation in range(MAX_GENERATIONS):
            found = await self._get(calendar_id, event_id(uid, generation))
            if found is None:
                break
            if not is_cancelled(found) and is_ours(found, uid) and not is_fence(found):
                send = "all" if invites(data) else "none"
                await self._change(calendar_id, found, changeable(data), send)
                return
        await self._calendar_is_there(calendar_id)
        raise NotFound("event")

    async def remove(self, calendar_id: str, uid: str) -> None:
        """Delete every live event of the booking, and let none come to life later.

        A create whose answer was lost may still be under way. Where there never was an event, its
        id is taken and deleted: an id stays taken, so what comes late finds it so. Every node that
        removes the booking passes by that same id, so one that is killed there leaves nothing.
        """
        for generation in range(MAX_GENERATIONS):
            name = event_id(uid, generation)
            found = await self._get(calendar_id, name)
            if found is None:
                if generation == 0:
                    await self._calendar_is_there(calendar_id)
                    await self._fence(calendar_id, uid)
                return
            if not is_cancelled(found) and is_ours(found, uid):
                # Whom Google has invited, Google tells that it is off.
                told = "all" if found.get("attendees") else "none"
                await self._delete(calendar_id, name, told)

    # --- steps -----------------------------------------------------------------------------------

    async def _insert(self, calendar_id: str, body: Json, send: str) -> bool:
        """Tell whether Google made the event now; False: it is unclear, or the id is taken."""

        def ask(service: Any) -> Any:
            return service.events().insert(calendarId=calendar_id, body=body, sendUpdates=send)

        try:
            made = await self._once(ask)
        except GoogleRefusal as refusal:
            if refusal.status == CONFLICT or refusal.is_unclear:
                return False
            raise
        return text_of(made, "id") == body["id"] and not is_cancelled(made)

    async def _change(self, calendar_id: str, found: Json, wanted: Json, send: str) -> None:
        name = text_of(found, "id")
        current: Json | None = found
        for _ in range(ROUNDS):
            if current is None or is_cancelled(current):
                raise NotFound("event")
            if is_as_wanted(current, wanted):
                return
            etag = text_of(current, "etag")

            def ask(service: Any) -> Any:
                return service.events().patch(
                    calendarId=calendar_id, eventId=name, body=wanted, sendUpdates=send
                )

            try:
                await self._once(ask, If_Match=etag)
            except GoogleRefusal as refusal:
                if refusal.status not in {NOT_FOUND, GONE, CHANGED} and not refusal.is_unclear:
                    raise
            else:
                return
            current = await self._get(calendar_id, name)
        if current is not None and is_as_wanted(current, wanted):
            return
        raise Unavailable(UNCLEAR)

    async def _delete(self, calendar_id: str, name: str, send: str = "none") -> None:
        def ask(service: Any) -> Any:
            return service.events().delete(calendarId=calendar_id, eventId=name, sendUpdates=send)

        for _ in range(ROUNDS):
            try:
                await self._once(ask)
            except GoogleRefusal as refusal:
                if refusal.status in {NOT_FOUND, GONE}:
                    return
                if not refusal.is_unclear:
                    raise
            else:
                return
            found = await self._get(calendar_id, name)
            if found is None or is_cancelled(found):
                return
        raise Unavailable(UNCLEAR)

    async def _fence(self, calendar_id: str, uid: str) -> None:
        body = fence_body(uid)
        if not await self._insert(calendar_id, body, "none"):
            found = await self._get(calendar_id, body["id"])
            if found is None:
                raise Unavailable(UNCLEAR)
            if is_cancelled(found):
                return
        await self._delete(calendar_id, body["id"])

    async def _get(self, calendar_id: str, name: str) -> Json | None:
        """Return an event as it is now, a deleted one as cancelled; None: there never was one."""
        try:
            found = await self._client.read(
                lambda service: service.events().get(calendarId=calendar_id, eventId=name)
            )
        except GoogleRefusal as refusal:
            if refusal.status == NOT_FOUND:
                return None
            if refusal.status == GONE:
                return {"id": name, "status": "cancelled"}
            raise
        if text_of(found, "id") != name or not text_of(found, "status"):
            # Half an answer would pass for somebody else's event.
            raise GoogleRefusal(NO_ANSWER)
        return found

    async def _calendar_is_there(self, calendar_id: str) -> None:
        """Raise where not the event is missing but the whole calendar, which is also a 404."""
        await self._client.read(lambda service: service.calendarList().get(calendarId=calendar_id))

    async def _once(self, ask: Ask, **headers: str) -> Json:
        """Send a write once; what broke off on the way is an unclear answer."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            return await self._client.call(ask, headers=told)
        except Unavailable as error:
            raise GoogleRefusal(NO_ANSWER) from error
