"""`/meetings/{slug}`: from a first look to a booked time, without a script."""

from aiohttp import web

from gateway.services.pages import PageView
from gateway.services.registry import Services
from gateway.web.booking.choice import read_choice
from gateway.web.booking.details import details_page, is_offered
from gateway.web.booking.remembered import remembered
from gateway.web.booking.send import forget, send, tell
from gateway.web.booking.shown import Visit
from gateway.web.booking.times import times_page
from gateway.web.forms import read_form
from gateway.web.i18n import translate
from gateway.web.keys import LOCALE

PATHS = ("/meetings/{first}", "/meetings/{first}/{second}")


def visit_routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of the pages; with a slash at the end, too, which is sent on."""

    async def show(request: web.Request) -> web.StreamResponse:
        view = await _view(request, services)
        choice = read_choice(request.query, view.page)
        visit = Visit(request=request, services=services, view=view, choice=choice)
        if choice.start is None:
            return await times_page(visit)
        if await is_offered(visit, choice.start):
            return details_page(visit, remembered(request, services))
        told = translate(request[LOCALE], "That time is not offered any more. Choose another one.")
        return await times_page(visit, told=told)

    async def receive(request: web.Request) -> web.StreamResponse:
        async with services.bookings.turn:
            view = await _view(request, services)
        form = await read_form(request)
        choice = read_choice(form, view.page)
        visit = Visit(request=request, services=services, view=view, choice=choice)
        if "forget" in form:
            return forget(visit)
        return await (tell(visit) if "tell" in form else send(visit, form))

    paths = [path + end for path in PATHS for end in ("", "/")]
    return [route for path in paths for route in (web.get(path, show), web.post(path, receive))]


async def _view(request: web.Request, services: Services) -> PageView:
    """Return the page of the address, or send the visitor on to its one address."""
    wanted = "/".join(
        request.match_info[key] for key in ("first", "second") if key in request.match_info
    )
    view = await services.pages.by_slug(wanted)
    canonical = f"/meetings/{view.page.slug}"
    if request.rel_url.raw_path != canonical:
        query = request.rel_url.raw_query_string
        raise web.HTTPPermanentRedirect(f"{canonical}?{query}" if query else canonical)
    return view
