"""Which properties of a calendar item an answer holds, in the order of the schema (types.xsd).

Nothing newer than the schema of the request is in it, as a validating client would object.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import uuid4
from xml.etree import ElementTree as ET

from gateway.sandbox.exchange.occurrences import told
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


def asked_for(shape: ET.Element | None) -> set[str]:
    """Return the names of the properties that an ItemShape asks for."""
    names = {"ItemId"}
    if shape is None:
        return names
    base = shape.findtext(f"{T}BaseShape")
    if base == "AllProperties":
        names |= ORDER.keys() - {"MimeContent"}
    elif base == "Default":
        names |= set(DEFAULT)
    for field in shape.iter(f"{T}FieldURI"):
        names.add(field.get("FieldURI", "").partition(":")[2])
    if shape.find(f".//{T}ExtendedFieldURI") is not None:
        names.add("ExtendedProperty")
    return names


def shown(item: ET.Element, names: Collection[str], schema: str, *, in_list: bool) -> str:
    """Return an item with the properties that were asked for and may be told."""
    made = ET.Element(f"{T}CalendarItem")
    parts = [
        one for one in item if _may(one.tag.rpartition("}")[2], names, schema, in_list=in_list)
    ]
    for part in sorted(parts, key=lambda one: ORDER[one.tag.rpartition("}")[2]]):
        made.append(_as_known(part, schema))
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
