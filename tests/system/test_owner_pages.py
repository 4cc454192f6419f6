"""Scheduling pages through their form: what is said is kept, what is wrong is told."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.model.booking import BookingState
from gateway.model.page import WEEKDAYS, BookingLimits, PageState
from gateway.model.principal import Owner
from gateway.model.timerange import to_datetime
from tests.owner_desk import OwnerDesk
from tests.plain_browser import PlainBrowser, ShownPage

TAB = "/settings/calendar"
OTHER = "john@example.org"
ALWAYS = dict.fromkeys(WEEKDAYS, (("00:00", "24:00"),))


async def new_page(browser: PlainBrowser, **values: str) -> ShownPage:
    """Make a page through the form."""
    form = (await browser.open("/settings/pages/new")).form("/settings/pages/new")
    return await browser.send(form, ("do", "save"), **({"title": "Intro"} | values))


async def test_offline_a_page_is_made_with_what_the_form_suggests(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """No calendar is needed for a page (S03); a title is enough."""
    shown = await new_page(browser)
    [view] = await desk.services.pages.of_owner(jane)

    assert "The page was made." in shown.text
    assert view.page.slug == "jane"
    assert view.page.weekly_hours["mon"] == (("09:00", "17:00"),)


async def test_every_field_of_a_page_is_saved(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """What the form says is what the page is."""
    await new_page(
        browser,
        title="Talk",
        slug="jane/talk",
        description="One\r\nTwo",
        durations="60, 30",
        step="15",
        time_zone="Europe/London",
        hours_mon="9-12.30, 13:30 \u2013 17:00",
        hours_sun="",
        overrides="2026-12-25: closed\r\n2026-12-24 09:00-12:00",
        buffer_before="5",
        buffer_after="10",
        min_notice="4",
        min_notice_unit="hours",
        horizon_days="90",
        per_day="3",
        per_week="",
        location="phone",
        location_value="+31 20 123",
        state="draft",
        q0_label="What is it about?",
        q0_type="choice",
        q0_choices="This\r\nThat",
        q0_required="on",
    )
    [view] = await desk.services.pages.of_owner(jane)

    page = view.page
    assert (page.title, page.slug, page.description) == ("Talk", "jane/talk", "One\nTwo")
    assert (page.durations, page.step, page.time_zone) == ((30, 60), 15, "Europe/London")
    assert page.weekly_hours["mon"] == (("09:00", "12:30"), ("13:30", "17:00"))
    assert "sun" not in page.weekly_hours
    assert page.overrides == {"2026-12-25": (), "2026-12-24": (("09:00", "12:00"),)}
    assert (page.buffer_before, page.buffer_after, page.min_notice) == (5, 10, 240)
    assert (page.horizon_days, page.limits.per_day, page.limits.per_week) == (90, 3, None)
    assert page.location is not None
    assert (page.location.type, page.location.value) == ("phone", "+31 20 123")
    assert page.state is PageState.DRAFT
    [question] = page.questions
    assert (question.label, question.choices, question.required) == (
        "What is it about?",
        ("This", "That"),
        True,
    )


async def test_saving_a_page_unchanged_changes_nothing(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """The form shows a page whole: sent back as shown, the page is the same."""
    await new_page(
        browser,
        hours_tue="08:00-24:00",
        overrides="2026-12-25: closed",
        min_notice="90",
        min_notice_unit="minutes",
        q0_label="Topic",
        location="address",
        location_value="Here",
    )
    [before] = await desk.services.pages.of_owner(jane)
    path = f"/settings/pages/{before.page.id}"
    await browser.send((await browser.open(path)).form(path), ("do", "save"))
    [after] = await desk.services.pages.of_owner(jane)

    assert after.page == before.page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", " "),
        ("slug", "a/b/c"),
        ("durations", "half an hour"),
        ("durations", "1"),
        ("step", "x"),
        ("time_zone", "Mars/Olympus"),
        ("hours_wed", "from nine"),
        ("hours_wed", "25:00-26:00"),
        ("overrides", "Christmas: closed"),
        ("overrides", "2026-02-30: closed"),
        ("buffer_after", "-5"),
        ("min_notice", "9999999"),
        ("horizon_days", "0"),
        ("per_day", "many"),
    ],
)
async def test_a_bad_field_of_a_page_is_said_beside_it(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser, field: str, value: str
) -> None:
    """The field is marked, what was typed is kept, and no page is made."""
    shown = await new_page(browser, **{field: value, "description": "kept text"})

    assert shown.status == 422
    assert f'id="e-{field}"' in shown.text
    assert "kept text" in shown.text
    assert await desk.services.pages.of_owner(jane) == []


async def test_a_place_that_makes_no_sense_is_said(browser: PlainBrowser) -> None:
    """A link needs an address of the web."""
    shown = await new_page(browser, location="link", location_value="javascript:alert(1)")

    assert shown.status == 422
    assert "A link starts with https:// or http://." in shown.text


async def test_a_choice_needs_choices(browser: PlainBrowser) -> None:
    """A question of the kind choice without any is said above the questions."""
    shown = await new_page(browser, q0_label="Which?", q0_type="choice")

    assert shown.status == 422
    assert 'id="f-questions"' in shown.text


async def test_another_question_keeps_what_was_typed(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """The button adds an empty row and saves nothing."""
    form = (await browser.open("/settings/pages/new")).form("/settings/pages/new")
    shown = await browser.send(form, ("do", "more"), title="Half typed", q0_label="First?")

    again = shown.form("/settings/pages/new")
    assert (again.value("title"), again.value("q0_label")) == ("Half typed", "First?")
    assert again.value("q1_label") == ""
    assert await desk.services.pages.of_owner(jane) == []


async def test_an_emptied_question_is_removed(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """Without its label a question is gone; the others keep their ids."""
    form = (await browser.open("/settings/pages/new")).form("/settings/pages/new")
    more = await browser.send(form, ("do", "more"), title="Intro", q0_label="One", q1_label="")
    form = more.form("/settings/pages/new")
    await browser.send(form, ("do", "save"), q0_label="One", q1_label="Two")
    [view] = await desk.services.pages.of_owner(jane)
    path = f"/settings/pages/{view.page.id}"
    form = (await browser.open(path)).form(path)
    await browser.send(form, ("do", "save"), q0_label="")
    [view] = await desk.services.pages.of_owner(jane)

    assert [(one.id, one.label) for one in view.page.questions] == [("two", "Two")]


async def test_a_slug_that_is_taken_is_said(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """A clash with any page of anybody's is a conflict beside the address (S38)."""
    await desk.page(await desk.owner(OTHER), slug="john/talk")
    shown = await new_page(browser, slug="John/Talk")

    assert shown.status == 409
    assert "The address john/talk belongs to another page." in shown.text


