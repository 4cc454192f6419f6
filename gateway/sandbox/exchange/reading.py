"""The operations that read: synchronisation, items, searches, calendar views."""

import base64
import json
from collections.abc import Iterator
from functools import partial
from xml.etree import ElementTree as ET

from gateway.sandbox.exchange.mailbox import Folder, Mailbox
from gateway.sandbox.exchange.occurrences import instances, moment, spans, told
from gateway.sandbox.exchange.properties import path_of, value_of
from gateway.sandbox.exchange.searching import lets_through
from gateway.sandbox.exchange.shapes import read_shape, shown
from gateway.sandbox.exchange.soap import EwsError, M, Request, T, failure, response, success

MOST_CHANGES = 512
MOST_FOUND = 1000


def sync_folder_items(mailbox: Mailbox, request: Request) -> str:
    """Return what changed in a folder since a state, a page at a time."""
    try:
        folder = mailbox.folder(request.children("SyncFolderId")[0], right="Read")
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
    shape = read_shape(request.body.find(f"{M}ItemShape"))
    messages = []
    for wanted in request.children("ItemIds"):
        try:
            item = mailbox.item(wanted.get("Id", ""))
            exceptions = mailbox.exceptions_of(item) if shape.mime else ()
            inside = shown(item, shape, request.schema, in_list=False, exceptions=exceptions)
            messages.append(success("GetItem", f"<m:Items>{inside}</m:Items>"))
        except EwsError as error:
            messages.append(failure("GetItem", error, "<m:Items/>"))
    return response("GetItem", messages)


def find_item(mailbox: Mailbox, request: Request) -> str:
    """Return the instances in a calendar view, or the items that a restriction lets through."""
    shape = read_shape(request.body.find(f"{M}ItemShape"))
    view = request.body.find(f"{M}CalendarView")
    paging = ""
    try:
        folder = mailbox.folder(request.children("ParentFolderIds")[0], right="Read")
        if view is not None:
            found = _counted(_viewed(mailbox, folder, view))
            total, is_last = len(found), True
        else:
            every = _searched(folder, request)
            found, offset, total = _paged(every, request)
            is_last = offset >= total
            paging = f'IndexedPagingOffset="{offset}" '
    except EwsError as error:
        return response("FindItem", [failure("FindItem", error)])
    items = "".join(shown(one, shape, request.schema, in_list=True) for one in found)
    root = (
        f'<m:RootFolder {paging}TotalItemsInView="{total}" '
        f'IncludesLastItemInRange="{str(is_last).lower()}">'
        f"<t:Items>{items}</t:Items></m:RootFolder>"
    )
    return response("FindItem", [success("FindItem", root)])


def _searched(folder: Folder, request: Request) -> list[ET.Element]:
    """Return the items that pass, in the order asked for; those nobody sees if they are meant."""
    restriction = request.body.find(f"{M}Restriction")
    hidden = request.body.get("Traversal") == "Associated"
    found = [
        one
        for one in (folder.associated if hidden else folder.items).values()
        if lets_through(restriction, partial(value_of, one))
    ]
    for order in reversed(request.body.findall(f"{M}SortOrder/{T}FieldOrder")):
        path = path_of(order[0])
        found.sort(key=lambda one: _in_order(value_of(one, path)))
        if order.get("Order") == "Descending":
            found.reverse()
    return found


def _in_order(value: str | None) -> tuple[int, str]:
    """Return what puts values in order, numbers by their size."""
    number = value if value is not None and value.isdigit() else "0"
    return int(number), value or ""


def _paged(found: list[ET.Element], request: Request) -> tuple[list[ET.Element], int, int]:
    """Return a page, where the next one begins, and how many there are."""
    page = request.body.find(f"{M}IndexedPageItemView")
    if page is None:
        return found, len(found), len(found)
    most, first = int(page.get("MaxEntriesReturned", MOST_FOUND)), int(page.get("Offset", "0"))
    if page.get("BasePoint") == "End":
        first = max(0, len(found) - first - most)
    part = found[first : first + min(most, MOST_FOUND)]
    return part, first + len(part), len(found)


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
        for exception in mailbox.exceptions_of(item):
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


READING = {
    "SyncFolderItems": sync_folder_items,
    "GetItem": get_item,
    "FindItem": find_item,
}
