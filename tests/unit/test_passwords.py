"""Passwords are hashed slowly, differently each time, and off the loop."""

import asyncio
from collections.abc import Iterator

import pytest

from gateway.services.passwords import Passwords
from gateway.services.tokens import digest, new_id, new_secret


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    """Give a hasher and let its threads go."""
    made = Passwords()
    yield made
    made.close()


async def test_the_right_password_is_right(passwords: Passwords) -> None:
    """A hash verifies its own password and no other."""
    stored = await passwords.hash("correct horse")

    assert await passwords.verify(stored, "correct horse")
    assert not await passwords.verify(stored, "correct horse ")


async def test_a_hash_is_argon2id_and_salted(passwords: Passwords) -> None:
    """Two hashes of one password differ, neither holds it, each cost what OWASP asks."""
    first, second = await passwords.hash("correct horse"), await passwords.hash("correct horse")

    assert first != second
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert "correct" not in first


async def test_nothing_verifies_without_a_stored_hash(passwords: Passwords) -> None:
    """An account that does not exist has no right password, not even the stand-in's."""
    assert not await passwords.verify(None, "nobody's password")


@pytest.mark.parametrize("stored", ["", "hash", "$argon2id$v=19$m=1,t=1,p=1$", "$2b$12$abc"])
async def test_a_stored_hash_that_is_none_is_wrong(passwords: Passwords, stored: str) -> None:
    """Damage in the database lets nobody in."""
    assert not await passwords.verify(stored, "anything")


async def test_odd_text_is_only_wrong(passwords: Passwords) -> None:
    """Half a surrogate pair cannot be anybody's password, and is no error."""
    assert not await passwords.verify(await passwords.hash("correct horse"), "\ud800")


async def test_the_loop_goes_on_while_passwords_are_verified(passwords: Passwords) -> None:
    """Other work is done before a flood of sign-ins is through."""
    stored = await passwords.hash("correct horse")
    flood = [asyncio.create_task(passwords.verify(stored, "guess")) for _ in range(8)]
    await asyncio.sleep(0)

    assert not any(task.done() for task in flood)
    await asyncio.gather(*flood)


def test_secrets_are_long_and_their_own() -> None:
    """A secret has 192 random bits, an id 79; a digest tells nothing of the secret's length."""
    secrets = {new_secret() for _ in range(100)}

    assert len(secrets) == 100
    assert all(len(one) == 32 for one in secrets)
    assert len(new_id("pg_")) == 19
    assert len(digest("x")) == len(digest("x" * 1000)) == 64
