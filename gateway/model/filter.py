"""What a CALDAV:filter asks for (RFC 4791 section 9.7), as values that no request can make endless.

`gateway.dav.wire` makes them, `gateway.model.matching` holds them against objects.
"""

from dataclasses import dataclass, field

from gateway.model.text_match import Collation
from gateway.model.timerange import MAX_INSTANT, MIN_INSTANT, TimeRange

ALL_TIME = TimeRange(MIN_INSTANT, MAX_INSTANT)
"""What a time-range without an edge reaches: the advertised range of dates."""


@dataclass(frozen=True, slots=True)
class TextMatch:
    """CALDAV:text-match, section 9.7.5."""

    text: str
    collation: Collation = Collation.ASCII_CASEMAP
    negate: bool = False
    key: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self.collation.key(self.text))

    def matches(self, texts: list[str]) -> bool:
        """Tell whether any of the values of one property or parameter holds the text."""
        return any(self.key in self.collation.key(text) for text in texts) is not self.negate


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamFilter:
    """CALDAV:param-filter, section 9.7.3; names are upper case."""

    name: str
    is_not_defined: bool = False
    text_match: TextMatch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PropFilter:
    """CALDAV:prop-filter, section 9.7.2."""

    name: str
    is_not_defined: bool = False
    time_range: TimeRange | None = None
    text_match: TextMatch | None = None
    params: tuple[ParamFilter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompFilter:
    """CALDAV:comp-filter, section 9.7.1; the outermost one is of VCALENDAR."""

    name: str
    is_not_defined: bool = False
    time_range: TimeRange | None = None
    props: tuple[PropFilter, ...] = ()
    comps: tuple["CompFilter", ...] = ()

    @property
    def wants_component_only(self) -> bool:
        """Whether nothing is asked but which type of component the object is made of."""
        return (
            not self.time_range
            and not self.props
            and all(
                not one.is_not_defined
                and not one.time_range
                and not one.props
                and not one.comps
                and one.name != "VTIMEZONE"
                for one in self.comps
            )
        )

    @property
    def wants_event_time_only(self) -> bool:
        """Whether an event that takes place in `window` matches, whatever else it says."""
        if self.time_range or self.props or len(self.comps) != 1:
            return False
        (event,) = self.comps
        return event == CompFilter(name="VEVENT", time_range=event.time_range)

    @property
    def window(self) -> TimeRange | None:
        """The time in which a matching object must have an instance, if it is asked for one."""
        asked = [one.time_range for one in self.comps if one.time_range and not one.is_not_defined]
        return asked[0] if asked else None

    @property
    def component(self) -> str | None:
        """The one type of object that can match, if there is one."""
        names = [
            one.name for one in self.comps if not one.is_not_defined and one.name != "VTIMEZONE"
        ]
        return names[0] if names else None
