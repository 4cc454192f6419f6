"""Random calendar objects as programs of all kinds write them, each valid, some barely."""

import random
from datetime import UTC, datetime, timedelta

ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:Europe/Amsterdam\r\n"
    "BEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n"
    "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\n"
    "BEGIN:DAYLIGHT\r\nDTSTART:19700329T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"
    "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
)
SUMMARIES = (
    "Stand-up",
    "Überprüfung der Straßenbahn",
    "会議 (東京)",
    "اجتماع الفريق",
    "Déjeuner 🍜 avec Zoë",
    "50% off; <b>really</b> & \\, more",
    "  spaces  ",
    "]]> &amp; <![CDATA[ not the end",
)
UIDS = (
    "{n}@example.org",
    "{n} with spaces and % and /slashes/@x",
    "{{{n:08X}-1111-4222-8333-ABCDEFABCDEF}}",
    "ünïcödé-{n}-日本",
    "040000008200E00074C5B7101A82E008{n:032d}",
    "{n}<&>\"'@[::1]",
    "mailto:{n}@example.org",
)
NAMES = (
    "{n}.ics",
    "event {n}.ics",
    "100%25 {n}.ics",
    "naïve-{n}-é.ics",
    "{n}",
    "a+b;c={n},d@e.ics",
    "{n}.ics.txt",
)
RULES = (
    "FREQ=DAILY;COUNT={count}",
    "FREQ=WEEKLY;BYDAY=MO,TH;COUNT={count}",
    "FREQ=MONTHLY;BYDAY=-1FR;COUNT={count}",
    "FREQ=MONTHLY;BYMONTHDAY=31;COUNT={count}",
    "FREQ=DAILY;INTERVAL=3;UNTIL=20280101T000000Z",
)
BIG = (30_000, 200_000, 900_000)


