"""Alembic's entry: migrate over the connection that runner.py hands in."""

from alembic import context

from gateway.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
# The caller has begun the transaction and commits it: a crash leaves the old schema, whole.
context.run_migrations()
