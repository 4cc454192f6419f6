"""Which properties of a calendar item an answer holds, in the order of the schema (types.xsd).

Nothing newer than the schema of the request is in it, as a validating client would object.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4
from xml.etree import ElementTree as ET

from gateway.sandbox.exchange.icalendar import mime_content
from gateway.sandbox.exchange.occurrences import told
from gateway.sandbox.exchange.properties import extended, path_of, value_of
from gateway.sandbox.exchange.soap import SCHEMAS, T

ITEM = [
    "MimeContent",
    "ItemId",
    "ParentFolderId",
    "ItemClass",
    "Subject",
    "Sensitivity",
    "Body",
    "Attachments",
    "DateTimeReceived",
    "Size",
    "Categories",
    "Importance",
    "InReplyTo",
    "IsSubmitted",
    "IsDraft",
    "IsFromMe",
    "IsResend",
    "IsUnmodified",
    "InternetMessageHeaders",
    "DateTimeSent",
    "DateTimeCreated",
    "ResponseObjects",
    "ReminderDueBy",
    "ReminderIsSet",
    "ReminderMinutesBeforeStart",
    "DisplayCc",
    "DisplayTo",
    "HasAttachments",
    "ExtendedProperty",
    "Culture",
    "EffectiveRights",
    "LastModifiedName",
    "LastModifiedTime",
    "TextBody",
]
CALENDAR = [
    "UID",
    "RecurrenceId",
    "DateTimeStamp",
    "Start",
    "End",
    "OriginalStart",
    "IsAllDayEvent",
    "LegacyFreeBusyStatus",
    "Location",
    "When",
    "IsMeeting",
    "IsCancelled",
    "IsRecurring",
    "MeetingRequestWasSent",
    "IsResponseRequested",
    "CalendarItemType",
    "MyResponseType",
    "Organizer",
    "RequiredAttendees",
    "OptionalAttendees",
    "Resources",
    "ConflictingMeetingCount",
    "AdjacentMeetingCount",
    "Duration",
    "TimeZone",
    "AppointmentReplyTime",
    "AppointmentSequenceNumber",
    "AppointmentState",
    "Recurrence",
    "FirstOccurrence",
    "LastOccurrence",
    "ModifiedOccurrences",
    "DeletedOccurrences",
    "MeetingTimeZone",
    "StartTimeZone",
    "EndTimeZone",
    "ConferenceType",
    "AllowNewTimeProposal",
    "IsOnlineMeeting",
    "StartWallClock",
    "EndWallClock",
    "StartTimeZoneId",
    "EndTimeZoneId",
]
ORDER = {name: place for place, name in enumerate([*ITEM, *CALENDAR])}
SINCE = {
    "StartTimeZone": "Exchange2010",
    "EndTimeZone": "Exchange2010",
    "TextBody": "Exchange2013",
    "StartWallClock": "Exchange2013",
    "EndWallClock": "Exchange2013",
    "StartTimeZoneId": "Exchange2013",
    "EndTimeZoneId": "Exchange2013",
}
NOT_IN_LISTS = frozenset(
    {
        "Body",
        "Attachments",
        "RequiredAttendees",
        "OptionalAttendees",
        "Resources",
        "Recurrence",
        "FirstOccurrence",
        "LastOccurrence",
        "ModifiedOccurrences",
        "DeletedOccurrences",
        "StartTimeZone",
        "EndTimeZone",
    }
)
"""What FindItem and SyncFolderItems never return."""
DEFAULT = (
    "ItemId",
    "Subject",
    "HasAttachments",
    "UID",
    "Start",
    "End",
    "LegacyFreeBusyStatus",
    "Location",
    "CalendarItemType",
    "Organizer",
    "RequiredAttendees",
)


class Shape(NamedTuple):
    """What an ItemShape asks for: properties of the schema, MAPI ones, the text of the item."""

    names: frozenset[str]
    extended: tuple[ET.Element, ...] = ()
    mime: bool = False


def read_shape(element: ET.Element | None) -> Shape:
    """Read an ItemShape."""
    names = {"ItemId"}
    if element is None:
        return Shape(frozenset(names))
    base = element.findtext(f"{T}BaseShape")
    if base == "AllProperties":
        names |= ORDER.keys() - {"MimeContent", "ExtendedProperty"}
    elif base == "Default":
        names |= set(DEFAULT)
    for field in element.iter(f"{T}FieldURI"):
        names.add(field.get("FieldURI", "").partition(":")[2])
    mime = element.findtext(f"{T}IncludeMimeContent") == "true" or "MimeContent" in names
    extended_paths = tuple(element.iter(f"{T}ExtendedFieldURI"))
    return Shape(frozenset(names - {"MimeContent", "ExtendedProperty"}), extended_paths, mime)


def shown(
    item: ET.Element,
    shape: Shape,
    schema: str,
    *,
    in_list: bool,
    exceptions: Sequence[ET.Element] = (),
) -> str:
    """Return an item with the properties that were asked for and may be told."""
    made = ET.Element(item.tag)
    parts = [
        _as_known(one, schema)
        for one in item
        if _may(one.tag.rpartition("}")[2], shape.names, schema, in_list=in_list)
    ]
    for field in shape.extended:
        value = value_of(item, path_of(field))
        if value is not None:
            parts.append(extended(field, value))
    if shape.mime and not in_list:
        parts.append(mime_content(item, exceptions))
    made.extend(sorted(parts, key=lambda one: ORDER[one.tag.rpartition("}")[2]]))
    return ET.tostring(made, encoding="unicode")


def _may(name: str, names: Collection[str], schema: str, *, in_list: bool) -> bool:
    if name not in names or name not in ORDER or (in_list and name in NOT_IN_LISTS):
        return False
    since = SINCE.get(name, SCHEMAS[0])
    return SCHEMAS.index(schema) >= SCHEMAS.index(since)


def _as_known(part: ET.Element, schema: str) -> ET.Element:
    """Return a property as an older schema tells it."""
    if part.text == "WorkingElsewhere" and SCHEMAS.index(schema) < SCHEMAS.index("Exchange2013"):
        older = ET.Element(part.tag)
        older.text = "Free"
        return older
    return part


def an_appointment(subject: str, start: datetime, end: datetime) -> ET.Element:
    """Return a single busy item between two aware times."""
    item = ET.Element(f"{T}CalendarItem")
    for name, value in (
        ("ItemClass", "IPM.Appointment"),
        ("Subject", subject),
        ("Sensitivity", "Normal"),
        ("UID", f"{uuid4()}@exchange.example"),
        ("Start", told(start)),
        ("End", told(end)),
        ("IsAllDayEvent", "false"),
        ("LegacyFreeBusyStatus", "Busy"),
        ("IsCancelled", "false"),
        ("CalendarItemType", "Single"),
        ("MyResponseType", "Organizer"),
        ("AppointmentState", "0"),
    ):
        ET.SubElement(item, f"{T}{name}").text = value
    return item
