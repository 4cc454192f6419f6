"""Calendars of colleagues that a mailbox has opened, found by Outlook's shortcuts to them.

EWS has no operation for it. A shortcut is a hidden item of the folder "Common Views"; whose
calendar it leads to is told by an address book entry (MS-OXOCFG 2.2.9), whose name the directory
resolves to an address. All of it runs in a worker thread.
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from exchangelib import errors as ews

from gateway.adapters._busy_only import PREFIX
from gateway.adapters.exchange import messages
from gateway.adapters.exchange.account import Account
from gateway.adapters.exchange.availability import busy_in
from gateway.adapters.exchange.fields import M, T, children_of, text_of
from gateway.errors import AccessLost, Unavailable
from gateway.model.timerange import HOUR, Instant, TimeRange

NOT_OPEN = (
    ews.ErrorAccessDenied,
    ews.ErrorFolderNotFound,
    ews.ErrorItemNotFound,
    ews.ErrorNonExistentMailbox,
)
ENTRY_HEAD = 28
"""The bytes of an address book entry before its name (MS-OXCDATA 2.2.5.2)."""
MOST = 50
"""How many colleagues are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Colleague:
    """Somebody whose calendar was opened: the folder, or None where only busy time is shown."""

    address: str
    name: str
    folder: Any

    @property
    def busy_only_id(self) -> str:
        """Return the name of their calendar where only busy time is shown."""
        return f"{PREFIX}{self.address}"


def colleagues(account: Account, now: Instant) -> Iterator[Colleague]:
    """Yield whose calendars the mailbox has opened and may still see something of."""
    own = account.options.address.lower()
    names = dict.fromkeys(_names(account))
    found: dict[str, tuple[str, str]] = {}
    for name in list(names)[:MOST]:
        address, shown = _resolved(account, name)
        if address and address.lower() != own:
            found.setdefault(address.lower(), (address, shown))
    for address, shown in found.values():
        row = _row(account, "GetFolder", messages.get_default(address))
        if not isinstance(row, Exception):
            folder = next(iter(row.find(f"{M}Folders")), None)
            if folder is not None:
                yield Colleague(address=address, name=shown, folder=folder)
        elif isinstance(row, NOT_OPEN) and _shows_busy_time(account, address, now):
            yield Colleague(address=address, name=shown, folder=None)


def _shows_busy_time(account: Account, address: str, now: Instant) -> bool:
    begin = now // HOUR * HOUR
    try:
        busy_in(account, address, TimeRange(begin, begin + HOUR))
    except (AccessLost, Unavailable):
        # A list only ever adds calendars: one that is left out now may come with the next.
        return False
    return True


def _names(account: Account) -> Iterator[str]:
    """Yield the names in the directory of those to whose calendars there are shortcuts."""
    wanted = messages.find_shortcut_folder(account.options.address)
    row = _row(account, "FindFolder", wanted, Traversal="Shallow")
    root = None if isinstance(row, Exception) else row.find(f"{M}RootFolder")
    for folder in children_of(root, "Folders"):
        identifier = folder.find(f"{T}FolderId").get("Id")
        found = messages.find_shortcuts(identifier)
        row = _row(account, "FindItem", found, Traversal="Associated")
        shortcuts = None if isinstance(row, Exception) else row.find(f"{M}RootFolder")
        for item in children_of(shortcuts, "Items"):
            for one in item.findall(f"{T}ExtendedProperty"):
                name = entry_name(text_of(one, "Value"))
                if name:
                    yield name


def entry_name(value: str) -> str:
    """Return the name in an address book entry in base64; empty where it is none."""
    try:
        entry = base64.b64decode(value, validate=True)
    except binascii.Error:
        return ""
    return entry[ENTRY_HEAD:].partition(b"\0")[0].decode("ascii", "replace")


def _resolved(account: Account, name: str) -> tuple[str, str]:
    row = _row(account, "ResolveNames", messages.resolve(name), ReturnFullContactData="false")
    if isinstance(row, Exception):
        return "", ""
    found = row.find(f"{M}ResolutionSet/{T}Resolution/{T}Mailbox")
    return text_of(found, "EmailAddress"), text_of(found, "Name")


def _row(account: Account, operation: str, content: str, **attributes: str) -> Any:
    """Return the one message of an answer, or the error in its place."""
    rows = account.ask(operation, content, **attributes)
    if len(rows) != 1:
        raise Unavailable("The server's answer makes no sense.")
    return rows[0]
