"""Zone names from anywhere, and the wall times of the zones they mean."""

import struct
from datetime import UTC, datetime
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.component import Component
from gateway.model.content_line import raw_property
from gateway.model.lenient_lines import MAX_OBSERVANCES
from gateway.model.timerange import to_instant
from gateway.model.zone import CALM
from gateway.model.zones import zone, zone_from_vtimezone, zone_names


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("Europe/Amsterdam", "Europe/Amsterdam"),
        ("europe/amsterdam", "Europe/Amsterdam"),
        ('"Europe/Amsterdam"', "Europe/Amsterdam"),
        ("Europe/Kyiv", "Europe/Kyiv"),
        ("US/Pacific", "US/Pacific"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Pacific Standard Time", "America/Los_Angeles"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("/mozilla.org/20050126_1/Europe/Berlin", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/Europe/Berlin", "Europe/Berlin"),
        (
            "/citadel.org/20210210_1/America/Argentina/Buenos_Aires",
            "America/Argentina/Buenos_Aires",
        ),
    ],
)
def test_a_name_means_a_zone(name: str, canonical: str) -> None:
    """IANA, Windows and vendor names find the zone that they mean."""
    found = zone(name)

    assert found is not None
    assert found.name == canonical


@pytest.mark.parametrize(
    ("name", "minutes"),
    [
        ("(UTC+01:00) Somewhere Unheard Of", 60),
        ("(GMT-03:30) Nowhere", -210),
        ("UTC+5", 300),
        ("GMT-0930", -570),
    ],
)
def test_a_bare_offset_is_fixed(name: str, minutes: int) -> None:
    """A display name of no known place still says its offset."""
    found = zone(name)

    assert found is not None
    assert found.offset_at(0) == found.offset_at(1782000000) == minutes * 60


@pytest.mark.parametrize(
    "name",
    [
        "",
        "America",
        "../../etc/passwd",
        "/etc/localtime",
        "localtime",
        "posixrules",
        "Factory",
        "tzdata.zi",
        "Europe/Amsterdam/../../x",
        "Europe\x00/Amsterdam",
        "x" * 10_240,
        "\ud800",
        "+9999",
        "UTC+99",
    ],
    ids=ascii,
)
def test_what_is_no_zone_is_none(name: str) -> None:
    """A folder, a path, a server's own file or nonsense is no zone, and no file is opened."""
    assert zone(name) is None


def test_every_iana_name_is_its_own(tmp_path: Path) -> None:
    """Each name of tzdata's list means what zoneinfo says, in winter and in summer."""
    for name in zone_names():
        found = zone(name)
        assert found is not None
        info = ZoneInfo(name)
        for instant in (1767225600, 1782864000):
            offset = datetime.fromtimestamp(instant, info).utcoffset()
            assert offset is not None
            assert found.offset_at(instant) == offset.total_seconds(), name


places = st.sampled_from(
    ["Europe/Amsterdam", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]
)


@given(places, st.integers(-2208988800, 7258118400))
def test_an_instant_is_found_by_its_wall_time(name: str, instant: int) -> None:
    """The wall time of an instant leads back to it, or to its twin an hour's fold before."""
    found = zone(name)
    assert found is not None
    again = found.instant_of(found.wall_of(instant))

    assert found.wall_of(again) == found.wall_of(instant)
    assert again <= instant


@pytest.mark.parametrize(
    ("broken", "is_known"), [(MAX_OBSERVANCES - 1, True), (MAX_OBSERVANCES, False)]
)
def test_only_the_first_observances_of_a_zone_count(broken: int, is_known: bool) -> None:
    """Broken observances count among those that are read, as the reader of lines counts them."""
    good = [
        raw_property("DTSTART", "19700101T000000"),
        raw_property("TZOFFSETFROM", "+0100"),
        raw_property("TZOFFSETTO", "+0100"),
    ]
    observances = [Component("STANDARD")] * broken + [Component("STANDARD", good)]
    definition = Component("VTIMEZONE", [raw_property("TZID", "T")], observances)

    assert (zone_from_vtimezone(definition) is not None) is is_known


def _onsets(name: str) -> tuple[int, ...]:
    """Return when a zone of the installed tzdata changes, as its file lists it (RFC 8536)."""
    data = files("tzdata.zoneinfo").joinpath(name).read_bytes()
    utc, wall, leaps, times, types, letters = struct.unpack_from(">6l", data, 20)
    second = 44 + times * 5 + types * 6 + letters + leaps * 8 + wall + utc
    times = struct.unpack_from(">6l", data, second + 20)[3]
    return struct.unpack_from(f">{times}q", data, second + 44)


def test_no_zone_changes_and_changes_back_between_two_looks() -> None:
    """What is looked at every so many days, or taken to be calm between, misses no summer."""
    short, first_year = [], to_instant(datetime(1850, 1, 1, tzinfo=UTC))
    for name in zone_names():
        found = zone(name)
        for first, last in pairwise(one for one in _onsets(name) if one > first_year):
            if last - first <= CALM and found.offset_at(first - 1) == found.offset_at(last):
                short.append((name, first))

    assert short == []
