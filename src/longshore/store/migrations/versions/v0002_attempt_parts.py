"""A table for the parts of attempts: jobs of several containers and of several nodes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "attempt_parts",
        sa.Column("job_key", KEY, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("node", sa.Integer(), nullable=False),
        sa.Column("container", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("vcpu_milli", sa.BigInteger(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("gpus", sa.Integer(), nullable=False),
        sa.Column("gpu_names", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("intent", sa.Text(), nullable=True),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("started_boot_id", sa.Text(), nullable=False),
        sa.Column("started_boot_seconds", sa.Float(), nullable=True),
        sa.Column("stopped_at", sa.BigInteger(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=False),
        sa.Column("cpu_seconds", sa.Float(), nullable=True),
        sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "intent IS NULL OR intent = 'launch' OR intent = 'release' OR intent = 'stop' OR intent = 'wait'",
            name=op.f("ck_attempt_parts_intent"),
        ),
        sa.CheckConstraint(
            "number > 0 AND position >= 0 AND node >= 0",
            name=op.f("ck_attempt_parts_number"),
        ),
        sa.CheckConstraint(
            "vcpu_milli >= 0 AND memory_mib >= 0 AND gpus >= 0", name=op.f("ck_attempt_parts_resources")
        ),
        sa.PrimaryKeyConstraint("job_key", "number", "position", name=op.f("pk_attempt_parts")),
        sqlite_with_rowid=False,
    )
