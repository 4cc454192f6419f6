"""`/settings/feeds`: merged feeds for calendar programs, each behind a secret address."""

from aiohttp import web

from gateway.errors import Invalid, NotFound
from gateway.model.feed import Visibility
from gateway.services.registry import Services
from gateway.web.auth import Visit, acts, reads, see
from gateway.web.forms import Form
from gateway.web.settings.calendars_seen import calendars_seen
from gateway.web.settings.wording import _, note
from gateway.web.templating import page

PATH = "/settings/feeds"
SHOWS = (
    (Visibility.BUSY, _("Busy only"), _("That you are busy, and nothing else.")),
    (Visibility.TITLE, _("Titles"), _("Titles too, but not those of private events.")),
    (Visibility.FULL, _("Everything"), _("Titles, places and descriptions, private events apart.")),
)


def routes(services: Services) -> list[web.RouteDef]:
    """Return the routes of the feeds."""
    return [
        reads(services, PATH, show),
        acts(services, PATH, make),
        acts(services, PATH + "/{id}/show", tell),
        acts(services, PATH + "/{id}/revoke", revoke),
    ]


async def show(visit: Visit) -> web.StreamResponse:
    """Show the feeds, without their addresses."""
    return await _shown(visit)


async def make(visit: Visit) -> web.StreamResponse:
    """Make a feed and show its address."""
    form, services = visit.form, visit.services
    try:
        visibility = Visibility(form.get("visibility", Visibility.BUSY.value))
    except ValueError:
        raise web.HTTPBadRequest from None
    if not form.text("label"):
        return await _shown(visit, errors={"label": _("Say what the feed is for.")})
    try:
        feed, token = await services.feeds.add(
            visit.owner,
            label=form.text("label"),
            visibility=visibility,
            calendars=form.all("calendars") if form.text("which") == "some" else (),
        )
    except Invalid as error:
        return await _shown(visit, errors=error.fields)
    return await _shown(visit, told=(feed.label, token))


async def tell(visit: Visit) -> web.StreamResponse:
    """Show the address of a feed again."""
    feeds = await visit.services.feeds.list(visit.owner.id)
    feed = next((one for one in feeds if one.id == visit.id), None)
    if feed is None:
        raise NotFound("feed")
    return await _shown(visit, told=(feed.label, visit.services.feeds.token(feed)))


async def revoke(visit: Visit) -> web.StreamResponse:
    """Revoke a feed: its address is dead at once."""
    await visit.services.feeds.remove(visit.owner.id, visit.id)
    raise see(PATH, done="feed-removed")


async def _shown(
    visit: Visit, *, errors: dict[str, str] | None = None, told: tuple[str, str] = ("", "")
) -> web.Response:
    services = visit.services
    async with services.store.read() as tx:
        calendars = await calendars_seen(tx, visit.owner, services.clock.now())
    label, token = told
    facts = {
        "note": note(visit.request),
        "calendars": calendars.every,
        "names": {one.id: one.name for one in calendars.every},
        "feeds": await services.feeds.list(visit.owner.id),
        "shows": SHOWS,
        "words": {key: word for key, word, _more in SHOWS},
        "form": visit.form if errors else Form([]),
        "errors": errors or {},
        "told": label,
        "address": f"{services.edge.public_url.rstrip('/')}/feeds/{token}" if token else "",
    }
    return page(visit.request, "settings/feeds.html", facts, status=422 if errors else 200)
