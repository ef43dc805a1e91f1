"""Jobs whose memory was raised after a kill for lack of it."""

import sqlalchemy as sa
from alembic import op

from longshore.store.rebuilding import rebuild

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

LIVE = ["queue_id", "status", "created_at", "array_size", "intake", "held_at", "memory_mib", "parent_key", "stopped_at"]
LAST = "requested_hold INTEGER, "


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        rebuild("jobs", {LAST: f"{LAST}\n\tmemory_mib BIGINT, "}, {"memory_mib": "NULL"})
    else:
        op.add_column("jobs", sa.Column("memory_mib", sa.BigInteger()))
    # The index of live jobs answers alone when their memory is asked for as well.
    op.drop_index("ix_jobs_live", "jobs")
    live = sa.text("parent_key IS NULL AND stopped_at IS NULL")
    op.create_index("ix_jobs_live", "jobs", LIVE, sqlite_where=live, postgresql_where=live)
