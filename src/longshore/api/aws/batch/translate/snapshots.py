"""Snapshots of job queues, on the wire."""

from collections.abc import Mapping
from itertools import chain

from longshore.api.aws.batch.translate.shapes import milliseconds
from longshore.api.aws.batch.wire import responses
from longshore.api.aws.batch.wire import structures as wire
from longshore.domain.quota import parts_of
from longshore.service.snapshots import QueueSnapshot

_MOST_SHARES = 20


def render_snapshot(snapshot: QueueSnapshot) -> responses.GetJobQueueSnapshotResponse:
    """The answer to a look at a queue."""
    front = snapshot.front
    updated_at = None if front is None else milliseconds(front.updated_at)
    held: Mapping[str, int] = {} if front is None else front.held_milli
    share_held: Mapping[str, Mapping[str, int]] = {} if front is None else front.share_held
    fairshare = None
    if snapshot.is_fair_share:
        top = sorted(held.items(), key=lambda entry: (-entry[1], entry[0]))[:_MOST_SHARES]
        fairshare = wire.FairshareUtilizationDetail(
            active_share_count=0 if front is None else front.active_shares,
            top_capacity_utilization=[
                wire.FairshareCapacityUtilization(
                    share_identifier=share,
                    capacity_usage=[wire.FairshareCapacityUsage(capacity_unit=snapshot.unit, quantity=milli / 1000)],
                )
                for share, milli in top
            ],
        )
    usage: dict[str, float] = {snapshot.unit: sum(held.values()) / 1000}
    if snapshot.share_jobs is not None:
        usage = {}
        for unit, amount in chain.from_iterable(units.items() for units in share_held.values()):
            usage[unit] = usage.get(unit, 0) + amount / parts_of(unit)
    return responses.GetJobQueueSnapshotResponse(
        front_of_queue=wire.FrontOfQueueDetail(
            jobs=[
                wire.FrontOfQueueJobSummary(job_arn=arn, earliest_time_at_position=milliseconds(place.since))
                for arn, place in snapshot.jobs
            ],
            last_updated_at=updated_at,
        ),
        front_of_quota_shares=None
        if snapshot.share_jobs is None
        else wire.FrontOfQuotaSharesDetail(
            quota_shares={
                share: [wire.FrontOfQuotaShareJobSummary(job_arn=arn, earliest_time_at_position=milliseconds(at.since))]
                for share, (arn, at) in snapshot.share_jobs.items()
            },
            last_updated_at=updated_at,
        ),
        queue_utilization=wire.QueueSnapshotUtilizationDetail(
            total_capacity_usage=[
                wire.QueueSnapshotCapacityUsage(capacity_unit=unit, quantity=quantity)
                for unit, quantity in usage.items()
            ],
            fairshare_utilization=fairshare,
            quota_share_utilization=None if snapshot.share_jobs is None else _render_held(share_held),
            last_updated_at=updated_at,
        ),
    )


def _render_held(held: Mapping[str, Mapping[str, int]]) -> wire.QuotaShareUtilizationDetail:
    """What each quota share holds: a queue has no more of them than are shown."""
    return wire.QuotaShareUtilizationDetail(
        top_capacity_utilization=[
            wire.QuotaShareCapacityUtilization(
                quota_share_name=share,
                capacity_usage=[
                    wire.QuotaShareCapacityUsage(capacity_unit=unit, quantity=amount / parts_of(unit))
                    for unit, amount in units.items()
                ],
            )
            for share, units in sorted(held.items(), key=lambda entry: (-sum(entry[1].values()), entry[0]))
        ]
    )
