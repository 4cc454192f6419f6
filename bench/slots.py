"""A month of slots and the booking page, for an owner with five busy calendars.

Server time is what the gateway itself counts (`calgate_request_seconds` of /metrics), as a mean;
the client's median beside it holds the loopback and this client too.
"""

import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median

from bench.corpus import Days, icsgen
from bench.corpus import events as make_events
from bench.gateway import Gateway, put_all, the_owner
from bench.results import Page
from gateway.bootstrap import open_gateway
from gateway.config import load
from gateway.model.page import WEEKDAYS, SchedulingPage

CALENDARS = ("calendar", "second", "third", "fourth", "fifth")
EACH = 1_000

OPENS, CLOSES = 7, 21
MINUTES = 30
MONTH = 31
REQUESTS = 100


class BookingGateway(Gateway):
    """A gateway whose owner has five calendars and one page, open all week."""

    page_id = ""

    def __init__(self, folder: Path, days: Days) -> None:
        super().__init__(folder, ())
        self.days = days

    async def fill(self) -> None:
        """Make the calendars and the page, and deal the corpus out to the calendars."""
        everything = make_events(EACH * len(CALENDARS), self.days.epoch)
        async with open_gateway(load(self.served.config)) as opened:
            services, owner = opened.services, await the_owner(opened)
            for name in CALENDARS:
                if name != CALENDARS[0]:
                    await services.objects.create_collection(owner, name=name, time_zone="UTC")
                await put_all(opened, owner, name, list(islice(everything, EACH)))
            page = SchedulingPage(
                id="",
                owner_id=owner.id,
                slug="",
                title="Introduction",
                durations=(MINUTES,),
                step=MINUTES,
                weekly_hours=dict.fromkeys(WEEKDAYS, ((f"{OPENS:02}:00", f"{CLOSES:02}:00"),)),
                horizon_days=90,
            )
            view = await services.pages.create(owner, page)
            self.page_id, self.slug = view.page.id, view.page.slug

    def get(self, path: str) -> bytes:
        """Ask for a page of the gateway."""
        with urllib.request.urlopen(f"{self.served.url}{path}", timeout=30) as answer:
            return bytes(answer.read())

    def counted(self, area: str) -> tuple[float, float]:
        """Return the seconds and the number of requests the gateway has counted in an area."""
        text = self.get("/metrics").decode()
        found = [
            re.search(rf'calgate_request_seconds_{part}{{area="{area}"}} (\S+)', text)
            for part in ("sum", "count")
        ]
        seconds, count = (float(one[1]) if one else 0.0 for one in found)
        return seconds, count


def measure_pages(folder: Path, days: Days) -> list[Page]:
    """Measure both on a gateway of their own."""
    first, last = days.window, days.window + timedelta(days=MONTH - 1)
    with BookingGateway(folder, days) as gateway:
        api = f"/api/v1/pages/{gateway.page_id}/slots?from={first}&to={last}&tz=UTC"
        wanted = expected(days)
        return [
            _measured(
                gateway,
                "a month of slots (API)",
                area="api",
                path=api,
                is_right=lambda body: [one["start"] for one in json.loads(body)["slots"]] == wanted,
            ),
            _measured(
                gateway,
                "a booking page",
                area="meetings",
                path=f"/meetings/{gateway.slug}",
                is_right=lambda body: b"Introduction" in body,
            ),
        ]


def _measured(
    gateway: BookingGateway, name: str, *, area: str, path: str, is_right: Callable[[bytes], bool]
) -> Page:
    right = is_right(gateway.get(path))
    before, took = gateway.counted(area), []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        gateway.get(path)
        took.append(time.perf_counter() - started)
    after = gateway.counted(area)
    assert after[1] - before[1] == REQUESTS, "the gateway counted something else"
    return Page(
        name=name,
        server_ms=(after[0] - before[0]) / REQUESTS * 1e3,
        client_ms=median(took) * 1e3,
        right=right,
    )


def expected(days: Days) -> list[str]:
    """Return the free starts by the corpus's own arithmetic, without any code of the gateway."""
    icsgen.START = days.epoch
    busy = [
        (start, end)
        for number in range(EACH * len(CALENDARS))
        for start, end, _all_day, transparency, status in icsgen.make(number).occ
        if transparency == "OPAQUE" and status != "CANCELLED"
    ]
    length = timedelta(minutes=MINUTES)
    near = [span for span in busy if _meets(span, days.window)]
    return [
        start.strftime("%Y-%m-%dT%H:%M:%SZ")
        for start in _starts(days.window)
        if not any(low < start + length and start < high for low, high in near)
    ]


def _meets(span: tuple[datetime, datetime], first: date) -> bool:
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return span[0] < midnight + timedelta(days=MONTH + 1) and span[1] > midnight


def _starts(first: date) -> Iterator[datetime]:
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    for day in range(MONTH):
        for minute in range(OPENS * 60, CLOSES * 60 - MINUTES + 1, MINUTES):
            yield midnight + timedelta(days=day, minutes=minute)
