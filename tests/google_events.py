"""Events that tests plant at the simulated Google, and how they read them back."""

from typing import Any

from gateway.adapters.google.adapter import GoogleAdapter
from gateway.model.timerange import DAY
from gateway.ports import UpstreamObject, UpstreamPage
from tests.conftest import START
from tests.google_account import ANA, GoogleSource
from tests.upstream_read import last_words, members

NOON = START + DAY
"""2026-11-25T12:00:00Z."""


def at(day: int, hour: int = 12) -> dict[str, str]:
    """Return a time of November 2026 in Zurich."""
    return {"dateTime": f"2026-11-{day:02}T{hour:02}:00:00+01:00", "timeZone": "Europe/Zurich"}


def put(ana: GoogleSource, event_id: str, **values: Any) -> None:
    """Store an event of 25 November, 12:00 to 13:00 in Zurich, or as told."""
    item = {"id": event_id, "summary": event_id, "start": at(25), "end": at(25, 13)} | values
    ana.server.world.put(ANA, item)


def put_series(ana: GoogleSource, event_id: str = "series") -> None:
    """Store a series on four days from 24 November."""
    rule = ["RRULE:FREQ=DAILY;COUNT=4"]
    put(ana, event_id, start=at(24), end=at(24, 13), recurrence=rule)


def put_exception(ana: GoogleSource, day: int, event_id: str = "series", **values: Any) -> None:
    """Store a changed instance of the series, by default two hours later."""
    put(
        ana,
        f"{event_id}_202611{day}T110000Z",
        **{
            "iCalUID": f"{event_id}@google.com",
            "recurringEventId": event_id,
            "originalStartTime": at(day),
            "start": at(day, 14),
            "end": at(day, 15),
        }
        | values,
    )


async def read(
    adapter: GoogleAdapter, cursor: str = "", calendar: str = ANA
) -> tuple[dict[str, UpstreamObject], UpstreamPage]:
    """Read all changes of Ana's calendar, or another."""
    return await last_words(adapter, calendar, cursor)


def told(item: UpstreamObject) -> tuple[list[str], list[str]]:
    """Return a series' overrides and exceptions by their times."""
    found = members(item)
    overrides = [one.value("RECURRENCE-ID") for one in found if one.first("RECURRENCE-ID")]
    return sorted(overrides), [line.value for line in found[0].all("EXDATE")]
