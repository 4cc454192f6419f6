"""A thousand random edits on both sides of a chain, with deaths and faults in between.

What is true at the upper gateway is kept as it was put, so that both gateways are held against
what a client knows, not against one another alone.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from gateway.sandbox.faults import Fault
from tests.chain.agreement import Booked, Known
from tests.chain.dav import path_of, uid_of
from tests.chain.entries import Entries
from tests.chain.gateways import ANN, Refused

ZONES = ("Europe/Amsterdam", "America/New_York", "Asia/Tokyo", "UTC", "Pacific/Auckland")
FAULTS: tuple[dict[str, Any], ...] = (
    {"status": 503},
    {"status": 429, "retry_after": "1"},
    {"html": True},
    {"status": 500},
    {"truncate": 200},
    {"empty": True, "status": 200},
)
CROWDED, MANY = 14, 5
"""Objects of a calendar from which more are deleted than made; calendars at most."""


@dataclass(slots=True)
class Play(Known):
    """One run of edits."""

    dice: random.Random = field(default_factory=random.Random)
    rough: bool = True
    gone: set[str] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)
    entries: Entries = field(init=False)
    number: int = 0

    def __post_init__(self) -> None:
        self.entries = Entries(self.dice, self.today, ANN)

    async def begin(self) -> None:
        """Learn the calendars and fill them, so that no loss is more than half of one."""
        for listed in await self.chain.ann.calendars():
            self.told[listed.href], self.names[listed.href] = {}, listed.name
            for _ in range(CROWDED):
                await self.put_new(listed.href)

    async def edit(self) -> None:
        """Do one random thing at one of the two sides."""
        self.number += 1
        ways: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (24, self.put),
            (14, self.replace),
            (14, self.delete),
            (8, self.rename),
            (6, self.move),
            (4, self.replace_by_twin),
            (3, self.add_calendar),
            (2, self.remove_calendar),
            (4, self.change_calendar),
            (3, self.refused),
            (12, self.book),
            (8, self.cancel),
            (6, self.select),
            (3, self.set_default),
            (2, self.expire),
        ]
        if self.rough:
            ways += [(3, self.disturb), (1, self.end_upper), (1, self.end_lower)]
        weights = [weight for weight, _ in ways]
        (_, way) = self.dice.choices(ways, weights)[0]
        self.done[way.__name__] += 1
        await way()

    # --- Ann, at the upper one

    async def put(self) -> None:
        """Make an object; a full calendar loses one instead."""
        calendar = self._calendar()
        if len(self.told[calendar]) > 2 * CROWDED:
            await self._delete_from(calendar)
        await self.put_new(calendar)

    async def put_new(self, calendar: str) -> None:
        """Make an object under a new name."""
        data = self.entries.any(self.entries.uid())
        await self._put(calendar, path_of(calendar, self.entries.name()), data)

    async def replace(self) -> None:
        """Change an object in its place."""
        calendar, path = self._object()
        if path:
            await self._put(calendar, path, self.entries.any(uid_of(self.told[calendar][path])))

    async def delete(self) -> None:
        """Delete an object."""
        await self._delete_from(self._calendar())

    async def rename(self) -> None:
        """Give an object another name in its calendar; a booking's too."""
        calendar = self._calendar()
        listed = await self.chain.ann.objects(calendar)
        if listed:
            path = self.dice.choice(sorted(listed))
            await self._moved(calendar, path, calendar, path_of(calendar, self.entries.name()))

    async def move(self) -> None:
        """Move an object into another calendar, now and then over another one."""
        calendar, path = self._object()
        other = self._calendar()
        if path and other != calendar:
            over = self.dice.random() < 0.3 and self.told[other]
            name = path_of(other, self.entries.name())
            to = self.dice.choice(sorted(self.told[other])) if over else name
            await self._moved(calendar, path, other, to)

    async def replace_by_twin(self) -> None:
        """Delete an object and put its UID under another name at once."""
        calendar, path = self._object()
        if path:
            uid = uid_of(self.told[calendar][path])
            await self._delete(calendar, path)
            new = path_of(calendar, self.entries.name())
            await self._put(calendar, new, self.entries.any(uid))

    async def add_calendar(self) -> None:
        """Make a calendar, or one again that was there before."""
        if len(self.told) >= MANY:
            return
        # Other objects under an old address are looked at again for five minutes: not too often.
        again = self.gone and not self.replaced
        new = f"{self.chain.ann.home}calendar%20{self.number}/"
        path = self.dice.choice(sorted(self.gone)) if again else new
        name = f"Calendar {self.number} · ü"
        status = await self.chain.ann.make(path, name, self.dice.choice(ZONES))
        self.expect(status == 201, f"MKCALENDAR {path}: {status}")
        self.told[path], self.names[path] = {}, name
        if again:
            self.replaced.add(path)
        self.gone.discard(path)
        for _ in range(CROWDED // 2):
            await self.put_new(path)

    async def remove_calendar(self) -> None:
        """Remove a calendar that no booking stands in."""
        spare = [path for path in sorted(self.told) if "calendar%20" in path]
        for path in spare:
            objects = await self.chain.ann.objects(path)
            if set(objects) - set(self.told[path]) or await self._is_default(path):
                continue
            status, _ = await self.chain.ann.ask("DELETE", path)
            self.expect(status == 204, f"DELETE {path}: {status}")
            del self.told[path]
            self.gone.add(path)
            return

    async def change_calendar(self) -> None:
        """Give a calendar another name or another zone."""
        path = self._calendar()
        if self.dice.random() < 0.5:
            self.names[path] = f"Renamed {self.number} & <co>"
            text = self.names[path].replace("&", "&amp;").replace("<", "&lt;")
            prop = f"<D:displayname>{text}</D:displayname>"
        else:
            zone = self.dice.choice(ZONES)
            prop = f"<C:calendar-timezone-id>{zone}</C:calendar-timezone-id>"
        status = await self.chain.ann.change(path, prop)
        self.expect(status == 207, f"PROPPATCH {path}: {status}")

    async def refused(self) -> None:
        """Put what is refused, at both sides: nothing may change."""
        calendar, path = self._object()
        if path:
            twin = path_of(calendar, self.entries.name())
            status, _ = await self.chain.ann.ask("PUT", twin, self.told[calendar][path])
            self.expect(status == 403, f"a second object of one UID: {status}")
        for listed in await self.chain.jane.calendars():
            target = path_of(listed.href, "no.ics")
            status, _ = await self.chain.jane.ask("PUT", target, self.entries.single("no"))
            self.expect(status == 403, f"PUT into {listed.name}: {status}")
            return

    # --- Jane and her visitors, at the lower one

    async def book(self) -> None:
        """Book a free time; where no answer came, the same key asks again later."""
        start = await self._free()
        if start:
            who = {"time_zone": "UTC", "name": "Véra", "email": f"v{self.number}@example.net"}
            body = {"start": start, "duration": 30, "guests": [], "answers": {}, **who}
            booked = Booked(key=f"key-{self.number}", body=body)
            self.bookings.append(booked)
            await self.send(booked)

    async def cancel(self) -> None:
        """Cancel a booking that stands."""
        standing = [one for one in self.bookings if one.state in ("confirmed", "pending")]
        if standing:
            booked = self.dice.choice(standing)
            try:
                await self.chain.call("POST", f"bookings/{booked.id}/cancel")
                booked.state = "cancelled"
            except Refused as refusal:
                self.expect(refusal.status in (0, 409, 503), f"cancel: {refusal}")

    async def select(self) -> None:
        """Let a calendar count or not; never the one that bookings go to."""
        for one in self._shuffled(await self.calendars()):
            if not one["default"]:
                body = {"selected": not one["selected"]}
                await self.chain.call("PATCH", f"calendars/{one['id']}", body)
                return

    async def set_default(self) -> None:
        """Send bookings elsewhere."""
        for one in self._shuffled(await self.calendars()):
            if one["state"] == "working" and one["writable"]:
                body = {"default": True, "selected": True}
                await self.chain.call("PATCH", f"calendars/{one['id']}", body)
                return

    # --- what goes wrong

    async def disturb(self) -> None:
        """Break the wire for a while, or let it lose an answer after the upper one has acted."""
        if self.dice.random() < 0.4:
            self.chain.proxy.drops_after = True
        else:
            self.chain.proxy.fault = Fault(**self.dice.choice(FAULTS))
        looking = asyncio.create_task(self.chain.look())
        if self.dice.random() < 0.5:
            await self.book()
        await looking
        self.chain.proxy.fault, self.chain.proxy.drops_after = None, False

    async def expire(self) -> None:
        """Have the upper one forget every sync token it gave, once."""
        self.chain.proxy.rewrite_requests[b"urn:calgate:sync:"] = b"urn:calgate:gone:"
        await self.chain.look()
        self.chain.proxy.rewrite_requests.clear()

    async def end_upper(self) -> None:
        """End the upper one, hard or not."""
        await self.chain.restart(self.chain.upper, kill=self.dice.random() < 0.7)

    async def end_lower(self) -> None:
        """End the lower one while it reads and books."""
        looking = asyncio.create_task(self.chain.look())
        booking = asyncio.create_task(self.book())
        await asyncio.sleep(self.dice.random() * 0.2)
        await self.chain.restart(self.chain.lower, kill=self.dice.random() < 0.7)
        await asyncio.gather(looking, booking)

    # --- means

    def _calendar(self) -> str:
        return self.dice.choice(sorted(self.told))

    def _object(self) -> tuple[str, str]:
        calendar = self._calendar()
        paths = sorted(self.told[calendar])
        return calendar, self.dice.choice(paths) if paths else ""

    def _shuffled(self, items: list[Any]) -> list[Any]:
        return self.dice.sample(items, len(items))

    async def _is_default(self, path: str) -> bool:
        return any(
            one["default"] and one["name"] == self.names[path] for one in await self.calendars()
        )

    async def _put(self, calendar: str, path: str, data: bytes) -> None:
        status, body = await self.chain.ann.ask("PUT", path, data)
        if status in (201, 204):
            self.told[calendar][path] = data
        else:
            self.wrong.append(f"PUT {path}: {status} {body[:300]!r} of {data[:300]!r}")

    async def _delete_from(self, calendar: str) -> None:
        # A calendar that loses half of what it has is looked at again for five minutes.
        if len(self.told[calendar]) > CROWDED // 2:
            await self._delete(calendar, self.dice.choice(sorted(self.told[calendar])))

    async def _delete(self, calendar: str, path: str) -> None:
        status, _ = await self.chain.ann.ask("DELETE", path)
        self.expect(status == 204, f"DELETE {path}: {status}")
        self.told[calendar].pop(path, None)

    async def _moved(self, calendar: str, path: str, other: str, to: str) -> None:
        status = await self.chain.ann.move(path, to)
        if status == 403 and other != calendar:
            return  # the other calendar has an object of this UID
        self.expect(status in (201, 204), f"MOVE {path}: {status}")
        data = self.told[calendar].pop(path, None)
        if data is not None:
            self.told[other][to] = data

    async def _free(self) -> str:
        day = date.fromordinal(self.today.date().toordinal() + self.dice.randrange(2, 55))
        path = f"pages/{self.chain.page}/slots?from={day}&to={day}&tz=UTC&duration=30"
        try:
            slots = (await self.chain.call("GET", path))["slots"]
        except Refused:
            return ""
        return str(self.dice.choice(slots)["start"]) if slots else ""
