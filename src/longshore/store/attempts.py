"""Rows of `attempts`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import and_, bindparam, select, update

from longshore.domain.ids import AttemptId, HostId, JobKey
from longshore.domain.job import Attempt, StopCause
from longshore.store.attempt_columns import CHANGING, changing, held
from longshore.store.codec import INTENTS, decode_names, encode_list, from_ms, from_ms_or_none, resources_from, to_ms
from longshore.store.parts import PartRows
from longshore.store.statements import InList, Row, Statement, assigned, insert_into
from longshore.store.tables import IS_OPEN, attempts, jobs

_a = attempts.c
#: In the order in which `attempt_from` reads them.
ATTEMPT_COLUMNS = (
    *(_a.attempt_id, _a.job_key, _a.number, _a.environment_name, _a.host_id, _a.vcpu_milli, _a.memory_mib, _a.gpus),
    *(
        _a.scratch_mib,
        _a.gpu_milli,
        _a.gpu_names,
        _a.intent,
        _a.handle,
        _a.opened_at,
        _a.started_at,
        _a.started_boot_id,
        _a.started_boot_seconds,
    ),
    *(
        _a.stopped_at,
        _a.exit_code,
        _a.reason,
        _a.status_reason,
        _a.cpu_seconds,
        _a.peak_memory_bytes,
        _a.peak_scratch_bytes,
        _a.stop_cause,
    ),
)
_CHANGING = *CHANGING, "stop_cause"

_INSERT = insert_into(attempts)
_SAVE = Statement(
    update(attempts)
    .values(assigned(_CHANGING))
    .where(_a.job_key == bindparam("of_job"), _a.number == bindparam("of_number")),
    *(f"new_{name}" for name in _CHANGING),
    *("of_job", "of_number"),
)
_OPEN = Statement(select(*ATTEMPT_COLUMNS).where(IS_OPEN).order_by(_a.job_key))
_OF_JOBS = Statement(select(*ATTEMPT_COLUMNS).where(InList(_a.job_key, "keys")).order_by(_a.job_key, _a.number), "keys")

_PLACED = Statement(
    select(_a.job_key, _a.opened_at)
    .join(jobs, and_(jobs.c.key == _a.job_key, jobs.c.attempts_made == _a.number))
    .where(InList(_a.job_key, "keys")),
    "keys",
)

_STOP_CAUSES = {None: None, **{str(cause): cause for cause in StopCause}}
_NO_GPUS: tuple[str, ...] = ()


def attempt_from(row: Row) -> Attempt:
    """The attempt of a row of `ATTEMPT_COLUMNS`."""
    (
        attempt_id,
        job_key,
        number,
        environment_name,
        host_id,
        vcpu_milli,
        memory_mib,
        gpus,
        scratch_mib,
        gpu_milli,
        gpu_names,
        intent,
        handle,
        opened_at,
        started_at,
        started_boot_id,
        started_boot_seconds,
        stopped_at,
        exit_code,
        reason,
        status_reason,
        cpu_seconds,
        peak_memory_bytes,
        peak_scratch_bytes,
        stop_cause,
    ) = row
    return Attempt(
        attempt_id=AttemptId(attempt_id),
        job_key=JobKey(job_key),
        number=number,
        environment_name=environment_name,
        host_id=HostId(host_id),
        resources=resources_from(vcpu_milli, memory_mib, gpus, scratch_mib, gpu_milli),
        gpu_names=_NO_GPUS if gpu_names is None else decode_names(gpu_names),
        intent=INTENTS[intent],
        handle=handle,
        opened_at=from_ms(opened_at),
        started_at=from_ms_or_none(started_at),
        started_boot_id=started_boot_id,
        started_boot_seconds=started_boot_seconds,
        stopped_at=from_ms_or_none(stopped_at),
        exit_code=exit_code,
        reason=reason,
        status_reason=status_reason,
        cpu_seconds=cpu_seconds,
        peak_memory_bytes=peak_memory_bytes,
        peak_scratch_bytes=peak_scratch_bytes,
        stop_cause=_STOP_CAUSES[stop_cause],
    )


def _changing(a: Attempt) -> Row:
    return *changing(a), None if a.stop_cause is None else str(a.stop_cause)


def _whole(a: Attempt) -> Row:
    intent, handle, *rest = _changing(a)
    opened_at = to_ms(a.opened_at)
    return a.job_key, a.number, a.attempt_id, a.environment_name, *held(a), intent, handle, opened_at, *rest


class AttemptRows(PartRows):
    """Attempts, by job and number."""

    def open_attempts(self) -> Sequence[Attempt]:
        return self.with_open_parts([attempt_from(row) for row in self.rows(_OPEN)])

    def attempts_of(self, keys: Collection[JobKey]) -> Sequence[Attempt]:
        """All attempts of these jobs, those of one job oldest first."""
        return self.with_parts([attempt_from(row) for row in self.rows(_OF_JOBS, encode_list(keys))])

    def placed_at(self, keys: Collection[JobKey]) -> Mapping[JobKey, datetime]:
        """When the latest attempts of these jobs were placed, for those that have any."""
        return {JobKey(key): from_ms(opened_at) for key, opened_at in self.rows(_PLACED, encode_list(keys))}

    def insert_attempts(self, attempts: Iterable[Attempt]) -> None:
        attempts = list(attempts)
        self.run_many(_INSERT, [_whole(attempt) for attempt in attempts])
        self.insert_parts([attempt for attempt in attempts if attempt.parts])

    def save_attempts(self, attempts: Iterable[Attempt]) -> None:
        rows = [(*_changing(attempt), attempt.job_key, attempt.number) for attempt in attempts]
        changed = self.run_many(_SAVE, rows)
        assert changed == len(rows), f"{len(rows) - changed} of {rows} do not exist"
