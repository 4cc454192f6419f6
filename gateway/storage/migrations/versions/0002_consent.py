"""Consents, push channels, and what a connection keeps about notifications and fresh tokens.

Until the first release 0001 makes every table of schema.py; this brings a database of before these
tables up to it, and finds nothing to do in a newer one.
"""

import sqlalchemy as sa
from alembic import op

from gateway.storage.schema import connection, metadata
from gateway.storage.schema_access import channel, consent, ended_connection

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = [consent, ended_connection, channel]
COLUMNS = ("quiet_until", "poked_at", "refresh_until")


def upgrade() -> None:
    """Make what is not there yet."""
    bind = op.get_bind()
    there = {column["name"] for column in sa.inspect(bind).get_columns(connection.name)}
    for name in COLUMNS:
        if name not in there:
            column = sa.Column(name, sa.BigInteger, nullable=False, server_default="0")
            op.add_column(connection.name, column)
    metadata.create_all(bind, tables=TABLES, checkfirst=True)
