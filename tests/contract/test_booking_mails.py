"""Mails of bookings: who gets what, with an invitation that calendar programs understand."""

import re
from dataclasses import replace
from email.message import EmailMessage

import pytest

from gateway.errors import AccessLost, Unavailable
from gateway.model.booking import BookingState
from gateway.model.page import Location, Question
from gateway.model.timerange import DAY, HOUR, MINUTE
from gateway.services.letters import DASH
from tests.booking_desk import TEN, Desk, a_desk, closing


class ScriptedMailer:
    """A mail host that refuses what a test says and keeps the rest."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.refusals: dict[str, list[Exception]] = {}
        self.tries: list[str] = []

    async def send(self, recipient: str, raw: bytes) -> None:
        """Take a mail in, or refuse it."""
        self.tries.append(recipient)
        if self.refusals.get(recipient):
            raise self.refusals[recipient].pop(0)
        self.taken.append((recipient, raw))


def invitation(mail: EmailMessage) -> tuple[EmailMessage, dict[str, str]]:
    """Return the calendar part and the properties of its one event."""
    (part,) = [one for one in mail.walk() if one.get_content_type() == "text/calendar"]
    text = part.get_payload(decode=True).decode().replace("\r\n ", "")
    lines = [line for line in text.split("\r\n") if line]
    begin = lines.index("BEGIN:VEVENT")
    pairs = (line.partition(":") for line in [*lines[:begin], *lines[begin:]])
    assert lines.count("BEGIN:VEVENT") == 1
    return part, {re.split("[;:]", name)[0]: value for name, _, value in pairs}


async def test_everybody_gets_the_mails_of_a_booking(store, clock, owner):
    """The visitor, each guest and the owner: one mail each, nobody else."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        await desk.book(guests=("otto@example.net", "ida@example.net"))
        recipients = sorted(str(mail["To"]) for mail in await desk.mails())

        assert recipients == [
            "ida@example.net",
            "jane@example.org",
            "otto@example.net",
            "vera@example.net",
        ]


async def test_the_invitation_is_an_itip_request(store, clock, owner):
    """METHOD stands in both places, one VEVENT, UTC times, plain text beside it (J 165)."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        booking = await desk.book()
        (mail,) = await desk.mails("vera@example.net")
        part, event = invitation(mail)

        assert mail.get_content_type() == "multipart/alternative"
        assert mail.get_body(("plain",)) is not None
        assert part.get_param("method") == "REQUEST"
        assert part.get_content_charset() == "utf-8"
        wanted = {
            "METHOD": "REQUEST",
            "UID": booking.uid,
            "SEQUENCE": "0",
            "DTSTART": "20261201T100000Z",
            "DTEND": "20261201T103000Z",
            "STATUS": "CONFIRMED",
            "ORGANIZER": "mailto:jane@example.org",
            "ATTENDEE": "mailto:vera@example.net",
            "SUMMARY": "Intro: Jane",
        }
        assert {name: event[name] for name in wanted} == wanted
        assert re.fullmatch(r"\d{8}T\d{6}Z", event["DTSTAMP"])


async def test_the_owners_calendar_holds_the_same_event(store, clock, owner):
    """Same UID and times; no METHOD (RFC 4791 section 4.1); no server sends it once more."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        booking = await desk.book()
        record = await desk.objects.get(desk.calendars["home"], f"{booking.id}.ics")

        assert record.uid == booking.uid
        assert b"METHOD" not in record.data
        assert record.data.replace(b"\r\n ", b"").count(b"SCHEDULE-AGENT=NONE") == 2


async def test_a_cancellation_takes_the_invitation_back(store, clock, owner):
    """Same UID, the next SEQUENCE, METHOD and STATUS say so."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        booking = await desk.book(guests=("otto@example.net",))
        clock.advance(MINUTE)
        await desk.bookings.cancel_as_owner(owner.id, booking.id)
        for recipient in ("vera@example.net", "otto@example.net"):
            part, event = invitation((await desk.mails(recipient))[-1])

            assert part.get_param("method") == "CANCEL"
            assert (event["METHOD"], event["STATUS"]) == ("CANCEL", "CANCELLED")
            assert (event["UID"], event["SEQUENCE"]) == (booking.uid, "1")


async def test_only_the_one_who_booked_gets_the_link(store, clock, owner):
    """A guest or a mail scanner of the owner's cannot cancel (J 166)."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        booking = await desk.book(guests=("otto@example.net",))
        link = desk.bookings.manage_url(booking)
        record = await desk.objects.get(desk.calendars["home"], f"{booking.id}.ics")
        holders = [str(mail["To"]) for mail in await desk.mails() if link in text_of(mail)]
        secret = link.rpartition("/")[2]

        assert holders == ["vera@example.net"]
        assert secret.encode() not in record.data
        for mail in await desk.mails():
            for part in mail.walk():
                if part.get_content_type() == "text/calendar":
                    assert secret not in part.get_payload(decode=True).decode()


