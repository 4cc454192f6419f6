"""`/settings/pages`: the owner's scheduling pages, and the form that makes and changes one."""

from dataclasses import dataclass, replace

from aiohttp import web

from gateway.errors import Conflict, Invalid
from gateway.model.page import WEEKDAYS, PageState, QuestionType, SchedulingPage
from gateway.model.page_rules import page_errors, tidy
from gateway.model.slug import fold_slug
from gateway.model.zones import zone_names
from gateway.services.registry import Services
from gateway.web.auth import Visit, acts, reads, see
from gateway.web.settings.dashboard import meetings_base
from gateway.web.settings.page_form import PageForm, form_of, form_sent, read_page
from gateway.web.settings.wording import _, note
from gateway.web.templating import page as rendered

PATH = "/settings/pages"
NEW, ONE = f"{PATH}/new", f"{PATH}/{{id}}"
DAYS = dict(
    zip(
        WEEKDAYS,
        (
            _("Monday"),
            _("Tuesday"),
            _("Wednesday"),
            _("Thursday"),
            _("Friday"),
            _("Saturday"),
            _("Sunday"),
        ),
        strict=True,
    )
)
STATES = (
    (PageState.LIVE, _("Live: visitors can book")),
    (PageState.DRAFT, _("Draft: only you see it")),
    (PageState.ARCHIVED, _("Archived: closed for good, bookings stay")),
)
QUESTION_TYPES = (
    (QuestionType.TEXT, _("One line")),
    (QuestionType.LONG_TEXT, _("Several lines")),
    (QuestionType.CHOICE, _("A choice")),
    (QuestionType.PHONE, _("A telephone number")),
)
LOCATIONS = (
    ("", _("None")),
    ("address", _("At an address")),
    ("phone", _("By telephone")),
    ("link", _("Online, at a link")),
)
UNITS = (("minutes", _("minutes")), ("hours", _("hours")), ("days", _("days")))
LABELS = {
    "title": _("Title"),
    "slug": _("Address"),
    "description": _("Description"),
    "durations": _("Durations in minutes"),
    "step": _("Start every … minutes"),
    "time_zone": _("Time zone"),
    "weekly_hours": _("Weekly hours"),
    **{f"hours_{day}": word for day, word in DAYS.items()},
    "overrides": _("Single dates"),
    "buffer_before": _("Free before, in minutes"),
    "buffer_after": _("Free after, in minutes"),
    "min_notice": _("Notice"),
    "horizon_days": _("Days ahead"),
    "limits": _("Limits"),
    "per_day": _("A day"),
    "per_week": _("A week"),
    "per_month": _("A month"),
    "questions": _("Questions"),
    "location": _("Place"),
    "location_value": _("Where"),
    "state": _("State"),
}
"""The words for each field, in the order of the form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """The form as it is to be shown, and what it is about; `page_id` is empty for a new page."""

    form: PageForm
    page_id: str = ""
    title: str = ""


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of pages; `new` comes before the ids."""
    return [
        reads(services, PATH, show_all),
        reads(services, NEW, show_new),
        acts(services, NEW, make),
        reads(services, ONE, show),
        acts(services, ONE, save),
        acts(services, f"{ONE}/remove", remove),
    ]


async def show_all(visit: Visit) -> web.StreamResponse:
    """List the pages."""
    facts = {
        "note": note(visit.request),
        "pages": await visit.services.pages.of_owner(visit.owner),
        "base": meetings_base(visit.services, visit.owner),
    }
    return rendered(visit.request, "settings/pages.html", facts)


async def show_new(visit: Visit) -> web.StreamResponse:
    """Show the form of a new page, filled with what suits most."""
    return _shown(visit, Edited(form=_form(visit, _fresh(visit)).with_blank()), {})


async def make(visit: Visit) -> web.StreamResponse:
    """Make a page; its address is its own choice only with a seat."""
    fresh = _fresh(visit)
    form = form_sent(visit.form, _form(visit, fresh))
    edited = Edited(form=form)
    if visit.form.text("do") == "more":
        return _shown(visit, Edited(form=form.with_blank()), {})
    read, errors = read_page(form, fresh)
    if not visit.owner.seat:
        read = replace(read, slug="")
    if errors := _all_errors(read, errors):
        return _shown(visit, edited, errors)
    try:
        view = await visit.services.pages.create(visit.owner, read)
    except Invalid as error:
        return _shown(visit, edited, error.fields)
    except Conflict as error:
        return _shown(visit, edited, {"slug": error.detail}, status=409)
    raise see(f"{PATH}/{view.page.id}", done="page-made")


async def show(visit: Visit) -> web.StreamResponse:
    """Show the form of a page."""
    view = await visit.services.pages.get(visit.owner, visit.id)
    form = _form(visit, view.page).with_blank()
    return _shown(visit, Edited(form=form, page_id=view.page.id, title=view.page.title), {})


async def save(visit: Visit) -> web.StreamResponse:
    """Save a page."""
    view = await visit.services.pages.get(visit.owner, visit.id)
    form = form_sent(visit.form, _form(visit, view.page))
    edited = Edited(form=form, page_id=view.page.id, title=view.page.title)
    if visit.form.text("do") == "more":
        return _shown(visit, replace(edited, form=form.with_blank()), {})
    read, errors = read_page(form, view.page)
    if errors := _all_errors(read, errors):
        return _shown(visit, edited, errors)
    try:
        await visit.services.pages.update(visit.owner, read)
    except Invalid as error:
        return _shown(visit, edited, error.fields)
    except Conflict as error:
        return _shown(visit, edited, {"slug": error.detail}, status=409)
    raise see(f"{PATH}/{view.page.id}", done="saved")


async def remove(visit: Visit) -> web.StreamResponse:
    """Remove a page; meetings that were booked on it stay."""
    await visit.services.pages.remove(visit.owner, visit.id)
    raise see(PATH, done="page-removed")


def _all_errors(read: SchedulingPage, unread: dict[str, str]) -> dict[str, str]:
    """Return what cannot be read and what may not be said, so that one look finds it all."""
    judged = replace(read, slug=fold_slug(read.slug) or "made-later")
    found = {**page_errors(tidy(judged)), **unread}
    if found.keys() & {f"hours_{day}" for day in WEEKDAYS}:
        found.pop("weekly_hours", None)
    return {name: found[name] for name in LABELS if name in found}


def _fresh(visit: Visit) -> SchedulingPage:
    return visit.services.pages.draft(visit.owner, "")


def _form(visit: Visit, page: SchedulingPage) -> PageForm:
    return form_of(page, visit.say(_("closed")))


def _shown(
    visit: Visit, edited: Edited, errors: dict[str, str], *, status: int = 422
) -> web.Response:
    def said(pairs: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
        return [(key, visit.say(words)) for key, words in pairs]

    place = edited.form.values["location"]
    conference = (("conference", _("In a video conference")),) if place == "conference" else ()
    facts = {
        "note": note(visit.request),
        "edited": edited,
        "values": edited.form.values,
        "errors": errors,
        "labels": {name: visit.say(words) for name, words in LABELS.items()},
        "days": WEEKDAYS,
        "base": meetings_base(visit.services, visit.owner),
        "zones": zone_names(),
        "states": said(STATES),
        "types": said(QUESTION_TYPES),
        "places": said(LOCATIONS + conference),
        "units": said(UNITS),
    }
    return rendered(visit.request, "settings/page.html", facts, status=status if errors else 200)
