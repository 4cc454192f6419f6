"""A mailbox: people, folders, items with change keys, and the log that synchronisation reads."""

import base64
import hashlib
from dataclasses import dataclass, field
from itertools import count
from xml.etree import ElementTree as ET

from gateway.sandbox.exchange.soap import EwsError, T


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
    """A calendar folder; `rights` is what the signed-in person may do, `log` who changed when."""

    id: str
    name: str
    kind: str = "IPF.Appointment"
    rights: frozenset[str] = frozenset({"CreateContents", "Delete", "Modify", "Read"})
    items: dict[str, ET.Element] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)


class Mailbox:
    """The folders of one person."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self._numbers = count(1)
        self.calendar = Folder(id=self._id("folder"), name="Calendar")
        self.folders: dict[str, Folder] = {self.calendar.id: self.calendar}
        self.exceptions: dict[str, ET.Element] = {}
        self.broken: set[str] = set()

    def _id(self, kind: str) -> str:
        seed = f"{self.person.address}/{kind}/{next(self._numbers)}".encode()
        return "AAMk" + base64.b64encode(hashlib.sha256(seed).digest()).decode()

    def add_folder(self, name: str, **values: object) -> Folder:
        """Make another folder."""
        made = Folder(id=self._id("folder"), name=name, **values)  # type: ignore[arg-type]
        self.folders[made.id] = made
        return made

    def folder(self, wanted: ET.Element, *, right: str = "") -> Folder:
        """Return the folder that a FolderId or DistinguishedFolderId means, if one may do that."""
        is_default = wanted.tag == f"{T}DistinguishedFolderId" and wanted.get("Id") == "calendar"
        found = self.calendar if is_default else self.folders.get(wanted.get("Id", ""))
        if found is None or found.id not in self.folders:
            raise EwsError("ErrorFolderNotFound", "The specified folder could not be found.")
        if right and right not in found.rights:
            raise EwsError("ErrorAccessDenied", "Access is denied. Check credentials.")
        return found

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
        for folder in self.folders.values():
            if folder.items.pop(identifier, None) is not None:
                folder.log.append((identifier, "Delete"))
                return
        raise EwsError("ErrorItemNotFound", "The specified object was not found in the store.")

    def item(self, identifier: str) -> ET.Element:
        """Return an item or a modified occurrence."""
        if identifier in self.broken:
            raise EwsError("ErrorCorruptData", "Data is corrupt.")
        for folder in self.folders.values():
            if identifier in folder.items:
                return folder.items[identifier]
        if identifier in self.exceptions:
            return self.exceptions[identifier]
        raise EwsError("ErrorItemNotFound", "The specified object was not found in the store.")

    def folder_of(self, identifier: str) -> Folder:
        """Return where an item lives."""
        return next(one for one in self.folders.values() if identifier in one.items)