async def test_without_a_seat_the_slug_stays(desk: OwnerDesk) -> None:
    """A new page gets its address from the title; a changed one is 403 (S19)."""
    john = await desk.owner(OTHER, seat=False)
    async with desk.signed_in(OTHER) as browser:
        await new_page(browser, slug="taken/by-hand")
        [view] = await desk.services.pages.of_owner(john)
        path = f"/settings/pages/{view.page.id}"
        form = (await browser.open(path)).form(path)
        refused = await browser.send(form, ("do", "save"), slug="another")

    assert view.page.slug == "john"
    assert refused.status == 403


async def test_a_page_is_removed(desk: OwnerDesk, jane: Owner, browser: PlainBrowser) -> None:
    """Removing a page takes it out of the list and out of the settings that named it."""
    page = await desk.page(jane)
    form = (await browser.open("/settings/pages")).form(f"/settings/pages/{page.id}/remove")
    await browser.send(form)

    assert await desk.services.pages.of_owner(jane) == []
    assert (await desk.fresh(jane)).settings.default_page == ""


async def test_odd_forms_are_no_error_of_ours(browser: PlainBrowser) -> None:
    """A form with fields missing, doubled or strange is answered, never with 5xx."""
    token = (await browser.open("/dashboard")).form("/logout").value("csrf") or ""
    odd: list[list[tuple[str, str]]] = [
        [],
        [("questions", "9" * 7), ("title", "x")],
        [("questions", "-1"), ("title", "x")],
        [("questions", "²"), ("title", "x")],
        [("min_notice_unit", "years"), ("state", "gone"), ("title", "x")],
        [("title", "\x00"), ("slug", "\ufffe")],
        [("title", "x"), ("q0_type", "evil"), ("questions", "1"), ("q0_label", "L")],
        [("selected", "x"), ("selection", "1"), ("indexing", "nope")],
        [("visibility", "all"), ("label", "x")],
        [("locale", "xx")],
    ]
    for path in ("/settings/pages/new", TAB, "/settings/feeds", "/settings/profile"):
        for fields in odd:
            page = await browser.post(path, [("csrf", token), *fields])
            assert page.status < 500, (path, fields)


