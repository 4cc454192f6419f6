"""How booking pages go out: what robots may do with them, and who may keep them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import hdrs, web

from gateway.model.principal import Indexing
from gateway.services.pages import PageView
from gateway.services.registry import Services
from gateway.web.api.pages import page_url
from gateway.web.booking.choice import Choice
from gateway.web.templating import page

ROBOTS = "X-Robots-Tag"
NOINDEX = "noindex, nofollow"
PERSONAL = {
    ROBOTS: NOINDEX,
    hdrs.CACHE_CONTROL: "no-store",
    # The address of a booking's own page is its key: no other site is told it. Stricter still,
    # "no-referrer" would have browsers send `Origin: null` with the form that cancels.
    "Referrer-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request for a page, with what its visitor has chosen so far."""

    request: web.Request
    services: Services
    view: PageView
    choice: Choice


def public_page(
    visit: Visit,
    name: str,
    facts: Mapping[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Render a page that anybody may see; S37's mode decides what robots are told.

    Whoever finds a hidden page in spite of robots.txt is told by the header not to list it.
    """
    view = visit.view
    public = view.owner.settings.indexing is Indexing.PUBLIC
    kept: dict[str, str] = {hdrs.CACHE_CONTROL: "private, no-cache", **(headers or {})}
    if not public or status != 200:  # noqa: PLR2004 - only the page itself is ever listed
        kept[ROBOTS] = NOINDEX
    answer = page(
        visit.request,
        name,
        {
            "choice": visit.choice,
            "shown": view.page,
            "host": view.owner,
            "indexed": ROBOTS not in kept,
            "canonical": page_url(visit.services, view),
            **facts,
        },
        status=status,
        headers=kept,
    )
    answer.enable_compression()
    return answer


def personal_page(
    request: web.Request, name: str, facts: Mapping[str, Any], *, status: int = 200
) -> web.Response:
    """Render a page that only the holder of its address may see."""
    return page(request, name, facts, status=status, headers=PERSONAL)
