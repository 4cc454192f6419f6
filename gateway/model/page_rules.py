"""What a scheduling page may say: every field's rule, as sentences for the owner."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from urllib.parse import urlsplit

from gateway.model.page import WEEKDAYS, Hours, Location, Question, QuestionType, SchedulingPage
from gateway.model.slug import slug_error
from gateway.model.zones import iana_zone

TITLE_LENGTH, TEXT_LENGTH, LINE_LENGTH = 200, 5000, 500
MAX_DURATIONS, MAX_INTERVALS, MAX_OVERRIDES, MAX_QUESTIONS, MAX_CHOICES = 10, 24, 1000, 20, 50
SHORTEST, DAY_MINUTES, YEAR_MINUTES, MAX_HORIZON, MAX_LIMIT = 5, 1440, 527040, 730, 1000
LOCATION_TYPES = ("address", "phone", "link", "conference")

_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_DATE = re.compile(r"(?:19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}")
_QUESTION_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def tidy(page: SchedulingPage) -> SchedulingPage:
    """Return the page with the spaces and spellings that mean nothing taken out."""
    place = iana_zone(page.time_zone)
    return replace(
        page,
        title=page.title.strip(),
        description=page.description.replace("\r\n", "\n").strip(),
        durations=tuple(sorted(set(page.durations))),
        time_zone=place.name if place else page.time_zone,
        weekly_hours={day: hours for day, hours in page.weekly_hours.items() if hours},
    )


def page_errors(page: SchedulingPage) -> dict[str, str]:
    """Return a sentence for each field that is wrong; an empty mapping says the page is good."""
    errors: dict[str, str] = {}
    for name, sentence in _checks(page):
        errors.setdefault(name, sentence)
    return errors


Found = Iterator[tuple[str, str]]


def _checks(page: SchedulingPage) -> Found:
    if sentence := slug_error(page.slug):
        yield "slug", sentence
    if not 1 <= len(page.title) <= TITLE_LENGTH or _CONTROL.search(page.title):
        yield "title", f"A title is one line of 1 to {TITLE_LENGTH} characters."
    if len(page.description) > TEXT_LENGTH or _CONTROL_IN_TEXT.search(page.description):
        yield "description", f"A description has at most {TEXT_LENGTH} characters of plain text."
    if iana_zone(page.time_zone) is None:
        yield "time_zone", "This time zone is unknown; use a name such as Europe/Amsterdam."
    if page.seats != 1:
        yield "seats", "A meeting has one seat; group bookings are not available."
    yield from _numbers(page)
    yield from _hours("weekly_hours", page.weekly_hours)
    if set(page.weekly_hours) - set(WEEKDAYS):
        yield "weekly_hours", f"Name the days {', '.join(WEEKDAYS)}."
    yield from _hours("overrides", page.overrides)
    if len(page.overrides) > MAX_OVERRIDES or not all(map(_is_date, page.overrides)):
        yield "overrides", f"Give at most {MAX_OVERRIDES} dates, written like 2026-12-25."
    yield from _questions(page.questions)
    yield from _location(page.location)


def _numbers(page: SchedulingPage) -> Found:
    lengths = page.durations
    if not 1 <= len(lengths) <= MAX_DURATIONS or not all(map(_is_length, lengths)):
        yield (
            "durations",
            f"Give 1 to {MAX_DURATIONS} durations from {SHORTEST} to {DAY_MINUTES} minutes.",
        )
    if not _is_length(page.step):
        yield "step", f"A step has {SHORTEST} to {DAY_MINUTES} minutes."
    ranges = (
        ("buffer_before", page.buffer_before, 0, DAY_MINUTES),
        ("buffer_after", page.buffer_after, 0, DAY_MINUTES),
        ("min_notice", page.min_notice, 0, YEAR_MINUTES),
        ("horizon_days", page.horizon_days, 1, MAX_HORIZON),
    )
    for name, value, low, high in ranges:
        if not low <= value <= high:
            yield name, f"Give a number from {low} to {high}."
    limits = page.limits
    for limit in (limits.per_day, limits.per_week, limits.per_month):
        if limit is not None and not 1 <= limit <= MAX_LIMIT:
            yield "limits", f"A limit is a number from 1 to {MAX_LIMIT}, or empty for none."


def _is_length(minutes: int) -> bool:
    return SHORTEST <= minutes <= DAY_MINUTES


def _hours(name: str, days: Mapping[str, Hours]) -> Found:
    for hours in days.values():
        if len(hours) > MAX_INTERVALS:
            yield name, f"A day has at most {MAX_INTERVALS} intervals."
        for opens, closes in hours:
            if not _TIME.fullmatch(opens) or not (_TIME.fullmatch(closes) or closes == "24:00"):
                yield name, "Write times from 00:00 to 24:00 with two digits each, as in 09:30."


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _questions(questions: tuple[Question, ...]) -> Found:
    if len(questions) > MAX_QUESTIONS:
        yield "questions", f"Ask at most {MAX_QUESTIONS} questions."
    if len({question.id for question in questions}) < len(questions):
        yield "questions", "Each question needs an id of its own."
    for question in questions:
        if not _QUESTION_ID.fullmatch(question.id):
            yield "questions", "A question's id has 1 to 40 letters, digits, hyphens, underscores."
        if not _is_line(question.label, TITLE_LENGTH):
            yield "questions", f"A question is one line of 1 to {TITLE_LENGTH} characters."
        choices = question.choices
        if (question.type is QuestionType.CHOICE) != bool(choices):
            yield "questions", "Choices belong to a question of the type choice, which needs some."
        if len(choices) > MAX_CHOICES or len(set(choices)) < len(choices):
            yield "questions", f"Give at most {MAX_CHOICES} choices, no two the same."
        if not all(_is_line(choice, TITLE_LENGTH) for choice in choices):
            yield "questions", f"A choice is one line of 1 to {TITLE_LENGTH} characters."


def _location(location: Location | None) -> Found:
    if location is None:
        return
    if location.type not in LOCATION_TYPES:
        yield "location", f"A location is one of {', '.join(LOCATION_TYPES)}."
    elif location.type != "conference" and not _is_line(location.value, LINE_LENGTH):
        yield "location", f"Say where, in one line of at most {LINE_LENGTH} characters."
    elif location.value and not _is_line(location.value, LINE_LENGTH):
        yield "location", f"A location has at most {LINE_LENGTH} characters."
    elif location.type == "link" and not _is_web_address(location.value):
        yield "location", "A link starts with https:// or http://."


def _is_line(text: str, length: int) -> bool:
    return bool(text.strip()) and len(text) <= length and not _CONTROL.search(text)


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in text
