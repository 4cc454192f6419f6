"""What a client may PUT: each precondition of RFC 4791 section 5.3.2.1 by a small example."""

import pytest

from gateway.errors import Refused
from gateway.model.objects import check_object
from gateway.model.recurrence import compile_object
from gateway.model.zone import UTC_ZONE
from tests.builders import an_event

EVENT = "UID:u\r\nDTSTAMP:20261101T000000Z\r\nDTSTART:20261201T090000Z"


def _calendar(*components: str, head: str = "VERSION:2.0\r\nPRODID:-//x//EN") -> bytes:
    return "\r\n".join(["BEGIN:VCALENDAR", head, *components, "END:VCALENDAR", ""]).encode()


def _event(body: str = EVENT, name: str = "VEVENT") -> str:
    return f"BEGIN:{name}\r\n{body}\r\nEND:{name}"


def _put(data: bytes) -> str:
    try:
        found = check_object(data)
        compile_object(found, UTC_ZONE, lenient=False)
    except Refused as refused:
        return refused.condition.value
    return f"{found.component} {found.uid}"


@pytest.mark.parametrize("name", ["VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY"])
def test_every_kind_of_object_is_taken(name: str) -> None:
    """Events, to-dos, journals and stored free/busy are objects."""
    assert _put(_calendar(_event(name=name))) == f"{name} u"


@pytest.mark.parametrize(
    ("data", "condition"),
    [
        (b"", "valid-calendar-data"),
        (b"hello", "valid-calendar-data"),
        (b"\xff\xfe" + an_event(), "valid-calendar-data"),
        (an_event() * 2, "valid-calendar-data"),
        (an_event()[:-20], "valid-calendar-data"),
        (_calendar(_event(), head="PRODID:x"), "valid-calendar-data"),
        (_calendar(_event(), head="VERSION:2.0"), "valid-calendar-data"),
        (_calendar(_event(), head="VERSION:1.0\r\nPRODID:x"), "supported-calendar-data"),
        (
            _calendar(_event(), head="VERSION:2.0\r\nPRODID:x\r\nCALSCALE:ISLAMIC"),
            "supported-calendar-data",
        ),
        (
            _calendar(_event(), head="VERSION:2.0\r\nPRODID:x\r\nMETHOD:PUBLISH"),
            "valid-calendar-object-resource",
        ),
        (_calendar(), "valid-calendar-object-resource"),
        (_calendar(_event(), _event(name="VTODO")), "valid-calendar-object-resource"),
        (
            _calendar(_event(), _event(EVENT.replace("UID:u", "UID:v"))),
            "valid-calendar-object-resource",
        ),
        (_calendar(_event(), _event()), "valid-calendar-object-resource"),
        (_calendar(_event(EVENT.replace("UID:u\r\n", ""))), "valid-calendar-object-resource"),
        (
            _calendar(_event(EVENT.replace("UID:u", f"UID:{'u' * 10_240}"))),
            "valid-calendar-object-resource",
        ),
        (_calendar(_event(name="VPOLL")), "supported-calendar-component"),
        (
            _calendar(_event(EVENT.replace("DTSTAMP:20261101T000000Z\r\n", ""))),
            "valid-calendar-data",
        ),
        (_calendar(_event("UID:u\r\nDTSTAMP:20261101T000000Z")), "valid-calendar-data"),
        (_calendar(_event(f"{EVENT}\r\nDTSTART:20261202T090000Z")), "valid-calendar-data"),
        (_calendar(_event(f"{EVENT}\r\nDTEND:20261201T080000Z")), "valid-calendar-data"),
        (_calendar(_event(f"{EVENT}\r\nDURATION:-PT1H")), "valid-calendar-data"),
        (an_event(start=";TZID=Mars/Base:20261201T090000"), "valid-calendar-data"),
        (an_event(start="20260230T090000Z"), "valid-calendar-data"),
        (an_event(start="18991231T235959Z"), "min-date-time"),
        (an_event(start="22000101T000001Z"), "max-date-time"),
        (an_event(rrule="FREQ=MINUTELY"), "max-instances"),
        (an_event(rrule="FREQ=SOMETIMES"), "valid-calendar-data"),
        (an_event(description="x" * (1 << 20)), "max-resource-size"),
        (
            _calendar(_event("\r\n".join([EVENT, *["ATTENDEE:mailto:a@example.org"] * 1001]))),
            "max-attendees-per-instance",
        ),
        (
            _calendar(_event(f"{EVENT}\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nEND:VALARM")),
            "valid-calendar-data",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_refusal_names_its_precondition(data: bytes, condition: str) -> None:
    """What may not be stored is refused with the precondition that it breaks."""
    assert _put(data) == condition


def test_every_seven_minutes_is_accepted() -> None:
    """A rule of 75,000 instances a year is under the advertised limit."""
    assert _put(an_event("u", rrule="FREQ=MINUTELY;INTERVAL=7")) == "VEVENT u"


@pytest.mark.parametrize("extra", ["X-WR-CALNAME:x", "NAME:x", "X-ODD;A=b:c"])
def test_unknown_properties_are_kept_company(extra: str) -> None:
    """Properties that nobody knows do no harm."""
    assert _put(_calendar(_event(f"{EVENT}\r\n{extra}"))) == "VEVENT u"
