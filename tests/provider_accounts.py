"""Simulated accounts that outlive the gateway they are connected to: where its bookings must be."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from gateway.model.timerange import HOUR, Instant, format_rfc3339, to_instant
from gateway.sandbox.google import GoogleServer
from gateway.sandbox.microsoft import MicrosoftServer
from gateway.sandbox.microsoft.times import instant_of
from tests.plain_browser import PlainBrowser

ADDRESS = "jane@mail.example"
OWNERS = "Dentist"


@dataclass(frozen=True, slots=True)
class Written:
    """An event that is marked as a booking's: whose it is, and when."""

    booking: str
    start: Instant
    end: Instant


class ProviderAccount(ABC):
    """Jane's account: a default calendar with an event of her own, and a second calendar."""

    name: ClassVar[str]
    routes: ClassVar[Mapping[str, str]]
    """The call that writes a booking, a move and a cancel."""
    _yes: ClassVar[str]
    server: GoogleServer | MicrosoftServer

    def __init__(self) -> None:
        day = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
        self.put_own(to_instant(day + timedelta(days=1)))
        self._before = self.not_ours()

    @abstractmethod
    def put_own(self, start: Instant) -> None:
        """Put the owner's own event into the default calendar."""

    @abstractmethod
    def registration(self) -> str:
        """Return the configuration of a gateway that is registered here."""

    @abstractmethod
    def live(self) -> list[Mapping[str, Any]]:
        """Return the default calendar's events."""

    @abstractmethod
    def uid(self, item: Mapping[str, Any]) -> str:
        """Return the UID of the booking that an event is marked with."""

    @abstractmethod
    def span(self, item: Mapping[str, Any]) -> tuple[Instant, Instant]:
        """Return when an event is."""

    @abstractmethod
    def elsewhere(self) -> int:
        """Return how often anything changed in the other calendar."""

    def written(self) -> list[Written]:
        """Return the bookings' events."""
        found = ((self.uid(item), item) for item in self.live())
        return [Written(uid.split("@")[0], *self.span(item)) for uid, item in found if uid]

    def not_ours(self) -> tuple[list[tuple[Instant, Instant]], int]:
        """Return what no booking may touch: the owner's events and the other calendar."""
        own = [self.span(item) for item in self.live() if not self.uid(item)]
        return own, self.elsewhere()

    def is_left_alone(self) -> bool:
        """Tell whether nothing was touched that is not ours."""
        return self.not_ours() == self._before

    async def connect(self, url: str, email: str, password: str) -> None:
        """Connect through disclosure and consent, as an owner does."""
        review = f"/settings/calendar/connect/{self.name}/review"
        async with PlainBrowser(url) as browser:
            await browser.sign_in(email, password)
            page = await browser.send((await browser.open(review)).form(review))
            [form] = page.forms
            there = f"{page.url.with_query(None)}{form.action}"
            page = await browser.post(there, [*form.fields, ("answer", self._yes)])
            assert page.url.path == "/dashboard", page.text


class GoogleAccount(ProviderAccount):
    """The account at the simulated Google."""

    name = "google"
    routes: ClassVar = {"book": "events.insert", "move": "events.patch", "cancel": "events.delete"}
    _yes = "allow"

    def __init__(self) -> None:
        self.server: GoogleServer = GoogleServer()
        self.server.world.add_account(ADDRESS, name="Jane")
        self._team = self.server.world.add_calendar("team@group.example", {ADDRESS: "owner"})
        super().__init__()

    def put_own(self, start: Instant) -> None:
        """Put the owner's own event into the default calendar."""
        times = {
            name: {"dateTime": format_rfc3339(moment), "timeZone": "UTC"}
            for name, moment in (("start", start), ("end", start + HOUR))
        }
        self.server.world.put(ADDRESS, {"id": "dentist", "summary": OWNERS, **times})

    def registration(self) -> str:
        """Return the configuration of a gateway that is registered here."""
        url = self.server.url
        return (
            '[providers.google]\nclient_id = "sandbox"\nclient_secret = "secret"\n'
            f'api_url = "{url}"\nauth_url = "{url}/o/oauth2/v2/auth"\n'
            f'token_url = "{url}/token"\nrevoke_url = "{url}/revoke"\n'
        )

    def live(self) -> list[Mapping[str, Any]]:
        """Return the default calendar's events."""
        return list(self.server.world.live(ADDRESS))

    def uid(self, item: Mapping[str, Any]) -> str:
        """Return the UID of the booking that an event is marked with."""
        marks = item.get("extendedProperties", {}).get("private", {})
        return str(marks.get("calgateBooking", ""))

    def span(self, item: Mapping[str, Any]) -> tuple[Instant, Instant]:
        """Return when an event is."""
        start, end = (datetime.fromisoformat(item[name]["dateTime"]) for name in ("start", "end"))
        return to_instant(start), to_instant(end)

    def elsewhere(self) -> int:
        """Return how often anything changed in the other calendar."""
        return len(self._team.changes)


class MicrosoftAccount(ProviderAccount):
    """The account at the simulated Microsoft."""

    name = "microsoft"
    routes: ClassVar = {"book": "events.create", "move": "events.patch", "cancel": "events.delete"}
    _yes = "accept"

    def __init__(self) -> None:
        self.server: MicrosoftServer = MicrosoftServer()
        self.server.world.add_mailbox(ADDRESS, name="Jane")
        self._calendar = self.server.world.default_calendar(ADDRESS)
        self._team = self.server.world.add_calendar("AAkAL-team", ADDRESS, name="Team")
        super().__init__()

    def put_own(self, start: Instant) -> None:
        """Put the owner's own event into the default calendar."""
        times = {
            name: {"dateTime": format_rfc3339(moment).removesuffix("Z"), "timeZone": "UTC"}
            for name, moment in (("start", start), ("end", start + HOUR))
        }
        self.server.world.put(self._calendar.id, {"subject": OWNERS, "showAs": "busy", **times})

    def registration(self) -> str:
        """Return the configuration of a gateway that is registered here."""
        return (
            '[providers.microsoft]\nclient_id = "sandbox"\nclient_secret = "secret"\n'
            f'authority = "{self.server.authority}"\ngraph_url = "{self.server.graph_url}"\n'
        )

    def live(self) -> list[Mapping[str, Any]]:
        """Return the default calendar's events."""
        return list(self.server.world.live(self._calendar.id))

    def uid(self, item: Mapping[str, Any]) -> str:
        """Return the UID of the booking that an event is marked with."""
        marks = item.get("singleValueExtendedProperties") or [{}]
        return str(marks[0].get("value", ""))

    def span(self, item: Mapping[str, Any]) -> tuple[Instant, Instant]:
        """Return when an event is."""
        return instant_of(item["start"]), instant_of(item["end"])

    def elsewhere(self) -> int:
        """Return how often anything changed in the other calendar."""
        return len(self._team.changes)
