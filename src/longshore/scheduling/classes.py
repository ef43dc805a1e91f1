"""Classes of waiting jobs that look the same to placement."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import blake2b

from longshore.domain.consumption import consumables_of
from longshore.domain.ids import Scope
from longshore.domain.job import JobSpec
from longshore.domain.quota import counted
from longshore.domain.resources import Resources
from longshore.domain.run_lengths import family
from longshore.domain.service_environment import demand_on
from longshore.domain.workload import workload_of
from longshore.scheduling.gang import Gang, gang_of
from longshore.scheduling.limits import Limit, own_limits


@dataclass(frozen=True, slots=True, kw_only=True)
class JobClass:
    """What placement sees of a job; jobs of one class are started in the order of their intake numbers."""

    scope: Scope
    queue_name: str
    #: of all nodes together
    resources: Resources
    #: of a fair-share queue, or quota share, else empty; priorities count within a share
    share: str = ""
    priority: int = 0
    #: names and quantities of consumable resources
    consumables: tuple[tuple[str, int], ...] = ()
    #: the nodes of a job of several; empty for all others
    gang: Gang = ()
    #: of a service job: types of instances and how many of each
    instances: tuple[tuple[str, int], ...] = ()
    #: those that its jobs bring, beside those of their queue
    limits: tuple[Limit, ...] = ()
    #: how long an attempt may run
    timeout_seconds: int | None = None
    #: jobs with the same are expected to run for about as long: `Snapshot.durations` has it as a key; empty: none has
    history: str = ""
    #: classes are keys wherever waiting jobs are counted
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self,
            "_hash",
            hash(
                (
                    *(self.scope, self.queue_name, self.resources, self.share, self.priority, self.consumables),
                    *(self.gang, self.instances, self.limits, self.timeout_seconds, self.history),
                )
            ),
        )

    def __hash__(self) -> int:
        return self._hash

    @property
    def weight_milli(self) -> int:
        """What it counts for in fair shares: thousandths of a vCPU, or of an instance."""
        return weight_milli(self.resources, self.instances)

    @property
    def units(self) -> Mapping[str, int]:
        """What it takes of the units of capacity that quota shares may have limits in, in parts of these."""
        return demand_on((), self.instances) if self.instances else counted(self.resources)

    @property
    def id(self) -> str:
        """Stable across processes and versions: by this the leader publishes why a class waits."""
        return _digest(self)


@lru_cache(maxsize=4096)
def _digest(job_class: JobClass) -> str:
    parts = [
        job_class.scope.account_id,
        job_class.scope.region,
        job_class.queue_name,
        _amounts(job_class.resources),
        *(f"{count} {_amounts(asked)}" for count, asked in job_class.gang),
    ]
    if job_class.share:
        parts.append(f"share {job_class.share} {job_class.priority}")
    parts += (f"instances {kind} {count}" for kind, count in job_class.instances)
    parts += (f"consumable {name} {quantity}" for name, quantity in job_class.consumables)
    if job_class.timeout_seconds is not None:
        parts.append(f"timeout {job_class.timeout_seconds}")
    if job_class.history:
        parts.append(f"history {job_class.history}")
    parts += (f"limit {each.counted.kind} {each.counted.name} {each.most}" for each in job_class.limits)
    return blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()


def _amounts(amounts: Resources) -> str:
    text = f"{amounts.vcpu_milli} {amounts.memory_mib} {amounts.gpus}"
    if amounts.scratch_mib or amounts.gpu_milli:
        text += f" {amounts.scratch_mib} {amounts.gpu_milli}"
    return text


def weight_milli(resources: Resources, instances: tuple[tuple[str, int], ...]) -> int:
    """What holding so much counts for in fair shares: thousandths of a vCPU, or of an instance where there are any."""
    return sum(count for _, count in instances) * 1000 if instances else resources.vcpu_milli


def class_of(spec: JobSpec, priority: int | None = None, memory_mib: int | None = None) -> JobClass:
    """The class that jobs of this submission belong to while they are RUNNABLE.

    `priority` and `memory_mib` are what a job has in place of the submission's.
    """
    gang = gang_of([node.resources for node in workload_of(spec).nodes]) if spec.has_nodes else ()
    priority = spec.scheduling_priority if priority is None else priority
    return JobClass(
        scope=spec.scope,
        queue_name=spec.queue_name,
        resources=spec.resources if memory_mib is None else replace(spec.resources, memory_mib=memory_mib),
        share=spec.share or "",
        priority=priority if spec.share is not None else 0,
        consumables=consumables_of(spec),
        gang=gang,
        instances=spec.instances,
        timeout_seconds=spec.attempt_seconds,
        history=family(spec),
        limits=own_limits(spec),
    )


def class_id(spec: JobSpec, priority: int | None = None, memory_mib: int | None = None) -> str:
    """The id of `class_of`, under which its reasons are published."""
    return class_of(spec, priority, memory_mib).id
