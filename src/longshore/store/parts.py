"""Rows of `attempt_parts`: what an attempt with several containers or nodes consists of, always read with it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from sqlalchemy import and_, bindparam, select, update

from longshore.domain.ids import AttemptId, HostId, JobKey
from longshore.domain.job import Attempt, Part
from longshore.store.attempt_columns import CHANGING, changing, held
from longshore.store.codec import INTENTS, decode_names, encode_list, from_ms_or_none, resources_from
from longshore.store.statements import InList, Row, Session, Statement, assigned, insert_into
from longshore.store.tables import IS_OPEN, attempt_parts, attempts

_p = attempt_parts.c
_CHANGING = "address", *CHANGING
_INSERT = insert_into(attempt_parts)
_SAVE = Statement(
    update(attempt_parts)
    .values(assigned(_CHANGING))
    .where(
        _p.job_key == bindparam("of_job"),
        _p.number == bindparam("of_number"),
        _p.attempt_id == bindparam("of_part"),
    ),
    *(f"new_{name}" for name in _CHANGING),
    *("of_job", "of_number", "of_part"),
)
_IN_ORDER = (_p.job_key, _p.number, _p.position)
_OF_JOBS = Statement(select(*_p).where(InList(_p.job_key, "keys")).order_by(*_IN_ORDER), "keys")
_OF_OPEN = Statement(
    select(*_p)
    .select_from(attempts.join(attempt_parts, and_(_p.job_key == attempts.c.job_key, _p.number == attempts.c.number)))
    .where(IS_OPEN)
    .order_by(*_IN_ORDER)
)


def _part_from(row: Row, whole: Attempt) -> Part:
    (
        job_key,
        number,
        _position,
        attempt_id,
        node,
        container,
        host_id,
        vcpu_milli,
        memory_mib,
        gpus,
        scratch_mib,
        gpu_milli,
        gpu_names,
        address,
        intent,
        handle,
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
    ) = row
    return Part(
        attempt_id=AttemptId(attempt_id),
        job_key=JobKey(job_key),
        number=number,
        environment_name=whole.environment_name,
        host_id=HostId(host_id),
        resources=resources_from(vcpu_milli, memory_mib, gpus, scratch_mib, gpu_milli),
        gpu_names=() if gpu_names is None else decode_names(gpu_names),
        intent=INTENTS[intent],
        handle=handle,
        opened_at=whole.opened_at,
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
        node=node,
        container=container,
        address=address,
    )


def _changing(p: Part) -> Row:
    return p.address, *changing(p)


def _whole(position: int, p: Part) -> Row:
    return p.job_key, p.number, position, p.attempt_id, p.node, p.container, *held(p), *_changing(p)


class PartRows(Session):
    """Parts, by their attempts."""

    def with_parts(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """These attempts with the parts that they have."""
        keys = {attempt.job_key for attempt in attempts}
        return _joined(attempts, self.rows(_OF_JOBS, encode_list(keys))) if keys else []

    def with_open_parts(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """The same for all open attempts, in one statement."""
        return _joined(attempts, self.rows(_OF_OPEN))

    def insert_parts(self, attempts: Collection[Attempt]) -> None:
        """All parts of new attempts."""
        rows = [_whole(at, part) for attempt in attempts for at, part in enumerate(attempt.parts)]
        self.run_many(_INSERT, rows)

    def save_parts(self, parts: Iterable[Part]) -> None:
        rows = [(*_changing(part), part.job_key, part.number, part.attempt_id) for part in parts]
        changed = self.run_many(_SAVE, rows)
        assert changed == len(rows), f"{len(rows) - changed} of {rows} do not exist"


def _joined(attempts: Sequence[Attempt], rows: Sequence[Row]) -> list[Attempt]:
    if not rows:
        return list(attempts)
    by_attempt: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        by_attempt.setdefault((row[0], row[1]), []).append(row)
    return [
        replace(attempt, parts=tuple(_part_from(row, attempt) for row in found))
        if (found := by_attempt.get((attempt.job_key, attempt.number)))
        else attempt
        for attempt in attempts
    ]
