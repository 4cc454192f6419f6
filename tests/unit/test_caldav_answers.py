"""The answer of an account's own user to an invitation, as it is written into the event."""

import pytest

from gateway.adapters.caldav.answers import addresses_of, with_answers
from gateway.model.objects import read_one
from tests.builders import an_event

ME = frozenset({"ann@example.org"})


def invitation(*components: str) -> bytes:
    """Return an object whose events have these attendee lines."""
    told = ""
    for number, lines in enumerate(components):
        replaces = "RECURRENCE-ID:20261201T090000Z\r\n" if number else ""
        told += (
            "BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20261101T000000Z\r\nDTSTART:20261201T090000Z\r\n"
            f"{replaces}{lines}END:VEVENT\r\n"
        )
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n"
    return f"{head}{told}END:VCALENDAR\r\n".encode()


def told(data: bytes) -> list[str]:
    """Return the answers that stand in the events, in order."""
    lines = with_answers(data, read_one(data), ME)
    return [one.value("X-CALGATE-ANSWER") for one in read_one(lines).members]


def test_each_instance_has_its_own_answer() -> None:
    """Accepted as a series, declined for a day: each component gets its own line."""
    yes = "ATTENDEE;PARTSTAT=ACCEPTED:mailto:Ann@Example.org\r\n"
    no = "ATTENDEE;PARTSTAT=DECLINED:MAILTO:ann@example.org\r\n"

    assert told(invitation(yes, no)) == ["ACCEPTED", "DECLINED"]


def test_nobody_asked_means_the_same_bytes() -> None:
    """An event that the user is not asked to comes as it is."""
    data = invitation("ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.org\r\n")

    assert with_answers(data, read_one(data), ME) == data
    assert with_answers(data, read_one(data), frozenset()) == data


def test_what_another_gateway_said_stays() -> None:
    """A line that is there already, of the calendar behind the server, is left as it is."""
    lines = "X-CALGATE-ANSWER:TENTATIVE\r\nATTENDEE;PARTSTAT=DECLINED:mailto:ann@example.org\r\n"

    assert told(invitation(lines)) == ["TENTATIVE"]


@pytest.mark.parametrize("answer", ['"X:1"', "A B", "\u00e9"])
def test_no_answer_starts_a_line(answer: str) -> None:
    """What is no word of RFC 5545 is not written."""
    data = an_event("u", attendee="x").replace(
        b"ATTENDEE:x", f"ATTENDEE;PARTSTAT={answer}:mailto:ann@example.org".encode()
    )

    assert with_answers(data, read_one(data), ME) == data


def test_addresses_are_those_of_mail() -> None:
    """Of a calendar-user-address-set paths do not count; a user name that is an address does."""
    hrefs = ["mailto:Ann@Example.org", "/principals/ann/", "urn:uuid:1"]

    assert "ann@example.org" in addresses_of(hrefs, "ann")
    assert "/principals/ann/" not in addresses_of(hrefs, "ann")
    assert addresses_of([], "Bob@example.org") == {"bob@example.org"}
