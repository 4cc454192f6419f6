"""A visitor of Jane's booking page: finds times, fills in the form, ends at a booking."""

import html
import re

from gateway.model.page import WEEKDAYS, Question, QuestionType, SchedulingPage
from gateway.model.principal import Owner
from tests.owner_desk import OwnerDesk
from tests.plain_browser import PlainBrowser, ShownPage

ADDRESS = "/meetings/jane"
QUESTIONS = (
    Question(id="topic", label="Topic", required=True),
    Question(id="how", label="How?", type=QuestionType.CHOICE, choices=("Web", "Else")),
)


async def a_page_of_jane(desk: OwnerDesk, jane: Owner) -> SchedulingPage:
    """Make Jane's calendar and her page."""
    await desk.calendar(jane)
    return await desk.page(
        jane,
        "Intro",
        slug="jane",
        durations=(30, 60),
        weekly_hours=dict.fromkeys(WEEKDAYS, (("09:00", "17:00"),)),
        questions=QUESTIONS,
    )


def links(shown: ShownPage, what: str) -> list[str]:
    """Return the addresses of the links whose query has something."""
    found = [html.unescape(one) for one in re.findall(r'<a href="([^"]*)"', shown.text)]
    return [f"{ADDRESS}{one}" for one in found if one.startswith("?") and what in one]


async def times_of(visitor: PlainBrowser, query: str = "") -> ShownPage:
    """Look at the times of a day; without a query, of one next month, which has all of them."""
    times = await visitor.open(f"{ADDRESS}{query}")
    return times if query else await visitor.open(links(times, "month=")[-1])


async def to_details(visitor: PlainBrowser, at: int = 0, query: str = "") -> ShownPage:
    """Go to the form of one of the offered times."""
    return await visitor.open(links(await times_of(visitor, query), "start=")[at])


async def send(visitor: PlainBrowser, shown: ShownPage, **values: str) -> ShownPage:
    """Fill in the form and send it."""
    filled = {"name": "Vera", "email": "vera@example.net", "answers.topic": "A garden"}
    return await visitor.send(shown.form(ADDRESS), **(filled | values))


async def booked(visitor: PlainBrowser, at: int = 0) -> ShownPage:
    """Book, and end on the booking's own page."""
    shown = await send(visitor, await to_details(visitor, at))
    assert shown.status == 200, shown.text
    return shown


async def bookings_of(desk: OwnerDesk, owner: Owner):
    """Return every booking."""
    return await desk.services.bookings.of_owner(owner.id)


def untagged(shown: ShownPage) -> str:
    """Return the text of a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", shown.text)).split())
