"""A stream of calendars as subscriptions and files hold it (RFC 5545 section 3.4), read leniently.

Whatever is not a whole calendar is refused with a sentence for its owner; inside one, each item
that makes no sense is refused by itself and costs no other.
"""

import codecs
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import Condition, Refused
from gateway.model.component import Component, parse_many
from gateway.model.content_line import unfold
from gateway.model.objects import CalendarObject, RefusedItem, split

NOT_A_CALENDAR = "This is not a calendar."
WEB_PAGE = "This is a web page instead of a calendar; it may want a sign-in."
INCOMPLETE = "The calendar broke off in the middle."
BEGIN, END = "BEGIN:VCALENDAR", "END:VCALENDAR"
EDGE = 100
"""Characters at which a stream is told by its first or last line, be it folded at every letter."""
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What a stream holds: one object per UID, what was refused, and what it calls itself."""

    objects: tuple[CalendarObject, ...]
    refused: tuple[RefusedItem, ...]
    name: str = ""
    time_zone: str = ""


def read_stream(data: bytes, charset: str | None = None) -> Stream:
    """Read a stream; raise Refused with a sentence when it is no whole calendar."""
    text = decode(data, charset).strip("\x00\t\r\n \ufeff")
    if not _unfolded(text[:EDGE]).startswith(BEGIN):
        raise _refuse(WEB_PAGE if text.startswith("<") else NOT_A_CALENDAR)
    if not _unfolded(text[-EDGE:]).endswith(END):
        raise _refuse(INCOMPLETE)
    calendars = parse_many(text.encode("utf-8", "replace"))
    objects, refused = _gather(calendars)
    first = calendars[0]
    return Stream(
        objects=tuple(objects),
        refused=tuple(refused),
        name=first.text("X-WR-CALNAME")[:200],
        time_zone=first.text("X-WR-TIMEZONE")[:100],
    )


def _unfolded(text: str) -> str:
    return unfold(text.encode("utf-8", "replace")).decode("utf-8", "replace").upper()


def decode(data: bytes, charset: str | None = None) -> str:
    """Return the text: UTF-8 (RFC 5545 section 3.1.4), else what was said, else Windows' own."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    with contextlib.suppress(UnicodeDecodeError):
        return data.decode("utf-8")
    data = unfold(data)  # a fold may stand inside a character (section 3.1)
    with contextlib.suppress(UnicodeDecodeError):
        return data.decode("utf-8")
    try:
        return data.decode(charset or "cp1252")
    except (LookupError, UnicodeError):
        return data.decode("latin-1")


def _gather(
    calendars: Sequence[Component],
) -> tuple[Sequence[CalendarObject], list[RefusedItem]]:
    found: dict[str, CalendarObject] = {}
    refused: list[RefusedItem] = []
    for calendar in calendars:
        objects, bad = split(calendar)
        refused.extend(bad)
        for item in objects:
            known = found.setdefault(item.uid, item)
            if known is not item:
                # A moved instance may stand in a calendar of its own, with zones of its own.
                _add_zones(known.calendar, item.calendar)
                known.calendar.components.extend(item.members)
                known.members.extend(item.members)
    return list(found.values()), refused


def _add_zones(calendar: Component, other: Component) -> None:
    """Take over the definitions of zones that a calendar does not have yet."""
    known = {zone.value("TZID").strip() for zone in calendar.inside("VTIMEZONE")}
    zones = other.inside("VTIMEZONE")
    calendar.components[:0] = [one for one in zones if one.value("TZID").strip() not in known]


def _refuse(sentence: str) -> Refused:
    return Refused(Condition.VALID_CALENDAR_DATA, sentence)
