"""Rows of `jobs` by key: as the leader reads and changes them, and the requests that callers leave on them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Text, and_, bindparam, literal_column, null, or_, select, update

from longshore.domain.ids import JobId, JobKey, Scope
from longshore.domain.job import Job, Wish, WishKind
from longshore.domain.lifecycle.status import JobStatus
from longshore.store.attempts import ATTEMPT_COLUMNS, attempt_from
from longshore.store.codec import encode_list, from_ms, from_ms_or_none, to_ms_or_none
from longshore.store.counters import CounterRows
from longshore.store.parts import PartRows
from longshore.store.specs import SpecRows
from longshore.store.statements import InList, Row, Statement, assigned
from longshore.store.tables import (
    HAS_REQUEST,
    IS_SUBMITTED_JOB,
    WAITS_FOR_INTAKE,
    WANTS_HOLD,
    WANTS_PRIORITY,
    attempts,
    jobs,
    queue_names,
)

_j = jobs.c
#: In the order in which `JobRows.jobs_from` reads them; those of the attempt that the job holds follow.
_COLUMNS = (
    *(_j.key, _j.parent_key, _j.array_index, _j.status, _j.status_reason, _j.created_at, _j.started_at, _j.stopped_at),
    *(_j.intake, _j.attempts_made, _j.lost_hosts, _j.preemptions, _j.wish_kind, _j.wish_reason, _j.exit_code),
    *(_j.reason, _j.scheduling_priority, _j.requested_priority, _j.held_at, _j.requested_hold, _j.memory_mib),
)
_WIDTH = len(_COLUMNS)
_HELD = and_(attempts.c.job_key == _j.key, attempts.c.number == _j.attempts_made, attempts.c.stopped_at.is_(None))
_JOBS = select(*_COLUMNS, *ATTEMPT_COLUMNS).select_from(jobs.outerjoin(attempts, _HELD))

_LOAD = Statement(_JOBS.where(InList(_j.key, "keys")), "keys")
_SUBMITTED = Statement(_JOBS.where(WAITS_FOR_INTAKE).order_by(_j.key).limit(bindparam("at_most")), "at_most")
_STATUSES = Statement(select(_j.key, _j.status).where(InList(_j.key, "keys")), "keys")
_FIND = Statement(
    select(_j.uuid, _j.key, _j.array_size)
    .select_from(jobs)
    # Plus nothing: else SQLite may go through all jobs of the queue in place of the few that are named.
    .join(queue_names, queue_names.c.id == _j.queue_id + literal_column("0"))
    .where(
        IS_SUBMITTED_JOB,
        InList(_j.uuid, "uuids"),
        queue_names.c.account_id == bindparam("of_account"),
        queue_names.c.region == bindparam("of_region"),
    ),
    *("uuids", "of_account", "of_region"),
)

_CHANGING = (
    *("status", "status_reason", "started_at", "stopped_at", "intake", "attempts_made", "lost_hosts"),
    "preemptions",
    *("wish_kind", "wish_reason", "exit_code", "reason", "scheduling_priority", "held_at", "memory_mib"),
)
_SAVE = Statement(
    update(jobs).values(assigned(_CHANGING)).where(_j.key == bindparam("of_key")),
    *(f"new_{name}" for name in _CHANGING),
    "of_key",
)

_REQUESTED = Statement(
    select(_j.key, _j.request_kind, _j.request_reason).where(HAS_REQUEST).order_by(_j.key).limit(bindparam("at_most")),
    "at_most",
)
#: The first request stays, but for a termination that comes after a cancellation.
_PUT_REQUEST = Statement(
    update(jobs)
    .values(assigned(["request_kind", "request_reason"]))
    .where(
        _j.key == bindparam("of_key"),
        _j.stopped_at.is_(None),
        or_(
            _j.request_kind.is_(None),
            and_(_j.request_kind == str(WishKind.CANCEL), bindparam("kind", type_=Text) == str(WishKind.TERMINATE)),
        ),
    ),
    *("new_request_kind", "new_request_reason", "of_key", "kind"),
)
_CLEAR_REQUESTS = Statement(
    update(jobs).values(request_kind=null(), request_reason=null()).where(InList(_j.key, "keys"), HAS_REQUEST), "keys"
)

_PRIORITIZED = Statement(_JOBS.where(WANTS_PRIORITY).order_by(_j.key).limit(bindparam("at_most")), "at_most")
_PUT_PRIORITY = Statement(
    update(jobs).values(assigned(["requested_priority"])).where(_j.key == bindparam("of_key")),
    *("new_requested_priority", "of_key"),
)
_CLEAR_PRIORITIES = Statement(
    update(jobs).values(requested_priority=null()).where(InList(_j.key, "keys"), WANTS_PRIORITY), "keys"
)

_TO_HOLD = Statement(_JOBS.where(WANTS_HOLD).order_by(_j.key).limit(bindparam("at_most")), "at_most")
_PUT_HOLD = Statement(
    update(jobs).values(assigned(["requested_hold"])).where(_j.key == bindparam("of_key")),
    *("new_requested_hold", "of_key"),
)
_CLEAR_HOLDS = Statement(update(jobs).values(requested_hold=null()).where(InList(_j.key, "keys"), WANTS_HOLD), "keys")

_STATUS = {str(status): status for status in JobStatus}
_WISH_KINDS = {str(kind): kind for kind in WishKind}


class JobRows(CounterRows, SpecRows, PartRows):
    """Jobs of any kind by their keys."""

    def find_jobs(self, scope: Scope, ids: Collection[JobId]) -> Mapping[JobId, JobKey]:
        uuids = {job_id.uuid for job_id in ids}
        rows = self.rows(_FIND, encode_list(uuids), scope.account_id, scope.region)
        sizes = {uuid: (key, array_size or 0) for uuid, key, array_size in rows}
        found: dict[JobId, JobKey] = {}
        for job_id in ids:
            key, array_size = sizes.get(job_id.uuid, (None, 0))
            if key is None or job_id.node is not None:
                continue
            if job_id.index is None:
                found[job_id] = JobKey(key)
            elif job_id.index < array_size:
                found[job_id] = JobKey(key + 1 + job_id.index)
        return found

    def load_jobs(self, keys: Collection[JobKey]) -> Mapping[JobKey, Job]:
        return {job.key: job for job in self._jobs_from(self.rows(_LOAD, encode_list(keys)))}

    def statuses(self, keys: Collection[JobKey]) -> Mapping[JobKey, JobStatus]:
        return {JobKey(key): _STATUS[status] for key, status in self.rows(_STATUSES, encode_list(keys))}

    def submitted_jobs(self, limit: int) -> Sequence[Job]:
        return self._jobs_from(self.rows(_SUBMITTED, limit))

    def requested_jobs(self, limit: int) -> Sequence[tuple[Job, Wish]]:
        requests = self.rows(_REQUESTED, limit)
        jobs_by_key = self.load_jobs([key for key, _, _ in requests])
        return [(jobs_by_key[key], Wish(kind=_WISH_KINDS[kind], reason=reason)) for key, kind, reason in requests]

    def put_request(self, key: JobKey, request: Wish) -> None:
        kind = str(request.kind)
        self.run(_PUT_REQUEST, kind, request.reason, key, kind)

    def clear_requests(self, keys: Collection[JobKey]) -> None:
        self.run(_CLEAR_REQUESTS, encode_list(keys))

    def prioritized_jobs(self, limit: int) -> Sequence[Job]:
        return self._jobs_from(self.rows(_PRIORITIZED, limit))

    def put_priority(self, key: JobKey, priority: int) -> None:
        self.run(_PUT_PRIORITY, priority, key)

    def clear_priorities(self, keys: Collection[JobKey]) -> None:
        self.run(_CLEAR_PRIORITIES, encode_list(keys))

    def jobs_to_hold(self, limit: int) -> Sequence[Job]:
        return self._jobs_from(self.rows(_TO_HOLD, limit))

    def put_hold(self, key: JobKey, *, is_held: bool) -> None:
        self.run(_PUT_HOLD, int(is_held), key)

    def clear_holds(self, keys: Collection[JobKey]) -> None:
        self.run(_CLEAR_HOLDS, encode_list(keys))

    def save_jobs(self, jobs: Iterable[Job]) -> None:
        rows = [_changing(job) for job in jobs]
        changed = self.run_many(_SAVE, rows)
        assert changed == len(rows), f"{len(rows) - changed} of {rows} do not exist"
        highest = max((intake for _, _, _, _, intake, *_ in rows if intake is not None), default=0)
        if highest:
            self.note_intake(highest)

    def _jobs_from(self, rows: Sequence[Row]) -> list[Job]:
        specs = self.load_specs({row[0] if row[1] is None else row[1] for row in rows})
        made: list[Job] = []
        for row in rows:
            (
                key,
                parent_key,
                array_index,
                status,
                status_reason,
                created_at,
                started_at,
                stopped_at,
                intake,
                attempts_made,
                lost_hosts,
                preemptions,
                wish_kind,
                wish_reason,
                exit_code,
                reason,
                scheduling_priority,
                requested_priority,
                held_at,
                requested_hold,
                memory_mib,
            ) = row[:_WIDTH]
            spec = specs[key if parent_key is None else parent_key]
            job = Job(
                key=key,
                id=JobId(uuid=spec.uuid, index=array_index),
                spec=spec,
                status=_STATUS[status],
                status_reason=status_reason,
                created_at=from_ms(created_at),
                started_at=from_ms_or_none(started_at),
                stopped_at=from_ms_or_none(stopped_at),
                intake=intake,
                attempts_made=attempts_made,
                lost_hosts=lost_hosts,
                preemptions=preemptions,
                attempt=None if row[_WIDTH] is None else attempt_from(row[_WIDTH:]),
                wish=None if wish_kind is None else Wish(kind=_WISH_KINDS[wish_kind], reason=wish_reason),
                exit_code=exit_code,
                reason=reason,
                scheduling_priority=scheduling_priority,
                requested_priority=requested_priority,
                held_at=from_ms_or_none(held_at),
                requested_hold=None if requested_hold is None else bool(requested_hold),
                memory_mib=memory_mib,
            )
            made.append(job)
        return self._with_parts(made) if any(spec.has_parts for spec in specs.values()) else made

    def _with_parts(self, jobs: list[Job]) -> list[Job]:
        """The same, the attempts that they hold with their parts."""
        held = self.with_parts([job.attempt for job in jobs if job.spec.has_parts and job.attempt is not None])
        whole = {attempt.job_key: attempt for attempt in held}
        return [replace(job, attempt=whole[job.key]) if job.key in whole else job for job in jobs]


def _changing(job: Job) -> Row:
    wish = job.wish
    return (
        str(job.status),
        job.status_reason,
        to_ms_or_none(job.started_at),
        to_ms_or_none(job.stopped_at),
        job.intake,
        job.attempts_made,
        job.lost_hosts,
        job.preemptions,
        None if wish is None else str(wish.kind),
        None if wish is None else wish.reason,
        job.exit_code,
        job.reason,
        job.scheduling_priority,
        to_ms_or_none(job.held_at),
        job.memory_mib,
        job.key,
    )
