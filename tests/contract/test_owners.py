"""Owners on both engines: who signs in, what ends a session, how guessing is slowed."""

import asyncio
from collections.abc import Iterator

import pytest

from gateway.errors import Conflict, Invalid, TooManyRequests
from gateway.model.principal import CredentialKind, Owner
from gateway.ports import Store
from gateway.services.owners import SESSION_SECONDS, OwnerService
from gateway.services.passwords import Passwords
from tests.builders import CHEAP
from tests.conftest import FakeClock

PASSWORD = "correct horse battery"
HERE = "192.0.2.7"
LIMIT = 3


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    """Give a hasher and let its threads go."""
    made = Passwords(CHEAP)
    yield made
    made.close()


@pytest.fixture
def owners(store: Store, clock: FakeClock, passwords: Passwords) -> OwnerService:
    """Give the service, which bears three failures an hour."""
    return OwnerService(store, clock, passwords, failures_per_hour=LIMIT)


@pytest.fixture
async def jane(owners: OwnerService) -> Owner:
    """Add Jane."""
    return await owners.add("Jane@Example.org", PASSWORD, name="Jane", time_zone="Europe/Amsterdam")


async def test_an_address_is_kept_in_lower_case(jane: Owner) -> None:
    """An owner's address is folded once, when it is made."""
    assert jane.email == "jane@example.org"


async def test_an_address_has_one_owner(owners: OwnerService, jane: Owner) -> None:
    """A second owner with the address, in any spelling, is a conflict."""
    with pytest.raises(Conflict):
        await owners.add("JANE@example.org", PASSWORD)


@pytest.mark.parametrize(
    ("email", "password", "time_zone", "field"),
    [
        ("jane", PASSWORD, "UTC", "email"),
        ("j@example.org\r\nBcc: x@example.org", PASSWORD, "UTC", "email"),
        ("j@example.org", "short", "UTC", "password"),
        ("j@example.org", "x" * 1025, "UTC", "password"),
        ("j@example.org", PASSWORD, "Europe/Nowhere", "time_zone"),
    ],
)
async def test_a_bad_field_is_named(
    owners: OwnerService, email: str, password: str, time_zone: str, field: str
) -> None:
    """Whatever is wrong with a new owner is told by the field's name."""
    with pytest.raises(Invalid) as caught:
        await owners.add(email, password, time_zone=time_zone)

    assert set(caught.value.fields) == {field}


async def test_the_right_password_signs_in(owners: OwnerService, jane: Owner) -> None:
    """Address in any case and the right password open a session of that owner."""
    signed_in = await owners.sign_in("JANE@example.org ", PASSWORD, HERE)

    assert signed_in is not None
    found = await owners.by_session(signed_in.secret)
    assert found is not None
    assert found[1].id == jane.id


async def test_the_secret_of_a_session_is_not_stored(owners: OwnerService, jane: Owner) -> None:
    """What the store knows of a session does not open it."""
    signed_in = await owners.sign_in(jane.email, PASSWORD, HERE)

    assert signed_in is not None
    assert await owners.by_session(signed_in.session.digest) is None


@pytest.mark.parametrize(
    ("email", "password"),
    [("jane@example.org", "wrong"), ("nobody@example.org", PASSWORD), ("", ""), ("\ud800", "x")],
)
async def test_a_wrong_pair_gives_nothing(
    owners: OwnerService, jane: Owner, email: str, password: str
) -> None:
    """A wrong password and an unknown address have the same answer."""
    assert await owners.sign_in(email, password, HERE) is None


async def test_guessing_from_one_address_is_slowed(owners: OwnerService, jane: Owner) -> None:
    """After the limit even the right password has to wait, from that network address."""
    for _ in range(LIMIT):
        assert await owners.sign_in("someone@example.org", "guess", HERE) is None

    with pytest.raises(TooManyRequests) as caught:
        await owners.sign_in(jane.email, PASSWORD, HERE)
    assert 0 < caught.value.retry_after <= 3600
    assert await owners.sign_in(jane.email, PASSWORD, "192.0.2.8") is not None


async def test_guessing_one_account_is_slowed_everywhere(owners: OwnerService, jane: Owner) -> None:
    """An account that many addresses guess at has a limit of its own."""
    for number in range(2 * LIMIT):
        await owners.sign_in(jane.email, "guess", f"198.51.100.{number}")

    with pytest.raises(TooManyRequests):
        await owners.sign_in(jane.email, PASSWORD, "203.0.113.1")


