"""A gateway that is registered with a simulated Google, and an owner who connects an account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.config import Google, Providers
from gateway.model.principal import Owner
from gateway.sandbox.google import GoogleServer
from tests.owner_desk import OwnerDesk, owner_desk
from tests.plain_browser import PlainBrowser, ShownPage

TAB = "/settings/calendar"
GOOGLE = f"{TAB}/connect/google"
JANE = "jane@gmail.example"
CALLBACK = "/oauth/google/callback"


@dataclass
class Connecting:
    """A gateway that is registered with a simulated Google, and Jane's browser."""

    desk: OwnerDesk
    google: GoogleServer
    jane: Owner
    browser: PlainBrowser

    async def review(self, path: str = f"{GOOGLE}/review") -> ShownPage:
        """Read the disclosure."""
        return await self.browser.open(path)

    async def accept(self, path: str = f"{GOOGLE}/review") -> ShownPage:
        """Accept; end on Google's consent page."""
        return await self.browser.send((await self.review(path)).form(f"{GOOGLE}/review"))

    async def answer(
        self, page: ShownPage, answer: str = "allow", *, leave: str = "", follow: bool = True
    ) -> ShownPage:
        """Answer the consent page, one box left unticked if that is said."""
        [form] = page.forms
        fields = [
            (name, value)
            for name, value in form.fields
            if not (leave and name == "scope" and value.endswith(leave))
        ]
        there = f"{page.url.with_query(None)}{form.action}"
        return await self.browser.post(there, [*fields, ("answer", answer)], follow=follow)

    async def connect(self) -> ShownPage:
        """Go all the way."""
        return await self.answer(await self.accept())

    def token_calls(self) -> int:
        """Count what reached the token endpoint."""
        return sum(one["route"] == "oauth.token" for one in self.google.world.log)


def registration(google: GoogleServer) -> Google:
    """Return the configuration of a gateway that is registered with a simulated Google."""
    return Google(
        client_id="sandbox",
        client_secret="secret",
        api_url=google.url,
        auth_url=f"{google.url}/o/oauth2/v2/auth",
        token_url=f"{google.url}/token",
        revoke_url=f"{google.url}/revoke",
    )


@asynccontextmanager
async def connecting_to_google(data_dir: Path) -> AsyncIterator[Connecting]:
    """Run both, with one account of two calendars."""
    async with GoogleServer() as google:
        google.world.add_account(JANE, name="Jane")
        google.world.add_calendar("team@group.example", {JANE: "owner"}, summary="Team")
        google.world.add_account("john@gmail.example", name="John")
        providers = Providers(google=registration(google))
        async with owner_desk(data_dir, providers=providers) as desk:
            jane = await desk.owner()
            async with desk.signed_in() as browser:
                yield Connecting(desk, google, jane, browser)
