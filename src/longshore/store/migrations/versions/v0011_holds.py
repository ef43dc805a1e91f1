"""Jobs that are held, and what is asked of that."""

import sqlalchemy as sa
from alembic import op

from longshore.store.rebuilding import rebuild

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

LIVE = ["queue_id", "status", "created_at", "array_size", "intake", "held_at", "parent_key", "stopped_at"]
LAST = "requested_priority INTEGER, "


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        changes = {LAST: f"{LAST}\n\theld_at BIGINT, \n\trequested_hold INTEGER, "}
        rebuild("jobs", changes, {"held_at": "NULL", "requested_hold": "NULL"})
    else:
        op.add_column("jobs", sa.Column("held_at", sa.BigInteger()))
        op.add_column("jobs", sa.Column("requested_hold", sa.Integer()))
    wants = sa.text("requested_hold IS NOT NULL")
    op.create_index("ix_jobs_hold", "jobs", ["key"], sqlite_where=wants, postgresql_where=wants)
    # The index of live jobs answers alone when the held ones are looked for as well.
    op.drop_index("ix_jobs_live", "jobs")
    live = sa.text("parent_key IS NULL AND stopped_at IS NULL")
    op.create_index("ix_jobs_live", "jobs", LIVE, sqlite_where=live, postgresql_where=live)
