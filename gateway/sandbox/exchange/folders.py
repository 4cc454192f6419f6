"""The operations on folders, and what a server tells of one."""

from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from gateway.sandbox.exchange.mailbox import Folder, Mailbox
from gateway.sandbox.exchange.properties import extended, folder_value, path_of
from gateway.sandbox.exchange.searching import lets_through
from gateway.sandbox.exchange.soap import EwsError, M, Request, T, failure, response, success

ELEMENTS = {
    "IPF.Appointment": "CalendarFolder",
    "IPF.Contact": "ContactsFolder",
    "IPF.Task": "TasksFolder",
}
RIGHTS = (
    "CreateAssociated",
    "CreateContents",
    "CreateHierarchy",
    "Delete",
    "Modify",
    "Read",
    "ViewPrivateItems",
)
KEY = "AgAAABYAAAA="


def get_folder(mailbox: Mailbox, request: Request) -> str:
    """Return folders by their ids."""
    messages = []
    for wanted in request.children("FolderIds"):
        try:
            found = mailbox.folder(wanted, right="Read")
            inside = _told(mailbox, found, request)
            messages.append(success("GetFolder", f"<m:Folders>{inside}</m:Folders>"))
        except EwsError as error:
            messages.append(failure("GetFolder", error, "<m:Folders/>"))
    return response("GetFolder", messages)


def find_folder(mailbox: Mailbox, request: Request) -> str:
    """Return the folders below one that a restriction lets through."""
    restriction = request.body.find(f"{M}Restriction")
    deep = request.body.get("Traversal") == "Deep"
    try:
        parent = mailbox.folder(request.children("ParentFolderIds")[0], right="Read")
        found = [
            one
            for one in mailbox.below(parent, deep=deep)
            if lets_through(restriction, lambda path, one=one: folder_value(one, path))  # type: ignore[misc]
        ]
    except EwsError as error:
        return response("FindFolder", [failure("FindFolder", error)])
    folders = "".join(_told(mailbox, one, request) for one in found)
    root = (
        f'<m:RootFolder IndexedPagingOffset="{len(found)}" TotalItemsInView="{len(found)}" '
        f'IncludesLastItemInRange="true"><t:Folders>{folders}</t:Folders></m:RootFolder>'
    )
    return response("FindFolder", [success("FindFolder", root)])


def create_folder(mailbox: Mailbox, request: Request) -> str:
    """Make folders below another."""
    messages = []
    parent = mailbox.folder(request.children("ParentFolderId")[0])
    for wanted in request.children("Folders"):
        try:
            tag, made = wanted.tag.rpartition("}")[2], _made(mailbox, parent, wanted)
            inside = f'<t:{tag}><t:FolderId Id="{made.id}" ChangeKey="{KEY}"/></t:{tag}>'
            messages.append(success("CreateFolder", f"<m:Folders>{inside}</m:Folders>"))
        except EwsError as error:
            messages.append(failure("CreateFolder", error, "<m:Folders/>"))
    return response("CreateFolder", messages)


def _made(mailbox: Mailbox, parent: Folder, wanted: ET.Element) -> Folder:
    name = wanted.findtext(f"{T}DisplayName", "")
    kinds = (kind for kind, tag in ELEMENTS.items() if wanted.tag == f"{T}{tag}")
    kind = wanted.findtext(f"{T}FolderClass") or next(kinds, "IPF.Note")
    if any(one.name == name for one in mailbox.below(parent, deep=False)):
        raise EwsError("ErrorFolderExists", "A folder with the specified name exists.")
    return mailbox.add_folder(name, kind=kind, parent=parent.id)


def delete_folder(mailbox: Mailbox, request: Request) -> str:
    """Delete folders."""
    messages = []
    for wanted in request.children("FolderIds"):
        try:
            mailbox.remove_folder(mailbox.folder(wanted, right="Delete"))
            messages.append(success("DeleteFolder", ""))
        except EwsError as error:
            messages.append(failure("DeleteFolder", error))
    return response("DeleteFolder", messages)


def _element(one: Folder) -> str:
    return ELEMENTS.get(one.kind, "Folder")


def _told(mailbox: Mailbox, one: Folder, request: Request) -> str:
    """Return a folder with what its shape asks for, in the order of the schema."""
    shape = request.body.find(f"{M}FolderShape")
    if shape is None:
        raise EwsError("ErrorSchemaValidation", "The request failed schema validation.")
    wanted = {path.get("FieldURI") for path in shape.iter(f"{T}FieldURI")}
    if shape.findtext(f"{T}BaseShape") != "IdOnly":
        wanted |= {"folder:FolderClass", "folder:DisplayName", "folder:TotalCount"}
    children = list(mailbox.below(one, deep=False))
    parts = [f'<t:FolderId Id="{one.id}" ChangeKey="{KEY}"/>']
    if "folder:ParentFolderId" in wanted and one.parent:
        parts.append(f'<t:ParentFolderId Id="{one.parent}" ChangeKey="{KEY}"/>')
    for name, value in (
        ("FolderClass", escape(one.kind)),
        ("DisplayName", escape(one.name)),
        ("TotalCount", str(len(one.items))),
        ("ChildFolderCount", str(len(children))),
    ):
        if f"folder:{name}" in wanted:
            parts.append(f"<t:{name}>{value}</t:{name}>")
    for field in shape.iter(f"{T}ExtendedFieldURI"):
        found = folder_value(one, path_of(field), has_children=bool(children))
        if found is not None:
            parts.append(ET.tostring(extended(field, found), encoding="unicode"))
    if "folder:EffectiveRights" in wanted:
        rights = mailbox.rights_in(one)
        told = "".join(f"<t:{name}>{str(name in rights).lower()}</t:{name}>" for name in RIGHTS)
        parts.append(f"<t:EffectiveRights>{told}</t:EffectiveRights>")
    return f"<t:{_element(one)}>{''.join(parts)}</t:{_element(one)}>"


FOLDERS = {
    "GetFolder": get_folder,
    "FindFolder": find_folder,
    "CreateFolder": create_folder,
    "DeleteFolder": delete_folder,
}
