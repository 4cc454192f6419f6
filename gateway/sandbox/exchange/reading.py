"""The operations that read: folders, synchronisation, items, calendar views."""

import base64
import json
from collections.abc import Iterator
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from gateway.sandbox.exchange.mailbox import Folder, Mailbox
from gateway.sandbox.exchange.occurrences import instances, moment, spans, told
from gateway.sandbox.exchange.shapes import asked_for, shown
from gateway.sandbox.exchange.soap import EwsError, M, Request, T, failure, response, success

MOST_CHANGES = 512
MOST_FOUND = 1000


def convert_id(_mailbox: Mailbox, _request: Request) -> str:
    """Answer what clients ask to learn the server's version."""
    error = EwsError("ErrorInvalidIdMalformed", "Id is malformed.")
    return response("ConvertId", [failure("ConvertId", error)])


def get_folder(mailbox: Mailbox, request: Request) -> str:
    """Return folders by their ids."""
    messages = []
    for wanted in _children(request, "FolderIds"):
        try:
            found = mailbox.folder(wanted, right="Read")
            messages.append(success("GetFolder", f"<m:Folders>{_folder(found)}</m:Folders>"))
        except EwsError as error:
            messages.append(failure("GetFolder", error, "<m:Folders/>"))
    return response("GetFolder", messages)


def find_folder(mailbox: Mailbox, _request: Request) -> str:
    """Return all folders of appointments below the root."""
    found = [one for one in mailbox.folders.values() if one.kind == "IPF.Appointment"]
    folders = "".join(map(_folder, found))
    root = (
        f'<m:RootFolder IndexedPagingOffset="{len(found)}" TotalItemsInView="{len(found)}" '
        f'IncludesLastItemInRange="true"><t:Folders>{folders}</t:Folders></m:RootFolder>'
    )
    return response("FindFolder", [success("FindFolder", root)])


def _folder(one: Folder) -> str:
    rights = "".join(
        f"<t:{name}>{str(name in one.rights).lower()}</t:{name}>"
        for name in (
            "CreateAssociated",
            "CreateContents",
            "CreateHierarchy",
            "Delete",
            "Modify",
            "Read",
            "ViewPrivateItems",
        )
    )
    return (
        f'<t:CalendarFolder><t:FolderId Id="{one.id}" ChangeKey="AgAAABYAAAA="/>'
        f"<t:FolderClass>{one.kind}</t:FolderClass>"
        f"<t:DisplayName>{escape(one.name)}</t:DisplayName>"
        f"<t:TotalCount>{len(one.items)}</t:TotalCount>"
        f"<t:EffectiveRights>{rights}</t:EffectiveRights></t:CalendarFolder>"
    )


def sync_folder_items(mailbox: Mailbox, request: Request) -> str:
    """Return what changed in a folder since a state, a page at a time."""
    try:
        folder = mailbox.folder(_children(request, "SyncFolderId")[0], right="Read")
        since = _read_state(request.body.findtext(f"{M}SyncState", ""), folder)
    except EwsError as error:
        return response("SyncFolderItems", [failure("SyncFolderItems", error)])
    most = int(request.body.findtext(f"{M}MaxChangesReturned", "100"))
    page = folder.log[since : since + min(most, MOST_CHANGES)]
    reached = since + len(page)
    # An item that changed more than once in a page is told once, as it is now.
    last: dict[str, str] = {}
    for identifier, kind in page:
        first = last.pop(identifier, kind)
        last[identifier] = "Create" if first == "Create" and kind == "Update" else kind
    changes = "".join(
        _change(folder, identifier, kind)
        for identifier, kind in last.items()
        if kind == "Delete" or identifier in folder.items
    )
    state = base64.b64encode(json.dumps([folder.id, reached]).encode()).decode()
    content = (
        f"<m:SyncState>{state}</m:SyncState>"
        f"<m:IncludesLastItemInRange>{str(reached == len(folder.log)).lower()}"
        f"</m:IncludesLastItemInRange><m:Changes>{changes}</m:Changes>"
    )
    return response("SyncFolderItems", [success("SyncFolderItems", content)])


def _read_state(text: str, folder: Folder) -> int:
    if not text:
        return 0
    try:
        name, reached = json.loads(base64.b64decode(text, validate=True))
    except ValueError:
        name, reached = "", 0
    if name != folder.id:
        raise EwsError("ErrorInvalidSyncStateData", "Synchronization state data is corrupt.")
    return int(reached)


def _change(folder: Folder, identifier: str, kind: str) -> str:
    if kind == "Delete":
        return f'<t:Delete><t:ItemId Id="{identifier}" ChangeKey="EAAAAA=="/></t:Delete>'
    told_id = folder.items[identifier].find(f"{T}ItemId")
    assert told_id is not None, "every item has an id"
    inside = f'<t:ItemId Id="{identifier}" ChangeKey="{told_id.get("ChangeKey")}"/>'
    return f"<t:{kind}><t:CalendarItem>{inside}</t:CalendarItem></t:{kind}>"


