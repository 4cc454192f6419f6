"""What a visitor has chosen so far, kept in the address alone: length, zone, month, day, time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from gateway.model.page import SchedulingPage
from gateway.model.timerange import Instant, format_utc, to_instant
from gateway.model.zone import Zone
from gateway.model.zones import UTC_ZONE, iana_zone, zone

START = re.compile(r"(?:19|20|21)\d{6}T\d{6}Z", re.ASCII)
MONTH = re.compile(r"(?:19|20|21)\d{2}-(?:0[1-9]|1[0-2])", re.ASCII)
DAY = re.compile(r"(?:19|20|21)\d{2}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is chosen; `month` is the first of it. `unknown_zone` says that a zone was not known."""

    duration: int
    zone: Zone
    month: date | None = None
    day: date | None = None
    start: Instant | None = None
    unknown_zone: bool = False

    def query(self, **changes: Any) -> str:
        """Return the query string of this choice with some of it changed."""
        wanted = replace(self, **changes)
        pairs: list[tuple[str, str]] = [
            ("duration", str(wanted.duration)),
            ("tz", wanted.zone.name),
        ]
        if wanted.start is not None:
            pairs.append(("start", format_utc(wanted.start)))
        elif wanted.day is not None:
            pairs.append(("day", wanted.day.isoformat()))
        elif wanted.month is not None:
            pairs.append(("month", f"{wanted.month:%Y-%m}"))
        return "?" + urlencode(pairs, safe="/")


def read_choice(given: Mapping[str, str], page: SchedulingPage) -> Choice:
    """Read a choice from an address; what makes no sense counts as not chosen."""
    name = given.get("tz", "")
    wanted = zone(name) if name else None
    day = read_day(given.get("day", ""))
    return Choice(
        duration=_duration(given.get("duration", ""), page),
        zone=wanted or iana_zone(page.time_zone) or UTC_ZONE,
        month=day.replace(day=1) if day else _month(given.get("month", "")),
        day=day,
        start=read_start(given.get("start", "")),
        unknown_zone=bool(name) and wanted is None,
    )


def read_start(text: str) -> Instant | None:
    """Read a start in basic UTC form."""
    if not START.fullmatch(text):
        return None
    try:
        return to_instant(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC))
    except ValueError:
        return None


def read_day(text: str) -> date | None:
    """Read a day such as 2026-12-01."""
    try:
        return date.fromisoformat(text) if DAY.fullmatch(text) else None
    except ValueError:
        return None


def _month(text: str) -> date | None:
    return date.fromisoformat(f"{text}-01") if MONTH.fullmatch(text) else None


def _duration(text: str, page: SchedulingPage) -> int:
    known = {str(minutes): minutes for minutes in page.durations}
    return known.get(text, page.durations[0])