def text_of(mail: EmailMessage) -> str:
    """Return the plain text of a mail."""
    body = mail.get_body(("plain",))
    assert body is not None
    return body.get_content()


SPAM = "Buy http://evil.example now!!!"


async def test_mails_to_typed_addresses_repeat_nothing_that_was_typed(store, clock, owner):
    """Nobody can have us send their words to somebody else (I 150)."""
    page = {"questions": (Question(id="topic", label="Topic"),)}
    async with closing(await a_desk(store, clock, owner, page=page)) as desk:
        booking = await desk.book(name=SPAM, answers={"topic": SPAM}, guests=("otto@example.net",))
        clock.advance(MINUTE)
        await desk.bookings.cancel_as_owner(owner.id, booking.id)
        to_others = [mail for mail in await desk.mails() if mail["To"] != "jane@example.org"]
        (to_owner, _) = await desk.mails("jane@example.org")

        assert len(to_others) == 4
        for mail in to_others:
            assert "evil.example" not in str(mail) + text_of(mail)
            for part in mail.walk():
                assert b"evil.example" not in (part.get_payload(decode=True) or b"")
        assert text_of(to_owner).count(SPAM) == 2
        assert "evil" not in to_owner["Subject"]


BREAKS = ["\r\nBcc: v@x.example", "\nX-A: b", "\r", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c"]
BREAKS += ["\x1e", "\x85", "\x00", "\ud800", "\u202e", "x" * 3000]


@pytest.mark.parametrize("text", BREAKS, ids=lambda text: repr(text)[1:16])
async def test_no_text_becomes_a_header(store, clock, owner, text):
    """Whatever stands in a title or a name, the headers are ours and the mail is made (J 160)."""
    hostile = f"A{text}B"
    async with closing(await a_desk(store, clock, owner)) as desk:
        wanted = {
            "Auto-Submitted",
            "Content-Type",
            "Date",
            "From",
            "MIME-Version",
            "Message-ID",
            "Reply-To",
            "Subject",
            "To",
        }
        booking = await desk.book(name="Vera" if len(hostile) > 200 else hostile)
        # What the stores would refuse may still reach a letter from elsewhere.
        page = replace(desk.page, title=hostile)
        host = replace(owner, name=hostile)
        async with store.write() as tx:
            given = desk.notices._of(booking, page, host)
            await desk.notices._visitor(
                tx,
                given,
                "vera@example.net",
                "hostile",
                (f"Confirmed: {hostile}", f"Body {hostile}"),
                now=clock.now(),
            )
        mails = await desk.mails("vera@example.net")

        assert len(mails) == 2
        for mail in [*mails, *(await desk.mails("jane@example.org"))]:
            assert {name for name in mail if not name.startswith("Content-Tr")} == wanted
            assert len(mail.get_all("To")) == 1
            assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]", mail["Subject"])
            assert len(mail["Subject"]) <= 150


