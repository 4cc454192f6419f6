"""VTIMEZONE as written: whoever reads it back gets the same offsets."""

import random

import pytest

from gateway.model.component import parse_many
from gateway.model.timerange import DAY
from gateway.model.zone import FixedZone
from gateway.model.zone_definition import zone_definition
from gateway.model.zones import zone, zone_from_vtimezone, zone_names

YEAR_2001, YEAR_2044 = 978307200, 2335219200


def _read_back(data: bytes) -> object:
    calendar = b"BEGIN:VCALENDAR\r\n" + data + b"END:VCALENDAR\r\n"
    (definition,) = parse_many(calendar)[0].inside("VTIMEZONE")
    return zone_from_vtimezone(definition, lenient=False)


@pytest.mark.parametrize(
    "name", [*random.Random(7).sample(zone_names(), 40), "Europe/Dublin", "Africa/Casablanca"]
)
def test_a_definition_gives_the_same_offsets(name: str) -> None:
    """Read back, every definition agrees with the zone at 300 instants from 2001 to 2044."""
    known = zone(name)
    assert known is not None
    defined = _read_back(zone_definition(known))
    rng = random.Random(name)
    for _ in range(300):
        instant = rng.randrange(YEAR_2001, YEAR_2044)
        assert defined.offset_at(instant) == known.offset_at(instant), instant


def test_a_yearly_rule_is_told_as_one() -> None:
    """A zone that changes by rule needs three observances, not ninety."""
    known = zone("Europe/Amsterdam")
    assert known is not None
    data = zone_definition(known)

    assert data.count(b"RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU") == 1
    assert data.count(b"RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU") == 1
    assert len(data) < 600


def test_a_rule_that_ended_stays_ended() -> None:
    """A zone that gave up summer time has no rule that brings it back."""
    known = zone("Europe/Istanbul")
    assert known is not None

    assert b"RRULE" not in zone_definition(known)


def test_a_fixed_offset_is_one_observance() -> None:
    """A zone known by its offset only is defined by it."""
    data = zone_definition(FixedZone("GMT+02:00", 7200))

    assert b"TZOFFSETTO:+0200" in data
    assert _read_back(data).offset_at(400 * DAY) == 7200
