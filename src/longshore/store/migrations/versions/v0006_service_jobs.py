"""Service environments, and what jobs have for service jobs: a status and a priority that can change."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: Columns and condition of each index on jobs.
INDEXES = {
    "ix_jobs_ended": (["stopped_at"], "parent_key IS NULL AND stopped_at IS NOT NULL"),
    "ix_jobs_intake": (["key"], "parent_key IS NULL AND stopped_at IS NULL AND intake IS NULL"),
    "ix_jobs_live": (
        ["queue_id", "status", "created_at", "array_size", "intake", "parent_key", "stopped_at"],
        "parent_key IS NULL AND stopped_at IS NULL",
    ),
    "ix_jobs_live_share": (
        ["queue_id", "share_identifier"],
        "parent_key IS NULL AND stopped_at IS NULL AND share_identifier IS NOT NULL",
    ),
    "ix_jobs_queue": (["queue_id", "key", "created_at"], "queue_id IS NOT NULL"),
    "ix_jobs_queue_created": (["queue_id", "created_at", "key"], "queue_id IS NOT NULL"),
    "ix_jobs_queue_definition": (
        ["queue_id", "definition_name", "definition_revision", "key"],
        "queue_id IS NOT NULL",
    ),
    "ix_jobs_queue_name": (["queue_id", "name_folded", "key"], "queue_id IS NOT NULL"),
    "ix_jobs_queue_share": (["queue_id", "share_identifier", "key"], "share_identifier IS NOT NULL"),
    "ix_jobs_queue_status": (["queue_id", "status", "key"], "queue_id IS NOT NULL"),
    "ix_jobs_request": (["key"], "request_kind IS NOT NULL"),
    "ix_jobs_uuid": (["uuid"], "parent_key IS NULL"),
}


def upgrade() -> None:
    op.create_table(
        "service_environments",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "region", "name", name=op.f("pk_service_environments")),
        sqlite_with_rowid=False,
    )
    # SQLite cannot change the rule on what a status may be: the rows move to a new table.
    for name in INDEXES:
        op.drop_index(name, "jobs")
    op.rename_table("jobs", "jobs_before")
    _create_jobs()
    columns = ", ".join(column["name"] for column in sa.inspect(op.get_bind()).get_columns("jobs_before"))
    op.execute(f"INSERT INTO jobs ({columns}) SELECT {columns} FROM jobs_before")
    op.drop_table("jobs_before")
    for name, (indexed, where) in INDEXES.items():
        _create_index(name, indexed, where, unique=name == "ix_jobs_uuid")
    _create_index("ix_jobs_priority", ["key"], "requested_priority IS NOT NULL")


def _create_index(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, "jobs", columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("key", KEY, autoincrement=False, nullable=False),
        sa.Column("parent_key", KEY),
        sa.Column("array_index", sa.Integer()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger()),
        sa.Column("stopped_at", sa.BigInteger()),
        sa.Column("intake", sa.BigInteger()),
        sa.Column("attempts_made", sa.Integer(), nullable=False),
        sa.Column("lost_hosts", sa.Integer(), nullable=False),
        sa.Column("wish_kind", sa.Text()),
        sa.Column("wish_reason", sa.Text()),
        sa.Column("exit_code", sa.Integer()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("request_kind", sa.Text()),
        sa.Column("request_reason", sa.Text()),
        sa.Column("array_size", sa.Integer()),
        sa.Column("uuid", sa.Text()),
        sa.Column("queue_id", KEY),
        sa.Column("name_folded", sa.Text()),
        sa.Column("definition_name", sa.Text()),
        sa.Column("definition_revision", sa.Integer()),
        sa.Column("share_identifier", sa.Text()),
        sa.Column("scheduling_priority", sa.Integer()),
        sa.Column("requested_priority", sa.Integer()),
        sa.CheckConstraint(
            "(status = 'FAILED' OR status = 'SUCCEEDED') = (stopped_at IS NOT NULL)",
            name=op.f("ck_jobs_final_stopped_at"),
        ),
        sa.CheckConstraint(
            "request_kind IS NULL OR request_kind = 'cancel' OR request_kind = 'terminate'",
            name=op.f("ck_jobs_request_kind"),
        ),
        sa.CheckConstraint(
            "status = 'FAILED' OR status = 'PENDING' OR status = 'RUNNABLE' OR status = 'RUNNING'"
            " OR status = 'SCHEDULED' OR status = 'STARTING' OR status = 'SUBMITTED' OR status = 'SUCCEEDED'",
            name=op.f("ck_jobs_status"),
        ),
        sa.CheckConstraint(
            "wish_kind IS NULL OR wish_kind = 'cancel' OR wish_kind = 'terminate'", name=op.f("ck_jobs_wish_kind")
        ),
        sa.CheckConstraint("(parent_key IS NULL) = (array_index IS NULL)", name=op.f("ck_jobs_child_index")),
        sa.CheckConstraint("(parent_key IS NULL) = (queue_id IS NOT NULL)", name=op.f("ck_jobs_submitted_queue")),
        sa.CheckConstraint("(parent_key IS NULL) = (uuid IS NOT NULL)", name=op.f("ck_jobs_submitted_uuid")),
        sa.CheckConstraint(
            "array_size IS NULL OR (array_size > 0 AND parent_key IS NULL)", name=op.f("ck_jobs_array_size")
        ),
        sa.CheckConstraint("share_identifier IS NULL OR parent_key IS NULL", name=op.f("ck_jobs_submitted_share")),
        sa.CheckConstraint("lost_hosts >= 0 AND attempts_made >= lost_hosts", name=op.f("ck_jobs_attempts_made")),
        sa.CheckConstraint(
            "parent_key IS NULL OR (array_index >= 0 AND key = parent_key + 1 + array_index)",
            name=op.f("ck_jobs_child_key"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_jobs")),
    )
