"""A scheduling page as a form and back: every field is text until it is read here.

What cannot be read at all is said here, per field; what a page may say is `model.page_rules`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.model.page import (
    WEEKDAYS,
    BookingLimits,
    Location,
    PageState,
    Question,
    QuestionType,
    SchedulingPage,
)
from gateway.model.page_rules import MAX_QUESTIONS
from gateway.model.slug import slugify
from gateway.model.timerange import DAY, HOUR, MINUTE
from gateway.web.forms import Form
from gateway.web.settings.hours_text import (
    UnreadableError,
    read_dates,
    read_hours,
    show_dates,
    show_hours,
)
from gateway.web.settings.wording import _

NUMBERS = ("step", "buffer_before", "buffer_after", "horizon_days")
LIMITS = ("per_day", "per_week", "per_month")
UNITS = {"days": DAY // MINUTE, "hours": HOUR // MINUTE, "minutes": 1}
BAD_NUMBER = _("Give a whole number.")
BAD_HOURS = _("Write hours like 09:00-12:30, 13:30-17:00, or leave the day empty.")
BAD_DATES = _("Write one date a line, like 2026-12-24: 09:00-12:00 or 2026-12-25: closed.")
_WHOLE = re.compile(r"[0-9]{1,7}")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRow:
    """A question of the form as it is typed; an empty label is no question."""

    id: str = ""
    label: str = ""
    type: str = QuestionType.TEXT.value
    required: bool = False
    choices: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageForm:
    """The form's texts and its rows of questions."""

    values: Mapping[str, str]
    questions: tuple[QuestionRow, ...]
    tentative_blocks: bool

    def with_blank(self) -> "PageForm":
        """Return the form with one more empty row."""
        rows = (*self.questions, QuestionRow())[:MAX_QUESTIONS]
        return replace(self, questions=rows)


def form_of(page: SchedulingPage, closed: str) -> PageForm:
    """Return the form that shows a page."""
    unit = next(name for name, size in UNITS.items() if page.min_notice % size == 0)
    if not page.min_notice:
        unit = "hours"
    limits = {name: getattr(page.limits, name) for name in LIMITS}
    values = {
        "title": page.title,
        "slug": page.slug,
        "description": page.description,
        "durations": ", ".join(map(str, page.durations)),
        "time_zone": page.time_zone,
        **{f"hours_{day}": show_hours(page.weekly_hours.get(day, ())) for day in WEEKDAYS},
        "overrides": show_dates(page.overrides, closed),
        **{name: str(getattr(page, name)) for name in NUMBERS},
        "min_notice": str(page.min_notice // UNITS[unit]),
        "min_notice_unit": unit,
        **{name: "" if limit is None else str(limit) for name, limit in limits.items()},
        "location": page.location.type if page.location else "",
        "location_value": page.location.value if page.location else "",
        "state": page.state.value,
    }
    rows = tuple(
        QuestionRow(
            id=one.id,
            label=one.label,
            type=one.type.value,
            required=one.required,
            choices="\n".join(one.choices),
        )
        for one in page.questions
    )
    return PageForm(values=values, questions=rows, tentative_blocks=page.tentative_blocks)


def form_sent(form: Form, shown: PageForm) -> PageForm:
    """Return what was sent; a field that was not keeps what is shown."""
    values = {name: form.get(name, value) for name, value in shown.values.items()}
    count = min(int(form.text("questions")), MAX_QUESTIONS) if _is_whole(form, "questions") else 0
    rows = tuple(
        QuestionRow(
            id=form.text(f"q{number}_id"),
            label=form.text(f"q{number}_label"),
            type=form.text(f"q{number}_type"),
            required=f"q{number}_required" in form,
            choices=form.text(f"q{number}_choices"),
        )
        for number in range(count)
    )
    return PageForm(values=values, questions=rows, tentative_blocks="tentative_blocks" in form)


def _is_whole(form: Form, name: str) -> bool:
    return _WHOLE.fullmatch(form.text(name)) is not None


def read_page(form: PageForm, page: SchedulingPage) -> tuple[SchedulingPage, dict[str, str]]:
    """Return the page with what the form says, and a sentence for each field that says nothing."""
    reader = _Reader(form.values)
    values = form.values
    unit = UNITS.get(values["min_notice_unit"], 1)
    read = replace(
        page,
        title=values["title"],
        slug=values["slug"].strip(),
        description=values["description"],
        durations=reader.durations(),
        time_zone=values["time_zone"].strip(),
        weekly_hours={day: reader.hours(f"hours_{day}") for day in WEEKDAYS},
        overrides=reader.dates(),
        step=reader.number("step"),
        buffer_before=reader.number("buffer_before"),
        buffer_after=reader.number("buffer_after"),
        horizon_days=reader.number("horizon_days"),
        min_notice=reader.number("min_notice") * unit,
        limits=BookingLimits(**{name: reader.number(name) or None for name in LIMITS}),
        tentative_blocks=form.tentative_blocks,
        questions=tuple(_questions(form.questions)),
        location=_location(values["location"], values["location_value"].strip()),
        state=reader.state(page.state),
    )
    return read, reader.errors


class _Reader:
    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.errors: dict[str, str] = {}

    def number(self, name: str) -> int:
        """Return a whole number; an empty field is none."""
        text = self._values[name].strip()
        if text and not _WHOLE.fullmatch(text):
            self.errors[name] = BAD_NUMBER
            return 0
        return int(text or 0)

    def durations(self) -> tuple[int, ...]:
        parts = [part for part in re.split(r"[\s,;]+", self._values["durations"]) if part]
        if not all(map(_WHOLE.fullmatch, parts)):
            self.errors["durations"] = _("Write minutes with commas between, like 30, 60.")
            return ()
        return tuple(int(part) for part in parts)

    def hours(self, name: str) -> tuple[tuple[str, str], ...]:
        try:
            return read_hours(self._values[name])
        except UnreadableError:
            self.errors[name] = BAD_HOURS
            return ()

    def dates(self) -> dict[str, tuple[tuple[str, str], ...]]:
        try:
            return read_dates(self._values["overrides"])
        except UnreadableError:
            self.errors["overrides"] = BAD_DATES
            return {}

    def state(self, current: PageState) -> PageState:
        try:
            return PageState(self._values["state"])
        except ValueError:
            return current


def _questions(rows: Sequence[QuestionRow]) -> Iterator[Question]:
    """Yield the questions that have a label; a new one gets an id from its label."""
    taken = {row.id for row in rows if row.id}
    for row in rows:
        if not row.label:
            continue
        identifier = row.id or _free_id(slugify(row.label)[:32] or "question", taken)
        taken.add(identifier)
        is_choice = row.type == QuestionType.CHOICE
        choices = dict.fromkeys(line.strip() for line in row.choices.splitlines() if line.strip())
        yield Question(
            id=identifier,
            label=row.label,
            type=QuestionType(row.type) if row.type in set(QuestionType) else QuestionType.TEXT,
            required=row.required,
            choices=tuple(choices) if is_choice else (),
        )


def _free_id(wanted: str, taken: set[str]) -> str:
    if wanted not in taken:
        return wanted
    number = next(number for number in range(2, 1000) if f"{wanted}-{number}" not in taken)
    return f"{wanted}-{number}"


def _location(kind: str, value: str) -> Location | None:
    return Location(type=kind, value=value) if kind else None
