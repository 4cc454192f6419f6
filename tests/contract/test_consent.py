"""Consent: good once, for ten minutes, in one session; who an account is, its subject says."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway import ports
from gateway.adapters.oauth_google import CHANGES_EVENTS, SEES_CALENDARS, GoogleConsent
from gateway.adapters.oauth_microsoft import MicrosoftConsent
from gateway.errors import NotFound, TooManyRequests, Unavailable
from gateway.model.connection import Connection
from gateway.model.principal import Owner, Session
from gateway.services.consent import (
    BEGUN_PER_HOUR,
    LINK_SECONDS,
    STATE_SECONDS,
    Callback,
    ConsentFailed,
    ConsentService,
    Stray,
)
from gateway.services.ending import Ending
from gateway.services.outbox import Handler, OutboxService
from gateway.services.registry import Services
from tests.booking_desk import URL, Desk, a_desk
from tests.builders import an_owner
from tests.conftest import FakeClock
from tests.token_endpoint import CLIENT, SCOPES, SECRET, Code, TokenEndpoint
from tests.web_desk import services_of

WORK = ports.UpstreamCalendar(upstream_id="jane", name="Jane", role="owner", is_primary=True)
TEAM = ports.UpstreamCalendar(upstream_id="team", name="Team", role="writer")
MICROSOFT_SCOPES = "Calendars.ReadWrite User.Read"


def a_session(owner: Owner, name: str = "session-1") -> Session:
    """Return a browser's session."""
    return Session(digest=name, owner_id=owner.id, csrf="csrf", expires_at=2**40)


@dataclass
class Screen:
    """The services, and the provider's consent screen as the owner answers it."""

    desk: Desk
    services: Services
    provider: TokenEndpoint
    consents: dict[str, ports.Consent]

    @property
    def service(self) -> ConsentService:
        """The service under test."""
        return self.services.consent

    async def begin(self, provider: str = "google", **values: Any) -> dict[str, str]:
        """Accept; return the query that the browser carries to the provider."""
        owner = self.desk.owner
        known = {"session": a_session(owner), "acceptance": "text 1, en"} | values
        session = known.pop("session")
        url = await self.service.begin(owner, session, provider, **known)
        return {key: value[0] for key, value in parse_qs(urlsplit(url).query).items()}

    def allow(self, query: dict[str, str], code: str = "code-1", **values: Any) -> Callback:
        """Allow it on the consent screen; return what the browser comes back with."""
        self.provider.codes[code] = Code(
            challenge=query["code_challenge"],
            nonce=query["nonce"],
            redirect_uri=query["redirect_uri"],
            **values,
        )
        return Callback(state=query["state"], code=code)

    async def finish(
        self, told: Callback, provider: str = "google", session: str = "session-1"
    ) -> Connection:
        """Come back."""
        owner = self.desk.owner
        return await self.service.finish(owner, a_session(owner, session), provider, told)

    async def connect(self, provider: str = "google", **values: Any) -> Connection:
        """Go all the way."""
        if provider == "microsoft":
            values.setdefault("scope", MICROSOFT_SCOPES)
        query = await self.begin(provider)
        return await self.finish(self.allow(query, **values), provider)

    async def connections(self) -> list[Connection]:
        """Return what is connected."""
        async with self.desk.store.read() as tx:
            return list(await tx.connections.of_owner(self.desk.owner.id))

    async def trail(self) -> list[tuple[str, str]]:
        """Return the owner's log."""
        async with self.desk.store.read() as tx:
            found = await tx.notices.trail(self.desk.owner.id)
        return [(event, detail) for _at, event, detail in found]


