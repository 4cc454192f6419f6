"""Every table of the first version, and the guard that no two blocking bookings overlap.

Until the first release this revision follows schema.py; then it is frozen.
"""

from alembic import op

from gateway.model.booking import BLOCKING
from gateway.storage.schema import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATES = ", ".join(f"'{state.value}'" for state in sorted(BLOCKING))

# The unary plus keeps SQLite off the index by start, which would walk all of the owner's past.
OVERLAP = f"""
    SELECT RAISE(ABORT, 'booking_overlap') FROM booking AS other
    WHERE other.owner_id = NEW.owner_id AND other.id <> NEW.id AND other.state IN ({STATES})
      AND other.end_at > NEW.start_at AND +other.start_at < NEW.end_at LIMIT 1;
"""  # noqa: S608 - made of our own constants

SQLITE_GUARD = [
    f"""CREATE TRIGGER booking_overlap_insert BEFORE INSERT ON booking
        WHEN NEW.state IN ({STATES}) BEGIN {OVERLAP} END""",
    f"""CREATE TRIGGER booking_overlap_update
        BEFORE UPDATE OF id, owner_id, state, start_at, end_at ON booking
        WHEN NEW.state IN ({STATES}) BEGIN {OVERLAP} END""",
]

# int8range twice instead of btree_gist, which many PostgreSQL packages lack.
POSTGRESQL_GUARD = [
    f"""ALTER TABLE booking ADD CONSTRAINT booking_overlap EXCLUDE USING gist (
        int8range(owner_id, owner_id, '[]') WITH &&, int8range(start_at, end_at) WITH &&
        ) WHERE (state IN ({STATES}))"""
]


def upgrade() -> None:
    """Make the tables and the guard."""
    connection = op.get_bind()
    metadata.create_all(connection, checkfirst=False)
    guard = SQLITE_GUARD if connection.dialect.name == "sqlite" else POSTGRESQL_GUARD
    for statement in guard:
        op.execute(statement)
