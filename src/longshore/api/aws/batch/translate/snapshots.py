"""Snapshots of job queues, on the wire."""

from collections.abc import Mapping

from longshore.api.aws.batch.translate.shapes import milliseconds
from longshore.api.aws.batch.wire import responses
from longshore.api.aws.batch.wire import structures as wire
from longshore.service.snapshots import QueueSnapshot

_MOST_SHARES = 20


def render_snapshot(snapshot: QueueSnapshot) -> responses.GetJobQueueSnapshotResponse:
    """The answer to a look at a queue."""
    front = snapshot.front
    updated_at = None if front is None else milliseconds(front.updated_at)
    held: Mapping[str, int] = {} if front is None else front.held_milli
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
    return responses.GetJobQueueSnapshotResponse(
        front_of_queue=wire.FrontOfQueueDetail(
            jobs=[
                wire.FrontOfQueueJobSummary(job_arn=arn, earliest_time_at_position=milliseconds(place.since))
                for arn, place in snapshot.jobs
            ],
            last_updated_at=updated_at,
        ),
        queue_utilization=wire.QueueSnapshotUtilizationDetail(
            total_capacity_usage=[
                wire.QueueSnapshotCapacityUsage(capacity_unit=snapshot.unit, quantity=sum(held.values()) / 1000)
            ],
            fairshare_utilization=fairshare,
            last_updated_at=updated_at,
        ),
    )