@pytest.fixture
async def screen(store: ports.Store, clock: FakeClock, owner: Owner) -> AsyncIterator[Screen]:
    """Register the gateway with both providers."""
    desk = await a_desk(store, clock, owner, local=(), default=None)
    desk.sources.account = (TEAM, WORK)
    async with TokenEndpoint() as provider:
        provider.now = clock.now()
        consents: dict[str, ports.Consent] = {
            "google": GoogleConsent(
                clock,
                client_id=CLIENT,
                client_secret=SECRET,
                auth_url=provider.url("/authorize"),
                token_url=provider.url("/token"),
                revoke_url=provider.url("/revoke"),
            ),
            "microsoft": MicrosoftConsent(
                clock,
                client_id=CLIENT,
                client_secret=SECRET,
                authority=provider.url("/common"),
                graph_url="https://graph.microsoft.com/v1.0",
            ),
        }
        services = services_of(desk, consents=consents)
        yield Screen(desk, services, provider, consents)
        await services.consent.close()
    await desk.outbox.close()


# --- the way there


async def test_the_request_is_bound_by_pkce_state_and_nonce(screen: Screen) -> None:
    """Google is asked for the least scopes, offline, with S256 and the registered address."""
    query = await screen.begin()

    assert query["redirect_uri"] == f"{URL}/oauth/google/callback"
    assert query["code_challenge_method"] == "S256"
    assert (query["access_type"], query["prompt"]) == ("offline", "consent select_account")
    assert set(query["scope"].split()) == set(SCOPES.split())
    assert len({query["state"], query["nonce"], query["code_challenge"]}) == 3
    assert min(len(query[name]) for name in ("state", "nonce", "code_challenge")) >= 32


async def test_microsoft_is_asked_for_calendars(screen: Screen) -> None:
    """Office 365 is asked to read and write calendars, shared ones too, and for a refresh token."""
    query = await screen.begin("microsoft")

    assert {"offline_access", "Calendars.ReadWrite", "Calendars.ReadWrite.Shared"} <= set(
        query["scope"].split()
    )
    assert query["code_challenge_method"] == "S256"


async def test_accepting_is_logged(screen: Screen) -> None:
    """Who, when and which text: before anything goes to the provider (S09)."""
    await screen.begin()

    assert ("consent.accepted", "google; text 1, en") in await screen.trail()
    assert screen.provider.log == []


async def test_the_store_shows_no_verifier(screen: Screen) -> None:
    """State and verifier are worth nothing to whoever reads the database."""
    query = await screen.begin()
    async with screen.desk.store.connect() as connection:
        rows = (await connection.exec_driver_sql("SELECT * FROM consent")).all()

    assert query["state"] not in str(rows)
    assert "verifier" not in str(rows)


async def test_beginning_has_a_limit(screen: Screen) -> None:
    """Nobody fills the table by pressing Accept."""
    for _ in range(BEGUN_PER_HOUR):
        await screen.begin()
    with pytest.raises(TooManyRequests):
        await screen.begin()


async def test_an_unregistered_provider_is_not_there(screen: Screen) -> None:
    """A gateway that is not registered with a provider offers no way to it."""
    with pytest.raises(NotFound):
        await screen.begin("exchange")


# --- and back


@pytest.mark.parametrize("provider", ["google", "microsoft"])
async def test_an_account_is_connected(screen: Screen, provider: str) -> None:
    """Its default calendar is selected and takes the bookings; the others wait to be added."""
    desk = screen.desk
    connection = await screen.connect(provider)

    async with desk.store.read() as tx:
        owner = await tx.owners.get(desk.owner.id)
        calendars = {one.display_name: one for one in await tx.collections.of_owner(owner.id)}
    assert connection.account == "jane@gmail.example"
    assert {name: one.selected for name, one in calendars.items()} == {"Jane": True, "Team": False}
    assert owner is not None
    assert owner.default_collection_id == calendars["Jane"].id
    assert calendars["Jane"].health.last_success_at == desk.clock.now()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda told: replace(told, state=""),
        lambda told: replace(told, state="x" * 32),
        lambda told: replace(told, state="1"),
        lambda told: replace(told, state=told.state + told.state),
        lambda told: replace(told, state="x" * 100_000),
        lambda told: replace(told, state=told.state[:-1]),
        lambda told: replace(told, code=""),
        lambda told: replace(told, code="c" * 10_000),
    ],
)
async def test_a_strange_callback_asks_nobody(screen: Screen, spoil: Any) -> None:
    """A missing, guessed, cut or overlong state or code makes no call to the token endpoint."""
    told = spoil(screen.allow(await screen.begin()))
    with pytest.raises(Stray):
        await screen.finish(told)

    assert screen.provider.log == []
    assert await screen.connections() == []


