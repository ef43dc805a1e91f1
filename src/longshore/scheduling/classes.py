"""Classes of waiting jobs that look the same to placement."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from longshore.domain.consumption import consumables_of
from longshore.domain.ids import Scope
from longshore.domain.job import JobSpec
from longshore.domain.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class JobClass:
    """What placement sees of a job; jobs of one class are started in the order of their intake numbers."""

    scope: Scope
    queue_name: str
    resources: Resources
    #: of a fair-share queue, else empty; priorities count within a share
    share: str = ""
    priority: int = 0
    #: names and quantities of consumable resources
    consumables: tuple[tuple[str, int], ...] = ()

    @property
    def id(self) -> str:
        """Stable across processes and versions: by this the leader publishes why a class waits."""
        return _digest(self)


@lru_cache(maxsize=4096)
def _digest(job_class: JobClass) -> str:
    amounts = job_class.resources
    parts = [
        job_class.scope.account_id,
        job_class.scope.region,
        job_class.queue_name,
        f"{amounts.vcpu_milli} {amounts.memory_mib} {amounts.gpus}",
    ]
    if job_class.share:
        parts.append(f"share {job_class.share} {job_class.priority}")
    parts += (f"consumable {name} {quantity}" for name, quantity in job_class.consumables)
    return blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()


def class_of(spec: JobSpec) -> JobClass:
    """The class that jobs of this submission belong to while they are RUNNABLE."""
    return JobClass(
        scope=spec.scope,
        queue_name=spec.queue_name,
        resources=spec.resources,
        share=spec.share_identifier or "",
        priority=spec.scheduling_priority if spec.share_identifier is not None else 0,
        consumables=consumables_of(spec),
    )


def class_id(spec: JobSpec) -> str:
    """`class_of(spec).id`, under which its reasons are published."""
    return class_of(spec).id
