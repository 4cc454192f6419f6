"""What is kept of a connection that is removed, for its provider to be told (see `ending`).

Law: nothing of it is left alive there. A refresh token that was under way at the removal, and came
in after it, is told apart from the one that was stored: that job may have run already.
"""

from dataclasses import replace

from gateway.errors import CalgateError
from gateway.model.connection import Connection
from gateway.model.grant import EndedConnection, Grant
from gateway.model.timerange import Instant
from gateway.ports import Cipher, Transaction
from gateway.services.sync import secret_of
from gateway.services.tokens import digest

END = "connection.end"


def secret_of_ended(connection_id: str) -> str:
    """Return what an ended connection's secret is bound to."""
    return f"ended_connection.secret:{connection_id}"


async def say_goodbye(
    tx: Transaction, cipher: Cipher, connection: Connection, now: Instant
) -> None:
    """Keep, in the transaction that removes a connection, what its provider must be told."""
    channels = await tx.channels.of_connection(connection.id)
    if not connection.options.get("subject") and not channels:
        return
    try:
        plain = cipher.open(connection.secret, bound_to=secret_of(connection.id))
    except CalgateError:
        return  # nothing can be said without the secret; the owner wants it gone here anyway
    ended = _ended(cipher, connection, connection.id, plain, now)
    watched = tuple((one.watch_id, one.resource) for one in channels if one.watch_id)
    await _end(tx, replace(ended, channels=watched))


async def say_goodbye_late(
    tx: Transaction, cipher: Cipher, connection: Connection, grant: Grant, now: Instant
) -> None:
    """Keep a grant that came in when its connection had been removed."""
    name = f"{connection.id}.{digest(grant.refresh_token)[:8]}"
    await _end(tx, _ended(cipher, connection, name, grant.encode(), now))


def _ended(
    cipher: Cipher, connection: Connection, name: str, plain: bytes, now: Instant
) -> EndedConnection:
    return EndedConnection(
        id=name,
        owner_id=connection.owner_id,
        provider=connection.provider,
        account=connection.account,
        secret=cipher.seal(plain, bound_to=secret_of_ended(name)),
        ended_at=now,
    )


async def _end(tx: Transaction, ended: EndedConnection) -> None:
    await tx.consents.end(ended)
    await tx.outbox.add(END, ended.id, {"connection": ended.id}, ended.ended_at)
