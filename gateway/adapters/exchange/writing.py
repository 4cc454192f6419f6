"""The events of bookings in a mailbox: one each, changed only as they were just read.

All of it runs in a worker thread.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from exchangelib import errors as ews

from gateway.adapters.exchange import messages
from gateway.adapters.exchange.account import Account
from gateway.adapters.exchange.fields import M, change_key, children_of, item_id
from gateway.adapters.exchange.normalise import render
from gateway.errors import Refused, Unavailable
from gateway.model.component import Component
from gateway.model.event_time import event_time
from gateway.model.timerange import TimeRange
from gateway.model.zone import Zone

ROUNDS_OF_A_WRITE = 3
CHANGED = (
    ews.ErrorIrresolvableConflict,
    ews.ErrorStaleObject,
    ews.ErrorInvalidChangeKey,
    ews.ErrorItemNotFound,
)
UNREADABLE = "The booking's event cannot be read."
INCOMPLETE = "The server's answer was incomplete."
KEEP_QUIET = "SendToNone"
"""Invitations are the gateway's to send; the server shall not send them a second time."""


class Writing:
    """Creates, moves and removes the events of bookings in one mailbox."""

    def __init__(
        self,
        account: Account,
        items: Callable[[Sequence[str]], Mapping[str, Any]],
        home: Zone,
    ) -> None:
        self._account = account
        self._items = items
        self._home = home

    def _booking(self, folder: str, uid: str) -> list[str]:
        answer = self._account.one(
            "FindItem", messages.find_booking(folder, uid), Traversal="Shallow"
        )
        root = answer.find(f"{M}RootFolder")
        if root is None:
            raise Unavailable(INCOMPLETE)
        return [item_id(one) for one in children_of(root, "Items")]

    def create(self, folder: str, uid: str, event: Component, span: TimeRange) -> None:
        """Make the event, unless one that carries the booking's name is there already."""
        # The answer of an earlier attempt may have been lost: a UID alone would not be refused.
        if self._booking(folder, uid):
            return
        content = messages.create(folder, uid, event, span)
        self._account.one("CreateItem", content, SendMeetingInvitations=KEEP_QUIET)

    def standing(self, folder: str, uid: str) -> tuple[Any, TimeRange | None]:
        """Return the booking's item and when it is."""
        for item in self._items(self._booking(folder, uid)[:1]).values():
            if isinstance(item, ews.ErrorItemNotFound):
                continue
            if isinstance(item, Exception):
                raise Unavailable(UNREADABLE) from item
            try:
                data = render(item, (), self._home).data
                assert data is not None, "render gives bytes"
                return item, event_time(data, self._home)
            except (ValueError, KeyError, OverflowError, Refused) as error:
                raise Unavailable(UNREADABLE) from error
        return None, None

    def move(self, folder: str, uid: str, before: TimeRange, after: TimeRange) -> TimeRange | None:
        """Move the event as it was just read, unless its owner did; return when it is."""
        for _ in range(ROUNDS_OF_A_WRITE):
            item, now = self.standing(folder, uid)
            if item is None or now != before:
                return now
            (row,) = self._account.ask(
                "UpdateItem",
                messages.move(item_id(item), change_key(item), after),
                ConflictResolution="NeverOverwrite",
                SendMeetingInvitationsOrCancellations=KEEP_QUIET,
            )
            if not isinstance(row, CHANGED):
                self._account.checked(row)
                return after
        raise Unavailable("The event changed at the server again and again.")

    def remove(self, folder: str, uid: str) -> None:
        """Delete the event; that it is gone already is success."""
        found = self._booking(folder, uid)
        if not found:
            return
        rows = self._account.ask(
            "DeleteItem",
            messages.item_ids(found),
            DeleteType="MoveToDeletedItems",
            SendMeetingCancellations=KEEP_QUIET,
        )
        for row in rows:
            if not isinstance(row, ews.ErrorItemNotFound):
                self._account.checked(row)
