"""Our own gateway: a process of its own on a fresh folder, filled before it serves.

It is filled through its services, as `calgate import` does, but under the corpus's names.
"""

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Self

from bench.corpus import Event
from gateway import __version__
from gateway.bootstrap import Gateway as Opened
from gateway.bootstrap import open_gateway
from gateway.config import load
from gateway.model.principal import Owner
from gateway.telemetry import configure_logging
from tests.served import Served

EMAIL = "bench@example.org"
BATCH = 500


class Gateway:
    """calgate with one owner, whose default calendar holds the corpus."""

    name, version = "calgate", __version__

    def __init__(self, folder: Path, events: Iterable[Event]) -> None:
        self.served = Served(folder)
        self.events = events
        self.user, self.password = EMAIL, ""
        self.base = f"{self.served.url}/dav/calendars/bench%40example.org/calendar/"

    def __enter__(self) -> Self:
        self.served.folder.mkdir(parents=True)
        self.served.prepare()
        self.password = self.served.owner(EMAIL)
        configure_logging(json=False, level="WARNING")
        asyncio.run(self.fill())
        self.served.start()
        return self

    def __exit__(self, *reason: object) -> None:
        self.served.stop()

    async def fill(self) -> None:
        """Put the events into the default calendar."""
        async with open_gateway(load(self.served.config)) as opened:
            await put_all(opened, await the_owner(opened), "calendar", self.events)


async def the_owner(opened: Opened) -> Owner:
    """Return the owner everything belongs to."""
    async with opened.services.store.read() as tx:
        found = await tx.owners.by_email(EMAIL)
    assert found is not None
    return found


async def put_all(opened: Opened, owner: Owner, name: str, events: Iterable[Event]) -> None:
    """Put events into one of the owner's calendars."""
    async with opened.services.store.read() as tx:
        calendars = {one.name: one for one in await tx.collections.of_owner(owner.id)}
    for batch in batches(iter(events)):
        await opened.services.objects.put_many(owner, calendars[name], batch)


def batches(events: Iterator[Event]) -> Iterator[list[Event]]:
    """Cut the events into what one transaction takes."""
    while batch := list(islice(events, BATCH)):
        yield batch
