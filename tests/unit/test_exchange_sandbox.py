"""What the simulated Exchange tells other clients: the text of an item, searches, zones."""

import base64
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events

from gateway.sandbox.exchange import ExchangeServer, Mailbox
from gateway.sandbox.exchange.folders import FOLDERS
from gateway.sandbox.exchange.icalendar import mime_content
from gateway.sandbox.exchange.people import PEOPLE
from gateway.sandbox.exchange.reading import READING
from gateway.sandbox.exchange.soap import SPACES, M, Request, T
from gateway.sandbox.exchange.zones import local_by, standard_offset, turns_of
from tests.exchange_account import an_item

FILE = Path(__file__).parents[1] / "cases" / "microsoft.json"
CASES = [case for case in json.loads(FILE.read_text()) if case["provider"] == "ews"]
PR_ITEM_CLASS = '<t:ExtendedFieldURI PropertyTag="0x001a" PropertyType="String"/>'
IS_RECURRING = (
    '<t:ExtendedFieldURI DistinguishedPropertySetId="Appointment" PropertyId="33315"'
    ' PropertyType="Boolean"/>'
)


@pytest.fixture
def mailbox() -> Mailbox:
    """Return Jane's mailbox, beside Bob's."""
    server = ExchangeServer()
    jane = server.add("jane@corp.example", "secret")
    server.add("bob@corp.example", "secret", user="bob")
    return jane


def ask(mailbox: Mailbox, operation: str, content: str, **attributes: str) -> ET.Element:
    """Send an operation; return its answer."""
    told = "".join(f' {name}="{value}"' for name, value in attributes.items())
    body = ET.fromstring(f"<m:{operation} {SPACES}{told}>{content}</m:{operation}>")
    known = {**READING, **FOLDERS, **PEOPLE}[operation]
    return ET.fromstring(
        known(mailbox, Request(operation=operation, body=body, schema="Exchange2016"))
    )


def text_of(item: ET.Element) -> icalendar.Calendar:
    """Return the text of an item, read by a library that is not ours."""
    content = mime_content(item, ()).text or ""
    return icalendar.Calendar.from_ical(base64.b64decode(content))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_text_of_an_item_has_its_instances(case: dict[str, Any]) -> None:
    """Each case, as iCalendar text and expanded by another library, is when it should be."""
    window = [datetime.fromisoformat(one) for one in case["window"]]
    for text, expected in zip(case["items"], case["expect"]["components"], strict=True):
        start = expected["dtstart"]
        wanted = expected.get("instances_in_window") or [start.get("utc") or start["date"]]
        found = recurring_ical_events.of(text_of(ET.fromstring(text))).between(*window)
        assert sorted(told_as_cases_do(one.start) for one in found) == sorted(wanted)


def told_as_cases_do(when: date) -> str:
    """Return an instant in UTC, or a date."""
    if isinstance(when, datetime):
        return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return when.isoformat()


def search(mailbox: Mailbox, expression: str, shape: str = "") -> list[str]:
    """Return the subjects of the items that a restriction lets through."""
    fields = '<t:FieldURI FieldURI="item:Subject"/>'
    content = (
        "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>"
        f"<t:AdditionalProperties>{fields}{shape}</t:AdditionalProperties></m:ItemShape>"
        f"<m:Restriction>{expression}</m:Restriction>"
        '<m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderIds>'
    )
    answer = ask(mailbox, "FindItem", content, Traversal="Shallow")
    return [one.text or "" for one in answer.iter(f"{T}Subject")]


def compared(kind: str, path: str, value: str) -> str:
    """Return a comparison of a property with a constant."""
    constant = f'<t:FieldURIOrConstant><t:Constant Value="{value}"/></t:FieldURIOrConstant>'
    return f"<t:{kind}>{path}{constant}</t:{kind}>"


@pytest.mark.parametrize(
    ("expression", "subjects"),
    [
        (compared("IsEqualTo", IS_RECURRING, "true"), []),
        (compared("IsEqualTo", IS_RECURRING, "false"), ["early", "late"]),
        (compared("IsEqualTo", PR_ITEM_CLASS, "ipm.appointment"), ["early", "late"]),
        (
            compared(
                "IsGreaterThan",
                '<t:FieldURI FieldURI="calendar:End"/>',
                "2026-12-01T10:00:00.000+01:00",
            ),
            ["late"],
        ),
        (
            (
                "<t:And>"
                '<t:Exists><t:FieldURI FieldURI="item:Subject"/></t:Exists>'
                '<t:Not><t:Contains ContainmentMode="Prefixed" ContainmentComparison="IgnoreCase">'
                '<t:FieldURI FieldURI="item:Subject"/><t:Constant Value="LA"/></t:Contains></t:Not>'
                "</t:And>"
            ),
            ["early"],
        ),
    ],
)
def test_a_restriction_lets_through_what_it_says(
    mailbox: Mailbox, expression: str, subjects: list[str]
) -> None:
    """Comparisons, their junctions and containment work on MAPI properties and on those of EWS."""
    mailbox.put(an_item("a", "early", "20261201T080000Z", "20261201T090000Z"))
    mailbox.put(an_item("b", "late", "20261201T100000Z", "20261201T110000Z"))

    assert search(mailbox, expression) == subjects


def test_a_uid_cannot_be_searched_for(mailbox: Mailbox) -> None:
    """Exchange refuses it, and so does this."""
    mailbox.put(an_item("a", "early", "20261201T080000Z", "20261201T090000Z"))
    content = compared("IsEqualTo", '<t:FieldURI FieldURI="calendar:UID"/>', "a")

    assert search(mailbox, content) == []


def test_somebody_elses_calendar_needs_their_leave(mailbox: Mailbox) -> None:
    """It is denied until it is shared, and then tells the rights that were given."""
    content = (
        "<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
        '<t:FieldURI FieldURI="folder:EffectiveRights"/></t:AdditionalProperties></m:FolderShape>'
        '<m:FolderIds><t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>'
        "bob@corp.example</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId></m:FolderIds>"
    )
    denied = ask(mailbox, "GetFolder", content)
    bob = mailbox.of("bob@corp.example")
    bob.calendar.shared["jane@corp.example"] = frozenset({"Read"})
    shared = ask(mailbox, "GetFolder", content)

    assert denied.findtext(f".//{M}ResponseCode") == "ErrorAccessDenied"
    rights = shared.find(f".//{T}EffectiveRights")
    assert rights is not None
    assert rights.findtext(f"{T}Read") == "true"
    assert rights.findtext(f"{T}Modify") == "false"


def test_a_person_is_found_by_the_name_in_the_directory(mailbox: Mailbox) -> None:
    """A legacyExchangeDN, as shortcuts hold it, resolves to an address."""
    name = mailbox.of("bob@corp.example").legacy_name
    answer = ask(mailbox, "ResolveNames", f"<m:UnresolvedEntry>{name}</m:UnresolvedEntry>")

    assert answer.findtext(f".//{T}EmailAddress") == "bob@corp.example"


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York", "Asia/Tokyo", "UTC"])
def test_the_rules_of_a_zone_are_its_clocks(name: str) -> None:
    """At every hour of the months in which clocks change, the rules say what the zone says."""
    zone = ZoneInfo(name)
    turns, standard = turns_of(zone), standard_offset(zone)
    firsts = [datetime(2027, month, 1, tzinfo=UTC) for month in (3, 10, 11)]
    hours = [first + timedelta(hours=number) for first in firsts for number in range(31 * 24)]

    assert [local_by(turns, standard, now) for now in hours] == [
        now.astimezone(zone).replace(tzinfo=None) for now in hours
    ]