async def test_a_state_is_good_once(screen: Screen) -> None:
    """A replayed callback asks nobody, and the tokens of the first use stay."""
    told = screen.allow(await screen.begin())
    await screen.finish(told)
    asked = list(screen.provider.asked)
    with pytest.raises(Stray):
        await screen.finish(told)

    assert screen.provider.asked == asked
    assert len(await screen.connections()) == 1


async def test_of_two_callbacks_at_once_one_counts(screen: Screen) -> None:
    """The same callback twice at the same moment is exchanged once."""
    told = screen.allow(await screen.begin())
    results = await asyncio.gather(*(screen.finish(told) for _ in range(8)), return_exceptions=True)

    assert sum(isinstance(one, Connection) for one in results) == 1
    assert sum(isinstance(one, Stray) for one in results) == 7
    assert screen.provider.asked == ["authorization_code"]


async def test_a_state_ends_after_ten_minutes(screen: Screen) -> None:
    """An old state is none."""
    told = screen.allow(await screen.begin())
    screen.desk.clock.advance(STATE_SECONDS)
    with pytest.raises(Stray):
        await screen.finish(told)

    assert screen.provider.log == []


async def test_a_state_belongs_to_its_session(screen: Screen) -> None:
    """In another browser the same address does nothing: nobody is made to connect a stranger's."""
    told = screen.allow(await screen.begin())
    with pytest.raises(Stray):
        await screen.finish(told, session="session-2")

    assert screen.provider.log == []


async def test_a_state_belongs_to_its_owner(screen: Screen) -> None:
    """Another owner who holds the session's name gets nothing either."""
    told = screen.allow(await screen.begin())
    async with screen.desk.store.write() as tx:
        john = await tx.owners.add(an_owner(email="john@example.org"), "hash")
    with pytest.raises(Stray):
        await screen.service.finish(john, a_session(john), "google", told)

    assert screen.provider.log == []


async def test_a_state_belongs_to_its_provider(screen: Screen) -> None:
    """What Google was asked, Microsoft's callback does not answer."""
    told = screen.allow(await screen.begin())
    with pytest.raises(Stray):
        await screen.finish(told, "microsoft")

    assert screen.provider.log == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("access_denied", "denied"),
        ("admin_policy_enforced", "denied"),
        ("<script>alert(1)</script>", "provider"),
    ],
)
async def test_a_refusal_changes_nothing(screen: Screen, error: str, code: str) -> None:
    """Who does not allow it has connected nothing; the state is used up; nothing is repeated."""
    query = await screen.begin()
    told = Callback(state=query["state"], error=error)
    with pytest.raises(ConsentFailed) as failed:
        await screen.finish(told)

    assert failed.value.code == code
    assert "<script>" not in f"{failed.value.detail}{failed.value.facts}{await screen.trail()}"
    with pytest.raises(Stray):
        await screen.finish(told)
    assert screen.provider.log == []


@pytest.mark.parametrize(
    ("left_out", "named"),
    [("calendar.events.owned", CHANGES_EVENTS), ("calendar.readonly", SEES_CALENDARS)],
)
async def test_an_unticked_box_is_named(screen: Screen, left_out: str, named: str) -> None:
    """Fewer permissions than needed are found here, not at the first booking; nothing is kept."""
    scope = " ".join(one for one in SCOPES.split() if not one.endswith(left_out))
    with pytest.raises(ConsentFailed) as failed:
        await screen.connect(scope=scope)

    assert failed.value.facts == (named,)
    assert await screen.connections() == []


async def test_a_partial_microsoft_consent_is_named(screen: Screen) -> None:
    """Reading alone is not enough."""
    with pytest.raises(ConsentFailed) as failed:
        await screen.connect("microsoft", scope="Calendars.Read User.Read")

    assert failed.value.code == "unticked"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another client"},
        {"nonce": "another sign-in"},
        {"exp": 1},
        {"exp": "soon"},
        {"iss": "https://evil.example"},
        {"sub": None},
        {"sub": 7},
    ],
)
async def test_an_identity_that_is_not_for_us_is_refused(screen: Screen, claims: Any) -> None:
    """Audience, nonce, expiry and issuer of the id token must be those of this sign-in."""
    with pytest.raises(ConsentFailed, match="did not say who signed in"):
        await screen.connect(claims=claims)

    assert await screen.connections() == []


