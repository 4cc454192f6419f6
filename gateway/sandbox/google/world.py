"""What the simulated Google knows: accounts, calendars with their events and changes, grants."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gateway.sandbox.google.call import ApiError, Json, not_found

ROLES = ("none", "freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner")
ACCESS_SECONDS = 3600
EVERYTHING = frozenset(
    {
        "openid",
        "https://www.googleapis.com/auth/userinfo.email",
        "https://www.googleapis.com/auth/calendar",
    }
)


def rank(role: str) -> int:
    """Return how much a role may do."""
    return ROLES.index(role) if role in ROLES else 2


@dataclass(slots=True)
class GoogleCalendar:
    """A calendar: who may do what in it, its events by id, and the ids in the order of change."""

    id: str
    summary: str
    time_zone: str
    roles: dict[str, str]
    reminders: list[Json] = field(default_factory=list)
    events: dict[str, Json] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    exceptions: dict[str, set[str]] = field(default_factory=dict)
    """The ids of the changed and cancelled instances of each series."""
    listed: tuple[object, list[Json]] = (None, [])
    """The last full list, with what it was asked for, for its next page."""
    forgotten: int = 0
    """Sync tokens from before this change answer 410."""
    pushes: bool = True


@dataclass(slots=True)
class Account:
    """Somebody with an address; `sub` stays when the address changes."""

    email: str
    sub: str
    name: str
    uses_calendar: bool = True


@dataclass(slots=True)
class Grant:
    """What an account allowed a client, for as long as it does."""

    email: str
    client_id: str
    scopes: frozenset[str]
    refresh_token: str
    access_tokens: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Code:
    """An authorization code, good once."""

    email: str
    client_id: str
    redirect_uri: str
    scopes: frozenset[str]
    challenge: str
    offline: bool
    nonce: str
    expires: float


@dataclass(slots=True)
class Channel:
    """A push channel."""

    id: str
    resource: str
    email: str
    calendar_id: str
    address: str
    token: str
    expiration: float
    number: int = 0


class World:
    """Everything, in memory; changed by the API, by the demo and by tests."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.accounts: dict[str, Account] = {}
        self.calendars: dict[str, GoogleCalendar] = {}
        self.grants: dict[str, Grant] = {}
        self.codes: dict[str, Code] = {}
        self.channels: dict[str, Channel] = {}
        self.log: list[Json] = []
        self.mails: list[tuple[str, str]] = []
        """What Google mailed to attendees: what it was about, and to whom."""
        """Every call that was answered, or had an effect: nothing is ever taken out."""
        self.changed: list[Callable[[GoogleCalendar], None]] = []
        self.page_size = 0
        """A page holds at most so many items, whatever was asked for; 0 is Google's own limit."""
        self.empty_pages = False
        """Whether an empty page with a next token comes before each page but the first."""
        self.refuses_refresh = ""
        """The error with which the token endpoint answers every refresh."""
        self.hidden_scopes: frozenset[str] = frozenset()
        """Scopes whose box on the consent page starts out unticked."""
        self._etags = 3_590_000_000_000_000

    # --- accounts and grants ---------------------------------------------------------------------

    def add_account(
        self, email: str, *, name: str = "", time_zone: str = "Europe/Zurich"
    ) -> Account:
        """Add somebody with their primary calendar."""
        account = Account(email, str(10**20 + len(self.accounts) * 7919), name or email)
        self.accounts[email] = account
        self.add_calendar(email, {email: "owner"}, summary=email, time_zone=time_zone)
        return account

    def add_calendar(
        self,
        calendar_id: str,
        roles: Mapping[str, str],
        *,
        summary: str = "",
        time_zone: str = "Europe/Zurich",
    ) -> GoogleCalendar:
        """Add a calendar, shared as `roles` says."""
        made = GoogleCalendar(calendar_id, summary or calendar_id, time_zone, dict(roles))
        made.reminders = [{"method": "popup", "minutes": 10}]
        self.calendars[calendar_id] = made
        return made

    def grant(
        self, email: str, scopes: frozenset[str] = EVERYTHING, *, client_id: str = "sandbox"
    ) -> Grant:
        """Let an account allow a client something, without the consent page."""
        made = Grant(email, client_id, scopes, "1//" + secrets.token_urlsafe(24))
        self.grants[made.refresh_token] = made
        return made

    def access_token(self, grant: Grant) -> str:
        """Return a new access token of a grant."""
        token = "ya29." + secrets.token_urlsafe(24)
        grant.access_tokens[token] = self.now() + ACCESS_SECONDS
        return token

    def grant_of(self, token: str) -> Grant | None:
        """Return the grant that an access token still stands for."""
        for grant in self.grants.values():
            if grant.access_tokens.get(token, 0.0) > self.now():
                return grant
        return None

    def revoke(self, email: str) -> None:
        """Take back everything that an account allowed."""
        for token in [one for one, grant in self.grants.items() if grant.email == email]:
            del self.grants[token]

    # --- calendars -------------------------------------------------------------------------------

    def calendar(self, calendar_id: str, email: str, needed: str) -> GoogleCalendar:
        """Return a calendar that an account may use as `needed` says; else Google's own answer."""
        found = self.calendars.get(email if calendar_id == "primary" else calendar_id)
        role = found.roles.get(email, "none") if found else "none"
        if found is None or role == "none":
            raise not_found()  # whether it exists is nobody else's business
        if rank(role) < rank(needed):
            raise ApiError(
                403, "requiredAccessLevel", f"You need to have {needed} access to this calendar."
            )
        return found

    def forget(self, calendar_id: str) -> None:
        """Let every sync token of a calendar be too old."""
        calendar = self.calendars[calendar_id]
        calendar.forgotten = len(calendar.changes) + 1
        calendar.changes.append("")

    # --- events ----------------------------------------------------------------------------------

    def put(self, calendar_id: str, item: Mapping[str, Any]) -> Json:
        """Store an event in Google's own JSON as it is, with what Google adds."""
        calendar = self.calendars[calendar_id]
        stamp = datetime.fromtimestamp(self.now(), UTC).isoformat(timespec="milliseconds")
        stored: Json = {
            "kind": "calendar#event",
            "status": "confirmed",
            **item,
            "etag": self._etag(),
        }
        if stored["status"] != "cancelled":
            stored.setdefault("iCalUID", f"{stored['id']}@google.com")
            stored.setdefault("created", stamp.replace("+00:00", "Z"))
            stored.setdefault("updated", stamp.replace("+00:00", "Z"))
        calendar.events[stored["id"]] = stored
        if "recurringEventId" in stored:
            series = calendar.exceptions.setdefault(stored["recurringEventId"], set())
            series.add(stored["id"])
        self.touch(calendar, stored["id"])
        return stored

    def remove(self, calendar_id: str, event_id: str) -> None:
        """Delete an event as its owner does; its id stays taken, its exceptions go with it."""
        calendar = self.calendars[calendar_id]
        for item in list(calendar.events.values()):
            if item["id"] == event_id or item.get("recurringEventId") == event_id:
                calendar.events[item["id"]] = {**item, "status": "cancelled", "etag": self._etag()}
                self.touch(calendar, item["id"])

    def touch(self, calendar: GoogleCalendar, event_id: str) -> None:
        """Write down that an event changed, and tell whoever listens."""
        calendar.changes.append(event_id)
        for listener in self.changed:
            listener(calendar)

    def live(self, calendar_id: str) -> list[Json]:
        """Return the events that are there: what an owner sees, without instances."""
        found = self.calendars[calendar_id].events.values()
        return [item for item in found if item["status"] != "cancelled"]

    def next_stamp(self) -> str:
        """Return the present as Google writes it."""
        stamp = datetime.fromtimestamp(self.now(), UTC).isoformat(timespec="milliseconds")
        return stamp.replace("+00:00", "Z")

    def _etag(self) -> str:
        self._etags += 2
        return f'"{self._etags}"'
