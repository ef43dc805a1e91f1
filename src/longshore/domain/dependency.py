"""Dependencies between jobs: what an edge asks for, and which jobs it joins."""

from dataclasses import dataclass
from enum import StrEnum

from longshore.domain.lifecycle.status import JobStatus


class DependencyType(StrEnum):
    """How an array job depends. Source: AWS Batch user guide, job dependencies."""

    SEQUENTIAL = "SEQUENTIAL"
    N_TO_N = "N_TO_N"


class When(StrEnum):
    """What of another job is waited for."""

    SUCCESS = "success"
    FAILURE = "failure"
    END = "end"  #: any


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """An entry of `dependsOn`, as it was given."""

    job_id: str | None = None
    type: DependencyType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDependency(Dependency):
    """An entry of `longshore:depends-on`."""

    when: When = When.SUCCESS


def is_met(when: When, status: JobStatus, *, was_needed: bool = True) -> bool | None:
    """Whether a job that stands at `status` is what was waited for; None while that is open.

    One that ended because it was not needed has neither succeeded nor failed.
    """
    if not status.is_final:
        return None
    if when is When.END:
        return True
    return was_needed and (status is JobStatus.SUCCEEDED) == (when is When.SUCCESS)
