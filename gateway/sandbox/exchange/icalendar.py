"""The iCalendar text of an item, as Exchange makes it when MimeContent is asked for (MS-OXCICAL).

Written from that specification and not with the gateway's own code, for it is what other clients
are compared with.
"""

import base64
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from gateway.sandbox.exchange.occurrences import DAYS, MONTHS, PLACES, SETS, moment, spans
from gateway.sandbox.exchange.soap import T
from gateway.sandbox.exchange.zones import standard_offset, turns_of, zone_name, zone_of

LINE = 75
SHORT = {name: name[:2].upper() for name in DAYS}
CLASSES = {"Personal": "PERSONAL", "Private": "PRIVATE", "Confidential": "CONFIDENTIAL"}
LAST_SAFE_DAY = 28


def mime_content(item: ET.Element, exceptions: Sequence[ET.Element]) -> ET.Element:
    """Return a MimeContent element with an item's text in base64."""
    text = "".join(_folded(line) for line in _lines(item, exceptions))
    made = ET.Element(f"{T}MimeContent", {"CharacterSet": "UTF-8"})
    made.text = base64.b64encode(text.encode()).decode()
    return made


def _lines(item: ET.Element, exceptions: Sequence[ET.Element]) -> Iterator[str]:
    yield from (
        "BEGIN:VCALENDAR",
        "METHOD:PUBLISH",
        "PRODID:Microsoft Exchange Server 2010",
        "VERSION:2.0",
    )
    zones = {zone_name(one): zone_of(one) for one in (item, *exceptions)}
    for name, zone in zones.items():
        yield from _zone(name, zone)
    yield from _event(item)
    for one in exceptions:
        yield from _event(one, master=item)
    yield "END:VCALENDAR"


def _zone(name: str, zone: ZoneInfo) -> Iterator[str]:
    yield from ("BEGIN:VTIMEZONE", f"TZID:{name}")
    turns = turns_of(zone)
    if not turns:
        told = _offset(standard_offset(zone))
        yield from ("BEGIN:STANDARD", "DTSTART:16010101T000000")
        yield from (f"TZOFFSETFROM:{told}", f"TZOFFSETTO:{told}", "END:STANDARD")
    for turn in turns:
        kind = "DAYLIGHT" if turn.is_daylight else "STANDARD"
        day = f"{turn.week}{SHORT[DAYS[turn.weekday]]}"
        yield from (
            f"BEGIN:{kind}",
            f"DTSTART:16010101T{_clock(turn.at)}",
            f"TZOFFSETFROM:{_offset(turn.before)}",
            f"TZOFFSETTO:{_offset(turn.after)}",
            f"RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY={day};BYMONTH={turn.month}",
            f"END:{kind}",
        )
    yield "END:VTIMEZONE"


def _event(item: ET.Element, *, master: ET.Element | None = None) -> Iterator[str]:
    told = master if master is not None else item
    start, end = spans(item)
    whole_days = item.findtext(f"{T}IsAllDayEvent") == "true"
    shown = item.findtext(f"{T}LegacyFreeBusyStatus", "Busy")
    yield "BEGIN:VEVENT"
    yield from _people(item)
    yield f"DESCRIPTION;LANGUAGE=en-US:{_text(item.findtext(f'{T}Body', ''))}"
    if master is None:
        yield from _rule(item, whole_days=whole_days)
    yield f"SUMMARY;LANGUAGE=en-US:{_text(item.findtext(f'{T}Subject', ''))}"
    yield f"DTSTART{_moment(item, start, whole_days=whole_days)}"
    yield f"DTEND{_moment(item, end, whole_days=whole_days)}"
    yield f"UID:{_text(told.findtext(f'{T}UID', ''))}"
    original = item.findtext(f"{T}RecurrenceId") or item.findtext(f"{T}OriginalStart")
    if master is not None and original:
        series_days = master.findtext(f"{T}IsAllDayEvent") == "true"
        yield f"RECURRENCE-ID{_moment(master, moment(original), whole_days=series_days)}"
    yield f"CLASS:{CLASSES.get(item.findtext(f'{T}Sensitivity', ''), 'PUBLIC')}"
    yield "PRIORITY:5"
    yield f"DTSTAMP:{_utc(moment(item.findtext(f'{T}LastModifiedTime') or '2026-01-01T00:00:00Z'))}"
    yield f"TRANSP:{'TRANSPARENT' if shown == 'Free' else 'OPAQUE'}"
    yield f"STATUS:{'TENTATIVE' if shown == 'Tentative' else 'CONFIRMED'}"
    yield f"SEQUENCE:{item.findtext(f'{T}AppointmentSequenceNumber', '0')}"
    if item.findtext(f"{T}Location"):
        yield f"LOCATION;LANGUAGE=en-US:{_text(item.findtext(f'{T}Location', ''))}"
    yield f"X-MICROSOFT-CDO-BUSYSTATUS:{'BUSY' if shown == 'NoData' else shown.upper()}"
    yield f"X-MICROSOFT-CDO-ALLDAYEVENT:{str(whole_days).upper()}"
    kind = 0 if item.find(f"{T}Recurrence") is None else 1
    yield f"X-MICROSOFT-CDO-INSTTYPE:{kind if master is None else 3}"
    yield from _alarm(item)
    yield "END:VEVENT"


