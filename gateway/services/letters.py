"""What the mails say: texts in the reader's language and time zone.

Law: a mail to an address that a visitor typed repeats nothing that the visitor typed; else anybody
could have us send their words to anybody. The owner, who asked for it, reads everything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from babel import Locale, UnknownLocaleError
from babel.dates import format_datetime

from gateway.model.booking import Booking
from gateway.model.collection import Collection
from gateway.model.connection import Connection
from gateway.model.page import SchedulingPage
from gateway.model.principal import Owner
from gateway.model.timerange import TimeRange
from gateway.model.zones import UTC_ZONE, zone

Translate = Callable[[str, str], str]
"""Locale and English text to the text in that language."""
DASH = "\u2013"
Text = tuple[str, str]
"""Subject and body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """A booking with all that its mails tell."""

    booking: Booking
    page: SchedulingPage
    owner: Owner
    manage_url: str
    dashboard_url: str


class VisitorLetters:
    """Mails to whoever booked, and to their guests."""

    def __init__(self, translate: Translate, given: Occasion) -> None:
        self._locale = given.booking.locale
        self._translate = translate
        self._given = given

    def _(self, text: str) -> str:
        return self._translate(self._locale, text)

    def confirmed(self, *, guest: bool) -> Text:
        """Tell that the meeting stands; only the one who booked gets the link to manage it."""
        _ = self._
        lines = [_("The meeting is confirmed."), "", *self._facts()]
        if not guest:
            lines += ["", _("To move or cancel it, open:"), self._given.manage_url]
        return self._subject(_("Confirmed: {title} with {owner}")), _body(lines)

    def invited(self, *, guest: bool) -> Text:
        """Invite to a meeting that the owner made; the contact alone gets the link to end it."""
        _ = self._
        said = _("{owner} invites you to a meeting.").format(owner=self._given.owner.name)
        lines = [said, "", *self._facts()]
        if not guest:
            lines += ["", _("If you cannot come, open:"), self._given.manage_url]
        return self._subject(_("Invitation: {title} with {owner}")), _body(lines)

    def requested(self) -> Text:
        """Tell that a request has arrived, and that it is no booking yet."""
        _ = self._
        lines = [
            _("Your request has arrived. It is requested, not confirmed."),
            _("You get another mail when {owner} has accepted or declined it.").format(
                owner=self._given.owner.name
            ),
            "",
            *self._facts(),
            "",
            _("To withdraw it, open:"),
            self._given.manage_url,
        ]
        return self._subject(_("Requested: {title} with {owner}")), _body(lines)

    def declined(self) -> Text:
        """Tell that a request was declined."""
        _ = self._
        lines = [_("{owner} cannot meet at this time.").format(owner=self._given.owner.name), ""]
        lines += self._facts()
        return self._subject(_("Declined: {title} with {owner}")), _body(lines)

    def cancelled(self, *, by_visitor: bool) -> Text:
        """Tell that a meeting will not take place."""
        _ = self._
        said = (
            _("The meeting is cancelled, as you asked.")
            if by_visitor
            else _("The meeting is cancelled.")
        )
        return self._subject(_("Cancelled: {title} with {owner}")), _body(
            [said, "", *self._facts()]
        )

    def moved(self, before: Booking, *, guest: bool, by_visitor: bool) -> Text:
        """Tell that a meeting has another time."""
        _ = self._
        said = (
            _("The meeting has been moved, as you asked.")
            if by_visitor and not guest
            else _("The meeting has been moved.")
        )
        old = when(before, before.time_zone, self._locale)
        lines = [said, "", *self._facts(), _("Before: {when}").format(when=old)]
        if not guest:
            way = _("To move or cancel it, open:")
            if self._given.booking.is_on_record:
                way = _("If you cannot come, open:")
            lines += ["", way, self._given.manage_url]
        return self._subject(_("Moved: {title} with {owner}")), _body(lines)

    def not_moved(self) -> Text:
        """Tell that a meeting stands where it stood."""
        _ = self._
        lines = [
            _("The meeting could not be moved. It stays at its time."),
            "",
            *self._facts(),
            "",
            _("To move or cancel it, open:"),
            self._given.manage_url,
        ]
        return self._subject(_("Not moved: {title} with {owner}")), _body(lines)

    def not_booked(self) -> Text:
        """Tell that a booking which got no answer was not made."""
        _ = self._
        lines = [
            _("Your booking could not be completed, and nothing was booked."),
            _("Please choose a time again."),
            "",
            *self._facts(),
        ]
        return self._subject(_("Not booked: {title} with {owner}")), _body(lines)

    def _subject(self, pattern: str) -> str:
        return pattern.format(title=self._given.page.title, owner=self._given.owner.name)

    def _facts(self) -> list[str]:
        _, page, booking = self._, self._given.page, self._given.booking
        lines = [
            _("What: {title} with {owner}").format(title=page.title, owner=self._given.owner.name),
            _("When: {when}").format(when=when(booking, booking.time_zone, self._locale)),
        ]
        if page.location and page.location.value:
            lines.append(_("Where: {place}").format(place=page.location.value))
        return lines


