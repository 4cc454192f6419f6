"""Consent, there and back: good once, for ten minutes, in one session, for its own provider."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from gateway import ports
from gateway.adapters.oauth_google import CHANGES_EVENTS, SEES_CALENDARS
from gateway.errors import NotFound, TooManyRequests, Unavailable
from gateway.model.connection import Connection
from gateway.model.principal import Owner
from gateway.services.consent import BEGUN_PER_HOUR, STATE_SECONDS, Callback, ConsentFailed, Stray
from tests.booking_desk import URL
from tests.builders import an_owner
from tests.conftest import FakeClock
from tests.consent_screen import Screen, a_session, consent_screen
from tests.token_endpoint import SCOPES


@pytest.fixture
async def screen(store: ports.Store, clock: FakeClock, owner: Owner) -> AsyncIterator[Screen]:
    """Register the gateway with both providers."""
    async with consent_screen(store, clock, owner) as made:
        yield made


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
        rows = (await connection.execute(text("SELECT * FROM consent"))).all()

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
