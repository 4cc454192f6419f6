"""The lines of Google's `recurrence`, told in the kind of value and the zone of the start.

Whole properties in any order, in all the forms that specs and threads know: lists with a TZID,
dates for times and the other way round, `RRULE:DATE;…`, vendors' parts, EXRULE.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from gateway.adapters.google.times import Spot, date_spot, time_spot, zone_called
from gateway.errors import CalgateError
from gateway.model.content_line import Property, parse_line
from gateway.model.local_time import date_of, parse_wall
from gateway.model.rrule import Frequency, Rule, parse_rule
from gateway.model.rrule_times import Budget, RuleTimes
from gateway.model.timerange import DAY, format_utc
from gateway.model.zone import UTC_ZONE, Zone

MAX_LINES = 1_000
MAX_EXCLUDED = 2_000
EXRULE_DAYS = 6 * 366
"""How far from its start an EXRULE is carried out; what lies beyond stays busy."""


@dataclass(slots=True)
class Recurrence:
    """What repeats an event: rules as written out, further dates, and dates taken out."""

    rules: list[str] = field(default_factory=list)
    dates: list[Spot] = field(default_factory=list)
    excluded: list[Spot] = field(default_factory=list)
    broken: int = 0

    @property
    def repeats(self) -> bool:
        """Whether there is anything but the start."""
        return bool(self.rules or self.dates)


def read_recurrence(lines: object, start: Spot) -> Recurrence:
    """Read the lines of a master; a line without meaning is counted and left out."""
    found = Recurrence()
    if not isinstance(lines, list):
        return found
    for line in lines[:MAX_LINES]:
        try:
            _read_line(found, _property(line), start)
        except (ValueError, OverflowError, CalgateError):
            found.broken += 1
    return found


def _property(line: object) -> Property:
    text = str(line).strip()
    if text.upper().startswith("RRULE:DATE;"):
        text = f"RDATE;{text[len('RRULE:DATE;') :]}"
    return parse_line(text)


def _read_line(found: Recurrence, item: Property, start: Spot) -> None:
    if item.name == "RRULE":
        found.rules.append(rule_text(item.value, start))
    elif item.name == "RDATE":
        found.dates += _values(item, start)
    elif item.name == "EXDATE":
        found.excluded += _values(item, start)
    elif item.name == "EXRULE":
        found.excluded += _rule_dates(item.value, start)
    else:
        raise ValueError(f"{item.name[:40]} repeats nothing")


# --- rules ---------------------------------------------------------------------------------------


def rule_text(value: str, start: Spot) -> str:
    """Return a rule as RFC 5545 writes it for this start, its parts in the order they came."""
    parts = [_part(part, start) for part in value.strip().split(";") if _counts(part)]
    text = ";".join(parts)
    rule = parse_rule(text, lenient=True)
    if rule is None:
        raise ValueError(f"no rule: {value[:80]}")
    if _means_one_month(rule):
        text += f";BYMONTH={date_of(start.day).month}"
    return text


def _counts(part: str) -> bool:
    name, equals, text = part.partition("=")
    return bool(equals and text.strip()) and not name.strip().upper().startswith("X-")


def _part(part: str, start: Spot) -> str:
    name, _, text = part.strip().upper().partition("=")
    return f"UNTIL={_until(text, start)}" if name.strip() == "UNTIL" else f"{name.strip()}={text}"


def _until(text: str, start: Spot) -> str:
    """Return UNTIL in the start's kind of value: a date, or a time in UTC (section 3.3.10)."""
    until = parse_wall(text)
    if start.is_date:
        return text.strip()[:8]
    if until.is_utc:
        return format_utc(until.wall)
    # A date means the end of that day, a time without zone the start's own clock.
    wall = until.wall + (DAY - 1 if until.is_date else 0)
    return format_utc(start.zone.instant_of(wall))


def _means_one_month(rule: Rule) -> bool:
    """Tell whether Google reads the rule as DTSTART's month and RFC 5545 as every month."""
    other = rule.by_month or rule.by_day or rule.by_week_no or rule.by_year_day
    return rule.frequency is Frequency.YEARLY and bool(rule.by_month_day) and not other


def _rule_dates(value: str, start: Spot) -> Iterator[Spot]:
    """Yield what an EXRULE (RFC 2445) takes out, as dates."""
    rule = parse_rule(rule_text(value, start), lenient=True)
    assert rule is not None, "rule_text reads what it writes"
    last = None
    if rule.until is not None:
        last = rule.until.wall
        if rule.until.is_utc:
            last = start.zone.wall_of(last)
    times = RuleTimes(rule, start.wall, all_day=start.is_date, until=last)
    walls = times.starts(start.wall, start.wall + EXRULE_DAYS * DAY, Budget())
    for wall in islice(walls, MAX_EXCLUDED):
        if start.is_date:
            yield date_spot(wall // DAY, start.zone)
        else:
            yield time_spot(start.zone.instant_of(wall), start.zone)


# --- dates ---------------------------------------------------------------------------------------


def _values(item: Property, start: Spot) -> Iterator[Spot]:
    where = zone_called(item.param("TZID"))
    for text in item.value.split(","):
        if text.strip():
            yield _value(text.partition("/")[0], where, start)


def _value(text: str, where: Zone | None, start: Spot) -> Spot:
    value = parse_wall(text)
    if value.is_date:
        return date_spot(value.wall // DAY, start.zone).on(start)
    if start.is_date:
        # The day as written; only a time of day in UTC is told on the calendar's wall first.
        wall = value.wall
        if value.is_utc and wall % DAY:
            wall = start.zone.wall_of(wall)
        return date_spot(wall // DAY, start.zone)
    zone = UTC_ZONE if value.is_utc else where or start.zone
    return time_spot(zone.instant_of(value.wall), start.zone)
