"""`/settings/calendar`, the Calendar tab: what blocks, where bookings go, the pages' address.

Law: nothing changes but by Save (S24). The X beside a calendar and Add only change the form, which
carries the wanted selection itself; so the tab works without a script and without a draft kept.
"""

from dataclasses import dataclass, replace

from aiohttp import web

from gateway.errors import Conflict, Invalid
from gateway.model.collection import Provider
from gateway.model.page import PageState
from gateway.model.principal import Indexing, OwnerSettings
from gateway.services.registry import Services
from gateway.web.auth import Visit, acts, reads, see
from gateway.web.forms import Form
from gateway.web.settings.calendars_seen import CalendarsSeen, calendars_seen
from gateway.web.settings.wording import _, note
from gateway.web.templating import page

PATH = "/settings/calendar"
TEMPLATE = "settings/calendar.html"
LIVE = PageState.LIVE
NOT_YOURS = _("Choose from your own calendars.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the form says, saved or not: calendars by their public ids, and the settings."""

    selected: tuple[str, ...]
    default: str
    settings: OwnerSettings
    is_changed: bool = False


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of the tab itself."""
    return [reads(services, PATH, show), acts(services, PATH, change)]


async def show(visit: Visit) -> web.StreamResponse:
    """Show the tab as things are."""
    calendars = await _calendars(visit)
    return await _shown(visit, calendars, _stored(visit, calendars), {})


async def change(visit: Visit) -> web.StreamResponse:
    """Save what the form says, or show it changed by one of its own buttons."""
    calendars, form = await _calendars(visit), visit.form
    draft = _read(form, _stored(visit, calendars))
    if "remove" in form:
        rest = tuple(one for one in draft.selected if one != form.text("remove"))
        return await _shown(visit, calendars, replace(draft, selected=rest), {})
    if form.text("do") == "add":
        more = dict.fromkeys((*draft.selected, *([form.text("add")] if form.text("add") else [])))
        draft = replace(draft, selected=tuple(more))
        return await _shown(visit, calendars, draft, _not_own(calendars, draft))
    if errors := _not_own(calendars, draft):
        return await _shown(visit, calendars, draft, errors)
    try:
        await _save(visit, calendars, draft)
    except Invalid as error:
        return await _shown(visit, calendars, draft, error.fields)
    except Conflict as error:
        return await _shown(visit, calendars, draft, {"meetings_url": error.detail}, status=409)
    raise see(PATH, done="saved")


async def _save(visit: Visit, calendars: CalendarsSeen, draft: Draft) -> None:
    services, owner = visit.services, visit.owner
    await services.settings.save(owner, draft.settings)
    for one in calendars.every:
        wanted = one.id in draft.selected
        if wanted != one.collection.selected:
            await services.objects.update_collection(
                owner, replace(one.collection, selected=wanted)
            )
    default = next((one for one in calendars.every if one.id == draft.default), None)
    was = next((one.id for one in calendars.every if one.is_default), "")
    if draft.default != was:
        await services.objects.set_default(owner, default.collection if default else None)


def _not_own(calendars: CalendarsSeen, draft: Draft) -> dict[str, str]:
    """Return what is wrong with the calendars named: only the owner's own may be (S27)."""
    own = {one.id for one in calendars.every}
    writable = {one.id for one in calendars.every if one.collection.is_writable}
    errors = {}
    if set(draft.selected) - own:
        errors["add"] = NOT_YOURS
    if draft.default and draft.default not in writable:
        errors["default_calendar"] = _("Choose a calendar that bookings can be written to.")
    return errors


async def _calendars(visit: Visit) -> CalendarsSeen:
    async with visit.services.store.read() as tx:
        return await calendars_seen(tx, visit.owner, visit.services.clock.now())


def _stored(visit: Visit, calendars: CalendarsSeen) -> Draft:
    return Draft(
        selected=tuple(one.id for one in calendars.selected),
        default=next((one.id for one in calendars.every if one.is_default), ""),
        settings=visit.owner.settings,
    )


def _read(form: Form, stored: Draft) -> Draft:
    """Return what the form says; a field it does not have stays as it is stored."""
    settings = stored.settings
    try:
        indexing = Indexing(form.get("indexing", settings.indexing.value))
    except ValueError:
        raise web.HTTPBadRequest from None
    # A form without the mark says nothing of the selection: only one with it can empty it.
    selected = form.all("selected") if "selection" in form else stored.selected
    return Draft(
        selected=tuple(dict.fromkeys(selected)),
        default=form.get("default_calendar", stored.default),
        settings=replace(
            settings,
            meetings_url=form.get("meetings_url", settings.meetings_url).strip(),
            default_page=form.get("default_page", settings.default_page),
            domain=form.get("domain", settings.domain),
            indexing=indexing,
            robots_extra=form.get("robots_extra", settings.robots_extra),
            calendar_sync=(
                "calendar_sync" in form if "syncing" in form else settings.calendar_sync
            ),
        ),
        is_changed=True,
    )


async def _shown(
    visit: Visit,
    calendars: CalendarsSeen,
    draft: Draft,
    errors: dict[str, str],
    *,
    status: int = 422,
) -> web.Response:
    services, owner = visit.services, visit.owner
    pages = await services.pages.of_owner(owner)
    connections = await services.connections.list(owner.id)
    seen = {one.id: one for one in calendars.every}
    return page(
        visit.request,
        TEMPLATE,
        {
            "note": note(visit.request),
            "calendars": calendars,
            "chosen": [seen[one] for one in draft.selected if one in seen],
            "other_options": [
                ("", visit.say(_("Choose a calendar"))),
                *((one.id, one.name) for one in calendars.every if one.id not in draft.selected),
            ],
            "default_options": [
                ("", visit.say(_("None: pages take requests only"))),
                *((one.id, one.name) for one in calendars.every if one.collection.is_writable),
            ],
            "connections": [
                (one.connection, [seen[each.collection.public_id] for each in one.calendars])
                for one in connections
            ],
            "by_consent": set(services.consent.offered),
            "by_password": {Provider.CALDAV, Provider.EXCHANGE},
            "locals": [one for one in calendars.every if one.collection.is_local],
            "draft": draft,
            "errors": errors,
            "page_options": [
                ("", visit.say(_("None"))),
                *((one.page.id, one.page.title) for one in pages if one.page.state is LIVE),
            ],
            "host_options": [
                ("", services.edge.public_url.partition("//")[2].rstrip("/")),
                *((host, host) for host in services.edge.hosts),
            ],
            "modes": MODES,
        },
        status=status if errors else 200,
    )


MODES = (
    (Indexing.HIDDEN, _("Hidden"), _("robots.txt asks search engines to stay off your pages.")),
    (
        Indexing.NOINDEX,
        _("Readable, not listed"),
        _("Search engines may read your pages, but are asked not to list them."),
    ),
    (Indexing.PUBLIC, _("Public"), _("Search engines may list your pages.")),
)
