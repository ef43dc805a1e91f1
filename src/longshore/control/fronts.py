"""Who comes next in each queue, published for callers; and what becomes of heads that wait too long.

The places of jobs and the waits of heads are kept in the store, so that a leader goes on with them where the one before
left off. Times count on the boot clock; over a boot they count on the wall clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from longshore.control.changes import Changes
from longshore.control.holdings import QueueName
from longshore.control.intake import grant
from longshore.control.present import Present
from longshore.domain.ids import JobKey
from longshore.domain.job import Wish, WishKind
from longshore.domain.lifecycle import reasons
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.queue import FrontJob, HeadJob, Instant, QueueFront
from longshore.ports.store import Transaction
from longshore.scheduling.classes import JobClass
from longshore.scheduling.lineup import capacity_of
from longshore.scheduling.order import first_jobs, order_of
from longshore.scheduling.plan import Head
from longshore.scheduling.quota import Amounts
from longshore.scheduling.quota_order import QuotaOrder
from longshore.scheduling.snapshot import Snapshot, WaitingClass

#: Source: AWS Batch API, GetJobQueueSnapshot.
MOST_JOBS = 100
#: A head that waits so long for room that others hold is blocked for lack of it: the least that an action may wait.
BLOCKED_SECONDS = 600.0


def publish_fronts(tx: Transaction, present: Present, snapshot: Snapshot, heads: Sequence[Head]) -> frozenset[JobClass]:
    """Publish the front of each queue that has changed; returns the classes of heads that count as blocked.

    `snapshot` is that of the jobs that wait now, `heads` are those of the plan before.
    """
    now = present.holdings.instant
    assert now is not None
    present.holdings.forget(tx, present.policies(tx), now)
    waiting: dict[QueueName, list[WaitingClass]] = {}
    for each in snapshot.classes:
        waiting.setdefault((each.job_class.scope, each.job_class.queue_name), []).append(each)
    heads_of: dict[QueueName, list[Head]] = {}
    for head in heads:
        heads_of.setdefault(_queue_of(head), []).append(head)
    for queue in snapshot.queues:
        name = queue.scope, queue.name
        known = present.fronts.get(name)
        known_jobs: Mapping[str, FrontJob] = known.share_jobs if known else {}
        order = order_of(waiting.get(name, ()), queue, capacity_of(queue, snapshot))
        firsts: Mapping[str, JobKey] = order.fronts() if isinstance(order, QuotaOrder) else {}
        share_held: Mapping[str, Amounts] = order.held() if isinstance(order, QuotaOrder) else {}
        held = {share: milli for share, milli in present.holdings.held_by(name).items() if milli}
        front = QueueFront(
            scope=queue.scope,
            name=queue.name,
            share_held=share_held,
            share_jobs={share: _still(known_jobs.get(share), key, now) for share, key in firsts.items()},
            jobs=_placed(first_jobs(order, MOST_JOBS), known.jobs if known else (), now),
            heads=_waiting(heads_of.get(name, ()), known.heads if known else (), now),
            held_milli=held,
            active_shares=0 if queue.fair is None else len(queue.fair.shares),
            updated_at=now.at,
        )
        if known is None or replace(front, updated_at=known.updated_at) != known:
            tx.put_queue_front(front)
            present.fronts[name] = front
    for name in present.fronts.keys() - {(queue.scope, queue.name) for queue in present.queues(tx)}:
        del present.fronts[name]
    blocked = {head.key for front in present.fronts.values() for head in front.heads if head.is_blocked}
    return frozenset(head.job_class for head in heads if head.key in blocked)


def _queue_of(head: Head) -> QueueName:
    return head.job_class.scope, head.job_class.queue_name


def _still(known: FrontJob | None, key: JobKey, now: Instant) -> FrontJob:
    """A job in its place: since before, if it had it then."""
    return known if known is not None and known.key == key else FrontJob(key=key, since=now.at)


def _placed(keys: Sequence[JobKey], known: Sequence[FrontJob], now: Instant) -> tuple[FrontJob, ...]:
    """Jobs with the time since when each has its place."""
    before = [*known, *[None] * len(keys)]
    return tuple(_still(before[place], key, now) for place, key in enumerate(keys))


def _waiting(heads: Iterable[Head], known: Sequence[HeadJob], now: Instant) -> tuple[HeadJob, ...]:
    """Heads with the time since when each waits for the same."""
    before = {(head.key, head.code): head for head in known}
    found = (before.get((head.key, head.code)) or HeadJob(key=head.key, code=head.code, since=now) for head in heads)
    return tuple(replace(head, is_blocked=_is_blocked(head, now)) for head in found)


def _is_blocked(head: HeadJob, now: Instant) -> bool:
    """Whether it counts as blocked: at once if only a change of set-up helps."""
    return not head.code.startswith("CAPACITY:") or now.seconds_since(head.since) >= BLOCKED_SECONDS


def end_overdue_heads(tx: Transaction, present: Present, changes: Changes, now: Instant) -> bool:
    """Do what queues say of heads that waited too long for one thing; returns whether there were any.

    Source: AWS Batch API, JobStateTimeLimitAction.
    """
    acted = False
    for name, limits in present.time_limits(tx).items():
        front = present.fronts.get(name)
        if front is None:
            continue
        overdue = [
            h for h in front.heads if h.code in limits and now.seconds_since(h.since) >= limits[h.code].max_time_seconds
        ]
        if not overdue:
            continue
        acted = True
        changes.load(head.key for head in overdue)
        for head in overdue:
            job = changes.job(head.key)
            if job is not None and job.status is JobStatus.RUNNABLE:
                action = limits[head.code].action
                kind = WishKind.TERMINATE if action == "TERMINATE" else WishKind.CANCEL
                reason = reasons.ended_by_time_limit(action, head.code)
                grant(present, changes, head.key, Wish(kind=kind, reason=reason))
        # what is told of the others stays as it is published
        left = tuple(head for head in front.heads if head not in overdue)
        present.fronts[name] = replace(front, heads=left)
    if acted:
        changes.flush()
    return acted


def seconds_to_limits(present: Present, now: Instant) -> Sequence[float]:
    """Until actions on heads are due."""
    return [
        limits[head.code].max_time_seconds - now.seconds_since(head.since)
        for name, limits in present.time_limits(None).items()
        if (front := present.fronts.get(name)) is not None
        for head in front.heads
        if head.code in limits
    ]


def seconds_to_blocks(present: Present, now: Instant) -> Sequence[float]:
    """Until heads count as blocked that do not yet."""
    return [
        BLOCKED_SECONDS - now.seconds_since(head.since)
        for front in present.fronts.values()
        for head in front.heads
        if not head.is_blocked
    ]
