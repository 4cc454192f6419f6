"""Busy time as a VFREEBUSY component (RFC 5545 section 3.6.4, RFC 4791 section 7.10)."""

from collections.abc import Sequence

from gateway.freebusy.busytime import BusyPeriod
from gateway.model.content_line import raw_property, text_property, write_lines
from gateway.model.timerange import Instant, TimeRange, format_utc

PRODID = "-//calgate//calgate//EN"


def render(
    periods: Sequence[BusyPeriod],
    window: TimeRange,
    *,
    now: Instant,
    uid: str = "",
    method: str = "",
    organizer: str = "",
    attendee: str = "",
    url: str = "",
) -> bytes:
    """Return the VCALENDAR with one VFREEBUSY: UTC periods, FBTYPE always written.

    `organizer` and `attendee` are calendar user addresses. Without a `uid`, which RFC 5545 section
    3.6.4 requires, the window names it.
    """
    start, end = format_utc(window.start), format_utc(window.end)
    head = [
        raw_property("BEGIN", "VCALENDAR"),
        raw_property("VERSION", "2.0"),
        raw_property("PRODID", PRODID),
        *([text_property("METHOD", method)] if method else []),
        raw_property("BEGIN", "VFREEBUSY"),
        text_property("UID", uid or f"freebusy-{start}-{end}"),
        raw_property("DTSTAMP", format_utc(now)),
        raw_property("DTSTART", start),
        raw_property("DTEND", end),
    ]
    optional = (("ORGANIZER", organizer), ("ATTENDEE", attendee), ("URL", url))
    head += [raw_property(name, value) for name, value in optional if value]
    body = _freebusy_lines(periods).encode("ascii")
    return write_lines(head) + body + b"END:VFREEBUSY\r\nEND:VCALENDAR\r\n"


def _freebusy_lines(periods: Sequence[BusyPeriod]) -> str:
    """Return a FREEBUSY property for each period; the longest has 67 octets, so none is folded."""
    dates: dict[int, str] = {}
    lines = []
    for start, end, kind in periods:
        first_day, first = divmod(start, 86400)
        last_day, last = divmod(end, 86400)
        if first_day not in dates:
            dates[first_day] = format_utc(start)[:9]
        if last_day not in dates:
            dates[last_day] = format_utc(end)[:9]
        lines.append(
            f"FREEBUSY;FBTYPE={kind.value}:"
            f"{dates[first_day]}{_clock(first)}/{dates[last_day]}{_clock(last)}\r\n"
        )
    return "".join(lines)


def _clock(second: int) -> str:
    return f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}Z"
