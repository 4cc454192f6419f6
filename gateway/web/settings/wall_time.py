"""A date and a time of day from a form, as an instant."""

import re
from datetime import date, datetime, time

from gateway.freebusy.availability import FIRST_DATE, LAST_DATE
from gateway.model.timerange import Instant
from gateway.model.zones import Zone
from gateway.web.settings.wording import _

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


def chosen_time(
    place: Zone, day_text: str, time_text: str
) -> tuple[Instant | None, dict[str, str]]:
    """Return the instant of a wall time in a zone, or what is wrong with `date` and `time`."""
    errors = {}
    try:
        day = date.fromisoformat(day_text)
    except ValueError:
        day = None
    if day is None or not FIRST_DATE < day < LAST_DATE:
        errors["date"] = _("Give a date, like 2026-12-24.")
    parts = _TIME.fullmatch(time_text)
    if parts is None:
        errors["time"] = _("Give a time, like 09:30.")
    if errors or day is None or parts is None:
        return None, errors
    wall = datetime.combine(day, time(int(parts[1]), int(parts[2])))
    return place.to_instant(wall), {}
