"""The bombs of tests/cases/bombs.json as bytes; the large ones are built from their description."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

BOMBS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "cases" / "bombs.json").read_text(encoding="utf-8")
)["cases"]
START = datetime(2026, 1, 5, 9, tzinfo=UTC)
HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bombs//EN\r\n"
EVENT = "BEGIN:VEVENT\r\nUID:x\r\nDTSTAMP:20260101T000000Z\r\n"
FOOT = "END:VEVENT\r\nEND:VCALENDAR\r\n"


def bytes_of(case: Mapping[str, Any]) -> bytes:
    """Return what a case sends."""
    if "bytes_hex" in case:
        return bytes.fromhex(case["bytes_hex"])
    if "ics" in case:
        return str(case["ics"]).encode()
    return GENERATORS[case["name"]]().encode()


def _event(*lines: str) -> str:
    body = "".join(f"{line}\r\n" for line in ("DTSTART:20260105T090000Z", *lines))
    return f"{HEAD}{EVENT}{body}{FOOT}"


def _numbers(low: int, high: int) -> str:
    return ",".join(str(number) for number in range(low, high + 1))


def _times(count: int, step: timedelta) -> list[str]:
    return [f"{START + step * number:%Y%m%dT%H%M%SZ}" for number in range(count)]


def _lists() -> str:
    parts = {"BYMONTH": (1, 12), "BYMONTHDAY": (1, 31), "BYHOUR": (0, 23)}
    parts |= {"BYMINUTE": (0, 59), "BYSECOND": (0, 59)}
    text = ";".join(f"{name}={_numbers(*ends)}" for name, ends in parts.items())
    return _event(f"RRULE:FREQ=YEARLY;{text}")


def _exception_dates() -> str:
    dates = (f"EXDATE:{text}" for text in _times(100_000, timedelta(hours=1)))
    return _event("RRULE:FREQ=HOURLY", *dates)


def _observances() -> str:
    onsets = [
        "BEGIN:STANDARD\r\n"
        f"DTSTART:{START + timedelta(hours=hour):%Y%m%dT%H%M%S}\r\n"
        f"RDATE:{START + timedelta(hours=hour):%Y%m%dT%H%M%S}\r\n"
        "TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:STANDARD\r\n"
        for hour in range(10_000)
    ]
    zone = f"BEGIN:VTIMEZONE\r\nTZID:T\r\n{''.join(onsets)}END:VTIMEZONE\r\n"
    return f"{HEAD}{zone}{EVENT}DTSTART;TZID=T:20260105T090000\r\n{FOOT}"


def _alarms() -> str:
    alarm = (
        "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT1M\r\n"
        "REPEAT:2147483647\r\nDURATION:PT1S\r\nEND:VALARM"
    )
    return _event(*[alarm] * 100_000)


GENERATORS: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "huge-by-lists": _lists,
        "100k-exdates": _exception_dates,
        "100k-rdates": lambda: _event(f"RDATE:{','.join(_times(100_000, timedelta(minutes=1)))}"),
        "20-rrules": lambda: _event(
            *(f"RRULE:FREQ=DAILY;INTERVAL={number}" for number in range(1, 10_001))
        ),
        "vtimezone-10k-observances": _observances,
        "description-10mb": lambda: _event(f"DESCRIPTION:{'x' * 10_485_760}"),
        "100k-alarms": _alarms,
        "100k-attendees": lambda: _event(
            *(f"ATTENDEE:mailto:u{number}@example.com" for number in range(1, 100_001))
        ),
        "1m-short-lines": lambda: _event(*["X-A:1"] * 1_000_000),
    }
)