async def test_from_is_ours_and_replies_go_to_the_other_side(store, clock, owner):
    """No visitor's text ever stands in From (J 162)."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        await desk.book()
        (to_visitor,) = await desk.mails("vera@example.net")
        (to_owner,) = await desk.mails("jane@example.org")

        for mail, answer_to in ((to_visitor, "jane@example.org"), (to_owner, "vera@example.net")):
            assert mail["From"] == "Calendar <cal@meet.example.org>"
            assert mail["Reply-To"] == answer_to
            assert mail["Auto-Submitted"] == "auto-generated"
            assert mail["Message-ID"].endswith("@meet.example.org>")


async def test_mails_are_in_the_readers_language_and_zone(store, clock, owner):
    """The visitor's words and clock are the visitor's, the owner's the owner's."""
    page = {"location": Location(type="phone", value="+31 20 123 4567")}
    async with closing(await a_desk(store, clock, owner, page=page)) as desk:
        await desk.book(locale="nl", time_zone="America/New_York")
        (to_visitor,) = await desk.mails("vera@example.net")
        (to_owner,) = await desk.mails("jane@example.org")

        assert f"dinsdag 1 december 2026, 05:00{DASH}05:30 (America/New_York)" in text_of(
            to_visitor
        )
        assert to_visitor["Subject"] == "Bevestigd: Intro met Jane"
        assert "+31 20 123 4567" in text_of(to_visitor)
        assert f"Tuesday 1 December 2026, 10:00{DASH}10:30 (UTC)" in text_of(to_owner)


async def sent(desk: Desk, clock, *, hours: int = 1) -> None:
    """Let the outbox work while time passes."""
    for _ in range(hours * 6):
        await desk.outbox.settle()
        clock.advance(10 * MINUTE)
    await desk.outbox.settle()


async def test_a_poison_mail_holds_up_nobody(store, clock, owner):
    """A mail that is refused for good is put away with the reason; the rest goes out (J 161)."""
    mailer = ScriptedMailer()
    mailer.refusals["poison@example.net"] = [AccessLost("The mail host says 550 no such user")]
    async with closing(await a_desk(store, clock, owner, mailer=mailer)) as desk:
        await desk.book(TEN, email="poison@example.net")
        for number in range(1, 7):
            await desk.book(TEN + number * 30 * MINUTE, email=f"v{number}@example.net")
        await desk.outbox.settle()
        async with store.read() as tx:
            kept = {one.recipient: one for one in await tx.mails.of_owner(owner.id)}

        good = {f"v{number}@example.net" for number in range(1, 7)} | {"jane@example.org"}
        assert {recipient for recipient, _ in mailer.taken} == good
        assert mailer.tries.count("poison@example.net") == 1
        assert kept["poison@example.net"].error == "The mail host says 550 no such user"
        assert kept["poison@example.net"].sent_at is None


async def test_a_mail_that_cannot_be_built_holds_up_nobody(store, clock, owner):
    """Even a bug in sending one mail ends with that mail alone put away, after a dozen tries."""
    mailer = ScriptedMailer()
    mailer.refusals["poison@example.net"] = [ValueError("a bug")] * 50
    async with closing(await a_desk(store, clock, owner, mailer=mailer)) as desk:
        await desk.book(TEN, email="poison@example.net")
        await desk.book(TEN + HOUR, email="vera@example.net")
        await desk.outbox.settle()
        assert "vera@example.net" in {recipient for recipient, _ in mailer.taken}

        await sent(desk, clock, hours=6)
        async with store.read() as tx:
            assert await tx.outbox.waiting() == 0
        assert mailer.tries.count("poison@example.net") == 12


async def test_a_mail_host_that_is_away_is_tried_again(store, clock, owner):
    """Every try sends the same bytes; in the end the mail is there once."""
    mailer = ScriptedMailer()
    mailer.refusals["vera@example.net"] = [Unavailable("421 later")] * 4
    async with closing(await a_desk(store, clock, owner, mailer=mailer)) as desk:
        booking = await desk.book()
        await sent(desk, clock, hours=2)
        copies = [raw for recipient, raw in mailer.taken if recipient == "vera@example.net"]

        assert booking.state is BookingState.CONFIRMED
        assert mailer.tries.count("vera@example.net") == 5
        assert len(copies) == 1


async def test_a_cancellation_never_overtakes_its_invitation(store, clock, owner):
    """Mails of one booking to one reader keep their order, whatever has to be tried again."""
    mailer = ScriptedMailer()
    mailer.refusals["vera@example.net"] = [Unavailable("421 later")] * 3
    async with closing(await a_desk(store, clock, owner, mailer=mailer)) as desk:
        booking = await desk.book()
        await desk.outbox.settle()
        await desk.bookings.cancel_as_owner(owner.id, booking.id)
        await sent(desk, clock, hours=2)
        methods = [
            re.search(rb'method="?([A-Z]+)', raw).group(1)
            for recipient, raw in mailer.taken
            if recipient == "vera@example.net"
        ]

        assert methods == [b"REQUEST", b"CANCEL"]


async def test_a_mail_host_that_stays_away_is_told(store, clock, owner):
    """After three days the mail is put away, and the dashboard says why."""
    mailer = ScriptedMailer()
    mailer.refusals["vera@example.net"] = [Unavailable("421 later")] * 1000
    async with closing(await a_desk(store, clock, owner, mailer=mailer)) as desk:
        await desk.book()
        await desk.outbox.settle()
        clock.advance(3 * DAY + HOUR)
        await desk.outbox.settle()
        async with store.read() as tx:
            errors = {one.recipient: one.error for one in await tx.mails.of_owner(owner.id)}

        assert errors["vera@example.net"] == "The mail host could not be reached for three days."
        assert errors["jane@example.org"] == ""


async def test_stored_mails_are_sealed(store, clock, owner):
    """Nothing of a mail, and with it no link, can be read in the database."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        booking = await desk.book()
        secret = desk.bookings.manage_url(booking).rpartition("/")[2].encode()
        async with store.read() as tx:
            kept = await tx.mails.of_owner(owner.id)
            stored = await tx.bookings.get(booking.id)

        assert kept
        assert all(secret not in mail.raw and b"Subject" not in mail.raw for mail in kept)
        assert secret.decode() not in repr(stored)
