"""What a simulated Microsoft knows: mailboxes, calendars, events, grants, and what happened."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.sandbox.microsoft.call import GraphError, Json, item_not_found

ACCESS_SECONDS = 3600.0
EVERYTHING = frozenset(
    {
        "Calendars.ReadWrite",
        "Calendars.ReadWrite.Shared",
        "MailboxSettings.Read",
        "User.Read",
    }
)
TENANT = "9a8b7c6d-0000-4000-8000-5e4f3a2b1c0d"


@dataclass
class GraphCalendar:
    """A calendar; `shared` says who else sees it: write, read or freeBusyRead."""

    id: str
    name: str
    owner: str
    is_default: bool = False
    can_edit: bool = True
    shared: dict[str, str] = field(default_factory=dict)
    events: dict[str, Json] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    """Ids of what changed, oldest first; `-id` is an occurrence that was deleted."""
    forgotten: int = 0
    """Sync tokens from before this many changes are no longer known."""


@dataclass
class Mailbox:
    """Somebody with an Exchange Online mailbox."""

    address: str
    name: str
    object_id: str
    time_zone: str = "W. Europe Standard Time"
    has_settings: bool = True
    is_personal: bool = False


@dataclass
class Grant:
    """What somebody allowed a client; the refresh token is a new one each time."""

    address: str
    client_id: str
    scopes: frozenset[str]
    refresh_token: str
    access_tokens: dict[str, float] = field(default_factory=dict)


@dataclass
class Code:
    """An authorization code, good for one exchange."""

    address: str
    client_id: str
    redirect_uri: str
    scopes: frozenset[str]
    challenge: str
    nonce: str
    expires: float


@dataclass
class Subscription:
    """Who wants to be told of changes of a calendar."""

    id: str
    address: str
    calendar_id: str
    resource: str
    notification_url: str
    lifecycle_url: str
    client_state: str
    change_types: frozenset[str]
    expires: float
    immutable: bool


class World:
    """Everything there is; `now` is the server's own clock."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.mailboxes: dict[str, Mailbox] = {}
        self.calendars: dict[str, GraphCalendar] = {}
        self.grants: dict[str, Grant] = {}
        self.codes: dict[str, Code] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.log: list[Json] = []
        self.mails: list[tuple[str, str]] = []
        """What Exchange mailed to attendees: what it was about, and to whom."""
        """Every call that was answered, or had an effect: nothing is ever taken out."""
        self.changed: list[Callable[[GraphCalendar, str, str], None]] = []
        self.page_size = 0
        """A page holds at most so many rows, whatever was asked for; 0 is Graph's own limit."""
        self.empty_pages = False
        """Whether an empty page with a next link comes before each page but the first."""
        self.masters_in_delta = True
        """Whether a delta holds masters, or only the skeletons of their occurrences."""
        self.tells_cancelled = True
        """Whether a master tells its cancelled and changed occurrences."""
        self.honours_transaction_ids = True
        self.search_lag = 0.0
        """For so many seconds a filter does not find what was just made."""
        self.refuses_refresh = ""
        """The error with which the token endpoint answers every refresh."""
        self.hidden_scopes: frozenset[str] = frozenset()
        """Scopes that are never granted, whatever was asked for."""
        self.most_at_once = 0
        """How many calls one mailbox ever had under way at a time."""
        self._numbers = 1000

    # --- accounts and grants ---------------------------------------------------------------------

    def add_mailbox(
        self, address: str, *, name: str = "", time_zone: str = "W. Europe Standard Time"
    ) -> Mailbox:
        """Add somebody with their default calendar, whose id is `{address}/calendar`."""
        made = Mailbox(address, name or address, f"00000000-0000-4000-8000-{self._number():012}")
        made.time_zone = time_zone
        self.mailboxes[address] = made
        self.add_calendar(f"AAkAL-{self._number()}", address, name="Calendar", is_default=True)
        return made

    def add_calendar(
        self,
        calendar_id: str,
        owner: str,
        *,
        name: str = "",
        is_default: bool = False,
        can_edit: bool = True,
        shared: Mapping[str, str] | None = None,
    ) -> GraphCalendar:
        """Add a calendar of a mailbox, shared as told."""
        made = GraphCalendar(calendar_id, name or calendar_id, owner, is_default, can_edit)
        made.shared = dict(shared or {})
        self.calendars[calendar_id] = made
        return made

    def default_calendar(self, address: str) -> GraphCalendar:
        """Return the one calendar that bookings go into."""
        found = (one for one in self.calendars.values() if one.owner == address)
        return next(one for one in found if one.is_default)

    def grant(
        self, address: str, scopes: frozenset[str] = EVERYTHING, *, client_id: str = "sandbox"
    ) -> Grant:
        """Let a mailbox allow a client something, without the consent page."""
        made = Grant(address, client_id, scopes, f"0.A{secrets.token_urlsafe(32)}")
        self.grants[made.refresh_token] = made
        return made

    def access_token(self, grant: Grant) -> str:
        """Return a new access token of a grant."""
        token = "EwB" + secrets.token_urlsafe(32)
        grant.access_tokens[token] = self.now() + ACCESS_SECONDS
        return token

    def grant_of(self, token: str) -> Grant | None:
        """Return the grant that an access token still stands for."""
        for grant in self.grants.values():
            if grant.access_tokens.get(token, 0.0) > self.now():
                return grant
        return None

    def revoke(self, address: str) -> None:
        """Take back everything that a mailbox allowed."""
        for token in [one for one, grant in self.grants.items() if grant.address == address]:
            del self.grants[token]

    # --- calendars -------------------------------------------------------------------------------

    def seen_by(self, address: str) -> list[GraphCalendar]:
        """Return the calendars in somebody's list, their own first."""
        own = [one for one in self.calendars.values() if one.owner == address]
        return own + [one for one in self.calendars.values() if address in one.shared]

    def calendar(self, calendar_id: str, address: str, *, writing: bool = False) -> GraphCalendar:
        """Return a calendar that somebody may read or write; else Graph's own answer."""
        found = self.calendars.get(calendar_id)
        if found is None or (found.owner != address and address not in found.shared):
            raise item_not_found()
        role = "write" if found.owner == address else found.shared[address]
        denied = role == "freeBusyRead" or (writing and (role != "write" or not found.can_edit))
        if denied:
            raise GraphError(
                403, "ErrorAccessDenied", "Access is denied. Check credentials and try again."
            )
        return found

    def forget(self, calendar_id: str) -> None:
        """Let every sync token of a calendar be too old."""
        calendar = self.calendars[calendar_id]
        calendar.changes.append("")
        calendar.forgotten = len(calendar.changes)

    # --- events ----------------------------------------------------------------------------------

    def put(self, calendar_id: str, item: Mapping[str, Any]) -> Json:
        """Store an event in Graph's own JSON as it is, with what Graph adds."""
        calendar = self.calendars[calendar_id]
        known = calendar.events.get(str(item.get("id")), {})
        stamp = self.next_stamp()
        stored: Json = {
            "id": f"AAkALg-{self._number()}",
            "createdDateTime": known.get("createdDateTime", stamp),
            "isCancelled": False,
            "type": "seriesMaster" if item.get("recurrence") else "singleInstance",
            **item,
            "lastModifiedDateTime": stamp,
        }
        number = self._number()
        stored |= {"@odata.etag": f'W/"{number}=="', "changeKey": f"{number}=="}
        stored.setdefault("iCalUId", f"040000008200E00074C5B7101A82E008{number:032X}")
        calendar.events[stored["id"]] = stored
        master = stored.get("seriesMasterId")
        kind = "updated" if known else "created"
        self.touch(calendar, stored["id"], kind)
        if master in calendar.events:
            self.touch(calendar, master, "updated")
        return stored

    def remove(self, calendar_id: str, event_id: str) -> None:
        """Delete an event as its owner does; a master takes its exceptions along."""
        calendar = self.calendars[calendar_id]
        del calendar.events[event_id]
        for other in [one for one in calendar.events.values() if _of(one, event_id)]:
            del calendar.events[other["id"]]
            self.touch(calendar, other["id"], "deleted")
        self.touch(calendar, event_id, "deleted")

    def remove_occurrence(self, calendar_id: str, master_id: str, day: str) -> None:
        """Delete one occurrence of a series, or the exception that stands for it."""
        calendar = self.calendars[calendar_id]
        master = calendar.events[master_id]
        cancelled = [*master.get("cancelledOccurrences", []), f"OID.{master_id}.{day}"]
        for other in [one for one in calendar.events.values() if _of(one, master_id)]:
            if str(other.get("occurrenceId", "")).endswith(day):
                del calendar.events[other["id"]]
        self.put(calendar_id, {**master, "cancelledOccurrences": cancelled})
        self.touch(calendar, f"-{occurrence_id(master_id, day)}", "deleted")

    def touch(self, calendar: GraphCalendar, event_id: str, kind: str) -> None:
        """Write down that an event changed, and tell whoever listens."""
        calendar.changes.append(event_id)
        for listener in self.changed:
            listener(calendar, event_id.removeprefix("-"), kind)

    def live(self, calendar_id: str) -> list[Json]:
        """Return the events that are there, without occurrences."""
        return list(self.calendars[calendar_id].events.values())

    def next_stamp(self) -> str:
        """Return the present as Graph writes it."""
        text = datetime.fromtimestamp(self.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
        return f"{text}0Z"

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers


def occurrence_id(master_id: str, day: str) -> str:
    """Return the id of an occurrence by its day, `2026-03-27`."""
    return f"{master_id}-occ-{day.replace('-', '')}"


def _of(item: Json, master_id: str) -> bool:
    return bool(item.get("seriesMasterId") == master_id)