def get_item(mailbox: Mailbox, request: Request) -> str:
    """Return items by their ids; what is wrong with one costs no other."""
    names = asked_for(request.body.find(f"{M}ItemShape"))
    messages = []
    for wanted in _children(request, "ItemIds"):
        try:
            item = mailbox.item(wanted.get("Id", ""))
            inside = shown(item, names, request.schema, in_list=False)
            messages.append(success("GetItem", f"<m:Items>{inside}</m:Items>"))
        except EwsError as error:
            messages.append(failure("GetItem", error, "<m:Items/>"))
    return response("GetItem", messages)


def find_item(mailbox: Mailbox, request: Request) -> str:
    """Return the instances in a calendar view, or the items that a restriction names."""
    names = asked_for(request.body.find(f"{M}ItemShape"))
    view = request.body.find(f"{M}CalendarView")
    restriction = request.body.find(f"{M}Restriction")
    try:
        folder = mailbox.folder(_children(request, "ParentFolderIds")[0], right="Read")
        if view is not None:
            found = _counted(_viewed(mailbox, folder, view))
        else:
            found = [one for one in folder.items.values() if _matches(one, restriction)]
    except EwsError as error:
        return response("FindItem", [failure("FindItem", error)])
    items = "".join(shown(one, names, request.schema, in_list=True) for one in found)
    paging = "" if view is not None else f'IndexedPagingOffset="{len(found)}" '
    root = (
        f'<m:RootFolder {paging}TotalItemsInView="{len(found)}" IncludesLastItemInRange="true">'
        f"<t:Items>{items}</t:Items></m:RootFolder>"
    )
    return response("FindItem", [success("FindItem", root)])


def _counted(items: Iterator[ET.Element]) -> list[ET.Element]:
    found = list(items)
    if len(found) > MOST_FOUND:
        raise EwsError("ErrorExceededFindCountLimit", "The FindCountLimit was exceeded.")
    return found


def _viewed(mailbox: Mailbox, folder: Folder, view: ET.Element) -> Iterator[ET.Element]:
    low, high = moment(view.get("StartDate", "")), moment(view.get("EndDate", ""))
    if (high - low).days > 731:  # noqa: PLR2004 - two years
        raise EwsError(
            "ErrorCalendarViewRangeTooBig", "The specified view range exceeds two years."
        )
    for item in folder.items.values():
        if item.find(f"{T}Recurrence") is None:
            start, end = spans(item)
            if start < high and end > low:
                yield item
            continue
        for begin, end in instances(item, low, high):
            yield _instance(item, told(begin), told(end))
        changed = item.find(f"{T}ModifiedOccurrences")
        for one in changed if changed is not None else ():
            exception = mailbox.item((one.find(f"{T}ItemId") or one[0]).get("Id", ""))
            start, end = spans(exception)
            if start < high and end > low:
                yield exception


def _instance(item: ET.Element, start: str, end: str) -> ET.Element:
    made = ET.Element(item.tag)
    for part in item:
        name = part.tag.rpartition("}")[2]
        if name in {"Recurrence", "FirstOccurrence", "LastOccurrence"}:
            continue
        changed = {"Start": start, "End": end, "CalendarItemType": "Occurrence"}.get(name)
        if changed is None:
            made.append(part)
        else:
            ET.SubElement(made, part.tag).text = changed
    return made


def _matches(item: ET.Element, restriction: ET.Element | None) -> bool:
    """Tell whether an item has the extended property that a restriction names."""
    if restriction is None:
        return True
    wanted = restriction.find(f".//{T}ExtendedFieldURI")
    constant = restriction.find(f".//{T}Constant")
    if wanted is None or constant is None:
        raise EwsError("ErrorUnsupportedPathForQuery", "The property can not be used here.")
    for one in item.findall(f"{T}ExtendedProperty"):
        field = one.find(f"{T}ExtendedFieldURI")
        same = field is not None and field.get("PropertyName") == wanted.get("PropertyName")
        if same and one.findtext(f"{T}Value") == constant.get("Value"):
            return True
    return False


def _children(request: Request, name: str) -> list[ET.Element]:
    found = request.body.find(f"{M}{name}")
    if found is None or not len(found):
        raise EwsError("ErrorSchemaValidation", f"The request failed schema validation: {name}.")
    return list(found)


READING = {
    "ConvertId": convert_id,
    "GetFolder": get_folder,
    "FindFolder": find_folder,
    "SyncFolderItems": sync_folder_items,
    "GetItem": get_item,
    "FindItem": find_item,
}
