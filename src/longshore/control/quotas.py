"""Quota shares as the scheduler sees them: what each may hold, and who holds what."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from longshore.control.holdings import QueueName
from longshore.control.ledger import OpenAttempt
from longshore.domain.ids import HostId
from longshore.domain.job import StopCause
from longshore.domain.quota import RESOURCE_UNITS, VCPU, QuotaShare, counted, parts_of
from longshore.domain.resources import Resources
from longshore.scheduling.classes import class_of
from longshore.scheduling.quota import Amounts, Holder, QuotaShareView, QuotaView
from longshore.scheduling.snapshot import EnvironmentView, HostView


def quota_views(
    capacities: Mapping[QueueName, Amounts], shares: Sequence[QuotaShare], attempts: Sequence[OpenAttempt]
) -> Mapping[QueueName, QuotaView]:
    """The shares of each queue that is to have them; `capacities` says what such a queue has in all."""
    views: dict[QueueName, dict[str, QuotaShareView]] = defaultdict(dict)
    for share in shares:
        views[share.scope, share.queue_name][share.share_name] = QuotaShareView(
            limits={unit: most * parts_of(unit) for unit, most in share.limits.items()},
            strategy=share.resource_sharing_configuration.strategy,
            borrow_percent=share.borrow_percent,
            has_in_share_preemption=share.preemption_configuration.in_share_preemption == "ENABLED",
        )
    holders: dict[QueueName, list[Holder]] = defaultdict(list)
    for entry in attempts:
        spec, attempt = entry.job.spec, entry.attempt
        if attempt.has_ended or spec.quota_share_name is None:
            continue
        job_class = class_of(spec, entry.job.scheduling_priority, entry.job.memory_mib)
        allowed, is_for_good = spec.preemption_retries, attempt.stop_cause not in (None, StopCause.PREEMPTED)
        is_spent = is_for_good or (allowed is not None and entry.job.preemptions >= allowed)
        holders[spec.scope, spec.queue_name].append(
            Holder(
                key=entry.job.key,
                share=spec.quota_share_name,
                amounts=job_class.units,
                priority=job_class.priority,
                placed_at=attempt.opened_at.timestamp(),
                is_going=attempt.stop_cause is not None,
                returns_at=None if is_spent else entry.job.intake,
            )
        )
    found: dict[QueueName, QuotaView] = {}
    for queue, capacity in capacities.items():
        limited = {unit for share in views[queue].values() for unit in share.limits}
        view = QuotaView(
            capacity={unit: most for unit, most in capacity.items() if unit in limited or unit not in RESOURCE_UNITS},
            shares=views[queue],
        )
        of_queue = [replace(holder, amounts=view.asked(holder.amounts)) for holder in holders[queue]]
        found[queue] = replace(view, holders=of_queue)
    return found


def quota_capacity(environments: Sequence[EnvironmentView], hosts: Mapping[HostId, HostView]) -> Amounts:
    """What quota shares divide: the limits of a service environment, else what hosts have and environments allow."""
    limits = {unit: most for environment in environments for unit, most in environment.limits.items()}
    if limits:
        return limits
    host_ids = {host_id for environment in environments for host_id in environment.hosts}
    offered = counted(sum((hosts[host_id].total for host_id in host_ids), Resources()))
    capacity = {unit: offered.get(unit, 0) for unit in RESOURCE_UNITS}
    caps = [environment.cap_milli for environment in environments if environment.cap_milli is not None]
    if len(caps) == len(environments):
        capacity[VCPU] = min(capacity[VCPU], sum(caps))
    return capacity
