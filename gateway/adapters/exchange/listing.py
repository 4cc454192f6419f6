"""Which calendars a mailbox has: its own, and those of colleagues that it has opened.

All of it runs in a worker thread.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gateway.adapters.exchange import messages
from gateway.adapters.exchange.account import Account
from gateway.adapters.exchange.fields import M, T, is_true, name_of, text_of
from gateway.adapters.exchange.others import Colleague, colleagues
from gateway.errors import AccessLost, Unavailable
from gateway.model.collection import Role
from gateway.model.timerange import Instant
from gateway.ports import UpstreamCalendar

INCOMPLETE = "The server's answer was incomplete."


def listed(account: Account, now: Instant) -> list[UpstreamCalendar]:
    """Return the calendars, the default one first; each with what may be done in it."""
    address = account.options.address
    (default,) = _folders(account.one("GetFolder", messages.get_default(address)))
    answer = account.one("FindFolder", messages.find_calendars(address), Traversal="Deep")
    first = _calendar(default, is_primary=True)
    if first is None:
        raise AccessLost("The server denies access to this calendar.")
    own = map(_calendar, _folders(answer))
    shared = map(_of_colleague, _opened(account, now))
    found = {one.upstream_id: one for one in (*own, *shared) if one is not None}
    return [first, *(one for one in found.values() if one.upstream_id != first.upstream_id)]


def _folders(answer: Any) -> Sequence[Any]:
    folders = answer.find(f"{M}Folders")
    if folders is None:
        root = answer.find(f"{M}RootFolder")
        if root is None or root.get("IncludesLastItemInRange") != "true":
            raise Unavailable(INCOMPLETE)
        folders = root.find(f"{T}Folders")
    return [one for one in folders if name_of(one) == "CalendarFolder"]


def _calendar(folder: Any, *, is_primary: bool = False) -> UpstreamCalendar | None:
    rights = folder.find(f"{T}EffectiveRights")
    if not is_true(rights, "Read"):
        return None
    writes = is_true(rights, "CreateContents") and is_true(rights, "Modify")
    role = Role.OWNER if is_primary and writes else Role.WRITER if writes else Role.READER
    return UpstreamCalendar(
        upstream_id=folder.find(f"{T}FolderId").get("Id"),
        name=text_of(folder, "DisplayName") or "Calendar",
        role=role.value,
        is_primary=is_primary,
    )


def _opened(account: Account, now: Instant) -> Sequence[Colleague]:
    try:
        return [*colleagues(account, now)]
    except AccessLost:
        return ()  # a server that refuses the question still has the mailbox's own calendars


def _of_colleague(one: Colleague) -> UpstreamCalendar | None:
    """Return a colleague's calendar under their name, for most are called "Calendar"."""
    if one.folder is None:
        return UpstreamCalendar(
            upstream_id=one.busy_only_id, name=one.name, role=Role.FREE_BUSY.value
        )
    found = _calendar(one.folder)
    return replace(found, name=one.name) if found is not None else None
