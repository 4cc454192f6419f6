"""A mailbox: people, folders, items with change keys, and the log that synchronisation reads."""

import base64
import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from xml.etree import ElementTree as ET

from gateway.sandbox.exchange.soap import EwsError, T

EVERYTHING = frozenset({"CreateContents", "Delete", "Modify", "Read"})
WELL_KNOWN = {
    "inbox": ("Inbox", "IPF.Note"),
    "contacts": ("Contacts", "IPF.Contact"),
    "tasks": ("Tasks", "IPF.Task"),
    "drafts": ("Drafts", "IPF.Note"),
    "sentitems": ("Sent Items", "IPF.Note"),
    "deleteditems": ("Deleted Items", "IPF.Note"),
    "junkemail": ("Junk E-Mail", "IPF.Note"),
    "outbox": ("Outbox", "IPF.Note"),
}
"""The folders that every mailbox has beside its calendar, with their names and classes."""
COMMON_VIEWS = "Common Views"
"""Where Outlook keeps its shortcuts; its name is the same in every language."""
ADDRESS_BOOK = bytes.fromhex("dca740c8c042101ab4b908002b2fe182")
"""What says that an entry is one of the directory (MS-OXCDATA 2.2.5.2)."""
ARTICLE_NUMBER = {"PropertyTag": "0x0e23", "PropertyType": "Integer"}
SAYS = {
    "ErrorFolderNotFound": "The specified folder could not be found.",
    "ErrorNonExistentMailbox": "The SMTP address has no mailbox associated with it.",
    "ErrorItemNotFound": "The specified object was not found in the store.",
    "ErrorAccessDenied": "Access is denied. Check credentials and try again.",
}


