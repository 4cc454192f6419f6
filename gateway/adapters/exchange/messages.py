"""What is asked of Exchange: the contents of EWS operations, in the order of their schema."""

import re
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from gateway.model.component import Component
from gateway.model.timerange import Instant, TimeRange, to_datetime

_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MARKER = (
    '<t:ExtendedFieldURI PropertySetId="00020329-0000-0000-c000-000000000046" '
    'PropertyName="calgate-booking" PropertyType="String"/>'
)
"""A public named property that says which booking an item is: UIDs cannot be searched for."""
ITEM_FIELDS = (
    "item:Subject",
    "item:Sensitivity",
    "item:Body",
    "item:Categories",
    "item:DateTimeCreated",
    "item:ReminderIsSet",
    "item:ReminderMinutesBeforeStart",
    "item:LastModifiedTime",
)
BUSY_FIELDS = (
    "calendar:Start",
    "calendar:End",
    "calendar:IsAllDayEvent",
    "calendar:LegacyFreeBusyStatus",
    "calendar:IsCancelled",
    "calendar:MyResponseType",
    "calendar:AppointmentState",
    "calendar:TimeZone",
)
CALENDAR_FIELDS = (
    "calendar:UID",
    "calendar:RecurrenceId",
    "calendar:OriginalStart",
    "calendar:Location",
    "calendar:CalendarItemType",
    "calendar:Organizer",
    "calendar:RequiredAttendees",
    "calendar:OptionalAttendees",
    "calendar:AppointmentSequenceNumber",
    "calendar:Recurrence",
    "calendar:ModifiedOccurrences",
    "calendar:DeletedOccurrences",
    "calendar:StartTimeZone",
    "calendar:EndTimeZone",
)
START_ZONE, END_ZONE = '<t:StartTimeZone Id="UTC"/>', '<t:EndTimeZone Id="UTC"/>'
ID_ONLY = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"


def get_default(address: str) -> str:
    """Return the content of GetFolder for a mailbox's own calendar."""
    folder = distinguished("calendar", address)
    return f"{_folder_shape()}<m:FolderIds>{folder}</m:FolderIds>"


def find_calendars(address: str) -> str:
    """Return the content of FindFolder for every folder of appointments."""
    root = distinguished("msgfolderroot", address)
    restriction = (
        '<m:Restriction><t:IsEqualTo><t:FieldURI FieldURI="folder:FolderClass"/>'
        '<t:FieldURIOrConstant><t:Constant Value="IPF.Appointment"/></t:FieldURIOrConstant>'
        "</t:IsEqualTo></m:Restriction>"
    )
    return f"{_folder_shape()}{restriction}<m:ParentFolderIds>{root}</m:ParentFolderIds>"


def distinguished(name: str, address: str) -> str:
    """Return a well-known folder of the mailbox with an address."""
    mailbox = f"<t:Mailbox><t:EmailAddress>{escape(address)}</t:EmailAddress></t:Mailbox>"
    return f'<t:DistinguishedFolderId Id="{name}">{mailbox}</t:DistinguishedFolderId>'


def _folder_shape() -> str:
    fields = _fields(("folder:FolderClass", "folder:DisplayName", "folder:EffectiveRights"))
    return f"<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape>{fields}</m:FolderShape>"


def _fields(names: Iterable[str], more: str = "") -> str:
    uris = "".join(f'<t:FieldURI FieldURI="{name}"/>' for name in names)
    return f"<t:AdditionalProperties>{uris}{more}</t:AdditionalProperties>"


def sync(folder: str, state: str, most: int) -> str:
    """Return the content of SyncFolderItems; an empty state is the beginning."""
    told = f"<m:SyncState>{escape(state)}</m:SyncState>" if state else ""
    return (
        f"{ID_ONLY}<m:SyncFolderId>{folder_id(folder)}</m:SyncFolderId>{told}"
        f"<m:MaxChangesReturned>{most}</m:MaxChangesReturned>"
    )


def folder_id(identifier: str) -> str:
    """Return a folder by its id."""
    return f"<t:FolderId Id={quoteattr(identifier)}/>"


def get_items(ids: Sequence[str]) -> str:
    """Return the content of GetItem with everything that an object is made of."""
    shape = (
        "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:BodyType>Text</t:BodyType>"
        f"{_fields((*ITEM_FIELDS, *BUSY_FIELDS, *CALENDAR_FIELDS), MARKER)}</m:ItemShape>"
    )
    return f"{shape}{item_ids(ids)}"