@pytest.mark.parametrize(
    "claims",
    [{"iss": "https://login.microsoftonline.com/other/v2.0"}, {"tid": ""}, {"oid": 1, "sub": ""}],
)
async def test_a_microsoft_identity_names_its_tenant(screen: Screen, claims: Any) -> None:
    """The issuer is the tenant that the account is of; without both there is no identity."""
    with pytest.raises(ConsentFailed, match="did not say who signed in"):
        await screen.connect("microsoft", claims=claims)


async def test_a_clock_five_minutes_off_is_borne(screen: Screen) -> None:
    """An id token that ended four minutes ago by our clock is taken."""
    await screen.connect(claims={"exp": screen.desk.clock.now() - 240})

    assert len(await screen.connections()) == 1


async def test_a_code_is_good_once_at_the_provider(screen: Screen) -> None:
    """A used code is a failed sign-in; nothing of it is kept."""
    told = screen.allow(await screen.begin())
    screen.provider.codes.clear()
    with pytest.raises(ConsentFailed, match="used before"):
        await screen.finish(told)

    assert await screen.connections() == []


async def test_access_for_an_hour_only_is_refused(screen: Screen) -> None:
    """Without a refresh token the connection would die within the hour, so none is made."""
    with pytest.raises(ConsentFailed, match="for an hour only"):
        await screen.connect(offline=False)

    assert await screen.connections() == []


async def test_an_account_that_cannot_be_read_is_not_kept(screen: Screen) -> None:
    """An account is proved by listing its calendars before it is connected."""
    screen.desk.sources.refusals.append(Unavailable("Google is down."))
    with pytest.raises(ConsentFailed, match="Google is down"):
        await screen.connect()

    assert await screen.connections() == []


# --- who it is


async def test_the_same_account_is_renewed(screen: Screen) -> None:
    """Signing in again as the same subject keeps the connection, under its new address too."""
    first = await screen.connect()
    second = await screen.connect(email="new@gmail.example")

    [stored] = await screen.connections()
    assert (stored.id, second.id) == (first.id, first.id)
    assert stored.account == "new@gmail.example"


async def test_renewing_keeps_what_is_selected(screen: Screen) -> None:
    """A new sign-in changes no selection and no default."""
    await screen.connect()
    async with screen.desk.store.write() as tx:
        calendars = await tx.collections.of_owner(screen.desk.owner.id)
        for one in calendars:
            await tx.collections.update(replace(one, selected=not one.selected))
    await screen.connect()

    async with screen.desk.store.read() as tx:
        after = await tx.collections.of_owner(screen.desk.owner.id)
    assert {one.upstream_id: one.selected for one in after} == {"jane": False, "team": True}


async def test_renewing_without_a_new_refresh_token_keeps_the_old(screen: Screen) -> None:
    """A provider that gives none because it gave one before is understood."""
    await screen.connect()
    await screen.connect(offline=False)

    assert len(await screen.connections()) == 1


async def test_another_account_is_another_connection(screen: Screen) -> None:
    """Two subjects are two connections, whatever their addresses say."""
    await screen.connect(subject="sub-1")
    await screen.connect(subject="sub-2")

    found = {one.options["subject"] for one in await screen.connections()}
    assert found == {"sub-1", "sub-2"}


async def test_another_account_never_takes_a_place(screen: Screen) -> None:
    """Signing in as somebody else to renew a connection is refused with both named."""
    first = await screen.connect()
    before = await screen.connections()
    query = await screen.begin(renews=first.id)
    assert query["login_hint"] == "jane@gmail.example"
    told = screen.allow(query, code="code-2", subject="sub-2", email="eve@gmail.example")
    with pytest.raises(ConsentFailed) as failed:
        await screen.finish(told)

    assert failed.value.code == "another_account"
    assert failed.value.facts == ("jane@gmail.example", "eve@gmail.example")
    assert await screen.connections() == before


