"""The page on which a visitor says who they are, and answers the owner's questions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from aiohttp import web

from gateway.model.timerange import MINUTE, Instant, TimeRange
from gateway.services.booking_request import MAX_GUESTS, MAX_LINE, MAX_NAME, MAX_TEXT
from gateway.services.tokens import new_secret
from gateway.web.booking.shown import Visit, public_page
from gateway.web.forms import Form
from gateway.web.i18n import translate
from gateway.web.keys import LOCALE

ANSWER = "answers."


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What was filled in; `key` makes sending it twice the same as sending it once."""

    name: str = ""
    email: str = ""
    guests: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)
    remember: bool = False
    key: str

    @classmethod
    def empty(cls) -> "Details":
        """Return an empty form."""
        return cls(key=new_secret())

    @classmethod
    def of(cls, form: Form) -> "Details":
        """Return what a form holds."""
        return cls(
            name=form.text("name"),
            email=form.text("email"),
            guests=form.text("guests"),
            answers={
                name.removeprefix(ANSWER): form.text(name)
                for name in form
                if name.startswith(ANSWER)
            },
            remember="remember" in form,
            key=form.text("key") or new_secret(),
        )

    def guest_list(self) -> tuple[str, ...]:
        """Return the guests' addresses: one a line, or with commas between."""
        lines = self.guests.replace(",", "\n").replace(";", "\n").splitlines()
        return tuple(line.strip() for line in lines if line.strip())


async def is_offered(visit: Visit, start: Instant) -> bool:
    """Tell whether a start is offered at this moment."""
    services, duration = visit.services, visit.choice.duration
    span = TimeRange(start, start + duration * MINUTE)
    offer = await services.bookings.slots(visit.view.page, span, services.clock.now(), duration)
    return any(slot.start == start for slot in offer.slots)


def details_page(
    visit: Visit,
    details: Details,
    *,
    errors: Mapping[str, str] | None = None,
    told: str = "",
    nearest: tuple[Instant, ...] = (),
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Show the form: empty, or as it was sent with what is wrong.

    `told` is a reason of `booking/details.html`; `nearest` are starts to choose instead.
    """
    page, choice = visit.view.page, visit.choice
    assert choice.start is not None, "whoever has no start chooses one first"
    return public_page(
        visit,
        "booking/details.html",
        {
            "details": details,
            "known": details.remember and status == HTTPStatus.OK,
            "offline": visit.view.is_offline,
            "day": choice.zone.to_local(choice.start).date(),
            "errors": errors or {},
            "labels": _labels(visit),
            "choices": {
                question.id: [("", ""), *((one, one) for one in question.choices)]
                for question in page.questions
            },
            "told": told,
            "nearest": nearest,
            "longest": {
                "name": MAX_NAME,
                "line": MAX_LINE,
                "text": MAX_TEXT,
                "guests": MAX_GUESTS,
            },
        },
        status=status,
        # What was filled in is nobody else's; an empty form may be kept, but is asked for again.
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def _labels(visit: Visit) -> dict[str, str]:
    """Return what the fields are called, for the summary of what is wrong."""
    locale = visit.request[LOCALE]
    questions = visit.view.page.questions
    return {
        "name": translate(locale, "Name"),
        "email": translate(locale, "E-mail address"),
        "guests": translate(locale, "Guests"),
        **{f"{ANSWER}{question.id}": question.label for question in questions},
    }
