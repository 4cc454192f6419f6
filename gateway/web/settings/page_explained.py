"""`/settings/pages/{id}/explain`: why a time is, or is not, offered on a page."""

from collections.abc import Sequence

from aiohttp import web

from gateway.freebusy.availability import zone_of
from gateway.freebusy.explain import Reason, Rule
from gateway.services.registry import Services
from gateway.web.auth import Visit, reads
from gateway.web.settings.calendars_seen import calendars_seen
from gateway.web.settings.pages import ONE
from gateway.web.settings.wall_time import chosen_time
from gateway.web.settings.wording import _
from gateway.web.templating import local, page

PERIODS = {"day": _("a day"), "week": _("a week"), "month": _("a month")}


def routes(services: Services) -> list[web.RouteDef]:
    """Return the route of the explanation."""
    return [reads(services, f"{ONE}/explain", show)]


async def show(visit: Visit) -> web.StreamResponse:
    """Explain the time that is asked for; without one, ask for it."""
    services, query = visit.services, visit.request.query
    view = await services.pages.get(visit.owner, visit.id)
    chosen, errors = chosen_time(zone_of(view.page), query.get("date", ""), query.get("time", ""))
    asked = query.get("duration", "")
    lengths = {str(minutes): minutes for minutes in view.page.durations}
    duration = lengths.get(asked, view.page.durations[0])
    reasons: Sequence[Reason] = ()
    if chosen is not None:
        reasons = await services.bookings.explain(view.page, chosen, duration)
    async with services.store.read() as tx:
        calendars = await calendars_seen(tx, visit.owner, services.clock.now())
    tomorrow = local(services.clock.now() + 24 * 3600, view.page.time_zone).date()
    facts = {
        "page": view.page,
        "is_offline": view.is_offline,
        "chosen": chosen,
        "duration": str(duration),
        "durations": [(text, text) for text in lengths],
        "date": query.get("date", tomorrow.isoformat()),
        "time": query.get("time", "09:00"),
        "errors": errors if "date" in query else {},
        "reasons": reasons,
        "rules": {rule.name: rule for rule in Rule},
        "calendars": {one.id: one for one in calendars.every},
        "periods": PERIODS,
    }
    return page(visit.request, "settings/page_explained.html", facts)