async def test_anothers_connection_cannot_be_renewed(screen: Screen) -> None:
    """A connection of another owner looks like one that is not there."""
    first = await screen.connect()
    async with screen.desk.store.write() as tx:
        john = await tx.owners.add(an_owner(email="john@example.org"), "hash")
    with pytest.raises(NotFound):
        await screen.service.begin(
            john, a_session(john), "google", acceptance="text 1", renews=first.id
        )


# --- the link of the command line


async def test_a_link_is_for_its_owner_and_once(screen: Screen) -> None:
    """It shows the provider to its owner, and to nobody else; Accept uses it up."""
    link = await screen.service.link(screen.desk.owner, "google")
    token = link.rpartition("/")[2]
    async with screen.desk.store.write() as tx:
        john = await tx.owners.add(an_owner(email="john@example.org"), "hash")
    assert await screen.service.linked(screen.desk.owner, token) == "google"
    with pytest.raises(NotFound):
        await screen.service.linked(john, token)
    await screen.begin(link=token)

    with pytest.raises(NotFound):
        await screen.service.linked(screen.desk.owner, token)
    with pytest.raises(NotFound):
        await screen.begin(link=token)


async def test_a_link_is_no_state_and_a_state_no_link(screen: Screen) -> None:
    """Neither is accepted in the other's place."""
    token = (await screen.service.link(screen.desk.owner, "google")).rpartition("/")[2]
    query = await screen.begin()
    with pytest.raises(Stray):
        await screen.finish(Callback(state=token, code="code-1"), session="")
    with pytest.raises(NotFound):
        await screen.service.linked(screen.desk.owner, query["state"])


async def test_a_link_ends_after_an_hour(screen: Screen) -> None:
    """An old link leads nowhere."""
    token = (await screen.service.link(screen.desk.owner, "google")).rpartition("/")[2]
    screen.desk.clock.advance(LINK_SECONDS)
    with pytest.raises(NotFound):
        await screen.service.linked(screen.desk.owner, token)


# --- the end


async def disconnect(screen: Screen, connection: Connection) -> None:
    """Disconnect, and let the job run."""
    await screen.services.connections.remove(screen.desk.owner.id, connection.id)
    desk = screen.desk
    ending = Ending(desk.store, desk.clock, desk.cipher, desk.sources, screen.consents)
    handler = Handler(run=ending.run, buried=ending.left)
    outbox = OutboxService(desk.store, desk.clock, {"connection.end": handler}, node="node")
    await outbox.settle()
    await outbox.close()


async def test_disconnecting_takes_the_consent_back(screen: Screen) -> None:
    """Google is told; afterwards nothing of the secret is kept."""
    await disconnect(screen, await screen.connect())

    assert screen.provider.asked[-1] == "/revoke"
    assert screen.provider.refresh_tokens == {}
    assert "connection.ended" in [event for event, _ in await screen.trail()]
    async with screen.desk.store.connect() as connection:
        rows = (await connection.exec_driver_sql("SELECT id FROM ended_connection")).all()
    assert rows == []


async def test_a_shared_consent_is_left_alone(screen: Screen) -> None:
    """What another owner's connection of the same account lives on is not taken back."""
    connection = await screen.connect()
    async with screen.desk.store.write() as tx:
        john = await tx.owners.add(an_owner(email="john@example.org"), "hash")
        await tx.connections.add(replace(connection, id="cn_john", owner_id=john.id))
    await disconnect(screen, connection)

    assert "/revoke" not in screen.provider.asked


async def test_a_provider_that_is_down_is_told_later(screen: Screen) -> None:
    """Here the calendars are gone at once; there it is tried again."""
    connection = await screen.connect()
    screen.provider.answers.append((503, ""))
    await disconnect(screen, connection)
    assert await screen.connections() == []

    async with screen.desk.store.read() as tx:
        assert await tx.consents.ended(connection.id) is not None
        assert await tx.outbox.waiting() == 1
