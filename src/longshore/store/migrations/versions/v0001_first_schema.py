"""The first schema.

Revision ids are numbers, so that a database of a newer version is told without its scripts.
"""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("PRAGMA application_id = 1280198483")
    _create_tables()
    op.execute("INSERT INTO counters (name, value) VALUES ('job_key', 0), ('intake', 0)")
    op.execute("INSERT INTO leadership (epoch) VALUES (0)")
    op.execute(f"INSERT INTO meta (name, value) VALUES ('installation_id', '{uuid4().hex}')")


def _create_partial_index(name: str, table: str, columns: list[str], *, where: str, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _create_tables() -> None:
    op.create_table(
        "array_summaries",
        sa.Column("parent_key", KEY, autoincrement=False, nullable=False),
        sa.Column("submitted", sa.Integer(), nullable=False),
        sa.Column("pending", sa.Integer(), nullable=False),
        sa.Column("runnable", sa.Integer(), nullable=False),
        sa.Column("starting", sa.Integer(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("succeeded", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("failed >= 0", name=op.f("ck_array_summaries_failed")),
        sa.CheckConstraint("pending >= 0", name=op.f("ck_array_summaries_pending")),
        sa.CheckConstraint("runnable >= 0", name=op.f("ck_array_summaries_runnable")),
        sa.CheckConstraint("running >= 0", name=op.f("ck_array_summaries_running")),
        sa.CheckConstraint("starting >= 0", name=op.f("ck_array_summaries_starting")),
        sa.CheckConstraint("submitted >= 0", name=op.f("ck_array_summaries_submitted")),
        sa.CheckConstraint("succeeded >= 0", name=op.f("ck_array_summaries_succeeded")),
        sa.PrimaryKeyConstraint("parent_key", name=op.f("pk_array_summaries")),
    )
    op.create_table(
        "attempts",
        sa.Column("job_key", KEY, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("environment_name", sa.Text(), nullable=False),
        sa.Column("host_id", sa.Text(), nullable=False),
        sa.Column("vcpu_milli", sa.BigInteger(), nullable=False),
        sa.Column("memory_mib", sa.BigInteger(), nullable=False),
        sa.Column("gpus", sa.Integer(), nullable=False),
        sa.Column("gpu_names", sa.Text()),
        sa.Column("intent", sa.Text()),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger()),
        sa.Column("started_boot_id", sa.Text(), nullable=False),
        sa.Column("started_boot_seconds", sa.Float()),
        sa.Column("stopped_at", sa.BigInteger()),
        sa.Column("exit_code", sa.Integer()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=False),
        sa.Column("cpu_seconds", sa.Float()),
        sa.Column("peak_memory_bytes", sa.BigInteger()),
        sa.Column("stop_cause", sa.Text()),
        sa.CheckConstraint(
            "intent IS NULL OR intent = 'launch' OR intent = 'release' OR intent = 'stop'",
            name=op.f("ck_attempts_intent"),
        ),
        sa.CheckConstraint(
            "stop_cause IS NULL OR stop_cause = 'terminated' OR stop_cause = 'timed-out'",
            name=op.f("ck_attempts_stop_cause"),
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_attempts_number")),
        sa.CheckConstraint("vcpu_milli >= 0 AND memory_mib >= 0 AND gpus >= 0", name=op.f("ck_attempts_resources")),
        sa.PrimaryKeyConstraint("job_key", "number", name=op.f("pk_attempts")),
        sqlite_with_rowid=False,
    )
    _create_partial_index("ix_attempts_open", "attempts", ["job_key"], where="stopped_at IS NULL OR intent IS NOT NULL")
    op.create_table(
        "class_reasons",
        sa.Column("class_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("class_id", name=op.f("pk_class_reasons")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "compute_environments",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "region", "name", name=op.f("pk_compute_environments")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", KEY, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    op.create_table(
        "events",
        sa.Column("seq", KEY, nullable=False),
        sa.Column("job_key", KEY, nullable=False),
        sa.Column("of_children", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("status_from", sa.Text()),
        sa.Column("status_to", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_job", "events", ["job_key"])
    op.create_table(
        "job_definitions",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.CheckConstraint("status IN ('ACTIVE', 'INACTIVE')", name=op.f("ck_job_definitions_status")),
        sa.CheckConstraint("revision > 0", name=op.f("ck_job_definitions_revision")),
        sa.PrimaryKeyConstraint("account_id", "region", "name", "revision", name=op.f("pk_job_definitions")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "job_dependencies",
        sa.Column("job_key", KEY, autoincrement=False, nullable=False),
        sa.Column("on_key", KEY, autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "type = '' OR type = 'N_TO_N' OR type = 'SEQUENTIAL'", name=op.f("ck_job_dependencies_type")
        ),
        sa.PrimaryKeyConstraint("job_key", "on_key", "type", name=op.f("pk_job_dependencies")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_job_dependencies_on", "job_dependencies", ["on_key"])
    op.create_table(
        "job_queues",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "region", "name", name=op.f("pk_job_queues")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "job_specs",
        sa.Column("key", KEY, autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_job_specs")),
    )
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
            " OR status = 'STARTING' OR status = 'SUBMITTED' OR status = 'SUCCEEDED'",
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
    _create_partial_index(
        "ix_jobs_ended", "jobs", ["stopped_at"], where="parent_key IS NULL AND stopped_at IS NOT NULL"
    )
    _create_partial_index(
        "ix_jobs_intake", "jobs", ["key"], where="parent_key IS NULL AND stopped_at IS NULL AND intake IS NULL"
    )
    _create_partial_index(
        "ix_jobs_live",
        "jobs",
        ["queue_id", "status", "created_at", "array_size", "intake", "parent_key", "stopped_at"],
        where="parent_key IS NULL AND stopped_at IS NULL",
    )
    _create_partial_index("ix_jobs_queue", "jobs", ["queue_id", "key", "created_at"], where="queue_id IS NOT NULL")
    _create_partial_index(
        "ix_jobs_queue_created", "jobs", ["queue_id", "created_at", "key"], where="queue_id IS NOT NULL"
    )
    _create_partial_index(
        "ix_jobs_queue_definition",
        "jobs",
        ["queue_id", "definition_name", "definition_revision", "key"],
        where="queue_id IS NOT NULL",
    )
    _create_partial_index(
        "ix_jobs_queue_name", "jobs", ["queue_id", "name_folded", "key"], where="queue_id IS NOT NULL"
    )
    _create_partial_index(
        "ix_jobs_queue_share",
        "jobs",
        ["queue_id", "share_identifier", "key"],
        where="share_identifier IS NOT NULL",
    )
    _create_partial_index("ix_jobs_queue_status", "jobs", ["queue_id", "status", "key"], where="queue_id IS NOT NULL")
    _create_partial_index("ix_jobs_request", "jobs", ["key"], where="request_kind IS NOT NULL")
    _create_partial_index("ix_jobs_uuid", "jobs", ["uuid"], where="parent_key IS NULL", unique=True)
    op.create_table("leadership", sa.Column("epoch", KEY, nullable=False))
    op.create_table(
        "meta",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
    )
    op.create_table(
        "queue_names",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue_names")),
    )
    op.create_index("ix_queue_names", "queue_names", ["account_id", "region", "name"], unique=True)
