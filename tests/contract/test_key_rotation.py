"""A new key: what services sealed opens with it alone, wherever it lies."""

from sqlalchemy import LargeBinary, select

from gateway import ports
from gateway.model.feed import Visibility
from gateway.model.grant import EndedConnection, PendingConsent
from gateway.model.principal import Owner
from gateway.services.farewell import secret_of_ended
from gateway.services.feeds import FeedService
from gateway.services.freebusy import FreeBusyService
from gateway.services.mails import Postbox
from gateway.services.notices import Notices
from gateway.services.sync import secret_of
from gateway.storage import schema
from gateway.storage.cipher import SEALED, reseal
from gateway.storage.engine import SqlStore
from gateway.web.i18n import translate
from tests.booking_desk import URL, a_desk, closing
from tests.builders import a_connection
from tests.conftest import FakeClock


def test_every_column_of_bytes_is_sealed_or_an_object() -> None:
    """Only calendar objects are kept as they came; any other bytes are listed as sealed."""
    binary = {
        f"{table.name}.{column.name}"
        for table in schema.metadata.sorted_tables
        for column in table.c
        if isinstance(column.type, LargeBinary)
    }
    sealed = {f"{column.table.name}.{column.name}" for column in SEALED}

    assert binary - sealed == {"object.data"}


async def test_everything_opens_with_the_new_key_alone(
    store: SqlStore, clock: FakeClock, owner: Owner
) -> None:
    """Manage links, kept mails, feeds, connections, consents: none is lost with the old key."""
    async with closing(await a_desk(store, clock, owner)) as desk:
        booking = await desk.book()
        link = desk.notices.manage_url(booking)
        texts = [mail.as_string() for mail in await desk.mails()]
        feeds = FeedService(store, clock, FreeBusyService(store, clock), desk.cipher)
        await feeds.add(desk.owner, label="x", visibility=Visibility.BUSY, calendars=())
        await keep_others(desk.store, desk.cipher, desk.owner, clock.now())
        ring = desk.cipher.with_new_key()
        await reseal(store, ring)
        alone = ring.first_only()
        for column in SEALED:
            async with store.connect() as connection:
                rows = (await connection.execute(select(column.table.c.id, column))).all()
            assert rows, f"nothing of {column} was there to prove it"
            for name, sealed in rows:
                alone.open(sealed, bound_to=f"{column.table.name}.{column.name}:{name}")

        desk.postbox = Postbox(alone, sender="cal@example.org", sends=False)
        notices = Notices(desk.postbox, alone, translate, public_url=URL)
        assert notices.manage_url((await desk.stored())[0]) == link
        assert [mail.as_string() for mail in await desk.mails()] == texts


async def keep_others(store: ports.Store, cipher: ports.Cipher, owner: Owner, now: int) -> None:
    """Store a connection, a consent under way and an ended connection."""
    connection = a_connection(owner.id)
    async with store.write() as tx:
        await tx.connections.add(connection)
        secret = cipher.seal(b"secret", bound_to=secret_of(connection.id))
        await tx.connections.set_secret(connection.id, secret)
        await tx.consents.add(
            PendingConsent(
                id="cs_1",
                owner_id=owner.id,
                provider="google",
                state_digest="d",
                sealed=cipher.seal(b"verifier", bound_to="consent.sealed:cs_1"),
                created_at=now,
                expires_at=now + 600,
            )
        )
        await tx.consents.end(
            EndedConnection(
                id="cn_gone",
                owner_id=owner.id,
                provider="google",
                account="a",
                secret=cipher.seal(b"secret", bound_to=secret_of_ended("cn_gone")),
            )
        )