async def test_a_free_time_is_explained_as_offered(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """Where nothing speaks against a time, the page says that."""
    await desk.calendar(jane)
    page = await desk.page(jane, weekly_hours=ALWAYS)

    shown = await browser.open(f"/settings/pages/{page.id}/explain?{_in_days(3)}&time=10:00")
    assert "Nothing speaks against it." in shown.text


async def test_a_refused_time_is_explained_by_name(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser
) -> None:
    """Every reason is told: the calendar that cannot be read with its cause, and the hours."""
    await desk.lost_calendar(jane, "School")
    page = await desk.page(jane, weekly_hours={})

    shown = await browser.open(f"/settings/pages/{page.id}/explain?{_in_days(3)}&time=10:07")
    assert "is not offered" in shown.text
    assert "The calendar School cannot be read:" in shown.text
    assert "The address gives no calendar any more (404)." in shown.text
    assert "The page is not open for all of this time." in shown.text


async def test_each_rule_has_its_words(desk: OwnerDesk, jane: Owner, browser: PlainBrowser) -> None:
    """Step, notice, horizon, limit, booking, state and duration are told in words."""
    await desk.calendar(jane)
    page = await desk.page(jane, weekly_hours=ALWAYS, limits=BookingLimits(per_month=1))
    booking = await desk.booking(jane, page, state=BookingState.CONFIRMED)
    day = to_datetime(booking.start).astimezone(ZoneInfo("Europe/Amsterdam"))
    taken = await browser.open(
        f"/settings/pages/{page.id}/explain?date={day:%Y-%m-%d}&time={day:%H:%M}"
    )
    assert "A booking is there from" in taken.text
    assert "The limit is reached: 1 in a month." in taken.text
    far = await browser.open(f"/settings/pages/{page.id}/explain?{_in_days(300)}&time=10:07")
    assert "It is too far ahead" in far.text
    assert "Starts are every 30 minutes" in far.text
    past = await browser.open(f"/settings/pages/{page.id}/explain?{_in_days(-3)}&time=10:00")
    assert "It is too soon" in past.text


@pytest.mark.parametrize(
    "query", ["date=&time=", "date=2026-02-30&time=10:00", "date=0001-01-01&time=99:99", "date=x"]
)
async def test_a_time_that_is_none_is_said(
    desk: OwnerDesk, jane: Owner, browser: PlainBrowser, query: str
) -> None:
    """The form says beside its fields what it wants."""
    page = await desk.page(jane)
    shown = await browser.open(f"/settings/pages/{page.id}/explain?{query}")

    assert shown.status == 200
    assert 'role="alert"' in shown.text


async def test_anothers_page_explains_nothing(desk: OwnerDesk, browser: PlainBrowser) -> None:
    """What speaks against a time is its owner's business."""
    page = await desk.page(await desk.owner(OTHER))

    assert (await browser.open(f"/settings/pages/{page.id}/explain")).status == 404


def _in_days(days: int) -> str:
    return f"date={datetime.now(UTC).date() + timedelta(days=days)}"
