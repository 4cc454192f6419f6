"""An index by which the few objects that are no events are found without reading the others.

Until the first release 0001 makes it with its table; this brings an older database up to it.
"""

import sqlalchemy as sa
from alembic import op

from gateway.storage.schema import object_

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NAME = "ix_object_collection_id_component"


def upgrade() -> None:
    """Make what is not there yet."""
    bind = op.get_bind()
    there = {index["name"] for index in sa.inspect(bind).get_indexes(object_.name)}
    if NAME not in there:
        op.create_index(NAME, object_.name, ["collection_id", "component"])
