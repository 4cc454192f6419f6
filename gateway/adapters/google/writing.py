"""Bookings written into a calendar: one live event a booking, whatever breaks on the way.

Law: an id is tried until its fate is known. Generation g+1 is used only when g is seen deleted or
somebody else's; after an unclear answer the id is read back before anything else is done.
"""

from typing import Any

from gateway.adapters.google.answers import NO_ANSWER, GoogleRefusal
from gateway.adapters.google.booking_event import (
    event_body,
    event_id,
    fence_body,
    invites,
    is_fence,
    is_ours,
)
from gateway.adapters.google.client import Ask, GoogleClient, Json
from gateway.adapters.google.normalise import is_cancelled
from gateway.adapters.google.people import text_of
from gateway.adapters.google.times import read_spot, zone_called
from gateway.errors import Unavailable
from gateway.model.timerange import MINUTE, TimeRange, format_rfc3339
from gateway.model.zone import UTC_ZONE

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
        """Make the booking's event; where it is there already, its owner may have changed it."""
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
            return
        raise Unavailable("All ids of this booking's event are taken.")

    async def find(self, calendar_id: str, uid: str) -> TimeRange | None:
        """Return when the booking's event is; None where there is none that stands."""
        found = await self._standing(calendar_id, uid)
        return None if found is None else await self._time(calendar_id, found)

    async def move(
        self, calendar_id: str, uid: str, before: TimeRange, after: TimeRange
    ) -> TimeRange | None:
        """Move the booking's event unless its owner did; return when it is, None where it is gone.

        Only its times are sent: whatever else is in it stays as its owner has it.
        """
        current = await self._standing(calendar_id, uid)
        for _ in range(ROUNDS):
            if current is None or is_cancelled(current):
                return None
            now = await self._time(calendar_id, current)
            if now != before:
                return now
            if await self._moved(calendar_id, current, after):
                return after
            current = await self._get(calendar_id, text_of(current, "id"))
        raise Unavailable(UNCLEAR)

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
                    await self._calendar(calendar_id)
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

    async def _standing(self, calendar_id: str, uid: str) -> Json | None:
        """Return the booking's live event; None only where the calendar itself can be read."""
        for generation in range(MAX_GENERATIONS):
            found = await self._get(calendar_id, event_id(uid, generation))
            if found is None:
                break
            if not is_cancelled(found) and is_ours(found, uid) and not is_fence(found):
                return found
        await self._calendar(calendar_id)
        return None

    async def _time(self, calendar_id: str, item: Json) -> TimeRange:
        home = UTC_ZONE
        try:
            if read_spot(item.get("start"), home).is_date:
                entry = await self._calendar(calendar_id)
                home = zone_called(entry.get("timeZone")) or UTC_ZONE
            start, end = (read_spot(item.get(name), home).instant for name in ("start", "end"))
        except ValueError as error:
            raise Unavailable("The booking's event cannot be read.") from error
        return TimeRange(start, max(end, start + MINUTE))

    async def _moved(self, calendar_id: str, current: Json, after: TimeRange) -> bool:
        """Tell whether Google says that it moved the event, as it was just read."""
        body = {
            "start": {"dateTime": format_rfc3339(after.start)},
            "end": {"dateTime": format_rfc3339(after.end)},
        }

        def ask(service: Any) -> Any:
            return service.events().patch(
                calendarId=calendar_id,
                eventId=text_of(current, "id"),
                body=body,
                sendUpdates="all" if current.get("attendees") else "none",
            )

        try:
            await self._once(ask, If_Match=text_of(current, "etag"))
        except GoogleRefusal as refusal:
            if refusal.status not in {NOT_FOUND, GONE, CHANGED} and not refusal.is_unclear:
                raise
            return False
        return True

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

    async def _calendar(self, calendar_id: str) -> Json:
        """Return the calendar; where it is missing, which is also a 404, raise."""
        return await self._client.read(
            lambda service: service.calendarList().get(calendarId=calendar_id)
        )

    async def _once(self, ask: Ask, **headers: str) -> Json:
        """Send a write once; what broke off on the way is an unclear answer."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            return await self._client.call(ask, headers=told)
        except Unavailable as error:
            raise GoogleRefusal(NO_ANSWER) from error
