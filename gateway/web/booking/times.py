"""The page on which a visitor chooses a length, a zone, a day and a time."""

from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web
from babel import Locale

from gateway.model.timerange import HOUR, Instant
from gateway.model.zone import Zone
from gateway.services.booking_views import Offer
from gateway.web.booking.month import Month, bounds, by_day, month, month_of, next_month, window
from gateway.web.booking.shown import Visit, public_page
from gateway.web.booking.zone_choice import zone_list
from gateway.web.keys import FORMATS, LOCALE

EVERY_ZONE = "all"


async def times_page(visit: Visit, *, told: str = "", status: int = HTTPStatus.OK) -> web.Response:
    """Show a month with its free days, and the free times of one day."""
    choice, now = visit.choice, visit.services.clock.now()
    offer, shown = await _look(visit, now)
    day = choice.day or shown.first_free
    times = shown.free.get(day, ()) if day else ()
    every = visit.request.query.get("zones") == EVERY_ZONE
    return public_page(
        visit,
        "booking/times.html",
        {
            "offer": offer,
            "month": shown,
            "day": day,
            "times": times,
            "twice": _twice(times, choice.zone),
            "weekdays": shown.weekdays,
            "today": choice.zone.to_local(now).date(),
            "zones": zone_list(
                now,
                choice.zone.name,
                (visit.view.page.time_zone,),
                every=every,
                locale=visit.request[LOCALE],
            ),
            "every_zone": every,
            "told": told,
        },
        status=status,
    )


async def _look(visit: Visit, now: Instant) -> tuple[Offer, Month]:
    """Ask once for what is free: in the month chosen, or in the two from now on.

    Where no month is chosen, the first of those two that has a free time is shown.
    """
    page, choice, place = visit.view.page, visit.choice, visit.choice.zone
    within = bounds(now, page.horizon_days, place)
    wanted = choice.month
    if wanted is None and choice.start is not None:
        wanted = month_of(place.to_local(choice.start).date())
    first = min(max(wanted or within[0], within[0]), within[1])
    last = first if wanted else min(next_month(first), within[1])
    asked = window(first, next_month(last), place, choice.duration)
    offer = await visit.services.bookings.slots(page, asked, now, choice.duration)
    free = by_day(offer.slots, place)
    if free and wanted is None:
        first = min(month_of(min(free)), last)
    weekday = Locale.parse(visit.request[FORMATS]).first_week_day
    today = place.to_local(now).date()
    return offer, month(first, free, within, today=today, first_weekday=weekday)


def _twice(times: Sequence[Instant], place: Zone) -> dict[Instant, str]:
    """Return, for times that a clock shows twice as it is put back, what tells them apart."""
    walls = Counter(place.to_local(start) for start in times)
    return {
        start: f"UTC{place.offset_at(start) / HOUR:+g}"
        for start in times
        if walls[place.to_local(start)] > 1
    }
