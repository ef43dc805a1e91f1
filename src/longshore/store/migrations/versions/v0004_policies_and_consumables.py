"""Scheduling policies, what shares have used, the fronts of queues, and consumable resources."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for name in ("consumable_resources", "queue_fronts", "scheduling_policies"):
        op.create_table(
            name,
            *_scope(),
            sa.Column("name", sa.Text(), nullable=False),
            sa.Column("version", sa.Integer(), nullable=False),
            sa.Column("body", sa.Text(), nullable=False),
            sa.PrimaryKeyConstraint("account_id", "region", "name", name=op.f(f"pk_{name}")),
            sqlite_with_rowid=False,
        )
    op.create_table(
        "share_uses",
        *_scope(),
        sa.Column("queue_name", sa.Text(), nullable=False),
        sa.Column("share_identifier", sa.Text(), nullable=False),
        sa.Column("milli_seconds", sa.Float(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("boot_seconds", sa.Float(), nullable=False),
        sa.CheckConstraint("milli_seconds >= 0", name=op.f("ck_share_uses_milli_seconds")),
        sa.PrimaryKeyConstraint("account_id", "region", "queue_name", "share_identifier", name=op.f("pk_share_uses")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "job_consumables",
        *_scope(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("job_key", KEY, autoincrement=False, nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_job_consumables_quantity")),
        sa.PrimaryKeyConstraint("account_id", "region", "name", "job_key", name=op.f("pk_job_consumables")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_job_consumables_job", "job_consumables", ["job_key"])
    op.create_table(
        "client_tokens",
        *_scope(),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "region", "operation", "token", name=op.f("pk_client_tokens")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_client_tokens_at", "client_tokens", ["at"])
    where = sa.text("parent_key IS NULL AND stopped_at IS NULL AND share_identifier IS NOT NULL")
    columns = ["queue_id", "share_identifier"]
    op.create_index("ix_jobs_live_share", "jobs", columns, sqlite_where=where, postgresql_where=where)


def _scope() -> tuple["sa.Column[str]", "sa.Column[str]"]:
    return sa.Column("account_id", sa.Text(), nullable=False), sa.Column("region", sa.Text(), nullable=False)
