"""Rows as they stand in the store, read by statements of our own: the checks do not trust the code they check."""

from typing import NamedTuple, cast

import msgspec
from sqlalchemy import bindparam, select

from longshore.ports.store import Reader
from longshore.store.statements import Statement
from longshore.store.tables import (
    array_summaries,
    attempt_parts,
    attempts,
    class_reasons,
    compute_environments,
    consumable_resources,
    events,
    job_queues,
    job_specs,
    jobs,
    share_uses,
)
from longshore.store.transaction import SqlTransaction

_j, _a, _p, _e = jobs.c, attempts.c, attempt_parts.c, events.c


class JobRow(NamedTuple):
    """A row of `jobs`; times in milliseconds."""

    key: int
    parent_key: int | None
    array_index: int | None
    status: str
    status_reason: str
    started_at: int | None
    stopped_at: int | None
    intake: int | None
    attempts_made: int
    lost_hosts: int
    wish_kind: str | None
    wish_reason: str | None
    exit_code: int | None
    request_kind: str | None
    array_size: int | None

    @property
    def is_final(self) -> bool:
        """Whether the status is one that is never left."""
        return self.status in ("SUCCEEDED", "FAILED")


class AttemptRow(NamedTuple):
    """A row of `attempts`; times in milliseconds."""

    job_key: int
    number: int
    attempt_id: str
    environment_name: str
    host_id: str
    vcpu_milli: int
    memory_mib: int
    gpus: int
    scratch_mib: int
    gpu_milli: int
    intent: str | None
    started_at: int | None
    started_boot_id: str
    started_boot_seconds: float | None
    stopped_at: int | None
    exit_code: int | None
    reason: str
    status_reason: str
    stop_cause: str | None


class ShareRow(NamedTuple):
    """A row of `share_uses`."""

    queue_name: str
    share_identifier: str
    milli_seconds: float
    boot_seconds: float


class ConsumableRow(NamedTuple):
    """A row of `consumable_resources`."""

    name: str
    quantity: int
    used_up: int


class PartRow(NamedTuple):
    """A row of `attempt_parts`; times in milliseconds."""

    job_key: int
    number: int
    attempt_id: str
    node: int
    container: str
    host_id: str
    vcpu_milli: int
    memory_mib: int
    gpus: int
    scratch_mib: int
    gpu_milli: int
    intent: str | None
    started_at: int | None
    stopped_at: int | None
    exit_code: int | None
    reason: str
    status_reason: str

    @property
    def is_idle(self) -> bool:
        """Whether it waits and may still be launched."""
        return self.intent == "wait" and self.stopped_at is None

    @property
    def is_live(self) -> bool:
        """Whether it was to be launched and has not ended."""
        return self.intent != "wait" and self.stopped_at is None


class EventRow(NamedTuple):
    """A row of `events`."""

    seq: int
    job_key: int
    of_children: int
    status_from: str | None
    status_to: str
    cause: str
    detail: str


class Spec(NamedTuple):
    """What the checks need of a submission."""

    key: int
    uuid: str
    name: str
    #: on the boot clock, and of which boot; of jobs with a start deadline
    submitted_boot_id: str | None
    submitted_boot_seconds: float


_JOBS = Statement(select(*(_j[name] for name in JobRow._fields)).order_by(_j.key))
_ATTEMPTS = Statement(select(*(_a[name] for name in AttemptRow._fields)).order_by(_a.job_key, _a.number))
_PARTS = Statement(select(*(_p[name] for name in PartRow._fields)).order_by(_p.job_key, _p.number, _p.position))
_EVENTS = Statement(
    select(*(_e[name] for name in EventRow._fields)).where(_e.seq > bindparam("behind")).order_by(_e.seq), "behind"
)
_SUMMARIES = Statement(select(array_summaries))
_SPECS = Statement(
    select(job_specs.c.key, job_specs.c.body).where(job_specs.c.key > bindparam("behind")).order_by(job_specs.c.key),
    "behind",
)
_REASONS = Statement(select(class_reasons.c.class_id))
_ENVIRONMENTS = Statement(select(compute_environments.c.name))
_SHARES = Statement(select(*(share_uses.c[name] for name in ShareRow._fields)))
_CONSUMABLES = Statement(select(consumable_resources.c.name, consumable_resources.c.body))
_QUEUES = Statement(select(job_queues.c.name))


class Rows:
    """All rows of one committed state; events and specs are those behind the given ones."""

    def __init__(self, reader: Reader, *, last_event: int, last_spec: int) -> None:
        session = cast(SqlTransaction, reader)
        self.jobs = [JobRow._make(row) for row in session.rows(_JOBS)]
        self.attempts = [AttemptRow._make(row) for row in session.rows(_ATTEMPTS)]
        self.parts = [PartRow._make(row) for row in session.rows(_PARTS)]
        self.events = [EventRow._make(row) for row in session.rows(_EVENTS, last_event)]
        self.summaries: dict[int, tuple[int, ...]] = {row[0]: row[1:-1] for row in session.rows(_SUMMARIES)}
        self.specs = [_spec(*row) for row in session.rows(_SPECS, last_spec)]
        self.reasons: frozenset[str] = frozenset(row[0] for row in session.rows(_REASONS))
        self.environments: frozenset[str] = frozenset(row[0] for row in session.rows(_ENVIRONMENTS))
        self.shares = [ShareRow._make(row) for row in session.rows(_SHARES)]
        self.consumables = [_consumable(*row) for row in session.rows(_CONSUMABLES)]
        self.queues: frozenset[str] = frozenset(row[0] for row in session.rows(_QUEUES))


def _spec(key: int, body: str) -> Spec:
    document = msgspec.json.decode(body)
    submitted = document.get("submitted", {})
    return Spec(
        key=key,
        uuid=document["uuid"],
        name=document["name"],
        submitted_boot_id=submitted.get("boot_id"),
        submitted_boot_seconds=submitted.get("boot_seconds", 0.0),
    )


def _consumable(name: str, body: str) -> ConsumableRow:
    document = msgspec.json.decode(body)
    return ConsumableRow(name=name, quantity=document["quantity"], used_up=document["used_up"])
