"""Calendars of which only busy time is shared: one event a time, and how they are named (pure)."""

import hashlib
from collections.abc import Iterable, Sequence

from gateway.freebusy.blocking import blocking_time
from gateway.freebusy.busytime import BusyPeriod, BusyType, coalesce
from gateway.model.collection import BusyRules
from gateway.model.component import Component, serialize
from gateway.model.content_line import raw_property, text_property
from gateway.model.itip import PRODID
from gateway.model.objects import read_one
from gateway.model.recurrence import compile_object
from gateway.model.timerange import DAY, Instant, TimeRange, format_utc
from gateway.model.zone import UTC_ZONE, Zone
from gateway.ports import UpstreamObject

PREFIX = "schedule:"
"""What stands before the address of a mailbox of which only busy time is shared."""
BEFORE, AFTER = 31 * DAY, 410 * DAY
"""The window that is read: what the index covers, and the days until it is read anew."""


def is_schedule(upstream_id: str) -> bool:
    """Tell whether a calendar is known by its busy time only."""
    return upstream_id.startswith(PREFIX)


def address_of(upstream_id: str) -> str:
    """Return the mailbox of such a calendar."""
    return upstream_id.removeprefix(PREFIX)


def window_at(now: Instant) -> TimeRange:
    """Return the window of a round that begins at `now`: whole UTC days."""
    today = now // DAY * DAY
    return TimeRange(today - BEFORE, today + AFTER)


def digest_of(periods: Sequence[BusyPeriod]) -> str:
    """Identify what was told."""
    return hashlib.sha256(repr(list(periods)).encode()).hexdigest()[:32]


def busy_objects(
    calendar: str, periods: Iterable[BusyPeriod], *, domain: str
) -> list[UpstreamObject]:
    """Return busy time as one event a period; their UIDs end in a domain."""
    return [_object(calendar, period, domain) for period in periods]


def _object(calendar: str, period: BusyPeriod, domain: str) -> UpstreamObject:
    key = f"{period.type.value} {period.start} {period.end}"
    uid = f"{hashlib.sha256(f'{calendar} {key}'.encode()).hexdigest()[:40]}@{domain}"
    tentative = period.type is BusyType.TENTATIVE
    lines = [
        text_property("UID", uid),
        raw_property("DTSTAMP", format_utc(period.start)),
        raw_property("DTSTART", format_utc(period.start)),
        raw_property("DTEND", format_utc(period.end)),
        text_property("SUMMARY", "Busy"),
        raw_property("STATUS", "TENTATIVE" if tentative else "CONFIRMED"),
        raw_property("TRANSP", "OPAQUE"),
    ]
    if period.type is BusyType.UNAVAILABLE:
        lines.append(raw_property("X-MICROSOFT-CDO-BUSYSTATUS", "OOF"))
    head = [raw_property("VERSION", "2.0"), raw_property("PRODID", PRODID)]
    data = serialize(Component("VCALENDAR", head, [Component("VEVENT", lines)]))
    return UpstreamObject(key=key, uid=uid, etag="busy", data=data)


def blocked_by(
    events: Iterable[bytes | None], home: Zone, window: TimeRange, rules: BusyRules, address: str
) -> list[BusyPeriod]:
    """Return what events block in a window, as the owner's rules have it."""
    return [
        period
        for data in events
        for period in blocking_time(
            compile_object(read_one(data or b""), home), window, rules, address
        )
    ]


def blocked_where_busy(
    calendar: str,
    periods: Iterable[BusyPeriod],
    window: TimeRange,
    rules: BusyRules,
    address: str,
) -> list[BusyPeriod]:
    """Return what busy time blocks in a window, as the owner's rules have it."""
    told = (one.data for one in busy_objects(calendar, periods, domain="look"))
    return coalesce(blocked_by(told, UTC_ZONE, window, rules, address), window)
