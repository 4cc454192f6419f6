"""The time zones that a visitor chooses from: a short list, or all; each with its time of day."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup

from gateway.model.timerange import HOUR, MINUTE, Instant
from gateway.model.zones import zone, zone_names
from gateway.web.templating import part

AREAS = (
    "Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian",
    "Pacific",
)  # fmt: skip
COMMON = (
    "Africa/Cairo", "Africa/Casablanca", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi",
    "America/Anchorage", "America/Argentina/Buenos_Aires", "America/Bogota", "America/Caracas",
    "America/Chicago", "America/Denver", "America/Halifax", "America/Lima", "America/Los_Angeles",
    "America/Mexico_City", "America/New_York", "America/Paramaribo", "America/Phoenix",
    "America/Santiago", "America/Sao_Paulo", "America/St_Johns", "America/Toronto",
    "America/Curacao",
    "Asia/Bangkok", "Asia/Dhaka", "Asia/Dubai", "Asia/Hong_Kong", "Asia/Jakarta", "Asia/Jerusalem",
    "Asia/Karachi", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Manila", "Asia/Riyadh", "Asia/Seoul",
    "Asia/Shanghai", "Asia/Singapore", "Asia/Tashkent", "Asia/Tehran", "Asia/Tokyo",
    "Atlantic/Azores", "Atlantic/Reykjavik", "Australia/Adelaide", "Australia/Brisbane",
    "Australia/Perth", "Australia/Sydney",
    "Europe/Amsterdam", "Europe/Athens", "Europe/Berlin", "Europe/Brussels", "Europe/Bucharest",
    "Europe/Dublin", "Europe/Helsinki", "Europe/Istanbul", "Europe/Kyiv", "Europe/Lisbon",
    "Europe/London", "Europe/Madrid", "Europe/Moscow", "Europe/Paris", "Europe/Rome",
    "Europe/Stockholm", "Europe/Vienna", "Europe/Warsaw", "Europe/Zurich",
    "Pacific/Auckland", "Pacific/Honolulu", "UTC",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ZoneOption:
    """A zone to choose: its IANA name, its place, and the wall-clock time there."""

    name: str
    place: str
    time: str


def zone_list(
    now: Instant, chosen: str, also: Sequence[str], *, every: bool, locale: str
) -> Markup:
    """Return the choices as they stand in the page, with `chosen` chosen."""
    return _written(now // MINUTE, chosen, tuple(also), every, locale)


@lru_cache(maxsize=64)
def _written(
    minute: int,
    chosen: str,
    also: tuple[str, ...],
    every: bool,  # noqa: FBT001 - a key
    locale: str,
) -> Markup:
    """Write the choices of one minute: all that a clock without seconds depends on."""
    zones = zone_options(minute * MINUTE, (chosen, *also), every=every)
    return part(locale, "booking/zones.html", {"zones": zones, "chosen": chosen})


def zone_options(
    now: Instant, chosen: Sequence[str], *, every: bool
) -> list[tuple[str, list[ZoneOption]]]:
    """Return areas with their zones; the chosen ones are always among them."""
    names = {*(zone_names() if every else COMMON), *chosen}
    groups: dict[str, list[ZoneOption]] = {area: [] for area in (*AREAS, "")}
    for name in sorted(names):
        place = zone(name)
        if place is None:
            continue
        area, _, rest = name.partition("/")
        shown = rest.replace("_", " ") if area in AREAS else name
        # Of the names outside the areas only UTC means a place to anyone, or what is chosen.
        if area in AREAS or name == "UTC" or name in chosen:
            wall = place.wall_of(now)
            time = f"{wall // HOUR % 24:02d}:{wall // MINUTE % 60:02d}"
            option = ZoneOption(name, shown, time)
            groups[area if area in AREAS else ""].append(option)
    return [(area, options) for area, options in groups.items() if options]