def refusal(code: str) -> EwsError:
    """Return a response code with what Exchange says to it."""
    return EwsError(code, SAYS[code])


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a mailbox: `user` is how they sign in, with and without a domain before it."""

    address: str
    user: str
    password: str

    def is_called(self, name: str) -> bool:
        """Tell whether a user name means them: as a UPN, with a domain, or bare."""
        bare = name.rpartition("\\")[2].lower()
        return bare in {self.user.lower(), self.address.lower()}


@dataclass
class Folder:
    """A folder; `rights` are its owner's, `shared` those of others by their addresses.

    `log` is who changed when, `associated` holds what no user sees.
    """

    id: str
    name: str
    kind: str = "IPF.Appointment"
    rights: frozenset[str] = EVERYTHING
    parent: str = ""
    shared: dict[str, frozenset[str]] = field(default_factory=dict)
    items: dict[str, ET.Element] = field(default_factory=dict)
    associated: dict[str, ET.Element] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)


class Mailbox:
    """The folders of one person, and through `directory` what others let them see."""

    def __init__(self, person: Person, directory: list["Mailbox"] | None = None) -> None:
        self.person = person
        self.directory = directory if directory is not None else [self]
        self.time_zone = "W. Europe Standard Time"
        self.busy_error = ""
        """What free/busy questions about this mailbox are answered with."""
        self._numbers = count(1)
        self.calendar = Folder(id=self._id("folder"), name="Calendar")
        self.folders: dict[str, Folder] = {self.calendar.id: self.calendar}
        self.well_known: dict[str, Folder] = {"calendar": self.calendar}
        self.exceptions: dict[str, ET.Element] = {}
        self.broken: set[str] = set()
        self._furnish()

    def _furnish(self) -> None:
        root = self.well_known["root"] = self.add_folder("Root", kind="IPF")
        top = self.add_folder("Top of Information Store", kind="IPF.Note", parent=root.id)
        self.well_known["msgfolderroot"] = top
        self.calendar.parent = top.id
        for key, (name, kind) in WELL_KNOWN.items():
            self.well_known[key] = self.add_folder(name, kind=kind)
        self.add_folder(COMMON_VIEWS, kind="IPF.Note", parent=root.id)

    def _id(self, kind: str) -> str:
        seed = f"{self.person.address}/{kind}/{next(self._numbers)}".encode()
        return "AAMk" + base64.b64encode(hashlib.sha256(seed).digest()).decode()

    @property
    def legacy_name(self) -> str:
        """Return the person's name in the directory (legacyExchangeDN)."""
        return f"/o=Corp/ou=Exchange Administrative Group/cn=Recipients/cn={self.person.user}"

    # --- folders

    def add_folder(self, name: str, **values: object) -> Folder:
        """Make another folder, below the top where nothing else is said."""
        top = self.well_known.get("msgfolderroot")
        values.setdefault("parent", top.id if top is not None else "")
        made = Folder(id=self._id("folder"), name=name, **values)  # type: ignore[arg-type]
        self.folders[made.id] = made
        return made

    def remove_folder(self, folder: Folder) -> None:
        """Delete a folder with what is in it; the well-known ones stay."""
        if folder in self.well_known.values():
            raise EwsError("ErrorDeleteDistinguishedFolder", "It cannot be deleted.")
        del self.folders[folder.id]

    def below(self, parent: Folder, *, deep: bool) -> Iterator[Folder]:
        """Yield the folders in a folder."""
        for one in list(self._owner_of(parent).folders.values()):
            if one.parent == parent.id:
                yield one
                if deep:
                    yield from self.below(one, deep=deep)

    def folder(self, wanted: ET.Element, *, right: str = "") -> Folder:
        """Return the folder that a FolderId or DistinguishedFolderId means, if one may do that."""
        if wanted.tag == f"{T}DistinguishedFolderId":
            address = wanted.findtext(f"{T}Mailbox/{T}EmailAddress") or self.person.address
            found = self.of(address).well_known.get(wanted.get("Id", ""))
        else:
            found = self._folder(wanted.get("Id", ""))
        if found is None or found.id not in self._owner_of(found).folders:
            raise refusal("ErrorFolderNotFound")
        rights = self.rights_in(found)
        if not rights or (right and right not in rights):
            raise refusal("ErrorAccessDenied")
        return found

    def of(self, address: str) -> "Mailbox":
        """Return the mailbox with an address."""
        for one in self.directory:
            if one.person.address.lower() == address.lower():
                return one
        raise refusal("ErrorNonExistentMailbox")

    def rights_in(self, folder: Folder) -> frozenset[str]:
        """Return what this mailbox's person may do in a folder, their own or another's."""
        if self._owner_of(folder) is self:
            return folder.rights
        return folder.shared.get(self.person.address, frozenset())

    def _folder(self, identifier: str) -> Folder | None:
        found = (one.folders.get(identifier) for one in self.directory)
        return next((one for one in found if one is not None), None)

    def _owner_of(self, folder: Folder) -> "Mailbox":
        return next((one for one in self.directory if folder.id in one.folders), self)

    def _open(self) -> Iterator[tuple["Mailbox", Folder]]:
        for owner in self.directory:
            for folder in owner.folders.values():
                if self.rights_in(folder):
                    yield owner, folder

    def add_shortcut(self, other: "Mailbox") -> None:
        """Put a shortcut to somebody's calendar, as Outlook does when it is opened."""
        folder = next(one for one in self.folders.values() if one.name == COMMON_VIEWS)
        item = ET.Element(f"{T}Message")
        identifier = self._id("shortcut")
        ET.SubElement(item, f"{T}ItemId", {"Id": identifier, "ChangeKey": "x"})
        ET.SubElement(item, f"{T}ItemClass").text = "IPM.Microsoft.WunderBar.Link"
        name = other.legacy_name.encode() + b"\0"
        entry = b"\0" * 4 + ADDRESS_BOOK + struct.pack("<II", 1, 0) + name
        for tag, kind, value in (
            (0x6852, "Integer", "3"),
            (0x6854, "Binary", base64.b64encode(entry).decode()),
        ):
            made = ET.SubElement(item, f"{T}ExtendedProperty")
            told = {"PropertyTag": hex(tag), "PropertyType": kind}
            ET.SubElement(made, f"{T}ExtendedFieldURI", told)
            ET.SubElement(made, f"{T}Value").text = value
        folder.associated[identifier] = item

    # --- items

    def put(self, item: ET.Element, folder: Folder | None = None) -> str:
        """Add an item, or replace the one with its id; return the id."""
        where = folder or self.calendar
        told = item.find(f"{T}ItemId")
        known = told.get("Id", "") if told is not None else ""
        identifier = known or self._id("item")
        if told is None:
            told = ET.Element(f"{T}ItemId")
            item.insert(0, told)
        told.set("Id", identifier)
        told.set("ChangeKey", self._id("change")[:24])
        where.log.append((identifier, "Update" if identifier in where.items else "Create"))
        _number(item, where.items.get(identifier), next(self._numbers))
        where.items[identifier] = item
        return identifier

    def put_exception(self, item: ET.Element) -> str:
        """Keep a modified occurrence, which its master lists; return its id."""
        identifier = self._id("occurrence")
        told = ET.Element(f"{T}ItemId", {"Id": identifier, "ChangeKey": self._id("change")[:24]})
        item.insert(0, told)
        self.exceptions[identifier] = item
        return identifier

    def remove(self, identifier: str) -> None:
        """Delete an item."""
        for _, folder in self._open():
            if folder.items.pop(identifier, None) is not None:
                folder.log.append((identifier, "Delete"))
                return
        raise refusal("ErrorItemNotFound")

    def item(self, identifier: str) -> ET.Element:
        """Return an item or a modified occurrence."""
        if any(identifier in one.broken for one in self.directory):
            raise EwsError("ErrorCorruptData", "Data is corrupt.")
        for owner, folder in self._open():
            if identifier in folder.items:
                return folder.items[identifier]
            if identifier in owner.exceptions:
                return owner.exceptions[identifier]
        raise refusal("ErrorItemNotFound")

    def exceptions_of(self, master: ET.Element) -> list[ET.Element]:
        """Return the modified occurrences of a series."""
        listed = master.find(f"{T}ModifiedOccurrences")
        ids = [one.find(f"{T}ItemId") for one in listed] if listed is not None else []
        return [self.item(one.get("Id", "")) for one in ids if one is not None]

    def folder_of(self, identifier: str) -> Folder:
        """Return where an item lives."""
        return next(folder for _, folder in self._open() if identifier in folder.items)


def _number(item: ET.Element, known: ET.Element | None, number: int) -> None:
    """Give an item its number in the folder (PidTagInternetArticleNumber), or keep the known."""
    for one in (item, known):
        for part in one.findall(f"{T}ExtendedProperty") if one is not None else ():
            if part[0].get("PropertyTag") == ARTICLE_NUMBER["PropertyTag"]:
                if one is known:
                    item.append(part)
                return
    made = ET.SubElement(item, f"{T}ExtendedProperty")
    ET.SubElement(made, f"{T}ExtendedFieldURI", ARTICLE_NUMBER)
    ET.SubElement(made, f"{T}Value").text = str(number)
