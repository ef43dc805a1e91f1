"""What reports on jobs and on the server are made of; sent as JSON under `/longshore/`, members in camel case."""

from datetime import datetime

import msgspec

from longshore.domain.job import Attempt, JobSpec
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.resources import Resources


class Document(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of a report. Times are aware, UTC."""


class Amounts(Document, frozen=True):
    """Resources as people count them."""

    vcpus: float
    memory_mib: int
    gpus: int
    scratch_mib: int = 0


class Used(Document, frozen=True):
    """What a finished attempt used; None where the engine could not measure."""

    run_seconds: float | None
    cpu_seconds: float | None
    peak_memory_bytes: int | None
    peak_scratch_bytes: int | None = None


class Children(Document, frozen=True):
    """Children of an array job by status."""

    size: int
    counts: dict[JobStatus, int]


class Submitted(Document, frozen=True):
    """A job that was taken; members as AWS Batch names them."""

    job_id: str
    job_name: str
    job_arn: str


class Place(Document, frozen=True):
    """Whose job it is and which queue it is in."""

    account_id: str
    region: str
    queue: str


def amounts_of(resources: Resources) -> Amounts:
    """`resources` as people count them."""
    return Amounts(
        vcpus=resources.vcpu_milli / 1000,
        memory_mib=resources.memory_mib,
        gpus=resources.gpus,
        scratch_mib=resources.scratch_mib,
    )


def use_of(attempt: Attempt) -> Used:
    """What an attempt that has ended used."""
    return Used(
        run_seconds=_seconds_between(attempt.started_at, attempt.stopped_at),
        cpu_seconds=attempt.cpu_seconds,
        peak_memory_bytes=attempt.peak_memory_bytes,
        peak_scratch_bytes=attempt.peak_scratch_bytes,
    )


def place_of(spec: JobSpec) -> Place:
    """Where a job is found."""
    return Place(account_id=spec.scope.account_id, region=spec.scope.region, queue=spec.queue_name)


def _seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else max((end - start).total_seconds(), 0.0)
