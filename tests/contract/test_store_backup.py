"""Backups go out of and into both engines; secrets are sealed with a key of ours."""

import asyncio
import os
import sqlite3

import pytest
from sqlalchemy import select, text

from gateway import errors
from gateway.dav.sync_token import revision_of, sync_token
from gateway.model.feed import Feed, Visibility
from gateway.storage import schema
from gateway.storage.backup import back_up, restore
from gateway.storage.cipher import KeyRing, check_key, new_key, reseal
from gateway.storage.engine import open_store
from tests.builders import NOON, a_booking, a_collection, an_object, an_owner
from tests.conftest import SQLITE_URL


async def _rows(store) -> dict[str, list[tuple[object, ...]]]:
    async with store.read():
        pass
    async with store.connect() as connection:
        return {
            table.name: sorted(
                (tuple(row) for row in (await connection.execute(select(table))).all()), key=repr
            )
            for table in schema.metadata.sorted_tables
        }


async def _fill(store, owner) -> None:
    async with store.write() as transaction:
        collection = await transaction.collections.add(a_collection(owner.id))
        await transaction.objects.put(an_object(collection.id, data=b"\x00\xff\r\n"))
        await transaction.owners.set_default(owner.id, collection.id)
        for day in range(3):
            await transaction.bookings.add(a_booking(owner.id, start=NOON + day * 86400))


async def test_a_backup_comes_back_whole_on_either_engine(
    store, owner, store_url, data_dir, tmp_path
):
    """A backup of either engine restores every row into SQLite and into itself."""
    await _fill(store, owner)
    before = await _rows(store)
    file = tmp_path / "calgate.backup"
    size = await back_up(store_url, data_dir, file)
    await restore(SQLITE_URL, tmp_path / "elsewhere", file)
    elsewhere = await open_store(SQLITE_URL, tmp_path / "elsewhere")
    moved = await _rows(elsewhere)
    await elsewhere.close()
    await store.close()
    await restore(store_url, data_dir, file, force=True)
    again = await open_store(store_url, data_dir)
    back = await _rows(again)
    async with again.write() as transaction:
        joe = await transaction.owners.add(an_owner(email="joe@example.org"), "hash")
    await again.close()

    assert size == file.stat().st_size
    epochs = [dict(rows.pop("meta")).get("epoch") for rows in (before, moved, back)]
    assert moved == back == before
    assert (epochs[0], len(set(epochs))) == (None, 3), "each restore begins an epoch of its own"
    assert joe.id > owner.id


async def test_what_a_client_remembers_of_a_lost_future_is_refused(
    store, owner, store_url, data_dir, tmp_path
):
    """A token from after the backup stays refused when revisions have passed it again."""
    async with store.write() as transaction:
        calendar = await transaction.collections.add(a_collection(owner.id))
        await transaction.objects.put(an_object(calendar.id, "kept.ics"))
    file = tmp_path / "calgate.backup"
    await back_up(store_url, data_dir, file)
    async with store.write() as transaction:
        await transaction.objects.put(an_object(calendar.id, "lost.ics"))
        lost = await transaction.collections.get(calendar.id)
    await store.close()
    await restore(store_url, data_dir, file, force=True)
    again = await open_store(store_url, data_dir)
    async with again.write() as transaction:
        for name in ("new.ics", "newer.ics"):
            await transaction.objects.put(an_object(calendar.id, name))
        now = await transaction.collections.get(calendar.id)
    await again.close()

    assert now.revision > lost.revision
    with pytest.raises(errors.Refused):
        revision_of(sync_token(lost), now)
    assert revision_of(sync_token(now), now) == now.revision


async def test_a_database_that_holds_something_is_not_overwritten(
    store, owner, store_url, data_dir, tmp_path
):
    """Without force a restore spares a database with owners."""
    file = tmp_path / "calgate.backup"
    await back_up(store_url, data_dir, file)

    with pytest.raises(errors.ConfigError, match="--force"):
        await restore(store_url, data_dir, file)


@pytest.mark.parametrize("content", [b"", b"rubbish" * 1000])
async def test_what_is_no_backup_is_refused(sqlite_store, data_dir, tmp_path, content):
    """A file that is not ours is refused before anything is touched."""
    file = tmp_path / "calgate.backup"
    file.write_bytes(content)

    with pytest.raises(errors.ConfigError, match="not a backup"):
        await restore(SQLITE_URL, data_dir, file, force=True)


