"""Events that tests plant at the simulated Microsoft, and how they read them back."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from gateway.model.timerange import DAY, HOUR, format_rfc3339
from gateway.ports import UpstreamObject
from tests.conftest import START
from tests.graph_account import GraphSource
from tests.upstream_read import members

NOON = START + DAY
"""2026-11-25T12:00:00Z."""


def at(instant: int) -> dict[str, str]:
    """Return an instant as Graph writes it."""
    return {"dateTime": format_rfc3339(instant)[:-1] + ".0000000", "timeZone": "UTC"}


def put(lea: GraphSource, event_id: str, when: int = NOON, **values: Any) -> None:
    """Store an hour."""
    item = {"id": event_id, "subject": event_id, "start": at(when), "end": at(when + HOUR)}
    calendar = values.pop("calendar", lea.calendar_id)
    lea.server.world.put(calendar, item | {"showAs": "busy"} | values)


def put_series(lea: GraphSource, event_id: str = "series", count: int = 4) -> None:
    """Store a series on some days from 25 November."""
    reach = {"type": "numbered", "numberOfOccurrences": count, "startDate": "2026-11-25"}
    pattern = {"type": "daily", "interval": 1}
    recurrence = {"pattern": pattern, "range": {**reach, "recurrenceTimeZone": "UTC"}}
    put(lea, event_id, recurrence=recurrence)


def put_exception(lea: GraphSource, day: int, event_id: str = "series") -> None:
    """Store a day of the series two hours later."""
    put(
        lea,
        f"{event_id}-{day}",
        NOON + (day - 25) * DAY + 2 * HOUR,
        type="exception",
        seriesMasterId=event_id,
        occurrenceId=f"OID.{event_id}.2026-11-{day}",
        originalStart=f"2026-11-{day}T12:00:00Z",
    )


def told(item: UpstreamObject) -> tuple[list[str], list[str]]:
    """Return a series' overrides and exceptions by their times."""
    master, *overrides = members(item)
    return (
        [one.value("RECURRENCE-ID") for one in overrides],
        [line.value for line in master.all("EXDATE")],
    )


@asynccontextmanager
async def a_server(
    handle: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    """Run a server that answers everything in one way; yield its address."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
