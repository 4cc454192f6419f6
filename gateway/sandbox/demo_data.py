"""The coming weeks of an invented person: a work calendar, a private one, and a club's `.ics`."""

from dataclasses import dataclass
from datetime import date, timedelta

ZONE = "Europe/Amsterdam"

HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//calgate//demo//EN\r\n"
TAIL = "END:VCALENDAR\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoEvent:
    """One event by its day (from this week's Monday on), wall time and length in minutes."""

    uid: str
    summary: str
    day: int
    at: str = ""
    minutes: int = 60
    extra: tuple[str, ...] = ()


WORK = (
    DemoEvent(
        uid="standup",
        summary="Stand-up",
        day=0,
        at="0930",
        minutes=15,
        extra=("RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",),
    ),
    DemoEvent(
        uid="planning",
        summary="Planning",
        day=0,
        at="1000",
        minutes=90,
        extra=("RRULE:FREQ=WEEKLY;INTERVAL=2",),
    ),
    DemoEvent(
        uid="one-on-one",
        summary="One-on-one with Sanne",
        day=1,
        at="1400",
        extra=("RRULE:FREQ=WEEKLY",),
    ),
    DemoEvent(
        uid="review",
        summary="Design review",
        day=2,
        at="1500",
        minutes=90,
        extra=("RRULE:FREQ=WEEKLY",),
    ),
    DemoEvent(
        uid="board",
        summary="Board",
        day=3,
        at="0900",
        minutes=180,
        extra=("RRULE:FREQ=MONTHLY;BYDAY=2TH",),
    ),
    DemoEvent(
        uid="visit",
        summary="Customer visit (to be confirmed)",
        day=8,
        at="1300",
        minutes=120,
        extra=("STATUS:TENTATIVE",),
    ),
    DemoEvent(uid="conference", summary="Conference", day=15, minutes=2 * 24 * 60),
    DemoEvent(
        uid="newsletter",
        summary="Newsletter is due",
        day=9,
        at="1200",
        extra=("TRANSP:TRANSPARENT",),
    ),
)

PRIVATE = (
    DemoEvent(
        uid="dentist", summary="Dentist", day=10, at="1100", minutes=45, extra=("CLASS:PRIVATE",)
    ),
    DemoEvent(
        uid="school-run",
        summary="School run",
        day=0,
        at="1500",
        minutes=30,
        extra=("RRULE:FREQ=WEEKLY;BYDAY=MO,TH",),
    ),
    DemoEvent(uid="weekend", summary="Weekend away", day=18, minutes=3 * 24 * 60),
)

CLUB = (
    DemoEvent(
        uid="training",
        summary="Rowing",
        day=1,
        at="1630",
        minutes=120,
        extra=("RRULE:FREQ=WEEKLY;BYDAY=TU",),
    ),
    DemoEvent(uid="regatta", summary="Regatta", day=12, at="0900", minutes=480),
)


def calendar_of(event: DemoEvent, today: date) -> bytes:
    """Return one event as a calendar object resource; without a wall time it takes whole days."""
    return (HEAD + _component(event, today) + TAIL).encode()


def subscription(events: tuple[DemoEvent, ...], today: date) -> bytes:
    """Return events as one published calendar."""
    return (HEAD + "".join(_component(event, today) for event in events) + TAIL).encode()


def _component(event: DemoEvent, today: date) -> str:
    monday = today - timedelta(days=today.weekday())
    day = monday + timedelta(days=event.day)
    if event.at:
        when = [f"DTSTART;TZID={ZONE}:{day:%Y%m%d}T{event.at}00", f"DURATION:PT{event.minutes}M"]
    else:
        end = day + timedelta(minutes=event.minutes)
        when = [f"DTSTART;VALUE=DATE:{day:%Y%m%d}", f"DTEND;VALUE=DATE:{end:%Y%m%d}"]
    lines = ["BEGIN:VEVENT", f"UID:{event.uid}@demo.calgate.example", "DTSTAMP:20260101T000000Z"]
    lines += [*when, f"SUMMARY:{event.summary}", *event.extra, "END:VEVENT"]
    return "".join(line + "\r\n" for line in lines)
