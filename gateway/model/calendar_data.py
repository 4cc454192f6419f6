"""What a CALDAV:calendar-data element asks for (RFC 4791 section 9.6), and partial retrieval."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.errors import Condition, Refused
from gateway.model.component import Component
from gateway.model.content_line import Property
from gateway.model.timerange import TimeRange

MAX_EXPANDED = 20_000
"""How many recurrence instances one answer tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompRequest:
    """CALDAV:comp, section 9.6.1; `None` means all of them.

    `props` maps a property's name to whether its value is left out (`novalue`, section 9.6.4).
    """

    name: str
    props: Mapping[str, bool] | None = None
    comps: Mapping[str, "CompRequest"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarData:
    """CALDAV:calendar-data in a request, section 9.6; by default all of an object, as stored."""

    comp: CompRequest | None = None
    expand: TimeRange | None = None
    limit_recurrence_set: TimeRange | None = None
    limit_freebusy_set: TimeRange | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the bytes are wanted as they are stored."""
        return not (
            self.comp or self.expand or self.limit_recurrence_set or self.limit_freebusy_set
        )


@dataclass(slots=True)
class Room:
    """How many instances an answer may still hold."""

    left: int = field(default=MAX_EXPANDED)

    def take(self) -> None:
        """Take one; refuse where none is left."""
        self.left -= 1
        if self.left < 0:
            raise Refused(
                Condition.NUMBER_OF_MATCHES,
                f"More than {MAX_EXPANDED:,} instances; ask for less time.",
            )


def select(item: Component, wanted: CompRequest) -> Component:
    """Return what is wanted of a component."""
    return Component(item.name, selected_properties(item, wanted), _inside(item, wanted))


def selected_properties(item: Component, wanted: CompRequest) -> list[Property]:
    """Return the wanted properties, without their values where none is wanted."""
    if wanted.props is None:
        return item.properties
    return [
        one._replace(value="") if wanted.props[one.name] else one
        for one in item.properties
        if one.name in wanted.props
    ]


def _inside(item: Component, wanted: CompRequest) -> list[Component]:
    if wanted.comps is None:
        return item.components
    return [
        select(one, wanted.comps[one.name]) for one in item.components if one.name in wanted.comps
    ]