def item_ids(ids: Sequence[str]) -> str:
    """Return items by their ids."""
    return f"<m:ItemIds>{''.join(f'<t:ItemId Id={quoteattr(one)}/>' for one in ids)}</m:ItemIds>"


def view(folder: str, window: TimeRange) -> str:
    """Return the content of FindItem for the instances in a window, expanded by the server."""
    shape = f"<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>{_fields(BUSY_FIELDS)}</m:ItemShape>"
    return (
        f'{shape}<m:CalendarView StartDate="{_moment(window.start)}" '
        f'EndDate="{_moment(window.end)}"/>'
        f"<m:ParentFolderIds>{folder_id(folder)}</m:ParentFolderIds>"
    )


def find_booking(folder: str, uid: str) -> str:
    """Return the content of FindItem for the items of one booking."""
    constant = f"<t:FieldURIOrConstant><t:Constant Value={quoteattr(uid)}/></t:FieldURIOrConstant>"
    return (
        f"{ID_ONLY}<m:Restriction><t:IsEqualTo>{MARKER}{constant}</t:IsEqualTo></m:Restriction>"
        f"<m:ParentFolderIds>{folder_id(folder)}</m:ParentFolderIds>"
    )


def create(folder: str, uid: str, event: Component, span: TimeRange) -> str:
    """Return the content of CreateItem for a booking, under its own UID."""
    mark = f"<t:ExtendedProperty>{MARKER}<t:Value>{escape(uid)}</t:Value></t:ExtendedProperty>"
    subject, body = event.text("SUMMARY"), event.text("DESCRIPTION")
    item = (
        f"<t:Subject>{_text(subject)}</t:Subject>"
        f'<t:Body BodyType="Text">{_text(body)}</t:Body>'
        f"{mark}<t:UID>{escape(uid)}</t:UID>"
        f"<t:Start>{_moment(span.start)}</t:Start><t:End>{_moment(span.end)}</t:End>"
        "<t:IsAllDayEvent>false</t:IsAllDayEvent>"
        "<t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus>"
        f"<t:Location>{_text(event.text('LOCATION'))}</t:Location>{_attendees(event)}{START_ZONE}{END_ZONE}"
    )
    return (
        f"<m:SavedItemFolderId>{folder_id(folder)}</m:SavedItemFolderId>"
        f"<m:Items><t:CalendarItem>{item}</t:CalendarItem></m:Items>"
    )


def move(identifier: str, change_key: str, span: TimeRange) -> str:
    """Return the content of UpdateItem for an item as it was read; nothing else in it is touched.

    Times are set with their zones, or servers refuse them.
    """
    values = (
        ("calendar:Start", f"<t:Start>{_moment(span.start)}</t:Start>"),
        ("calendar:End", f"<t:End>{_moment(span.end)}</t:End>"),
        ("calendar:StartTimeZone", START_ZONE),
        ("calendar:EndTimeZone", END_ZONE),
    )
    fields = "".join(
        f'<t:SetItemField><t:FieldURI FieldURI="{name}"/><t:CalendarItem>{value}</t:CalendarItem>'
        "</t:SetItemField>"
        for name, value in values
    )
    return (
        f"<m:ItemChanges><t:ItemChange><t:ItemId Id={quoteattr(identifier)} "
        f"ChangeKey={quoteattr(change_key)}/>"
        f"<t:Updates>{fields}</t:Updates></t:ItemChange></m:ItemChanges>"
    )


def _moment(instant: Instant) -> str:
    return to_datetime(instant).strftime("%Y-%m-%dT%H:%M:%SZ")


def _attendees(event: Component) -> str:
    people = "".join(
        "<t:Attendee><t:Mailbox>"
        f"<t:Name>{_text(one.param('CN'))}</t:Name>"
        f"<t:EmailAddress>{_text(one.value.partition(':')[2])}</t:EmailAddress>"
        "</t:Mailbox></t:Attendee>"
        for one in event.all("ATTENDEE")
    )
    return f"<t:RequiredAttendees>{people}</t:RequiredAttendees>" if people else ""


def _text(text: str) -> str:
    """Return text as XML may hold it (XML 1.0 section 2.2)."""
    return escape(_NOT_XML.sub("", text))
