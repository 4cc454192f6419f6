"""Time zones by name: IANA, Windows, vendor prefixes and display names, from the tzdata package.

A name that came from outside is looked up in tzdata's own list before it is used; it never
becomes a path. Which definition wins is written in docs/policies.md.
"""

import importlib.metadata
import importlib.resources
import re
from datetime import UTC
from functools import cache
from zoneinfo import ZoneInfo

from gateway.model.local_time import HIGHEST_WALL, LOWEST_WALL, WallTime, datetime_of
from gateway.model.timerange import HOUR, MINUTE, Instant
from gateway.model.vtimezone import zone_from_vtimezone
from gateway.model.windows_zones import DISPLAY_ZONES, OBSOLETE_ZONES, WINDOWS_ZONES
from gateway.model.zone import UTC_ZONE, FixedZone, Zone

__all__ = [
    "UTC_ZONE",
    "Zone",
    "iana_zone",
    "tzdata_version",
    "zone",
    "zone_from_vtimezone",
    "zone_names",
]

MAX_NAME = 255
# /mozilla.org/20050126_1/Europe/Berlin, /freeassociation.sourceforge.net/Europe/Berlin,
# tzone://Microsoft/Utc: a vendor, perhaps a version, then the name.
_PREFIX = re.compile(r"(?:tzone:/)?/[^/]+/", re.IGNORECASE)
_DISPLAY = re.compile(r"\((?:UTC|GMT)\s*(?:([+-])([0-9]{1,2})[:.]?([0-9]{2}))?\)\s*(.*)", re.DOTALL)
_BARE_OFFSET = re.compile(r"(?:UTC|GMT)\s*([+-])([0-9]{1,2})(?::?([0-9]{2}))?", re.IGNORECASE)
_NOT_ZONES = frozenset({"factory", "localtime", "posixrules"})


class IanaZone(Zone):
    """A zone of the IANA database, its rules carried on past the last listed year."""

    __slots__ = ("_info",)

    def __init__(self, name: str, info: ZoneInfo) -> None:
        super().__init__(name)
        self._info = info

    def offset_at(self, instant: Instant) -> int:
        """Return the offset from UTC, in seconds, at an instant."""
        moment = datetime_of(instant).replace(tzinfo=UTC).astimezone(self._info)
        offset = moment.utcoffset()
        assert offset is not None
        return offset.days * 86400 + offset.seconds

    def instant_of(self, wall: WallTime) -> Instant:
        """Return the instant of a wall time; fold 0 means what section 3.3.5 asks for."""
        held = min(max(wall, LOWEST_WALL), HIGHEST_WALL)
        offset = self._info.utcoffset(datetime_of(held).replace(tzinfo=self._info))
        assert offset is not None
        return wall - offset.days * 86400 - offset.seconds


@cache
def tzdata_version() -> str:
    """Return the version of the IANA database in use, such as 2026.6."""
    return importlib.metadata.version("tzdata")


def zone(name: str) -> Zone | None:
    """Return the zone somebody means by a name, None if nobody can know."""
    name = name.strip().strip('"')
    if not name or len(name) > MAX_NAME:
        return None
    return iana_zone(name) or _by_other_name(name)


def iana_zone(name: str) -> Zone | None:
    """Return an IANA zone, also behind a vendor's prefix (`/mozilla.org/20050126_1/…`)."""
    if len(name) > MAX_NAME:
        return None
    canonical = _iana_names().get(name.lower())
    if canonical is None:
        prefix = _PREFIX.match(name)
        if prefix is None:
            return None
        # The version after a vendor's name may be missing, so the longest tail that is a zone wins.
        parts = name[prefix.end() :].split("/")[-3:]
        tails = ("/".join(parts[skip:]).lower() for skip in range(len(parts)))
        canonical = next((found for tail in tails if (found := _iana_names().get(tail))), None)
    return _load(canonical) if canonical else None


def zone_names() -> list[str]:
    """Return every IANA name, sorted."""
    return sorted(_iana_names().values())


@cache
def _iana_names() -> dict[str, str]:
    listing = (importlib.resources.files("tzdata") / "zones").read_text(encoding="utf-8")
    return {name.lower(): name for name in listing.split() if name.lower() not in _NOT_ZONES}


@cache
def _load(canonical: str) -> Zone:
    """Load a zone of tzdata's list, never of the machine's own database."""
    if canonical in ("UTC", "Etc/UTC", "Zulu", "Etc/Zulu", "UCT", "Etc/UCT"):
        return FixedZone(canonical, 0)
    path = importlib.resources.files("tzdata.zoneinfo").joinpath(*canonical.split("/"))
    with path.open("rb") as file:
        return IanaZone(canonical, ZoneInfo.from_file(file, key=canonical))


@cache
def _windows_names() -> dict[str, str]:
    return {name.lower(): zone_name for name, zone_name in (OBSOLETE_ZONES | WINDOWS_ZONES).items()}


@cache
def _cities() -> dict[str, str]:
    """Return the cities of the canonical areas, as display names write them."""
    areas = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
    return {
        name.rpartition("/")[2].replace("_", " ").lower(): name
        for name in sorted(_iana_names().values(), reverse=True)
        if name.partition("/")[0] in areas
    } | DISPLAY_ZONES


def _by_other_name(name: str) -> Zone | None:
    canonical = _windows_names().get(name.lower())
    if canonical:
        return _load(canonical)
    display = _DISPLAY.fullmatch(name)
    if display:
        canonical = _by_display_name(display[4])
        if canonical:
            return _load(canonical)
        return _fixed(name, display[1], display[2], display[3])
    bare = _BARE_OFFSET.fullmatch(name)
    if bare:
        return _fixed(name, bare[1], bare[2], bare[3])
    canonical = DISPLAY_ZONES.get(name.lower())
    return _load(canonical) if canonical else None


def _by_display_name(places: str) -> str | None:
    """Return the zone of the first place of `Amsterdam, Berlin, Bern` that we know."""
    for place in re.split(r"\\?,|\s:\s", places):
        found = _cities().get(place.strip().lower())
        if found:
            return found
    return None


def _fixed(name: str, sign: str | None, hours: str | None, minutes: str | None) -> Zone | None:
    offset = int(hours or 0) * HOUR + int(minutes or 0) * MINUTE
    if offset >= 24 * HOUR:
        return None
    return FixedZone(name, -offset if sign == "-" else offset)