class CountingPasswords(Passwords):
    """Counts how many passwords are looked at."""

    looked_at = 0

    async def verify(self, stored: str | None, password: str) -> bool:
        """Count and verify."""
        self.looked_at += 1
        return await super().verify(stored, password)


async def test_guesses_at_one_moment_are_counted_too(
    store: Store, clock: FakeClock, jane: Owner
) -> None:
    """Of many tries at once no more are looked at than one after the other."""
    passwords = CountingPasswords(CHEAP)
    owners = OwnerService(store, clock, passwords, failures_per_hour=LIMIT)
    tries = [owners.sign_in(jane.email, f"guess {number}", HERE) for number in range(4 * LIMIT)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    passwords.close()

    assert passwords.looked_at == answers.count(None) == LIMIT
    assert sum(isinstance(one, TooManyRequests) for one in answers) == 3 * LIMIT


async def test_who_signs_in_uses_nothing_up(owners: OwnerService, jane: Owner) -> None:
    """A right password is no failure, however often."""
    for _ in range(3 * LIMIT):
        assert await owners.sign_in(jane.email, PASSWORD, HERE) is not None


async def test_wrong_secrets_are_slowed_and_the_right_one_is_not(
    owners: OwnerService, jane: Owner
) -> None:
    """After the limit a wrong app password or token is told to wait; the right one still works."""
    kind = CredentialKind.APP_PASSWORD
    _, secret = await owners.add_credential(jane.id, kind, "Phone")
    for _ in range(LIMIT):
        assert await owners.authenticate_app_password(jane.email, "guess", HERE) is None
    with pytest.raises(TooManyRequests):
        await owners.authenticate_app_password(jane.email, "guess", HERE)
    with pytest.raises(TooManyRequests):
        await owners.authenticate_api_token("guess", HERE)

    assert await owners.authenticate_app_password(jane.email, secret, HERE) == jane


async def test_waiting_opens_the_door_again(
    owners: OwnerService, jane: Owner, clock: FakeClock
) -> None:
    """Nobody is locked out for ever."""
    for _ in range(LIMIT):
        await owners.sign_in(jane.email, "guess", HERE)
    clock.advance(3601)

    assert await owners.sign_in(jane.email, PASSWORD, HERE) is not None


async def test_a_session_ends_by_itself(
    owners: OwnerService, jane: Owner, clock: FakeClock
) -> None:
    """A session lives for two weeks and not a second longer."""
    signed_in = await owners.sign_in(jane.email, PASSWORD, HERE)
    assert signed_in is not None
    clock.advance(SESSION_SECONDS)

    assert await owners.by_session(signed_in.secret) is None


async def test_signing_out_ends_the_session(owners: OwnerService, jane: Owner) -> None:
    """A session that was signed out of is dead in the store, not only in the browser."""
    signed_in = await owners.sign_in(jane.email, PASSWORD, HERE)
    assert signed_in is not None
    await owners.sign_out(signed_in.session)

    assert await owners.by_session(signed_in.secret) is None


async def test_a_new_password_ends_every_session(owners: OwnerService, jane: Owner) -> None:
    """Only the fresh session that the change gives is left."""
    before = await owners.sign_in(jane.email, PASSWORD, HERE)
    assert before is not None
    after = await owners.change_password(jane, PASSWORD, "another long one", HERE)

    assert await owners.by_session(before.secret) is None
    assert await owners.by_session(after.secret) is not None
    assert await owners.sign_in(jane.email, PASSWORD, HERE) is None


async def test_the_old_password_must_be_right(owners: OwnerService, jane: Owner) -> None:
    """A borrowed browser does not change the password, nor may it guess for long."""
    for _ in range(LIMIT):
        with pytest.raises(Invalid) as caught:
            await owners.change_password(jane, "guess", "another long one", HERE)
        assert set(caught.value.fields) == {"old"}

    with pytest.raises(TooManyRequests):
        await owners.change_password(jane, "guess", "another long one", HERE)


async def test_signing_out_elsewhere_keeps_one_browser(owners: OwnerService, jane: Owner) -> None:
    """Every session ends; the browser that asked has a new one."""
    here = await owners.sign_in(jane.email, PASSWORD, HERE)
    there = await owners.sign_in(jane.email, PASSWORD, "192.0.2.9")
    assert here is not None
    assert there is not None
    fresh = await owners.end_other_sessions(jane)

    known = [await owners.by_session(one.secret) for one in (here, there, fresh)]
    assert [one is not None for one in known] == [False, False, True]


async def test_a_profile_is_saved(owners: OwnerService, jane: Owner, store: Store) -> None:
    """Name, zone and language are stored; the zone under its own name."""
    await owners.change_profile(jane, name=" Jane Doe ", time_zone="europe/paris", locale="nl")

    async with store.read() as tx:
        found = await tx.owners.get(jane.id)
    assert found is not None
    assert (found.name, found.time_zone, found.locale) == ("Jane Doe", "Europe/Paris", "nl")


@pytest.mark.parametrize(
    ("name", "zone", "field"),
    [("", "UTC", "name"), ("a\nb", "UTC", "name"), ("J", "X", "time_zone")],
)
async def test_a_bad_profile_is_refused(
    owners: OwnerService, jane: Owner, name: str, zone: str, field: str
) -> None:
    """A name is one line, and a zone is one that exists."""
    with pytest.raises(Invalid) as caught:
        await owners.change_profile(jane, name=name, time_zone=zone, locale="en")

    assert set(caught.value.fields) == {field}


async def test_an_app_password_opens_its_owners_door_only(
    owners: OwnerService, jane: Owner
) -> None:
    """The right secret with another's address is wrong."""
    await owners.add("john@example.org", PASSWORD)
    _, secret = await owners.add_credential(jane.id, CredentialKind.APP_PASSWORD, "Telephone")

    found = await owners.authenticate_app_password("Jane@example.org", secret, HERE)
    assert found is not None
    assert found.id == jane.id
    assert await owners.authenticate_app_password("john@example.org", secret, HERE) is None


async def test_kinds_of_credential_do_not_stand_in_for_each_other(
    owners: OwnerService, jane: Owner
) -> None:
    """An app password is no API token, and the owner's own password is neither."""
    _, secret = await owners.add_credential(jane.id, CredentialKind.APP_PASSWORD, "Telephone")

    assert await owners.authenticate_api_token(secret, HERE) is None
    assert await owners.authenticate_app_password(jane.email, PASSWORD, HERE) is None


async def test_a_removed_credential_is_dead(owners: OwnerService, jane: Owner) -> None:
    """What was removed does not work any more, at once."""
    made, secret = await owners.add_credential(jane.id, CredentialKind.API_TOKEN, "Script")
    assert await owners.authenticate_api_token(secret, HERE) is not None
    assert await owners.remove_credential(jane.id, made.id)

    assert await owners.authenticate_api_token(secret, HERE) is None


async def test_nobody_removes_anothers_credential(owners: OwnerService, jane: Owner) -> None:
    """Another owner's credential is as good as not there."""
    john = await owners.add("john@example.org", PASSWORD)
    made, secret = await owners.add_credential(jane.id, CredentialKind.API_TOKEN, "Script")

    assert not await owners.remove_credential(john.id, made.id)
    assert await owners.authenticate_api_token(secret, HERE) is not None


async def test_a_disabled_owner_is_nobody(owners: OwnerService, jane: Owner, store: Store) -> None:
    """Password, session and credentials of a disabled owner all stop at once."""
    signed_in = await owners.sign_in(jane.email, PASSWORD, HERE)
    assert signed_in is not None
    _, secret = await owners.add_credential(jane.id, CredentialKind.API_TOKEN, "Script")
    async with store.write() as tx:
        await tx.owners.update(Owner(id=jane.id, email=jane.email, name="Jane", disabled=True))

    assert await owners.by_session(signed_in.secret) is None
    assert await owners.authenticate_api_token(secret, HERE) is None
    assert await owners.sign_in(jane.email, PASSWORD, HERE) is None


@pytest.mark.parametrize("label", ["", "   ", "x" * 101])
async def test_a_credential_has_a_label(owners: OwnerService, jane: Owner, label: str) -> None:
    """A label is 1 to 100 characters, so that the owner can tell credentials apart."""
    with pytest.raises(Invalid):
        await owners.add_credential(jane.id, CredentialKind.APP_PASSWORD, label)


async def test_what_was_done_is_on_the_trail(
    owners: OwnerService, jane: Owner, store: Store
) -> None:
    """Sign-ins, new passwords and credentials are recorded without any secret."""
    await owners.sign_in(jane.email, PASSWORD, HERE)
    _, secret = await owners.add_credential(jane.id, CredentialKind.API_TOKEN, "Script")
    await owners.change_password(jane, PASSWORD, "another long one", HERE)

    async with store.read() as tx:
        trail = await tx.notices.trail(jane.id)
    assert {event for _, event, _ in trail} >= {"sign-in", "api_token-added", "password-changed"}
    assert not any(secret in detail or PASSWORD in detail for _, _, detail in trail)
