"""The values of a thing's properties by their paths: of the schema, and as MAPI names them.

https://learn.microsoft.com/exchange/client-developer/web-service-reference/extendedfielduri: a
property by its tag, or by a set with a name or a number.
"""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

from gateway.sandbox.exchange.mailbox import Folder
from gateway.sandbox.exchange.occurrences import told
from gateway.sandbox.exchange.soap import EwsError, T

PUBLIC_STRINGS = "00020329-0000-0000-c000-000000000046"
APPOINTMENT = "00062002-0000-0000-c000-000000000046"
SETS = {"PublicStrings": PUBLIC_STRINGS, "Appointment": APPOINTMENT}
NOT_SEARCHABLE = frozenset(
    {
        "calendar:UID",
        "calendar:Recurrence",
        "calendar:ModifiedOccurrences",
        "calendar:DeletedOccurrences",
        "item:MimeContent",
    }
)
BY_TAG = {
    0x001A: "ItemClass",
    0x0037: "Subject",
    0x3001: "Subject",
    0x3007: "DateTimeCreated",
    0x3008: "LastModifiedTime",
}
"""Properties of an item by their MAPI tags that are also ones of the schema."""
FOLDER_CLASS, CONTENT_COUNT, UNREAD_COUNT, HAS_CHILDREN = 0x3613, 0x3602, 0x3603, 0x360A
LAST_MODIFIED, LAST_COMMIT = 0x3008, 0x670A
FIRST_COMMIT = 1_767_225_600
"""The sandbox has no clock: a folder's last change is so many seconds after this one."""

Path = tuple[str, str]


def path_of(element: ET.Element) -> Path:
    """Return which property a FieldURI or ExtendedFieldURI means."""
    if element.tag == f"{T}FieldURI":
        return "", element.get("FieldURI", "")
    tag = element.get("PropertyTag")
    if tag:
        return "tag", str(int(tag, 0))
    space = element.get("DistinguishedPropertySetId", "")
    space = SETS.get(space, space) or element.get("PropertySetId", "").lower()
    number = element.get("PropertyId")
    return space, element.get("PropertyName", "") if number is None else str(int(number, 0))


def value_of(item: ET.Element, path: Path) -> str | None:
    """Return a property of an item; None where it is not set."""
    space, name = path
    if not space:
        return item.findtext(f"{T}{name.partition(':')[2]}")
    for one in item.findall(f"{T}ExtendedProperty"):
        field = one.find(f"{T}ExtendedFieldURI")
        if field is not None and path_of(field) == path:
            return one.findtext(f"{T}Value")
    if space == "tag":
        known = BY_TAG.get(int(name))
        return item.findtext(f"{T}{known}") if known else None
    if path == (APPOINTMENT, str(0x8223)):
        return str(item.find(f"{T}Recurrence") is not None).lower()
    if path == (PUBLIC_STRINGS, "urn:schemas:calendar:uid"):
        return item.findtext(f"{T}UID")
    return None


def folder_value(folder: Folder, path: Path, *, has_children: bool = False) -> str | None:
    """Return a property of a folder; None where it is not set."""
    space, name = path
    if not space:
        known = {"folder:FolderClass": folder.kind, "folder:DisplayName": folder.name}
        return known.get(name)
    if space != "tag":
        return None
    return {
        FOLDER_CLASS: folder.kind,
        CONTENT_COUNT: str(len(folder.items)),
        HAS_CHILDREN: str(has_children).lower(),
        UNREAD_COUNT: "0",
        LAST_MODIFIED: _committed(folder),
        LAST_COMMIT: _committed(folder),
    }.get(int(name))


def _committed(folder: Folder) -> str:
    return told(datetime.fromtimestamp(FIRST_COMMIT, UTC) + timedelta(seconds=len(folder.log)))


def searchable(path: Path) -> Path:
    """Return a path, if a server searches by it."""
    if path[1] in NOT_SEARCHABLE and not path[0]:
        raise EwsError("ErrorUnsupportedPathForQuery", "The property can not be used here.")
    return path


def extended(element: ET.Element, value: str) -> ET.Element:
    """Return an ExtendedProperty with a value."""
    made = ET.Element(f"{T}ExtendedProperty")
    ET.SubElement(made, f"{T}ExtendedFieldURI", dict(element.attrib))
    ET.SubElement(made, f"{T}Value").text = value
    return made
