"""Contacts, their engagements, and what a meeting that has no page is called.

Until the first release 0001 makes every table of schema.py; this brings a database of before these
tables up to it, and finds nothing to do in a newer one.
"""

import sqlalchemy as sa
from alembic import op

from gateway.storage.schema import booking, metadata
from gateway.storage.schema_contacts import contact, engagement, engagement_mark

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = [contact, engagement, engagement_mark]
COLUMNS = ("title", "place")


def upgrade() -> None:
    """Make what is not there yet."""
    bind = op.get_bind()
    there = {column["name"] for column in sa.inspect(bind).get_columns(booking.name)}
    for name in COLUMNS:
        if name not in there:
            column = sa.Column(name, sa.Text, nullable=False, server_default="")
            op.add_column(booking.name, column)
    metadata.create_all(bind, tables=TABLES, checkfirst=True)
