"""Whether both gateways of a chain agree, with one another and with what their users were told."""

import asyncio
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.chain.dav import Period, uid_of, unfolded, united
from tests.chain.entries import midnight
from tests.chain.gateways import Chain, Refused

DAYS = 400
PATIENCE = 60.0
NOT_BELIEVED = ("More than half", "The calendar is no longer at this address")
HELD_PATIENCE = 420.0
"""Seconds for a loss that the gateway looks at again after five minutes."""
ANSWER = re.compile(rb"(?m)^X-CALGATE-ANSWER:[A-Z-]+\r\n")
"""What the lower one adds to an invitation: that its user is Ann, and what she has answered."""


@dataclass(slots=True)
class Booked:
    """A booking as its visitor knows it; `key` finds it again when no answer came."""

    key: str
    body: dict[str, Any]
    id: str = ""
    state: str = "unknown"


@dataclass(slots=True)
class Known:
    """What a client knows: objects as they were put, by calendar and path; bookings as answered."""

    chain: Chain
    told: dict[str, dict[str, bytes]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    bookings: list[Booked] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    today: datetime = field(default_factory=midnight)

    async def converge(self) -> float:
        """Wait until both say the same; what is still wrong then is kept. Return the seconds."""
        started, held = time.monotonic(), False
        while True:
            seen = await self.chain.look()
            there = {self.names[path] for path in self.told}
            doubted = (one for one in seen if one["detail"].startswith(NOT_BELIEVED))
            held = held or any(one["name"] in there for one in doubted)
            differences = await self.differences(seen)
            waited = time.monotonic() - started
            if not differences or waited > (HELD_PATIENCE if held else PATIENCE):
                self.wrong += differences
                self.done["held losses"] += held
                return waited
            await asyncio.sleep(0.2)

    async def differences(self, seen: list[dict[str, Any]]) -> list[str]:
        """Return what differs between what was told, the upper and the lower gateway."""
        found = await self._settle()
        if found or not seen:
            return found or ["the lower gateway does not read"]
        events = await self._events()
        found += self._bookings_off(events)
        start, stop = self.today, self.today + timedelta(days=DAYS)
        lower = {one.name: one for one in await self.chain.jane.calendars()}
        by_name = {one["name"]: one for one in seen}
        answers: dict[str, list[Period]] = {}
        for path, name in self.names.items():
            if path not in self.told:
                continue
            if name not in lower or name not in by_name:
                found.append(f"{name} is not at the lower one")
                continue
            if by_name[name]["state"] != "working":
                found.append(f"{name} is {by_name[name]['state']}: {by_name[name]['detail']}")
            found += _objects_off(
                name, events[path], await self.chain.jane.objects(lower[name].href)
            )
            busy = await self.chain.ann.busy(path, start, stop)
            answers[name] = busy
            if busy != await self.chain.jane.busy(lower[name].href, start, stop):
                found.append(f"{name}: free/busy differs")
        selected = [
            answers[name] for name, one in by_name.items() if name in answers and one["selected"]
        ]
        if united(selected) != await self.chain.jane.busy(self.chain.jane.home, start, stop):
            lost = [
                one for one in by_name.values() if one["selected"] and one["name"] not in answers
            ]
            if not lost:
                found.append("the home set's free/busy is not that of its selected calendars")
        return found

    async def _events(self) -> dict[str, dict[str, bytes]]:
        """Return what the upper one holds, after a look whether it is what was put."""
        held = {path: await self.chain.ann.objects(path) for path in self.told}
        for path, objects in held.items():
            mine = {href: data for href, data in objects.items() if b"UID:bk_" not in data}
            if mine != self.told[path]:
                odd = mine.items() ^ self.told[path].items()
                hrefs = sorted({href for href, _ in odd})
                self.wrong.append(f"{self.names[path]}: what was put is not held: {hrefs}")
                self.told[path] = mine
        return held

    async def _settle(self) -> list[str]:
        """Ask again where no answer came, and until no booking is under way."""
        for booked in self.bookings:
            if booked.state == "unknown":
                await self.send(booked)
        try:
            listed = {one["id"]: one["state"] for one in await self.chain.call("GET", "bookings")}
        except Refused as refusal:
            return [f"bookings: {refusal}"]
        for booked in self.bookings:
            if booked.id:
                booked.state = listed.get(booked.id, "lost")
        under_way = [one.id for one in self.bookings if one.state in ("held", "writing", "pending")]
        strangers = set(listed) - {one.id for one in self.bookings}
        return [
            *(f"{one} is still under way" for one in under_way),
            *(f"{one.key} has no answer" for one in self.bookings if one.state == "unknown"),
            *(
                f"{one} is a booking that nobody made"
                for one in strangers
                if listed[one] != "rejected"
            ),
        ]

    def _bookings_off(self, events: dict[str, dict[str, bytes]]) -> list[str]:
        uids = Counter(
            uid_of(data).partition("@")[0]
            for objects in events.values()
            for data in objects.values()
        )
        found = []
        for booked in self.bookings:
            wanted = 1 if booked.state == "confirmed" else 0
            if booked.id and uids[booked.id] != wanted:
                found.append(f"{booked.id} is {booked.state} and stands {uids[booked.id]} times")
            if booked.state == "lost":
                found.append(f"{booked.id} was answered and is lost")
        known = {one.id for one in self.bookings}
        return found + [
            f"{uid} stands there and nobody knows it"
            for uid in uids
            if uid.startswith("bk_") and uid not in known
        ]

    async def send(self, booked: Booked) -> None:
        """Send a booking, for the first time or again."""
        path = f"pages/{self.chain.page}/bookings"
        try:
            told = await self.chain.call("POST", path, booked.body, idempotency_key=booked.key)
            booked.id, booked.state = told["id"], told["state"]
        except Refused as refusal:
            known = refusal.code in ("slot_taken", "calendar_unavailable")
            self.expect(known or not refusal.status, f"booking: {refusal}")
            if known:
                booked.state = "refused"

    async def calendars(self) -> list[dict[str, Any]]:
        """Return the lower one's calendars as its API tells them."""
        try:
            return list(await self.chain.call("GET", "calendars"))
        except Refused:
            return []

    def expect(self, truth: bool, sentence: str) -> None:
        """Keep a sentence if it was not so."""
        if not truth:
            self.wrong.append(sentence)


def _objects_off(name: str, upper: dict[str, bytes], lower: dict[str, bytes]) -> list[str]:
    above = {uid_of(data): data for data in upper.values()}
    below = {uid_of(data): data for data in lower.values()}
    found = [f"{name}: {uid} is missing below" for uid in above.keys() - below.keys()]
    found += [f"{name}: {uid} is too much below" for uid in below.keys() - above.keys()]
    if len(lower) != len(below):
        found.append(f"{name}: a UID stands twice below")
    for uid in above.keys() & below.keys():
        # XML cannot carry lines that were cut inside a character; they come folded elsewhere.
        if unfolded(above[uid]) != ANSWER.sub(b"", unfolded(below[uid])):
            found.append(f"{name}: {uid} differs: {above[uid][:200]!r} {below[uid][:200]!r}")
    return found