async def test_a_damaged_backup_is_refused(sqlite_store, data_dir, tmp_path):
    """A backup with an overwritten page is refused before anything is touched."""
    async with sqlite_store.write() as transaction:
        owner = await transaction.owners.add(an_owner(), "hash")
    await _fill(sqlite_store, owner)
    file = tmp_path / "calgate.backup"
    await back_up(SQLITE_URL, data_dir, file)
    content = bytearray(file.read_bytes())
    content[4096 * 3 : 4096 * 40] = os.urandom(4096 * 37)
    file.write_bytes(content)

    with pytest.raises(errors.ConfigError):
        await restore(SQLITE_URL, data_dir, file, force=True)


async def test_writers_go_on_during_a_backup(sqlite_store, data_dir, tmp_path):
    """A backup beside running writers is one consistent state."""

    async def write() -> None:
        for number in range(30):
            async with sqlite_store.write() as transaction:
                await transaction.owners.add(an_owner(email=f"{number}@example.org"), "hash")

    file = tmp_path / "calgate.backup"
    await asyncio.gather(write(), back_up(SQLITE_URL, data_dir, file))
    with sqlite3.connect(file) as connection:
        count = connection.execute("SELECT count(*) FROM owner").fetchone()[0]
    connection.close()

    assert 0 <= count <= 30


def _key_file(tmp_path, content: str, mode: int = 0o600):
    path = tmp_path / "key"
    path.write_text(content)
    path.chmod(mode)
    return path


def test_what_is_sealed_opens_in_its_place_only():
    """Moved to another row, changed or under another key, sealed bytes do not open."""
    ring, other = (KeyRing.from_text(new_key()) for _ in range(2))
    sealed = ring.seal(b"secret", bound_to="feed.token_sealed:1")

    assert ring.open(sealed, bound_to="feed.token_sealed:1") == b"secret"
    for opener, data, place in (
        (ring, sealed, "feed.token_sealed:2"),
        (ring, sealed[:-1] + bytes([sealed[-1] ^ 1]), "feed.token_sealed:1"),
        (other, sealed, "feed.token_sealed:1"),
        (ring, sealed[:9], "feed.token_sealed:1"),
        (ring, b"", "feed.token_sealed:1"),
    ):
        with pytest.raises(errors.BadKey):
            opener.open(data, bound_to=place)


def test_an_unsafe_or_broken_key_file_is_refused(tmp_path):
    """Missing, readable by others, truncated, empty: each is refused with its sentence."""
    key = new_key()
    with pytest.raises(errors.BadKey, match="missing"):
        KeyRing.from_file(tmp_path / "key")
    for content, mode, sentence in (
        (key, 0o644, "chmod 600"),
        (key[:20], 0o600, "not a whole key"),
        ("", 0o600, "empty"),
        ("é", 0o600, "cannot be read"),
    ):
        with pytest.raises(errors.BadKey, match=sentence):
            KeyRing.from_file(_key_file(tmp_path, content, mode))


async def test_another_key_is_noticed_at_the_start(store):
    """A database remembers which key it was written with."""
    async with store.connect() as connection:
        await connection.execute(text("DELETE FROM meta"))
    right, wrong = (KeyRing.from_text(new_key()) for _ in range(2))
    await check_key(store, right)
    await check_key(store, right)

    with pytest.raises(errors.BadKey, match="not the one"):
        await check_key(store, wrong)


async def test_a_rotated_key_opens_everything_alone(store, owner, tmp_path):
    """After rotation the old key is needed for nothing."""
    old = KeyRing.from_text(new_key())
    await check_key(store, old)
    feed = Feed(
        id="fd_1", owner_id=owner.id, label="", visibility=Visibility.BUSY, calendars=(),
        token_digest="d", token_sealed=old.seal(b"token", bound_to="feed.token_sealed:fd_1"),
        created_at=0,
    )  # fmt: skip
    async with store.write() as transaction:
        await transaction.feeds.add(feed)
    both = old.with_new_key()
    both.write(tmp_path / "key")
    counts = [await reseal(store, KeyRing.from_file(tmp_path / "key")) for _ in range(2)]
    new = both.first_only()
    await check_key(store, new)
    async with store.read() as transaction:
        found = await transaction.feeds.by_digest("d")

    assert counts == [1, 0]
    assert new.open(found.token_sealed, bound_to="feed.token_sealed:fd_1") == b"token"
    with pytest.raises(errors.BadKey):
        old.open(found.token_sealed, bound_to="feed.token_sealed:fd_1")
