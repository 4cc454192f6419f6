"""Further events for the comparison with DavMail: what the cases of a single item cannot hold."""

from xml.etree import ElementTree as ET

from gateway.sandbox.exchange import Mailbox
from gateway.sandbox.exchange.soap import T
from tests.exchange_account import an_item

SPACE = "xmlns:t='http://schemas.microsoft.com/exchange/services/2006/types'"
ZONE = "<t:StartTimeZone Id='{0}' Name='{0}'/><t:EndTimeZone Id='{0}' Name='{0}'/>"
WEEKLY = (
    "<t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval>"
    "<t:DaysOfWeek>{days}</t:DaysOfWeek><t:FirstDayOfWeek>Monday</t:FirstDayOfWeek>"
    "</t:WeeklyRecurrence>{reach}</t:Recurrence>"
)
MONTHLY = (
    "<t:Recurrence><t:AbsoluteMonthlyRecurrence><t:Interval>1</t:Interval>"
    "<t:DayOfMonth>{day}</t:DayOfMonth></t:AbsoluteMonthlyRecurrence>{reach}</t:Recurrence>"
)
TIMES = (
    "<t:NumberedRecurrence><t:StartDate>{start}</t:StartDate>"
    "<t:NumberOfOccurrences>{times}</t:NumberOfOccurrences></t:NumberedRecurrence>"
)
UNTIL = (
    "<t:EndDateRecurrence><t:StartDate>{start}</t:StartDate>"
    "<t:EndDate>{end}</t:EndDate></t:EndDateRecurrence>"
)
CHANGED = (
    "<t:ModifiedOccurrences><t:Occurrence><t:ItemId Id='{id}' ChangeKey='x'/>"
    "<t:Start>{start}</t:Start><t:End>{end}</t:End><t:OriginalStart>{original}</t:OriginalStart>"
    "</t:Occurrence></t:ModifiedOccurrences>"
)
GONE = (
    "<t:DeletedOccurrences><t:DeletedOccurrence><t:Start>{start}</t:Start></t:DeletedOccurrence>"
    "</t:DeletedOccurrences>"
)
BERLIN = "W. Europe Standard Time"


def further(mailbox: Mailbox) -> list[str]:
    """Put them into a mailbox; return their UIDs."""
    made = (
        _moved_and_deleted(mailbox),
        _weekly_to_a_date(),
        _end_of_month(),
        _other_zone(),
        _all_day_moved(mailbox),
        _invited("declined", "Decline"),
        _invited("unanswered", "NoResponseReceived"),
        _private(),
    )
    for item in made:
        mailbox.put(item)
    return [item.findtext(f"{T}UID", "") for item in made]


def _with(item: ET.Element, text: str, zone: str = BERLIN) -> ET.Element:
    item.extend(ET.fromstring(f"<t:x {SPACE}>{text}{ZONE.format(zone)}</t:x>"))
    return item


def _set(item: ET.Element, **values: str) -> ET.Element:
    for name, value in values.items():
        found = item.find(f"{T}{name}")
        if found is None:
            found = ET.SubElement(item, f"{T}{name}")
        found.text = value
    return item


def _series(uid: str, subject: str, start: str, end: str) -> ET.Element:
    made = an_item(uid, subject, start, end, LastModifiedTime="2026-01-06T10:11:12Z")
    return _set(made, CalendarItemType="RecurringMaster")


def _moved_and_deleted(mailbox: Mailbox) -> ET.Element:
    """Return a series over the change to summer time, one instance moved, one deleted."""
    moved = _series("moved-and-deleted", "Moved", "20260330T150000Z", "20260330T160000Z")
    _with(_set(moved, CalendarItemType="Exception", OriginalStart="2026-03-30T08:00:00Z"), "")
    identifier = mailbox.put_exception(moved)
    reach = TIMES.format(start="2026-03-16+01:00", times=6)
    changed = CHANGED.format(
        id=identifier,
        start="2026-03-30T15:00:00Z",
        end="2026-03-30T16:00:00Z",
        original="2026-03-30T08:00:00Z",
    )
    master = _series("moved-and-deleted", "Series", "20260316T090000Z", "20260316T100000Z")
    gone = GONE.format(start="2026-04-06T08:00:00Z")
    return _with(master, WEEKLY.format(days="Monday", reach=reach) + changed + gone)


def _weekly_to_a_date() -> ET.Element:
    reach = UNTIL.format(start="2026-05-05+02:00", end="2026-06-09+02:00")
    item = _series("to-a-date", "To a date", "20260505T063000Z", "20260505T070000Z")
    return _with(item, WEEKLY.format(days="Tuesday", reach=reach))


def _end_of_month() -> ET.Element:
    """Exchange puts the 31st of a shorter month on its last day."""
    reach = TIMES.format(start="2026-01-31+01:00", times=8)
    item = _series("end-of-month", "End of month", "20260131T090000Z", "20260131T093000Z")
    return _with(item, MONTHLY.format(day=31, reach=reach))


def _other_zone() -> ET.Element:
    """Return a series in another zone than the mailbox's, over both changes of their clocks."""
    reach = TIMES.format(start="2026-03-02-05:00", times=8)
    item = _series("other-zone", "New York", "20260302T140000Z", "20260302T150000Z")
    text = WEEKLY.format(days="Monday", reach=reach)
    return _with(item, text, "Eastern Standard Time")


def _all_day_moved(mailbox: Mailbox) -> ET.Element:
    moved = _series("all-day-moved", "Other day", "20260512T220000Z", "20260513T220000Z")
    _set(moved, CalendarItemType="Exception", IsAllDayEvent="true")
    _with(_set(moved, OriginalStart="2026-05-11T22:00:00Z"), "")
    identifier = mailbox.put_exception(moved)
    changed = CHANGED.format(
        id=identifier,
        start="2026-05-12T22:00:00Z",
        end="2026-05-13T22:00:00Z",
        original="2026-05-11T22:00:00Z",
    )
    item = _series("all-day-moved", "All day", "20260504T220000Z", "20260505T220000Z")
    reach = TIMES.format(start="2026-05-05+02:00", times=3)
    text = WEEKLY.format(days="Tuesday", reach=reach) + changed
    return _with(_set(item, IsAllDayEvent="true"), text)


def _invited(uid: str, answer: str) -> ET.Element:
    item = an_item(uid, uid, "20260610T080000Z", "20260610T090000Z")
    return _with(_set(item, MyResponseType=answer, LastModifiedTime="2026-01-06T10:11:12Z"), "")


def _private() -> ET.Element:
    # DavMail 6.0.1 gives up a whole listing for one backslash at the end of a subject.
    item = an_item("private", "Private; with, signs", "20260611T080000Z", "20260611T090000Z")
    return _with(_set(item, Sensitivity="Private", LastModifiedTime="2026-01-06T10:11:12Z"), "")
