"""Opening hours as an owner types them: `09:00-12:30, 13:30-17:00`, a day or a date a line."""

import re
from collections.abc import Mapping

from gateway.model.page import Hours

CLOSED = ("closed", "gesloten", "-", "\u2013")
# En and em dashes too: word processors and telephones put them where a hyphen was typed.
_DASH = "(?:-|\u2013|\u2014|to|tot|until)"
_TIME = r"([0-9]{1,2})(?:[:.h]([0-9]{2}))?"
_INTERVAL = re.compile(rf"{_TIME}\s*{_DASH}\s*{_TIME}", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*(?:[,;/+\n]|\band\b|\ben\b)\s*", re.IGNORECASE)
_LINE = re.compile(r"\s*([0-9]{4}-[0-9]{1,2}-[0-9]{1,2})\s*[:=]?\s*(.*)")
MINUTES_OF_DAY = 24 * 60


class UnreadableError(ValueError):
    """The text is not hours; its argument is the piece that is not."""


def read_hours(text: str) -> Hours:
    """Return the intervals of a day; nothing, or a word for closed, is none."""
    text = text.strip()
    if not text or text.lower() in CLOSED:
        return ()
    return tuple(_interval(part) for part in _BETWEEN.split(text) if part)


def show_hours(hours: Hours) -> str:
    """Return intervals as they can be read again."""
    return ", ".join(f"{opens}-{closes}" for opens, closes in hours)


def read_dates(text: str) -> dict[str, Hours]:
    """Return the hours of single dates; a date without any is closed."""
    found: dict[str, Hours] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        parts = _LINE.fullmatch(line)
        if parts is None:
            raise UnreadableError(line.strip()[:40])
        year, month, day = parts[1].split("-")
        found[f"{year}-{month:0>2}-{day:0>2}"] = read_hours(parts[2])
    return found


def show_dates(dates: Mapping[str, Hours], closed: str) -> str:
    """Return single dates as they can be read again; `closed` is the word for a day without any."""
    return "\n".join(f"{day}: {show_hours(dates[day]) or closed}" for day in sorted(dates))


def _interval(text: str) -> tuple[str, str]:
    parts = _INTERVAL.fullmatch(text.strip())
    if parts is None:
        raise UnreadableError(text[:40])
    opens, closes = _clock(parts[1], parts[2]), _clock(parts[3], parts[4])
    if opens is None or closes is None or opens == "24:00":
        raise UnreadableError(text[:40])
    return opens, closes


def _clock(hour: str, minute: str | None) -> str | None:
    minutes = int(hour) * 60 + int(minute or 0)
    is_time = int(minute or 0) < 60 and minutes <= MINUTES_OF_DAY  # noqa: PLR2004 - of an hour
    return f"{minutes // 60:02}:{minutes % 60:02}" if is_time else None