def _people(item: ET.Element) -> Iterator[str]:
    lists = [item.find(f"{T}{name}") for name in ("RequiredAttendees", "OptionalAttendees")]
    attendees = [one for found in lists if found is not None for one in found]
    if attendees:
        yield f"ORGANIZER{_person(item.find(f'{T}Organizer'))}"
    for one in attendees:
        yield f"ATTENDEE;ROLE=REQ-PARTICIPANT{_person(one)}"


def _person(told: ET.Element | None) -> str:
    mailbox = told.find(f"{T}Mailbox") if told is not None else None
    if mailbox is None:
        return ":invalid:nomail"
    name = mailbox.findtext(f"{T}Name", "").replace('"', "'")
    return f';CN="{name}":MAILTO:{mailbox.findtext(f"{T}EmailAddress", "")}'


def _alarm(item: ET.Element) -> Iterator[str]:
    if item.findtext(f"{T}ReminderIsSet") == "true":
        minutes = item.findtext(f"{T}ReminderMinutesBeforeStart", "15")
        yield from ("BEGIN:VALARM", "DESCRIPTION:REMINDER", f"TRIGGER;RELATED=START:-PT{minutes}M")
        yield from ("ACTION:DISPLAY", "END:VALARM")


def _rule(item: ET.Element, *, whole_days: bool) -> Iterator[str]:
    recurrence = item.find(f"{T}Recurrence")
    if recurrence is None:
        return
    pattern, reach = recurrence
    parts = [*_pattern(pattern), *_reach(item, reach, whole_days=whole_days)]
    yield f"RRULE:{';'.join(parts)}"
    gone = [
        _moment(item, moment(one.findtext(f"{T}Start", "")), whole_days=whole_days)
        for one in item.iter(f"{T}DeletedOccurrence")
    ]
    if gone:
        values = ",".join(one.rpartition(":")[2] for one in gone)
        yield f"EXDATE{gone[0].rpartition(':')[0]}:{values}"


def _pattern(pattern: ET.Element) -> Iterator[str]:
    kind = pattern.tag.rpartition("}")[2].removesuffix("Recurrence")
    names = pattern.findtext(f"{T}DaysOfWeek", "").split()
    days = [SHORT[name] for one in names for name in SETS.get(one, (one,))]
    frequency = next(
        word for word in ("Daily", "Weekly", "Monthly", "Yearly") if kind.endswith(word)
    )
    yield f"FREQ={frequency.upper()}"
    yield f"INTERVAL={pattern.findtext(f'{T}Interval', '1')}"
    if days:
        yield f"BYDAY={','.join(days)}"
    if kind.startswith("Absolute"):
        yield from _month_day(int(pattern.findtext(f"{T}DayOfMonth", "1")))
    if kind.startswith("Relative"):
        place = PLACES[pattern.findtext(f"{T}DayOfWeekIndex", "First")]
        yield f"BYSETPOS={place + 1 if place >= 0 else -1}"
    if frequency == "Yearly":
        yield f"BYMONTH={MONTHS.index(pattern.findtext(f'{T}Month', 'January')) + 1}"
    if frequency == "Weekly":
        yield f"WKST={SHORT[pattern.findtext(f'{T}FirstDayOfWeek', 'Monday')]}"


def _month_day(day: int) -> Iterator[str]:
    """Yield a day of the month, which in a shorter month is its last."""
    if day <= LAST_SAFE_DAY:
        yield f"BYMONTHDAY={day}"
    else:
        yield f"BYMONTHDAY={','.join(str(one) for one in range(LAST_SAFE_DAY, day + 1))}"
        yield "BYSETPOS=-1"


def _reach(item: ET.Element, reach: ET.Element, *, whole_days: bool) -> Iterator[str]:
    count, last = reach.findtext(f"{T}NumberOfOccurrences"), reach.findtext(f"{T}EndDate")
    if count:
        yield f"COUNT={count}"
    elif last:
        day = date.fromisoformat(last[:10])
        zone = zone_of(item)
        start = spans(item)[0].astimezone(zone).timetz()
        until = datetime.combine(day, start)
        yield f"UNTIL={day:%Y%m%d}" if whole_days else f"UNTIL={_utc(until)}"


def _moment(item: ET.Element, when: datetime, *, whole_days: bool) -> str:
    local = when.astimezone(zone_of(item))
    if whole_days:
        # Midnight of the zone it was made in; a day that begins elsewhere is the nearest.
        return f";VALUE=DATE:{(local + timedelta(hours=12)).date():%Y%m%d}"
    return f";TZID={zone_name(item)}:{local:%Y%m%dT%H%M%S}"


def _utc(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _offset(told: timedelta) -> str:
    minutes = int(told.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


def _clock(at: timedelta) -> str:
    minutes = int(at.total_seconds()) // 60
    return f"{minutes // 60:02}{minutes % 60:02}00"


def _text(text: str) -> str:
    for plain, told in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\r", ""), ("\n", "\\n")):
        text = text.replace(plain, told)
    return text


def _folded(line: str) -> str:
    """Return a content line in pieces of at most 75 octets, none of them half a character."""
    pieces, piece = [], ""
    for character in line:
        if len((piece + character).encode()) > LINE - 1:
            pieces.append(piece)
            piece = ""
        piece += character
    return "\r\n ".join([*pieces, piece]) + "\r\n"
