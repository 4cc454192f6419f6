"""What a rule means beyond its words: what DTSTART fills in, and what a date leaves out."""

from dataclasses import replace

from gateway.model.local_time import WallTime, date_of
from gateway.model.rrule import Frequency, Rule
from gateway.model.timerange import DAY, HOUR, MINUTE

UNITS = {Frequency.HOURLY: HOUR, Frequency.MINUTELY: MINUTE, Frequency.SECONDLY: 1}
"""The seconds of a period of the frequencies below a day."""


def of_days(rule: Rule) -> Rule:
    """Return a rule for a DTSTART that is a date: times of day are ignored (section 3.3.10)."""
    rule = replace(rule, by_hour=(), by_minute=(), by_second=())
    unit = UNITS.get(rule.frequency)
    if unit is None:
        return rule
    return replace(rule, frequency=Frequency.DAILY, interval=max(1, rule.interval * unit // DAY))


def with_defaults(rule: Rule, start: WallTime) -> Rule:
    """Fill in from DTSTART what the rule does not say (section 3.3.10)."""
    day = date_of(start // DAY)
    month_day, weekday = (day.day,), ((0, day.weekday()),)
    named = rule.by_year_day or rule.by_month_day or rule.by_day
    if named or rule.frequency <= Frequency.DAILY:
        return rule
    if rule.frequency is Frequency.WEEKLY or rule.by_week_no:
        return replace(rule, by_day=weekday)
    if rule.frequency is Frequency.YEARLY and not rule.by_month:
        return replace(rule, by_month=(day.month,), by_month_day=month_day)
    return replace(rule, by_month_day=month_day)
