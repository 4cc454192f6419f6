"""A database that fails in a way nobody foresaw: answered in our forms, without its words."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import text

from gateway.model.principal import CredentialKind
from tests.owner_desk import OwnerDesk, owner_desk


@pytest.fixture
async def desk(data_dir: Path) -> AsyncIterator[OwnerDesk]:
    """Serve a gateway over an empty database."""
    async with owner_desk(data_dir) as opened:
        yield opened


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/meetings/intro", "text/html"),
        ("/api/v1/pages/by-slug?slug=intro", "application/problem+json"),
        ("/dav/calendars/jane@example.org/", "application/xml"),
    ],
)
async def test_an_error_of_the_database_is_told_in_our_forms(
    desk: OwnerDesk, path: str, kind: str
) -> None:
    """Each edge has an answer of its own, and none of them quotes the database."""
    owner = await desk.owner()
    owners = desk.services.owners
    _, password = await owners.add_credential(owner.id, CredentialKind.APP_PASSWORD, "test")
    login = aiohttp.encode_basic_auth(owner.email, password)
    async with desk.services.store.connect() as connection:
        for table in ("page", "collection"):
            await connection.execute(text(f"ALTER TABLE {table} RENAME TO {table}_gone"))
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            "PROPFIND" if path.startswith("/dav/") else "GET",
            f"{desk.url}{path}",
            headers={"Authorization": login, "Depth": "1"},
        ) as answer,
    ):
        told = await answer.text()

    assert (answer.status, answer.content_type) == (500, kind)
    assert "went wrong on our side" in told
    assert not any(word in told.lower() for word in ("sqlite", "no such", "traceback", "select"))
