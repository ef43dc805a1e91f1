"""What one scheduling cycle decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longshore.domain.ids import HostId, JobKey
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlacement:
    """Room for one node."""

    host_id: HostId
    resources: Resources
    gpu_names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A proposal: committing it checks the job again."""

    key: JobKey
    intake: int
    job_class: JobClass
    environment_name: str
    host_id: HostId
    #: what it takes of the host; more or less than asked for when it runs alone
    resources: Resources
    gpu_names: tuple[str, ...]
    #: of a job of several nodes: where each goes, by index; `host_id` is then that of the first
    nodes: tuple[NodePlacement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitReason:
    """Why the first job of a class waits."""

    #: the short form, for `statusReason`; begins with the AWS code where AWS has one
    status_reason: str
    #: every cause, in plain words with numbers
    causes: tuple[str, ...]
    #: the job that it waits behind, when that is the cause
    behind: JobKey | None = None
    #: what AWS Batch calls it, if anything
    code: str = ""
    #: the job for which room is kept that it might have used
    kept_for: JobKey | None = None
    #: jobs that are being stopped for it
    preempted: tuple[JobKey, ...] = ()
    #: some of the jobs that hold its concurrency key
    holders: tuple[JobKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A job that no other of its queue keeps from starting, and that waits for something AWS Batch has a code for."""

    key: JobKey
    job_class: JobClass
    #: the short form, before the ` - `
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preemption:
    """A job that is to be stopped so that another can start; as a placement, a proposal."""

    victim: JobKey
    beneficiary: JobKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Placements in the order they were decided, and a reason for every class that has jobs left."""

    placements: Sequence[Placement]
    reasons: Mapping[JobClass, WaitReason]
    heads: Sequence[Head] = ()
    preemptions: Sequence[Preemption] = ()
