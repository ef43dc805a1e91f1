"""Alembic's entry: runs the scripts on the connection that it was given, inside the transaction that is open there."""

from alembic import context

from longshore.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
