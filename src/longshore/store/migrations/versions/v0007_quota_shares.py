"""Quota shares, and what jobs and attempts have for preemption: a count and a cause."""

import sqlalchemy as sa
from alembic import op

from longshore.store.rebuilding import rebuild

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COUNTED = "lost_hosts >= 0 AND attempts_made >= lost_hosts"
COUNTED_NOW = "lost_hosts >= 0 AND preemptions >= 0 AND attempts_made >= lost_hosts + preemptions"
CAUSES = "stop_cause IS NULL OR stop_cause = 'terminated' OR stop_cause = 'timed-out'"
CAUSES_NOW = "stop_cause IS NULL OR stop_cause = 'preempted' OR stop_cause = 'terminated' OR stop_cause = 'timed-out'"
COLUMN = "lost_hosts INTEGER NOT NULL, "


def upgrade() -> None:
    op.create_table(
        "quota_shares",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "region", "name", name=op.f("pk_quota_shares")),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "sqlite":  # it can't change rules: the rows move to tables with new ones
        changes = {COLUMN: f"{COLUMN}\n\tpreemptions INTEGER NOT NULL, ", COUNTED: COUNTED_NOW}
        rebuild("jobs", changes, {"preemptions": "0"})
        rebuild("attempts", {CAUSES: CAUSES_NOW})
        return
    op.add_column("jobs", sa.Column("preemptions", sa.Integer(), nullable=False, server_default="0"))
    op.alter_column("jobs", "preemptions", server_default=None)
    for table, rule, text in (("jobs", "attempts_made", COUNTED_NOW), ("attempts", "stop_cause", CAUSES_NOW)):
        op.drop_constraint(op.f(f"ck_{table}_{rule}"), table)
        op.create_check_constraint(op.f(f"ck_{table}_{rule}"), table, text)
