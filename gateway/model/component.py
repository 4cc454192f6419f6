"""Calendars as trees of components (RFC 5545 section 3.4), read from bytes and written back."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.errors import Condition, Refused
from gateway.model.content_line import Property, fold, read_lines, unescape_text, write_line
from gateway.model.lenient_lines import OBSERVANCES, read_leniently

MAX_DEPTH = 8
MAX_COMPONENTS = 100_000
MAX_STRAY_ENDS = 10_000
"""ENDs that end nothing, passed over leniently: so many are no mishap of a program."""
TYPES = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY")
"""What an object can be."""
_WHOLE = frozenset({"VCALENDAR", "VTIMEZONE", *TYPES})
_HOLDS_NONE = frozenset({"VTIMEZONE", *TYPES, "VALARM", *OBSERVANCES})
"""Components that hold none of the whole ones: one that begins there tells that an END is lost."""


@dataclass(slots=True)
class Component:
    """A component (VCALENDAR, VEVENT, …): its properties and the components inside it, in order."""

    name: str
    properties: list[Property] = field(default_factory=list)
    components: list["Component"] = field(default_factory=list)

    def first(self, name: str) -> Property | None:
        """Return the first property of that (upper-case) name."""
        for item in self.properties:
            if item.name == name:
                return item
        return None

    def all(self, name: str) -> list[Property]:
        """Return every property of that (upper-case) name."""
        return [item for item in self.properties if item.name == name]

    def value(self, name: str) -> str:
        """Return the raw value of the first such property, or an empty string."""
        item = self.first(name)
        return item.value if item else ""

    def text(self, name: str) -> str:
        """Return the unescaped TEXT of the first such property, or an empty string."""
        return unescape_text(self.value(name))

    def inside(self, name: str) -> list["Component"]:
        """Return the components of that name directly inside this one."""
        return [item for item in self.components if item.name == name]


@dataclass(slots=True, kw_only=True)
class CalendarObject:
    """A calendar object resource (RFC 4791 section 4.1): one UID, one type, all its members.

    `members` are the components of that type in `calendar`: the master and its overrides.
    """

    uid: str
    component: str
    calendar: Component
    members: list[Component]


def parse(data: bytes) -> Component:
    """Return the one VCALENDAR of a resource; anything else is refused (valid-calendar-data)."""
    found = list(_read(data, lenient=False))
    if len(found) != 1:
        what = "no VCALENDAR" if not found else "more than one VCALENDAR"
        raise Refused(Condition.VALID_CALENDAR_DATA, f"{what} in the resource")
    return found[0]


def parse_many(data: bytes, *, lenient: bool = True) -> list[Component]:
    """Return every VCALENDAR of a stream; one without any is refused (a sign-in page, say)."""
    found = list(_read(data, lenient=lenient))
    if not found:
        raise Refused(Condition.VALID_CALENDAR_DATA, "no VCALENDAR in the data")
    return [calendar for outer in found for calendar in _with_inner(outer)]


def _with_inner(calendar: Component) -> Iterator[Component]:
    """Yield a calendar and those that stand in it, as some programs join several."""
    yield calendar
    for inner in calendar.inside("VCALENDAR"):
        yield from _with_inner(inner)


def _read(data: bytes, *, lenient: bool) -> Iterator[Component]:
    """Yield the outermost VCALENDARs; lenient reading drops what cannot belong to one."""
    reader = _Reader(lenient=lenient)
    for item in read_leniently(data) if lenient else read_lines(data):
        if item.name == "BEGIN":
            reader.begin(item.value.strip().upper())
        elif item.name == "END":
            done = reader.end(item.value.strip().upper())
            if done is not None:
                yield done
        else:
            reader.add(item)
    if reader.stack:
        raise Refused(Condition.VALID_CALENDAR_DATA, f"{reader.stack[-1].name[:40]} is not ended")


class _Reader:
    """The components that are open, outermost first, and how many are being passed over."""

    __slots__ = ("lenient", "opened", "skipping", "stack", "stray")

    def __init__(self, *, lenient: bool) -> None:
        self.lenient = lenient
        self.stack: list[Component] = []
        self.skipping = 0
        self.opened = 0
        self.stray = 0

    def begin(self, name: str) -> None:
        """Open a component, or pass it over where it cannot stand here."""
        self.opened += 1
        if self.opened > MAX_COMPONENTS:
            # Not passed over, not even leniently: what is left out would be free.
            what = f"more than {MAX_COMPONENTS:,} components"
            raise Refused(Condition.VALID_CALENDAR_DATA, what)
        if self.lenient and name in _WHOLE:
            self._end_lost()
        problem = "" if self.skipping else self._misplaced(name)
        if problem and not self.lenient:
            raise Refused(Condition.VALID_CALENDAR_DATA, problem)
        if self.skipping or problem:
            self.skipping += 1
        else:
            self.stack.append(Component(name))

    def add(self, item: Property) -> None:
        """Add a property to the innermost component."""
        if self.skipping:
            return
        if self.stack:
            self.stack[-1].properties.append(item)
        elif not self.lenient:
            raise Refused(Condition.VALID_CALENDAR_DATA, "text outside the VCALENDAR")

    def end(self, name: str) -> Component | None:
        """End the innermost component; return it when it was the outermost."""
        if self.skipping:
            self.skipping -= 1
            return None
        if not self.stack or self.stack[-1].name != name:
            if not self.lenient:
                inner = self.stack[-1].name[:40] if self.stack else "nothing"
                raise Refused(Condition.VALID_CALENDAR_DATA, f"END:{name[:40]} closes {inner}")
            # A lost END: what is open inside the component that is closed now ends with it.
            if all(component.name != name for component in self.stack):
                self.stray += 1
                if self.stray > MAX_STRAY_ENDS:
                    what = f"more than {MAX_STRAY_ENDS:,} ENDs of nothing"
                    raise Refused(Condition.VALID_CALENDAR_DATA, what)
                return None
            while self.stack[-1].name != name:
                self._nest()
        if len(self.stack) == 1:
            return self.stack.pop()
        self._nest()
        return None

    def _end_lost(self) -> None:
        """End what a whole component cannot begin in: nobody would look for it there."""
        for depth, open_one in enumerate(self.stack):
            if open_one.name in _HOLDS_NONE:
                self.skipping = 0
                while len(self.stack) > depth:
                    self._nest()
                return

    def _nest(self) -> None:
        done = self.stack.pop()
        self.stack[-1].components.append(done)

    def _misplaced(self, name: str) -> str:
        """Say why a component may not begin here, or nothing."""
        if not self.stack and name != "VCALENDAR":
            return f"{name[:40]} outside the VCALENDAR"
        if self.stack and name == "VCALENDAR" and not self.lenient:
            return "a VCALENDAR inside another"
        if len(self.stack) >= MAX_DEPTH:
            return f"components nested more than {MAX_DEPTH} deep"
        return ""


def serialize(component: Component) -> bytes:
    """Return a component as folded content lines."""
    return b"".join(folded_lines(component))


def folded_lines(component: Component) -> list[bytes]:
    """Return a component as lines, folded, one for each property."""
    return [fold(write_line(item)) for item in _flatten(component)]


def _flatten(component: Component) -> Iterator[Property]:
    yield Property("BEGIN", {}, component.name)
    yield from component.properties
    for inner in component.components:
        yield from _flatten(inner)
    yield Property("END", {}, component.name)
