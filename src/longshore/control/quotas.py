"""Quota shares as the scheduler sees them: what each may hold, and who holds what."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from longshore.control.holdings import QueueName
from longshore.control.ledger import OpenAttempt
from longshore.domain.job import StopCause
from longshore.domain.quota import QuotaShare
from longshore.scheduling.classes import class_of
from longshore.scheduling.quota import Amounts, Holder, QuotaShareView, QuotaView


def quota_views(
    capacities: Mapping[QueueName, Amounts], shares: Sequence[QuotaShare], attempts: Sequence[OpenAttempt]
) -> Mapping[QueueName, QuotaView]:
    """The shares of each queue that is to have them; `capacities` says what such a queue has in all."""
    views: dict[QueueName, dict[str, QuotaShareView]] = defaultdict(dict)
    for share in shares:
        views[share.scope, share.queue_name][share.share_name] = QuotaShareView(
            limits=share.limits,
            strategy=share.resource_sharing_configuration.strategy,
            borrow_percent=share.borrow_percent,
            has_in_share_preemption=share.preemption_configuration.in_share_preemption == "ENABLED",
        )
    holders: dict[QueueName, list[Holder]] = defaultdict(list)
    for entry in attempts:
        spec, attempt = entry.job.spec, entry.attempt
        if attempt.has_ended or spec.quota_share_name is None:
            continue
        job_class = class_of(spec, entry.job.scheduling_priority)
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
    return {
        queue: QuotaView(capacity=capacity, shares=views[queue], holders=holders[queue])
        for queue, capacity in capacities.items()
    }
