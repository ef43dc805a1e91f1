"""The schema. Times are integer milliseconds since 1970 (UTC), documents are JSON texts with a version beside them.

Array children are rows of `jobs` like any other, but the indexes on `jobs` are partial over submitted jobs (those
without a parent), so that moving a child touches no index: a query that wants one repeats its condition. A job is final
exactly when it has `stopped_at`, and conditions say it so, since that needs no literal.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    or_,
)

from longshore.domain.dependency import DependencyType, When
from longshore.domain.job import Intent, StopCause, WishKind
from longshore.domain.lifecycle.status import ARRAY_STATUSES, FINAL_STATUSES, JobStatus

metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s", "ck": "ck_%(table_name)s_%(constraint_name)s"})

#: SQLite makes only a column of exactly type INTEGER the row's own key.
Key = BigInteger().with_variant(Integer(), "sqlite")


def _among(column: str, values: Iterable[str]) -> str:
    """Not with IN: SQLite builds a set for that, each time, which doubles the cost of an update."""
    return " OR ".join(sorted(f"{column} = '{value}'" for value in values))


def _scope() -> tuple[Column[str], Column[str]]:
    return Column("account_id", Text, primary_key=True), Column("region", Text, primary_key=True)


def _documents(name: str) -> Table:
    """A table of things that are kept whole, each by its name."""
    return Table(
        name,
        metadata,
        *_scope(),
        Column("name", Text, primary_key=True),
        Column("version", Integer, nullable=False),
        Column("body", Text, nullable=False),
        sqlite_with_rowid=False,
    )


#: Whose data this is and who wrote it: `installation_id`, `written_by`.
meta = Table("meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))

#: Highest job key and highest intake number given out.
counters = Table("counters", metadata, Column("name", Text, primary_key=True), Column("value", Key, nullable=False))

#: One row: the present leader's epoch.
leadership = Table("leadership", metadata, Column("epoch", Key, nullable=False))

compute_environments = _documents("compute_environments")
service_environments = _documents("service_environments")
job_queues = _documents("job_queues")
scheduling_policies = _documents("scheduling_policies")

quota_shares = Table(
    "quota_shares",
    metadata,
    *_scope(),
    #: of queue and share
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

#: Who comes next in each queue, as the leader publishes it.
queue_fronts = _documents("queue_fronts")

share_uses = Table(
    "share_uses",
    metadata,
    *_scope(),
    Column("queue_name", Text, primary_key=True),
    Column("share_identifier", Text, primary_key=True),
    #: thousandths of a vCPU times seconds
    Column("milli_seconds", Float, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("boot_seconds", Float, nullable=False),
    CheckConstraint("milli_seconds >= 0", "milli_seconds"),
    sqlite_with_rowid=False,
)

consumable_resources = _documents("consumable_resources")

#: What each job, or child, of a submission takes of a consumable resource.
job_consumables = Table(
    "job_consumables",
    metadata,
    *_scope(),
    Column("name", Text, primary_key=True),
    Column("job_key", Key, primary_key=True, autoincrement=False),
    Column("quantity", BigInteger, nullable=False),
    CheckConstraint("quantity >= 0", "quantity"),
    Index("ix_job_consumables_job", "job_key"),
    sqlite_with_rowid=False,
)

#: Calls that are done once only, by what their callers sent to tell a second try from a new call.
client_tokens = Table(
    "client_tokens",
    metadata,
    *_scope(),
    Column("operation", Text, primary_key=True),
    Column("token", Text, primary_key=True),
    Column("payload", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("ix_client_tokens_at", "at"),
    sqlite_with_rowid=False,
)

job_definitions = Table(
    "job_definitions",
    metadata,
    *_scope(),
    Column("name", Text, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("status", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    CheckConstraint("revision > 0", "revision"),
    CheckConstraint("status IN ('ACTIVE', 'INACTIVE')", "status"),
    sqlite_with_rowid=False,
)

#: What job definitions say, by a digest of it; revisions of equal content share one.
definition_contents = Table(
    "definition_contents",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    #: NULL: the account that is the server's setting
    Column("account_id", Text),
    #: JSON list; NULL: everything
    Column("actions", Text),
    Column("is_enabled", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("sealed_secret", Text, nullable=False),
    CheckConstraint("is_enabled = 0 OR is_enabled = 1", "is_enabled"),
    sqlite_with_rowid=False,
)

#: A number for each queue that jobs were ever submitted to; it outlives the queue and keeps the indexes on jobs small.
queue_names = Table(
    "queue_names",
    metadata,
    Column("id", Key, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("name", Text, nullable=False),
    Index("ix_queue_names", "account_id", "region", "name", unique=True),
)

#: One row per submission; `body` never changes, `tags` may.
job_specs = Table(
    "job_specs",
    metadata,
    Column("key", Key, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("tags", Text, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("key", Key, primary_key=True, autoincrement=False),
    Column("parent_key", Key),
    Column("array_index", Integer),
    Column("status", Text, nullable=False),
    Column("status_reason", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("stopped_at", BigInteger),
    Column("intake", BigInteger),
    Column("attempts_made", Integer, nullable=False),
    Column("lost_hosts", Integer, nullable=False),
    Column("preemptions", Integer, nullable=False),
    Column("wish_kind", Text),
    Column("wish_reason", Text),
    Column("exit_code", Integer),
    Column("reason", Text, nullable=False),
    Column("request_kind", Text),
    Column("request_reason", Text),
    # What only submitted jobs have.
    Column("array_size", Integer),
    Column("uuid", Text),
    Column("queue_id", Key),
    Column("name_folded", Text),
    Column("definition_name", Text),
    Column("definition_revision", Integer),
    #: or name of the quota share
    Column("share_identifier", Text),
    #: in place of the submission's
    Column("scheduling_priority", Integer),
    Column("requested_priority", Integer),
    Column("held_at", BigInteger),
    Column("requested_hold", Integer),
    #: in place of the submission's
    Column("memory_mib", BigInteger),
    CheckConstraint("parent_key IS NULL OR (array_index >= 0 AND key = parent_key + 1 + array_index)", "child_key"),
    CheckConstraint("(parent_key IS NULL) = (array_index IS NULL)", "child_index"),
    CheckConstraint("(parent_key IS NULL) = (uuid IS NOT NULL)", "submitted_uuid"),
    CheckConstraint("(parent_key IS NULL) = (queue_id IS NOT NULL)", "submitted_queue"),
    CheckConstraint("array_size IS NULL OR (array_size > 0 AND parent_key IS NULL)", "array_size"),
    CheckConstraint("share_identifier IS NULL OR parent_key IS NULL", "submitted_share"),
    CheckConstraint(_among("status", JobStatus), "status"),
    CheckConstraint(f"({_among('status', FINAL_STATUSES)}) = (stopped_at IS NOT NULL)", "final_stopped_at"),
    CheckConstraint(
        "lost_hosts >= 0 AND preemptions >= 0 AND attempts_made >= lost_hosts + preemptions", "attempts_made"
    ),
    CheckConstraint(f"wish_kind IS NULL OR {_among('wish_kind', WishKind)}", "wish_kind"),
    CheckConstraint(f"request_kind IS NULL OR {_among('request_kind', WishKind)}", "request_kind"),
)


def _index(name: str, *columns: Column[Any], where: ColumnElement[bool], unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


_j = jobs.c
IS_SUBMITTED_JOB = _j.parent_key.is_(None)
IS_LIVE = and_(IS_SUBMITTED_JOB, _j.stopped_at.is_(None))
WAITS_FOR_INTAKE = and_(IS_LIVE, _j.intake.is_(None))
HAS_ENDED = and_(IS_SUBMITTED_JOB, _j.stopped_at.is_not(None))
#: What `queue_id = ...` and `share_identifier = ...` imply, so that these indexes can answer alone.
HAS_QUEUE = _j.queue_id.is_not(None)
HAS_SHARE = _j.share_identifier.is_not(None)
LIVES_IN_SHARE = and_(IS_LIVE, HAS_SHARE)
HAS_REQUEST = _j.request_kind.is_not(None)
WANTS_PRIORITY = _j.requested_priority.is_not(None)
WANTS_HOLD = _j.requested_hold.is_not(None)

_index("ix_jobs_uuid", _j.uuid, where=IS_SUBMITTED_JOB, unique=True)
_index("ix_jobs_intake", _j.key, where=WAITS_FOR_INTAKE)
_index("ix_jobs_request", _j.key, where=HAS_REQUEST)
_index("ix_jobs_priority", _j.key, where=WANTS_PRIORITY)
_index("ix_jobs_hold", _j.key, where=WANTS_HOLD)
# The columns of its condition are part of it, so that it answers alone.
_index(
    "ix_jobs_live",
    *(_j.queue_id, _j.status, _j.created_at, _j.array_size, _j.intake, _j.held_at, _j.memory_mib),
    *(_j.parent_key, _j.stopped_at),
    where=IS_LIVE,
)
_index("ix_jobs_ended", _j.stopped_at, where=HAS_ENDED)
_index("ix_jobs_queue", _j.queue_id, _j.key, _j.created_at, where=HAS_QUEUE)
_index("ix_jobs_queue_status", _j.queue_id, _j.status, _j.key, where=HAS_QUEUE)
_index("ix_jobs_queue_name", _j.queue_id, _j.name_folded, _j.key, where=HAS_QUEUE)
_index("ix_jobs_queue_definition", _j.queue_id, _j.definition_name, _j.definition_revision, _j.key, where=HAS_QUEUE)
_index("ix_jobs_queue_created", _j.queue_id, _j.created_at, _j.key, where=HAS_QUEUE)
_index("ix_jobs_queue_share", _j.queue_id, _j.share_identifier, _j.key, where=HAS_SHARE)

_index("ix_jobs_live_share", _j.queue_id, _j.share_identifier, where=LIVES_IN_SHARE)

array_summaries = Table(
    "array_summaries",
    metadata,
    Column("parent_key", Key, primary_key=True, autoincrement=False),
    *(Column(status.lower(), Integer, nullable=False) for status in ARRAY_STATUSES),
    Column("updated_at", BigInteger, nullable=False),
    *(CheckConstraint(f"{status.lower()} >= 0", status.lower()) for status in ARRAY_STATUSES),
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_key", Key, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("attempt_id", Text, nullable=False),
    Column("environment_name", Text, nullable=False),
    Column("host_id", Text, nullable=False),
    Column("vcpu_milli", BigInteger, nullable=False),
    Column("memory_mib", BigInteger, nullable=False),
    Column("gpus", Integer, nullable=False),
    Column("scratch_mib", BigInteger, nullable=False),
    Column("gpu_milli", Integer, nullable=False),
    Column("gpu_names", Text),
    #: NULL: nothing is to be done
    Column("intent", Text),
    Column("handle", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("started_boot_id", Text, nullable=False),
    Column("started_boot_seconds", Float),
    Column("stopped_at", BigInteger),
    Column("exit_code", Integer),
    Column("reason", Text, nullable=False),
    Column("status_reason", Text, nullable=False),
    Column("cpu_seconds", Float),
    Column("peak_memory_bytes", BigInteger),
    Column("peak_scratch_bytes", BigInteger),
    Column("stop_cause", Text),
    CheckConstraint("number > 0", "number"),
    CheckConstraint(
        "vcpu_milli >= 0 AND memory_mib >= 0 AND gpus >= 0 AND scratch_mib >= 0 AND gpu_milli >= 0", "resources"
    ),
    CheckConstraint(f"intent IS NULL OR {_among('intent', set(Intent) - {Intent.NONE, Intent.WAIT})}", "intent"),
    CheckConstraint(f"stop_cause IS NULL OR {_among('stop_cause', StopCause)}", "stop_cause"),
    sqlite_with_rowid=False,
)
IS_OPEN = or_(attempts.c.stopped_at.is_(None), attempts.c.intent.is_not(None))
_index("ix_attempts_open", attempts.c.job_key, where=IS_OPEN)

#: One row for each container of each node, of attempts of jobs that are more than one plain container.
attempt_parts = Table(
    "attempt_parts",
    metadata,
    Column("job_key", Key, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    #: from 0, by node and then as the definition lists the containers
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("attempt_id", Text, nullable=False),
    Column("node", Integer, nullable=False),
    Column("container", Text, nullable=False),
    Column("host_id", Text, nullable=False),
    Column("vcpu_milli", BigInteger, nullable=False),
    Column("memory_mib", BigInteger, nullable=False),
    Column("gpus", Integer, nullable=False),
    Column("scratch_mib", BigInteger, nullable=False),
    Column("gpu_milli", Integer, nullable=False),
    Column("gpu_names", Text),
    Column("address", Text, nullable=False),
    #: NULL: nothing is to be done
    Column("intent", Text),
    Column("handle", Text, nullable=False),
    Column("started_at", BigInteger),
    Column("started_boot_id", Text, nullable=False),
    Column("started_boot_seconds", Float),
    Column("stopped_at", BigInteger),
    Column("exit_code", Integer),
    Column("reason", Text, nullable=False),
    Column("status_reason", Text, nullable=False),
    Column("cpu_seconds", Float),
    Column("peak_memory_bytes", BigInteger),
    Column("peak_scratch_bytes", BigInteger),
    CheckConstraint("number > 0 AND position >= 0 AND node >= 0", "number"),
    CheckConstraint(
        "vcpu_milli >= 0 AND memory_mib >= 0 AND gpus >= 0 AND scratch_mib >= 0 AND gpu_milli >= 0", "resources"
    ),
    CheckConstraint(f"intent IS NULL OR {_among('intent', set(Intent) - {Intent.NONE})}", "intent"),
    sqlite_with_rowid=False,
)

job_dependencies = Table(
    "job_dependencies",
    metadata,
    Column("job_key", Key, primary_key=True, autoincrement=False),
    Column("on_key", Key, primary_key=True, autoincrement=False),
    #: empty: a plain dependency
    Column("type", Text, primary_key=True),
    #: that is waited for
    Column("outcome", Text, primary_key=True),
    CheckConstraint(_among("type", ["", *DependencyType]), "type"),
    CheckConstraint(_among("outcome", When), "outcome"),
    Index("ix_job_dependencies_on", "on_key"),
    sqlite_with_rowid=False,
)

#: Append-only; `seq` is never used twice, so that consumers may keep it as their cursor.
events = Table(
    "events",
    metadata,
    Column("seq", Key, primary_key=True),
    Column("job_key", Key, nullable=False),
    Column("of_children", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("status_from", Text),
    Column("status_to", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_events_job", "job_key"),
    sqlite_autoincrement=True,
)

class_reasons = Table(
    "class_reasons",
    metadata,
    Column("class_id", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    sqlite_with_rowid=False,
)

#: How long attempts of each family of jobs ran.
run_histories = Table(
    "run_histories",
    metadata,
    Column("family", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)
