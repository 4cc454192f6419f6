"""The owner at a source: who moves, rewrites and deletes a booking's event with another program."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from gateway.model.event_time import at_another_time, event_time
from gateway.model.timerange import TimeRange, format_rfc3339, to_datetime
from gateway.model.zones import UTC_ZONE
from gateway.sandbox.exchange.soap import T
from tests.contract.test_adapters import read
from tests.exchange_account import ExchangeSource
from tests.google_account import ANA, GoogleSource
from tests.graph_account import GraphSource
from tests.upstreams import CaldavSource, Peers, open_source

KINDS = ("google", "graph", "exchange", "radicale")


@dataclass
class OwnersHand:
    """What an owner does to the events of one calendar, and sees in it."""

    source: Any

    async def opened(self) -> tuple[Any, str]:
        """Return an adapter that has signed in, and the calendar's id."""
        adapter = self.source.open()
        return adapter, (await adapter.calendars())[0].upstream_id

    async def times(self) -> list[TimeRange]:
        """Return when what stands in the calendar is."""
        objects, _ = await read(self.source.open())
        found = [event_time(one.data, UTC_ZONE) for one in objects if one.data is not None]
        return sorted((one for one in found if one), key=lambda one: one.start)

    async def moves(self, span: TimeRange, *, title: str = "") -> None:
        """Move the earliest event, and perhaps call it something else."""
        match self.source:
            case GoogleSource():
                item = min(self.source.server.world.live(ANA), key=_google_start)
                changed = item | _times(span, "Z") | ({"summary": title} if title else {})
                self.source.server.world.put(ANA, changed)
            case GraphSource():
                world, calendar = self.source.server.world, self.source.calendar_id
                item = min(world.live(calendar), key=_google_start)
                changed = item | _times(span, "") | ({"subject": title} if title else {})
                world.put(calendar, changed)
            case ExchangeSource():
                items = self.source.mailbox.calendar.items.values()
                item = min(items, key=lambda one: one.findtext(f"{T}Start") or "")
                for name, moment in (("Start", span.start), ("End", span.end)):
                    item.find(f"{T}{name}").text = format_rfc3339(moment)
                if title:
                    item.find(f"{T}Subject").text = title
                self.source.mailbox.put(item)
            case CaldavSource():
                href, data = await self._earliest()
                await self.source.ask("PUT", href, at_another_time(data, span))

    async def adds_a_link(self) -> None:
        """Let the provider put its own way in, and its own wording, into the only event."""
        link = "https://video.example/abc"
        match self.source:
            case GoogleSource():
                (item,) = self.source.server.world.live(ANA)
                more = {"hangoutLink": link, "description": f"{item['description']}  <br>"}
                self.source.server.world.put(ANA, item | more)
            case GraphSource():
                world, calendar = self.source.server.world, self.source.calendar_id
                (item,) = world.live(calendar)
                body = {"contentType": "html", "content": f"<p>Join {link}</p>"}
                more = {"isOnlineMeeting": True, "onlineMeeting": {"joinUrl": link}, "body": body}
                world.put(calendar, item | more | {"iCalUId": "040000008200E00074C5"})
            case ExchangeSource():
                (item,) = self.source.mailbox.calendar.items.values()
                item.find(f"{T}Body").text = f"Join {link}"
                item.find(f"{T}UID").text = "040000008200E00074C5"
                self.source.mailbox.put(item)
            case CaldavSource():
                href, data = await self._earliest()
                linked = data.replace(b"END:VEVENT", b"URL:https://video.example/abc\r\nEND:VEVENT")
                await self.source.ask("PUT", href, linked)

    async def deletes(self) -> None:
        """Delete the only event there is."""
        match self.source:
            case GoogleSource():
                (item,) = self.source.server.world.live(ANA)
                self.source.server.world.remove(ANA, item["id"])
            case GraphSource():
                world, calendar = self.source.server.world, self.source.calendar_id
                (item,) = world.live(calendar)
                world.remove(calendar, item["id"])
            case ExchangeSource():
                (identifier,) = self.source.mailbox.calendar.items
                self.source.mailbox.remove(identifier)
            case CaldavSource():
                href, _ = await self._earliest()
                await self.source.ask("DELETE", href)

    async def _earliest(self) -> tuple[str, bytes]:
        objects, _ = await read(self.source.open())
        there = [item for item in objects if item.data is not None]
        one = min(there, key=lambda item: event_time(item.data, UTC_ZONE).start)
        return one.key.rpartition("/")[2], one.data

    def titles(self) -> list[str]:
        """Return what the events are called, where the source is simulated."""
        match self.source:
            case GoogleSource():
                return [item["summary"] for item in self.source.server.world.live(ANA)]
            case GraphSource():
                live = self.source.server.world.live(self.source.calendar_id)
                return [item["subject"] for item in live]
        items: list[ET.Element] = list(self.source.mailbox.calendar.items.values())
        return [item.findtext(f"{T}Subject") or "" for item in items]


@asynccontextmanager
async def owners_hand(kind: str, peers: Peers) -> AsyncIterator[OwnersHand]:
    """Run a source of a kind with an empty calendar."""
    async with open_source(kind, peers) as source:
        yield OwnersHand(source)


def _google_start(item: Any) -> str:
    return str(item["start"]["dateTime"])[:19]


def _times(span: TimeRange, mark: str) -> dict[str, Any]:
    start, end = (to_datetime(one).strftime("%Y-%m-%dT%H:%M:%S") for one in (span.start, span.end))
    return {
        "start": {"dateTime": start + mark, "timeZone": "UTC"},
        "end": {"dateTime": end + mark, "timeZone": "UTC"},
    }
