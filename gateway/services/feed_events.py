"""What each event looks like in a merged feed: an allow-list of properties per visibility (pure).

An event that is private shows its time and the word "Busy", whatever the feed shows of others.
UIDs are keyed hashes, so that nobody links a feed's events to their source or to another feed's.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.freebusy.busytime import BusyPeriod, BusyType
from gateway.model.component import Component, parse_many, serialize
from gateway.model.content_line import Property, raw_property, write_lines
from gateway.model.feed import Visibility
from gateway.model.timerange import Instant, format_utc, merge

PRODID = "-//calgate//calgate//EN"
BUSY = "Busy"
LINK_SCHEMES = ("http:", "https:", "tel:", "mailto:")

TIMES = frozenset(
    {
        "DTSTAMP",
        "DTSTART",
        "DTEND",
        "DURATION",
        "RRULE",
        "RDATE",
        "EXDATE",
        "RECURRENCE-ID",
        "TRANSP",
        "STATUS",
    }
)
TITLE = TIMES | {"SUMMARY"}
FULL = TITLE | {
    "DESCRIPTION",
    "LOCATION",
    "GEO",
    "URL",
    "CATEGORIES",
    "COLOR",
    "PRIORITY",
    "SEQUENCE",
    "CREATED",
    "LAST-MODIFIED",
}
SHOWN_ALARMS = frozenset({"DISPLAY", "AUDIO"})
ALARM = frozenset({"ACTION", "TRIGGER", "DURATION", "REPEAT", "DESCRIPTION"})
KEPT_PARAMETERS = frozenset({"TZID", "VALUE", "RANGE", "LANGUAGE", "RELATED"})


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Keyed hashes of one feed."""

    key: str

    def uid(self, *parts: object) -> str:
        """Return a UID that is stable in this feed and says nothing outside it."""
        text = "\0".join(str(part) for part in parts)
        digest = hmac.new(self.key.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return f"{digest.hexdigest()[:40]}@calgate"


def busy_events(
    periods: Iterable[BusyPeriod], pseudonyms: Pseudonyms, *, stamp: Instant
) -> list[bytes]:
    """Return opaque blocks: what touches or overlaps is one, and certain time hides tentative."""
    return [serialize(_block(period, pseudonyms, stamp)) for period in _flattened(periods)]


def _block(period: BusyPeriod, pseudonyms: Pseudonyms, stamp: Instant) -> Component:
    start, end, kind = period
    lines = [
        ("UID", pseudonyms.uid("busy", start, end, kind.value)),
        ("DTSTAMP", format_utc(stamp)),
        ("DTSTART", format_utc(start)),
        ("DTEND", format_utc(end)),
        ("SUMMARY", BUSY),
        ("TRANSP", "OPAQUE"),
    ]
    if kind is BusyType.TENTATIVE:
        lines.append(("STATUS", "TENTATIVE"))
    return Component("VEVENT", [raw_property(name, value) for name, value in lines])


def _flattened(periods: Iterable[BusyPeriod]) -> list[BusyPeriod]:
    certain: list[tuple[Instant, Instant]] = []
    tentative: list[tuple[Instant, Instant]] = []
    for start, end, kind in periods:
        (tentative if kind is BusyType.TENTATIVE else certain).append((start, end))
    certain = merge(certain)
    found = [BusyPeriod(start, end, BusyType.BUSY) for start, end in certain]
    for low, end in merge(tentative):
        start = low
        for taken_start, taken_end in certain:
            if taken_end <= start or taken_start >= end:
                continue
            if start < taken_start:
                found.append(BusyPeriod(start, taken_start, BusyType.TENTATIVE))
            start = max(start, taken_end)
        if start < end:
            found.append(BusyPeriod(start, end, BusyType.TENTATIVE))
    return sorted(found, key=lambda period: period.start)


@dataclass(slots=True)
class Merger:
    """Gathers the events and time zones of several calendars for a title or full feed."""

    visibility: Visibility
    pseudonyms: Pseudonyms
    events: list[bytes] = field(default_factory=list)
    zones: dict[str, bytes] = field(default_factory=dict)

    def add(self, collection_id: int, data: bytes) -> None:
        """Add one stored object: its events as this feed shows them, and their time zones."""
        calendar = parse_many(data)[0]
        renamed = self._add_zones(calendar)
        members = calendar.inside("VEVENT")
        # One private member makes its whole set private: a moved instance tells of the others.
        private = any(_is_private(part) for part in members)
        for member in members:
            uid = self.pseudonyms.uid(collection_id, member.text("UID"))
            self.events.append(serialize(self._shown(member, uid, renamed, private=private)))

    def _add_zones(self, calendar: Component) -> dict[str, str]:
        """Take the object's time zones; two different ones of one name get two names."""
        renamed = {}
        for part in calendar.inside("VTIMEZONE"):
            name = part.text("TZID")
            clean = _stripped_zone(part, name)
            data = serialize(clean)
            if self.zones.get(name, data) != data:
                renamed[name] = f"{name}-{hashlib.sha256(data).hexdigest()[:8]}"
                data = serialize(_stripped_zone(part, renamed[name]))
            self.zones[renamed.get(name, name)] = data
        return renamed

    def _shown(
        self, member: Component, uid: str, renamed: dict[str, str], *, private: bool
    ) -> Component:
        wanted = TIMES if private else FULL if self.visibility is Visibility.FULL else TITLE
        shown = [Property("UID", {}, uid)]
        for line in member.properties:
            if line.name not in wanted:
                continue
            if line.name == "URL" and not line.value.lower().startswith(LINK_SCHEMES):
                continue
            shown.append(Property(line.name, _parameters(line, renamed), line.value))
        if private:
            shown.append(Property("SUMMARY", {}, BUSY))
        alarms = []
        if self.visibility is Visibility.FULL and not private:
            alarms = [_alarm(part) for part in member.components if _is_shown_alarm(part)]
        return Component("VEVENT", shown, alarms)


def _is_private(member: Component) -> bool:
    # An unknown class is treated as private (RFC 5545 section 3.8.1.3).
    return member.text("CLASS").strip().upper() not in {"", "PUBLIC"}


def _is_shown_alarm(part: Component) -> bool:
    return part.name == "VALARM" and part.text("ACTION").strip().upper() in SHOWN_ALARMS


def _alarm(part: Component) -> Component:
    lines = [Property(line.name, _parameters(line, {}), line.value) for line in part.properties]
    return Component("VALARM", [line for line in lines if line.name in ALARM])


def _parameters(line: Property, renamed: dict[str, str]) -> dict[str, tuple[str, ...]]:
    kept = {name: values for name, values in line.params.items() if name in KEPT_PARAMETERS}
    if "TZID" in kept:
        kept["TZID"] = tuple(renamed.get(value, value) for value in kept["TZID"])
    return kept


def _stripped_zone(part: Component, name: str) -> Component:
    rules = {"DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "RRULE", "RDATE", "TZNAME"}
    inner = [
        Component(
            rule.name,
            [Property(line.name, {}, line.value) for line in rule.properties if line.name in rules],
        )
        for rule in part.components
        if rule.name in {"STANDARD", "DAYLIGHT"}
    ]
    return Component("VTIMEZONE", [Property("TZID", {}, name)], inner)


def calendar(parts: Iterable[bytes]) -> bytes:
    """Wrap rendered components into one VCALENDAR that asks to be read again in 15 minutes."""
    head = [
        raw_property("BEGIN", "VCALENDAR"),
        raw_property("VERSION", "2.0"),
        raw_property("PRODID", PRODID),
        raw_property("CALSCALE", "GREGORIAN"),
        raw_property("METHOD", "PUBLISH"),
        Property("REFRESH-INTERVAL", {"VALUE": ("DURATION",)}, "PT15M"),
    ]
    return b"".join([write_lines(head), *parts, b"END:VCALENDAR\r\n"])