class Entries:
    """Makes objects from dice; every UID and every name of it is new."""

    def __init__(self, dice: random.Random, today: datetime, address: str) -> None:
        self._dice, self._today, self._address = dice, today, address
        self._number = 0

    def uid(self) -> str:
        """Return a new UID."""
        self._number += 1
        return self._dice.choice(UIDS).format(n=self._number)

    def name(self) -> str:
        """Return a new name for a resource, as it is before it is quoted."""
        self._number += 1
        return self._dice.choice(NAMES).format(n=self._number)

    def any(self, uid: str) -> bytes:
        """Return an object of any kind."""
        kinds = (self.single, self.series, self.single, self.series, self.whole_day, self.floating)
        rare = (self.big, self.invitation, self.to_do, self.journal)
        kind = self._dice.choice(rare if self._dice.random() < 0.25 else kinds)
        return kind(uid)

    def single(self, uid: str) -> bytes:
        """Return a timed event."""
        start = self._start()
        stop = start + timedelta(minutes=self._dice.choice((15, 30, 45, 60, 90)))
        state = self._dice.choice(("", "", "", "STATUS:TENTATIVE", "STATUS:CANCELLED"))
        clear = self._dice.choice(("", "", "", "TRANSP:TRANSPARENT"))
        return self._event(uid, f"DTSTART:{start:%Y%m%dT%H%M%SZ}", _end(stop), state, clear)

    def whole_day(self, uid: str) -> bytes:
        """Return an event of a day or two, which the calendar's zone places."""
        start = self._start()
        stop = start + timedelta(days=self._dice.choice((1, 1, 2)))
        return self._event(
            uid, f"DTSTART;VALUE=DATE:{start:%Y%m%d}", f"DTEND;VALUE=DATE:{stop:%Y%m%d}"
        )

    def floating(self, uid: str) -> bytes:
        """Return an event on the wall clock of nowhere, which the calendar's zone places."""
        return self._event(uid, f"DTSTART:{self._start():%Y%m%dT%H%M%S}", "DURATION:PT45M")

    def series(self, uid: str) -> bytes:
        """Return a series with a moved, a cancelled and a left out instance now and then."""
        start = self._start()
        rule = self._dice.choice(RULES).format(count=self._dice.randrange(3, 25))
        base = (f"DTSTART;TZID=Europe/Amsterdam:{_local(start)}", "DURATION:PT30M")
        master = [*base, f"RRULE:{rule}"]
        overrides = []
        for step in sorted(self._dice.sample(range(1, 8), self._dice.randrange(4))):
            when = _local(start + timedelta(days=step))
            what = self._dice.random()
            if what < 0.4:
                master.append(f"EXDATE;TZID=Europe/Amsterdam:{when}")
            elif what < 0.5:
                extra = _local(start + timedelta(days=step, hours=3))
                master.append(f"RDATE;TZID=Europe/Amsterdam:{extra}")
            else:
                moved = _local(start + timedelta(days=step, minutes=75))
                state = self._dice.choice(("", "STATUS:CANCELLED", "TRANSP:TRANSPARENT"))
                overrides.append(
                    self._component(
                        "VEVENT",
                        uid,
                        f"RECURRENCE-ID;TZID=Europe/Amsterdam:{when}",
                        f"DTSTART;TZID=Europe/Amsterdam:{moved}",
                        "DURATION:PT50M",
                        state,
                    )
                )
        return _wrapped(ZONE + self._component("VEVENT", uid, *master) + "".join(overrides))

    def invitation(self, uid: str) -> bytes:
        """Return a meeting that the account's own user was asked to."""
        start = self._start()
        answer = self._dice.choice(("ACCEPTED", "DECLINED", "TENTATIVE", "NEEDS-ACTION"))
        return self._event(
            uid,
            f"DTSTART:{start:%Y%m%dT%H%M%SZ}",
            "DURATION:PT1H",
            "ORGANIZER:mailto:boss@example.net",
            f"ATTENDEE;PARTSTAT={answer}:mailto:{self._address}",
            "ATTENDEE;PARTSTAT=ACCEPTED:mailto:boss@example.net",
        )

    def big(self, uid: str) -> bytes:
        """Return an event with a long text, folded as the standard has it."""
        size = self._dice.choice(BIG)
        line = "DESCRIPTION:" + "".join(self._dice.choices("ab cdé", k=size // 2))
        text = line.encode()
        folded = b"\r\n ".join(_pieces(text))
        event = self.single(uid)
        head, end = event.split(b"END:VEVENT")
        return head + folded + b"\r\nEND:VEVENT" + end

    def to_do(self, uid: str) -> bytes:
        """Return a to-do, which never blocks."""
        due = f"DUE:{self._start():%Y%m%dT%H%M%SZ}"
        return _wrapped(self._component("VTODO", uid, due))

    def journal(self, uid: str) -> bytes:
        """Return a journal entry, which never blocks."""
        day = f"DTSTART;VALUE=DATE:{self._start():%Y%m%d}"
        return _wrapped(self._component("VJOURNAL", uid, day))

    def _event(self, uid: str, *lines: str) -> bytes:
        return _wrapped(self._component("VEVENT", uid, *lines))

    def _component(self, kind: str, uid: str, *lines: str) -> str:
        summary = self._dice.choice(SUMMARIES).replace(";", "\\;")
        told = [f"BEGIN:{kind}", *_folded(f"UID:{uid}"), "DTSTAMP:20261101T000000Z", *lines]
        told += [f"SUMMARY:{summary}", f"X-EDIT:{self._dice.randrange(10**9)}", f"END:{kind}"]
        return "".join(f"{line}\r\n" for line in told if line)

    def _start(self) -> datetime:
        quarters = self._dice.randrange(4 * 24)
        return self._today + timedelta(days=self._dice.randrange(1, 380), minutes=15 * quarters)


def _wrapped(components: str) -> bytes:
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example.org//chain//EN\r\n"
    return f"{head}{components}END:VCALENDAR\r\n".encode()


def _folded(line: str) -> list[str]:
    return [line] if len(line) <= 60 else [line[:60], *(f" {line[60:]}",)]


def _pieces(text: bytes) -> list[bytes]:
    """Cut a content line into pieces of 74 octets, anywhere: also inside a character."""
    return [text[first : first + 74] for first in range(0, len(text), 74)]


def _local(when: datetime) -> str:
    return f"{when:%Y%m%dT%H%M%S}"


def _end(stop: datetime) -> str:
    return f"DTEND:{stop:%Y%m%dT%H%M%SZ}"


def midnight(now: datetime | None = None) -> datetime:
    """Return the beginning of the day, UTC."""
    return (now or datetime.now(UTC)).replace(hour=0, minute=0, second=0, microsecond=0)
