"""Owners, credentials and sessions, on both engines."""

from dataclasses import replace

import pytest

from gateway import errors
from gateway.model.principal import Credential, CredentialKind, OwnerSettings, Session
from tests.builders import an_owner

APP, TOKEN = CredentialKind.APP_PASSWORD, CredentialKind.API_TOKEN


def _credential(owner_id: int, identifier: str = "ap_1") -> Credential:
    return Credential(id=identifier, owner_id=owner_id, kind=APP, label="phone", created_at=1)


async def test_an_owner_is_found_by_address(store, owner):
    """The e-mail address names one owner."""
    async with store.read() as transaction:
        assert await transaction.owners.by_email("jane@example.org") == owner


async def test_an_address_has_one_owner(store, owner):
    """A second owner with the same address is refused as a conflict."""
    with pytest.raises(errors.Conflict) as caught:
        async with store.write() as transaction:
            await transaction.owners.add(an_owner(name="Other"), "hash")

    assert caught.value.code == "email_taken"


async def test_what_an_owner_sets_is_kept(store, owner):
    """Fields and settings come back as they were saved."""
    settings = OwnerSettings(meetings_url="jane", chat_include_link=True)
    async with store.write() as transaction:
        await transaction.owners.update(replace(owner, name="Jane Doe", seat=True))
        await transaction.owners.save_settings(owner.id, settings)
        found = await transaction.owners.get(owner.id)

    assert found == replace(owner, name="Jane Doe", seat=True, settings=settings)


async def test_a_credential_proves_its_kind_only(store, owner):
    """An app password is not accepted in an API token's place."""
    async with store.write() as transaction:
        await transaction.owners.add_credential(_credential(owner.id), "digest")
        as_password = await transaction.owners.by_credential(APP, "digest")
        as_token = await transaction.owners.by_credential(TOKEN, "digest")

    assert (as_password, as_token) == ((owner, _credential(owner.id)), None)


async def test_two_credentials_cannot_share_a_secret(store, owner):
    """A given password that exists already is refused as a conflict."""
    async with store.write() as transaction:
        await transaction.owners.add_credential(_credential(owner.id), "digest")
        with pytest.raises(errors.Conflict):
            await transaction.owners.add_credential(_credential(owner.id, "ap_2"), "digest")


async def test_a_credential_is_removed_by_its_owner_only(store, owner):
    """Another owner's credential looks as if it were not there."""
    async with store.write() as transaction:
        await transaction.owners.add_credential(_credential(owner.id), "digest")
        stranger = await transaction.owners.remove_credential(owner.id + 1, "ap_1")
        self = await transaction.owners.remove_credential(owner.id, "ap_1")

    assert (stranger, self) == (False, True)


async def test_a_session_ends_at_its_time(store, owner):
    """A session is found until it expires."""
    session = Session(digest="d", owner_id=owner.id, csrf="c", expires_at=100)
    async with store.write() as transaction:
        await transaction.owners.add_session(session)
        during = await transaction.owners.session("d", 99)
        after = await transaction.owners.session("d", 100)

    assert (during, after) == ((session, owner), None)
