"""The demo's simulated Google, Office 365 and Exchange accounts, and who answers their consent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import aiohttp
from yarl import URL

from gateway.sandbox.demo_data import ZONE
from gateway.sandbox.exchange import ExchangeServer
from gateway.sandbox.exchange.shapes import an_appointment
from gateway.sandbox.google import GoogleServer
from gateway.sandbox.microsoft import MicrosoftServer

GMAIL, OFFICE, EXCHANGE = "demi@gmail.example", "demi@office.example", "demi@exchange.example"
EXCHANGE_PASSWORD = "demo"  # noqa: S105 - of a server that lives on loopback for the demo alone
GOOGLE_EVENTS = ((1, "11:00", "12:00", "Violin lesson"), (4, "16:00", "17:30", "Film"))
OFFICE_EVENTS = ((2, "10:00", "11:00", "Sales call"), (3, "13:30", "15:00", "Quarterly numbers"))
EXCHANGE_EVENTS = ((0, "13:00", "14:00", "Works council"), (2, "15:30", "16:00", "Hiring"))
"""Day from this week's Monday on, begin, end, title; each comes every week."""
WEEKS = 8


@dataclass
class DemoAccounts:
    """The providers, running."""

    google: GoogleServer
    microsoft: MicrosoftServer
    exchange: ExchangeServer

    def fill(self, today: date) -> None:
        """Give the accounts the coming weeks."""
        monday = today - timedelta(days=today.weekday())
        self.google.world.add_account(GMAIL, name="Demi Demo", time_zone=ZONE)
        self.microsoft.world.add_mailbox(OFFICE, name="Demi Demo")
        office = next(iter(self.microsoft.world.calendars))
        mailbox = self.exchange.add(EXCHANGE, EXCHANGE_PASSWORD)
        for week in range(WEEKS):
            for number, (day, begin, end, title) in enumerate(GOOGLE_EVENTS):
                on = monday + timedelta(days=day, weeks=week)
                self.google.world.put(
                    GMAIL,
                    {
                        "id": f"demo{week}{number}",
                        "summary": title,
                        "start": {"dateTime": f"{on}T{begin}:00", "timeZone": ZONE},
                        "end": {"dateTime": f"{on}T{end}:00", "timeZone": ZONE},
                    },
                )
            for day, begin, end, title in OFFICE_EVENTS:
                on = monday + timedelta(days=day, weeks=week)
                self.microsoft.world.put(
                    office,
                    {
                        "subject": title,
                        "showAs": "busy",
                        "start": {"dateTime": f"{on}T{begin}:00", "timeZone": ZONE},
                        "end": {"dateTime": f"{on}T{end}:00", "timeZone": ZONE},
                    },
                )

            for day, begin, end, title in EXCHANGE_EVENTS:
                on = monday + timedelta(days=day, weeks=week)
                low, high = (
                    datetime.combine(on, time.fromisoformat(at), ZoneInfo(ZONE))
                    for at in (begin, end)
                )
                mailbox.put(an_appointment(title, low, high))

    async def allow(self, consent_url: str) -> dict[str, str]:
        """Allow all that a consent page asks for; return what the browser would come back with."""
        asked = URL(consent_url)
        fields = [
            ("email", GMAIL),
            ("account", OFFICE),
            ("answer", "allow" if consent_url.startswith(self.google.url) else "accept"),
            *(("scope", scope) for scope in asked.query["scope"].split()),
        ]
        async with (
            aiohttp.ClientSession() as session,
            session.post(asked, data=fields, allow_redirects=False) as answer,
        ):
            return dict(URL(answer.headers["Location"]).query)


@asynccontextmanager
async def demo_accounts() -> AsyncIterator[DemoAccounts]:
    """Run the providers on loopback."""
    async with (
        GoogleServer() as google,
        MicrosoftServer() as microsoft,
        ExchangeServer() as exchange,
    ):
        yield DemoAccounts(google, microsoft, exchange)
