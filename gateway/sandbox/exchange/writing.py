"""The operations that write: items made, changed and deleted, and what a server refuses."""

import copy
from xml.etree import ElementTree as ET

from gateway.sandbox.exchange.mailbox import Folder, Mailbox
from gateway.sandbox.exchange.occurrences import spans
from gateway.sandbox.exchange.shapes import ORDER
from gateway.sandbox.exchange.soap import EwsError, M, Request, T, failure, response, success

SENT = ("SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy")


def create_item(mailbox: Mailbox, request: Request) -> str:
    """Make calendar items, as the schema has them and no other way."""
    if request.body.get("SendMeetingInvitations") not in SENT:
        raise EwsError(
            "ErrorSendMeetingInvitationsRequired", "SendMeetingInvitations attribute is required."
        )
    where = request.body.find(f"{M}SavedItemFolderId")
    folder = mailbox.calendar if where is None else mailbox.folder(where[0])
    messages = []
    for item in request.body.find(f"{M}Items") or ():
        try:
            messages.append(success("CreateItem", _created(mailbox, folder, item)))
        except EwsError as error:
            messages.append(failure("CreateItem", error, "<m:Items/>"))
    return response("CreateItem", messages)


def _created(mailbox: Mailbox, folder: Folder, item: ET.Element) -> str:
    if "CreateContents" not in mailbox.rights_in(folder):
        raise EwsError("ErrorAccessDenied", "Access is denied. Check credentials.")
    _check(item)
    made = copy.deepcopy(item)
    _fill(made, mailbox.person.address)
    identifier = mailbox.put(made, folder)
    return f"<m:Items>{_id_only(mailbox, identifier)}</m:Items>"


def _check(item: ET.Element) -> None:
    """Refuse what a server's schema and rules refuse."""
    names = [one.tag.rpartition("}")[2] for one in item]
    places = [ORDER.get(name, -1) for name in names]
    if -1 in places or places != sorted(places):
        raise EwsError("ErrorSchemaValidation", "The request failed schema validation.")
    if "Start" not in names or "End" not in names:
        raise EwsError("ErrorRequiredPropertyMissing", "Required property is missing.")
    start, end = spans(item)
    if end < start:
        raise EwsError(
            "ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate is earlier than StartDate."
        )
    if (end - start).days > 5 * 366:
        raise EwsError("ErrorCalendarDurationIsTooLong", "The duration is too long.")


def _fill(item: ET.Element, owner: str) -> None:
    known = {one.tag.rpartition("}")[2] for one in item}
    for name, value in (
        ("ItemClass", "IPM.Appointment"),
        ("Sensitivity", "Normal"),
        ("UID", "040000008200E00074C5B7101A82E008"),
        ("IsAllDayEvent", "false"),
        ("LegacyFreeBusyStatus", "Busy"),
        ("IsCancelled", "false"),
        ("CalendarItemType", "Single"),
        ("MyResponseType", "Organizer"),
        ("AppointmentState", "0"),
    ):
        if name not in known:
            ET.SubElement(item, f"{T}{name}").text = value
    if "Organizer" not in known:
        mailbox = ET.SubElement(ET.SubElement(item, f"{T}Organizer"), f"{T}Mailbox")
        ET.SubElement(mailbox, f"{T}Name").text = owner
        ET.SubElement(mailbox, f"{T}EmailAddress").text = owner


def _id_only(mailbox: Mailbox, identifier: str) -> str:
    told = mailbox.item(identifier).find(f"{T}ItemId")
    assert told is not None, "every item has an id"
    return (
        f'<t:CalendarItem><t:ItemId Id="{identifier}" ChangeKey="{told.get("ChangeKey")}"/>'
        "</t:CalendarItem>"
    )


def update_item(mailbox: Mailbox, request: Request) -> str:
    """Set properties of items; a change key that is not the current one is a conflict."""
    if request.body.get("SendMeetingInvitationsOrCancellations") is None:
        raise EwsError(
            "ErrorSendMeetingInvitationsOrCancellationsRequired",
            "SendMeetingInvitationsOrCancellations attribute is required.",
        )
    messages = []
    for change in request.body.find(f"{M}ItemChanges") or ():
        try:
            messages.append(success("UpdateItem", _updated(mailbox, change, request)))
        except EwsError as error:
            messages.append(failure("UpdateItem", error, "<m:Items/>"))
    return response("UpdateItem", messages)


def _updated(mailbox: Mailbox, change: ET.Element, request: Request) -> str:
    wanted = change.find(f"{T}ItemId")
    assert wanted is not None, "a change names its item"
    identifier = wanted.get("Id", "")
    item = mailbox.item(identifier)
    told = item.find(f"{T}ItemId")
    current = told.get("ChangeKey") if told is not None else ""
    overwrites = request.body.get("ConflictResolution") == "AlwaysOverwrite"
    if not overwrites and wanted.get("ChangeKey") not in {None, current}:
        raise EwsError(
            "ErrorIrresolvableConflict", "The send or update operation could not be performed."
        )
    folder = mailbox.folder_of(identifier)
    if "Modify" not in mailbox.rights_in(folder):
        raise EwsError("ErrorAccessDenied", "Access is denied. Check credentials.")
    made = copy.deepcopy(item)
    for field in change.iter(f"{T}SetItemField"):
        for part in field.find(f"{T}CalendarItem") or ():
            old = made.find(part.tag)
            if old is not None:
                made.remove(old)
            made.append(part)
    start, end = spans(made)
    if end < start:
        raise EwsError(
            "ErrorCalendarEndDateIsEarlierThanStartDate", "EndDate is earlier than StartDate."
        )
    mailbox.put(made, folder)
    return (
        f"<m:Items>{_id_only(mailbox, identifier)}</m:Items>"
        "<m:ConflictResults><t:Count>0</t:Count></m:ConflictResults>"
    )


def delete_item(mailbox: Mailbox, request: Request) -> str:
    """Delete items."""
    if request.body.get("SendMeetingCancellations") is None:
        raise EwsError(
            "ErrorSendMeetingCancellationsRequired",
            "SendMeetingCancellations attribute is required.",
        )
    messages = []
    for wanted in request.body.find(f"{M}ItemIds") or ():
        try:
            mailbox.remove(wanted.get("Id", ""))
            messages.append(success("DeleteItem", ""))
        except EwsError as error:
            messages.append(failure("DeleteItem", error))
    return response("DeleteItem", messages)


WRITING = {"CreateItem": create_item, "UpdateItem": update_item, "DeleteItem": delete_item}
