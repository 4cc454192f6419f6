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
SHORTCUT_OWNER = '<t:ExtendedFieldURI PropertyTag="0x6854" PropertyType="Binary"/>'
"""Whose folder a shortcut leads to (PidTagWlinkAddressBookEID)."""
SHORTCUT_SECTION = '<t:ExtendedFieldURI PropertyTag="0x6852" PropertyType="Integer"/>'
CALENDAR_SECTION = "3"
MOST_SHORTCUTS = 200
MERGED_MINUTES = 30
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
    """Return the content of GetFolder for a mailbox's own calendar, this one's or another's."""
    folder = distinguished("calendar", address)
    return f"{_folder_shape()}<m:FolderIds>{folder}</m:FolderIds>"


def find_calendars(address: str) -> str:
    """Return the content of FindFolder for every folder of appointments."""
    root = distinguished("msgfolderroot", address)
    restriction = _equal('<t:FieldURI FieldURI="folder:FolderClass"/>', "IPF.Appointment")
    return (
        f"{_folder_shape()}<m:Restriction>{restriction}</m:Restriction>"
        f"<m:ParentFolderIds>{root}</m:ParentFolderIds>"
    )


def _equal(path: str, value: str) -> str:
    constant = (
        f"<t:FieldURIOrConstant><t:Constant Value={quoteattr(value)}/></t:FieldURIOrConstant>"
    )
    return f"<t:IsEqualTo>{path}{constant}</t:IsEqualTo>"


def find_shortcut_folder(address: str) -> str:
    """Return the content of FindFolder for the folder in which Outlook keeps its shortcuts.

    It has no distinguished id; its name is the same in every language (MS-OXOSFLD 2.2.3).
    """
    restriction = _equal('<t:FieldURI FieldURI="folder:DisplayName"/>', "Common Views")
    shape = "<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape>"
    root = distinguished("root", address)
    return (
        f"{shape}<m:Restriction>{restriction}</m:Restriction>"
        f"<m:ParentFolderIds>{root}</m:ParentFolderIds>"
    )


def find_shortcuts(folder: str) -> str:
    """Return the content of FindItem for the shortcuts to calendars (MS-OXOCFG 2.2.9)."""
    shape = (
        f"<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>{_fields((), SHORTCUT_OWNER)}</m:ItemShape>"
    )
    page = (
        f'<m:IndexedPageItemView MaxEntriesReturned="{MOST_SHORTCUTS}" Offset="0" '
        'BasePoint="Beginning"/>'
    )
    restriction = _equal(SHORTCUT_SECTION, CALENDAR_SECTION)
    return (
        f"{shape}{page}<m:Restriction>{restriction}</m:Restriction>"
        f"<m:ParentFolderIds>{folder_id(folder)}</m:ParentFolderIds>"
    )


def resolve(name: str) -> str:
    """Return the content of ResolveNames for a name in the directory."""
    return f"<m:UnresolvedEntry>{_text(name)}</m:UnresolvedEntry>"


def get_availability(address: str, window: TimeRange) -> str:
    """Return the content of GetUserAvailability for one mailbox.

    The zone is UTC, told as Exchange itself tells it: the schema wants both changes of a year, with
    a month and a week that exist, in this order.
    """
    change = (
        "<t:{0}><t:Bias>0</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>{1}</t:DayOrder>"
        "<t:Month>{2}</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:{0}>"
    )
    changes = change.format("StandardTime", 5, 10) + change.format("DaylightTime", 1, 4)
    return (
        f"<t:TimeZone><t:Bias>0</t:Bias>{changes}</t:TimeZone>"
        "<m:MailboxDataArray><t:MailboxData>"
        f"<t:Email><t:Address>{_text(address)}</t:Address></t:Email>"
        "<t:AttendeeType>Required</t:AttendeeType><t:ExcludeConflicts>false</t:ExcludeConflicts>"
        "</t:MailboxData></m:MailboxDataArray>"
        "<t:FreeBusyViewOptions><t:TimeWindow>"
        f"<t:StartTime>{_moment(window.start)[:-1]}</t:StartTime>"
        f"<t:EndTime>{_moment(window.end)[:-1]}</t:EndTime></t:TimeWindow>"
        f"<t:MergedFreeBusyIntervalInMinutes>{MERGED_MINUTES}</t:MergedFreeBusyIntervalInMinutes>"
        "<t:RequestedView>FreeBusyMerged</t:RequestedView></t:FreeBusyViewOptions>"
    )


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
    return (
        f"{ID_ONLY}<m:Restriction>{_equal(MARKER, uid)}</m:Restriction>"
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
