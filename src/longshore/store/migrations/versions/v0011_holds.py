"""Jobs that are held, and what is asked of that."""

import sqlalchemy as sa
from alembic import op

from longshore.store.rebuilding import rebuild

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

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
