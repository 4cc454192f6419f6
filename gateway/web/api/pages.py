"""Pages: made, read, changed and removed by their owner."""

from dataclasses import replace
from typing import Any

import msgspec
from msgspec import UNSET

from gateway.model.page import BookingLimits, Location, PageState, Question, SchedulingPage
from gateway.model.page import QuestionType as Kind
from gateway.services.pages import PageView
from gateway.services.registry import Services
from gateway.web.api import shapes
from gateway.web.api.operation import Call, Operation

DECIDED_HERE = frozenset({"id", "url", "is_offline", "is_default"})


def shown(services: Services, view: PageView) -> shapes.Page:
    """Return a page as its owner sees it."""
    page = view.page
    return shapes.Page(
        id=page.id,
        slug=page.slug,
        url=page_url(services, view),
        title=page.title,
        description=page.description,
        durations=list(page.durations),
        step=page.step,
        time_zone=page.time_zone,
        weekly_hours={day: list(hours) for day, hours in page.weekly_hours.items()},
        overrides={day: list(hours) for day, hours in page.overrides.items()},
        buffer_before=page.buffer_before,
        buffer_after=page.buffer_after,
        min_notice=page.min_notice,
        horizon_days=page.horizon_days,
        limits=shapes.Limits(
            per_day=page.limits.per_day,
            per_week=page.limits.per_week,
            per_month=page.limits.per_month,
        ),
        seats=page.seats,
        tentative_blocks=page.tentative_blocks,
        questions=questions_of(page),
        location=(
            shapes.Place(type=_any(page.location.type), value=page.location.value)
            if page.location
            else None
        ),
        state=page.state.value,
        is_offline=view.is_offline,
        is_default=view.is_default,
    )


def questions_of(page: SchedulingPage) -> list[shapes.Question]:
    """Return the questions of the page's form."""
    return [
        shapes.Question(
            id=one.id,
            label=one.label,
            type=one.type.value,
            required=one.required,
            choices=list(one.choices),
        )
        for one in page.questions
    ]


def page_url(services: Services, view: PageView) -> str:
    """Return the page's address, on the host that its owner chose."""
    return f"{services.edge.home_of(view.owner)}/meetings/{view.page.slug}"


def _any(value: Any) -> Any:
    """Hand over a value that the page's rules have checked against the same words."""
    return value


def changed(page: SchedulingPage, wanted: shapes.PageFields) -> SchedulingPage:
    """Return the page with the members that the request sets."""
    given = {
        name: value
        for name in wanted.__struct_fields__
        if (value := getattr(wanted, name)) is not UNSET and name not in DECIDED_HERE
    }
    converted = {name: CONVERT.get(name, _any)(value) for name, value in given.items()}
    return replace(page, **converted)


def _hours(days: dict[str, list[tuple[str, str]]]) -> dict[str, tuple[tuple[str, str], ...]]:
    return {day: tuple(hours) for day, hours in days.items()}


def _limits(limits: shapes.Limits | None) -> BookingLimits:
    return BookingLimits(**msgspec.structs.asdict(limits)) if limits else BookingLimits()


def _questions(questions: list[shapes.Question]) -> tuple[Question, ...]:
    return tuple(
        Question(
            id=one.id,
            label=one.label,
            type=Kind(one.type),
            required=one.required,
            choices=tuple(one.choices),
        )
        for one in questions
    )


def _location(place: shapes.Place | None) -> Location | None:
    return Location(type=place.type, value=place.value) if place else None


CONVERT: dict[str, Any] = {
    "durations": tuple,
    "weekly_hours": _hours,
    "overrides": _hours,
    "limits": _limits,
    "questions": _questions,
    "location": _location,
    "state": PageState,
}


async def list_pages(call: Call) -> list[shapes.Page]:
    """Return the owner's pages, oldest first."""
    return [shown(call.services, view) for view in await call.services.pages.of_owner(call.me)]


async def create_page(call: Call) -> shapes.Page:
    """Make a page."""
    draft = changed(call.services.pages.draft(call.me, call.body.title), call.body)
    return shown(call.services, await call.services.pages.create(call.me, draft))


async def get_page(call: Call) -> shapes.Page:
    """Return a page."""
    return shown(call.services, await call.services.pages.get(call.me, call.id))


async def update_page(call: Call) -> shapes.Page:
    """Change what the request sets."""
    view = await call.services.pages.get(call.me, call.id)
    wanted = changed(view.page, call.body)
    return shown(call.services, await call.services.pages.update(call.me, wanted))


async def replace_page(call: Call) -> shapes.Page:
    """Set every member; what is left out gets the value it has on a new page."""
    view = await call.services.pages.get(call.me, call.id)
    fresh = call.services.pages.draft(call.me, call.body.title)
    fresh = replace(fresh, id=view.page.id, slug=view.page.slug, created_at=view.page.created_at)
    wanted = changed(fresh, call.body)
    return shown(call.services, await call.services.pages.update(call.me, wanted))


async def remove_page(call: Call) -> None:
    """Remove a page; bookings made on it stay."""
    await call.services.pages.remove(call.me, call.id)


OPERATIONS = (
    Operation(
        name="listPages",
        method="GET",
        path="/pages",
        about="The owner's pages.",
        handler=list_pages,
        gives=list[shapes.Page],
    ),
    Operation(
        name="createPage",
        method="POST",
        path="/pages",
        about="Make a page.",
        handler=create_page,
        takes=shapes.NewPage,
        gives=shapes.Page,
        status=201,
        failures=("slug_taken", "too_many_pages"),
    ),
    Operation(
        name="getPage",
        method="GET",
        path="/pages/{id}",
        about="One page.",
        handler=get_page,
        gives=shapes.Page,
    ),
    Operation(
        name="updatePage",
        method="PATCH",
        path="/pages/{id}",
        about="Change some members of a page.",
        handler=update_page,
        takes=shapes.PageFields,
        gives=shapes.Page,
        failures=("needs_seat", "slug_taken"),
    ),
    Operation(
        name="replacePage",
        method="PUT",
        path="/pages/{id}",
        about="Set every member of a page.",
        handler=replace_page,
        takes=shapes.NewPage,
        gives=shapes.Page,
        failures=("needs_seat", "slug_taken"),
    ),
    Operation(
        name="removePage",
        method="DELETE",
        path="/pages/{id}",
        about="Remove a page.",
        handler=remove_page,
    ),
)