class OwnerLetters:
    """Mails to the owner about one booking."""

    def __init__(self, translate: Translate, given: Occasion) -> None:
        self._locale = given.owner.locale
        self._translate = translate
        self._given = given

    def _(self, text: str) -> str:
        return self._translate(self._locale, text)

    def booked(self, calendar: str) -> Text:
        """Tell of a new booking, and where it was written."""
        _ = self._
        said = _("You have a new booking. It is in your calendar “{calendar}”.")
        return self._letter(_("New booking: {title}, {when}"), said.format(calendar=calendar))

    def not_made(self) -> Text:
        """Tell that a meeting which the owner made could not be, after they had left."""
        _ = self._
        said = _("This meeting was not put into your calendar, and nobody was invited to it:")
        more = _("the time was not free, or a calendar could not be read. Please make it again.")
        return self._letter(_("Not made: {title}, {when}"), f"{said}\n{more}")

    def requested(self) -> Text:
        """Tell of a request that waits for an answer."""
        _ = self._
        said = _("You have a new request. Nothing was put into a calendar, as none is connected.")
        more = _("Once a calendar is connected you can accept it in the dashboard; or decline it.")
        return self._letter(_("New request: {title}, {when}"), f"{said}\n{more}")

    def cancelled(self, *, by: str) -> Text:
        """Tell that a booking was cancelled, and by whom."""
        _ = self._
        said = _("It is cancelled.")
        if by == "visitor":
            said = _("The visitor cancelled this meeting.")
        elif by == "calendar":
            said = _("You removed it from your calendar, so it is cancelled. The visitor is told.")
        return self._letter(_("Cancelled: {title}, {when}"), said)

    def moved(self, before: Booking, *, by: str) -> Text:
        """Tell that a booking has another time, and who gave it that."""
        _ = self._
        said = _("You moved this meeting. The visitor is told.")
        if by == "visitor":
            said = _("The visitor moved this meeting. It is changed in your calendar.")
        elif by == "calendar":
            said = _("You moved this meeting in your calendar. The visitor is told.")
        old = when(before, self._given.owner.time_zone, self._locale)
        return self._letter(
            _("Moved: {title}, {when}"), f"{said}\n{_('Before: {when}').format(when=old)}"
        )

    def not_moved(self) -> Text:
        """Tell that a meeting which the owner moved stands where it stood, after they had left."""
        _ = self._
        said = _("The meeting could not be moved. It stays at its time.")
        return self._letter(_("Not moved in your calendar: {title}, {when}"), said)

    def move_not_written(self, cause: str) -> Text:
        """Tell that a booking cannot be moved in the calendar, and what is kept meanwhile."""
        _ = self._
        said = _("A meeting cannot be moved in your calendar: {cause}").format(cause=_(cause))
        more = _("Until it is clear which time it has, both are kept. Check the connection.")
        return self._letter(_("Not moved in your calendar: {title}, {when}"), f"{said}\n{more}")

    def conflict(self, found: TimeRange, others: Sequence[Booking]) -> Text:
        """Tell that an event was put onto another booking, and that nothing was changed for it."""
        _, zone_name = self._, self._given.owner.time_zone
        there = replace(self._given.booking, start=found.start, end=found.end)
        said = _("You moved this meeting to {when}, where there is another booking:").format(
            when=when(there, zone_name, self._locale)
        )
        lines = [
            f"  {one.name} <{one.email}>, {when(one, zone_name, self._locale)}" for one in others
        ]
        more = [
            _("Neither was cancelled, and neither visitor has been told."),
            _("Move one of them in your calendar, or cancel it here; the rest follows by itself."),
        ]
        return self._letter(
            _("Two meetings at one time: {title}, {when}"), "\n".join([said, *lines, *more])
        )

    def not_written(self, cause: str, *, final: bool) -> Text:
        """Tell that a booking could not be put into the calendar, and what to do."""
        _ = self._
        said = _("A booking cannot be written to your calendar: {cause}").format(cause=_(cause))
        more = (
            _("It was cancelled now, and the visitor has been told.")
            if final
            else _("We keep trying for 24 hours. Check the calendar's connection in the settings.")
        )
        return self._letter(_("Not in your calendar: {title}, {when}"), f"{said}\n{more}")

    def not_removed(self, cause: str) -> Text:
        """Tell that a cancelled event must be removed by hand."""
        _ = self._
        said = _("A cancelled booking cannot be removed from your calendar: {cause}")
        more = _("Please remove the event yourself; the visitor knows that it is cancelled.")
        return self._letter(
            _("Still in your calendar: {title}, {when}"), f"{said.format(cause=_(cause))}\n{more}"
        )

    def _letter(self, subject: str, said: str) -> Text:
        _, page, booking = self._, self._given.page, self._given.booking
        moment = when(booking, self._given.owner.time_zone, self._locale)
        lines = [
            said,
            "",
            _("What: {title}").format(title=page.title),
            _("When: {when}").format(when=moment),
            _("Who: {name} <{email}>").format(name=booking.name, email=booking.email),
        ]
        if booking.guests:
            lines.append(_("Guests: {guests}").format(guests=", ".join(booking.guests)))
        lines += [f"{label}: {answer}" for label, answer in answers(page, booking)]
        lines += ["", _("Your bookings:"), self._given.dashboard_url]
        return subject.format(title=page.title, when=moment), _body(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """That visitors could not book, because calendars cannot be read (S30)."""

    owner: Owner
    page: SchedulingPage
    calendars: Sequence[Collection]
    causes: Sequence[str]
    count: int
    settings_url: str


def attempts_letter(translate: Translate, given: Attempts) -> Text:
    """Tell that somebody tried to book: which calendar, why, and both remedies."""

    def _(text: str) -> str:
        return translate(given.owner.locale, text)

    lines = [
        _("Somebody tried to book “{title}”, but nobody can book at the moment.").format(
            title=given.page.title
        )
    ]
    if given.count > 1:
        lines.append(_("{count} attempts since the last mail.").format(count=given.count))
    lines += ["", _("We cannot see whether you are free, because this calendar cannot be read:")]
    for one, cause in zip(given.calendars, given.causes, strict=True):
        lines.append(f"  “{one.display_name or one.name}”: {_(cause)}")
    lines += [
        "",
        _("There are two ways to make your pages work again:"),
        _("1. Give us access to the calendar again: sign in anew in the settings."),
        _("2. Or remove the calendar: press the X beside its name, then Save."),
        "",
        given.settings_url,
    ]
    return _("Somebody tried to book, but a calendar cannot be read"), _body(lines)


def back_letter(
    translate: Translate, owner: Owner, calendar: Collection, settings_url: str
) -> Text:
    """Tell that a calendar can be read again."""

    def _(text: str) -> str:
        return translate(owner.locale, text)

    name = calendar.display_name or calendar.name
    lines = [
        _("Your calendar “{calendar}” can be read again. Visitors can book.").format(calendar=name),
        "",
        settings_url,
    ]
    return _("A calendar works again, and visitors can book"), _body(lines)


def sign_in_letter(
    translate: Translate, owner: Owner, connection: Connection, title: str, link: str
) -> Text:
    """Tell that an account wants its owner to sign in again, what follows, and where to do it."""

    def _(text: str) -> str:
        return translate(owner.locale, text)

    lines = [
        _("{provider} does not let us read the calendars of {account} any more.").format(
            provider=title, account=connection.account
        ),
        "",
        _("Until that is mended, nobody can book with you: we cannot see whether you are free."),
        "",
        _("To sign in again, open:"),
        link,
        "",
        _("Or remove the account in the settings; its calendars block nothing then."),
    ]
    return _("Please sign in again to {provider}").format(provider=title), _body(lines)


def answers(page: SchedulingPage, booking: Booking) -> list[tuple[str, str]]:
    """Return the visitor's answers under the labels of their questions."""
    labels = {question.id: question.label for question in page.questions}
    return [(labels.get(key, key), answer) for key, answer in booking.answers.items()]


def when(booking: Booking, zone_name: str, locale: str) -> str:
    """Return the time of a booking in a zone and language, the zone named."""
    place = zone(zone_name) or UTC_ZONE
    language = _language(locale)
    start, end = place.to_local(booking.start), place.to_local(booking.end)
    ends = "HH:mm" if start.date() == end.date() else "EEEE d MMMM y, HH:mm"
    return (
        f"{_text(start, 'EEEE d MMMM y, HH:mm', language)}{DASH}{_text(end, ends, language)}"
        f" ({place.name})"
    )


def _text(moment: datetime, pattern: str, locale: Locale) -> str:
    return format_datetime(moment, pattern, locale=locale)


def _language(locale: str) -> Locale:
    try:
        return Locale.parse(locale.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError):
        return Locale("en")


def _body(lines: Sequence[str]) -> str:
    return "\n".join([*lines, ""])
