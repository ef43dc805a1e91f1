"""Takes in new jobs and looks at what callers ask of jobs."""

from longshore.control.changes import Changes
from longshore.control.present import Present
from longshore.domain.dependency import DependencyType
from longshore.domain.ids import JobKey, Scope
from longshore.domain.job import Wish, WishKind
from longshore.domain.lifecycle import reasons
from longshore.domain.lifecycle.events import CancelRequested, StartDeadlinePassed, TakenIn, TerminateRequested
from longshore.domain.lifecycle.status import WAITING_STATUSES, JobStatus
from longshore.domain.queue import Instant
from longshore.domain.service_environment import ServiceEnvironment
from longshore.ports.store import JobFilter, Transaction
from longshore.scheduling.classes import class_of

#: How many new jobs, deadlines, requests or jobs of a deleted queue one turn looks at.
BATCH = 500
_UNFINISHED = frozenset(status for status in JobStatus if not status.is_final)


def take_in_jobs(tx: Transaction, present: Present, changes: Changes) -> bool:
    """Give new jobs their intake numbers, in the order they were stored; returns whether there may be more."""
    jobs = tx.submitted_jobs(BATCH)
    edges = tx.edges_of([job.key for job in jobs])
    waiting = {edge.job_key for edge in edges}
    for edge in edges:
        present.watch_edge(edge)
        if edge.type is DependencyType.N_TO_N:  # its twin may have failed already
            present.check_children(tx, edge.job_key)
    present.forget_ended(tx)
    present.checks.extend(job.key for job in jobs if job.key in waiting)
    changes.adopt(jobs)
    for job in jobs:
        event = TakenIn(intake=present.next_intake, must_wait=job.key in waiting)
        if not event.must_wait:
            present.recent.append((job.created_at, class_of(job.spec), job.spec.array_size or 1))
        present.next_intake += job.spec.array_size or 1
        present.start_deadlines.add(job.spec)
        if job.spec.powers.is_held:
            changes.hold(job.key, is_held=True)
        changes.apply(job.key, event)
        if job.is_array_parent:
            changes.apply_to_children(job, event, [JobStatus.SUBMITTED], intake_of_first=event.intake)
    changes.flush()
    return len(jobs) == BATCH


def give_up_late_starts(tx: Transaction, present: Present, changes: Changes, now: Instant) -> int:
    """End what has not started by its deadline; returns how many submissions were looked at, `BATCH` at most."""
    present.start_deadlines.forget_ended(tx)
    due = present.start_deadlines.take_due(now, BATCH)
    changes.load(due)
    for key in due:
        job = changes.job(key)
        if job is None or job.status.is_final:
            continue
        if job.is_array_parent:
            changes.apply_to_children(job, StartDeadlinePassed(), [JobStatus.PENDING, JobStatus.RUNNABLE])
        else:
            changes.apply(key, StartDeadlinePassed())
    if due:
        changes.flush()
    return len(due)


def look_at_requests(tx: Transaction, present: Present, changes: Changes) -> bool:
    """Carry out cancellations and terminations; returns whether there may be more."""
    requested = tx.requested_jobs(BATCH)
    for job, wish in requested:
        grant(present, changes, job.key, wish)
    tx.clear_requests([job.key for job, _ in requested])
    changes.flush()
    return len(requested) == BATCH


def look_at_holds(tx: Transaction, changes: Changes) -> bool:
    """Hold and release jobs as was asked; returns whether there may be more.

    Looked for in each turn, so that a job does not start any more whose hold has been answered.
    """
    jobs = tx.jobs_to_hold(BATCH)
    if not jobs:
        return False
    changes.adopt(jobs)
    for job in jobs:
        changes.hold(job.key, is_held=bool(job.requested_hold))
    tx.clear_holds([job.key for job in jobs])
    changes.flush()
    return len(jobs) == BATCH


def look_at_priorities(tx: Transaction, changes: Changes) -> bool:
    """Give jobs the priorities that were requested for them; returns whether there may be more."""
    jobs = tx.prioritized_jobs(BATCH)
    changes.adopt(jobs)
    for job in jobs:
        changes.prioritize(job.key)
    tx.clear_priorities([job.key for job in jobs])
    changes.flush()
    return len(jobs) == BATCH


def grant(present: Present, changes: Changes, key: JobKey, wish: Wish) -> None:
    """Do to a job, and to the children of an array, what was asked."""
    event = (CancelRequested if wish.kind is WishKind.CANCEL else TerminateRequested)(reason=wish.reason)
    changes.load([key])
    job = changes.job(key)
    if job is None or job.status.is_final:
        return
    changes.apply(key, event)
    if not job.is_array_parent:
        return
    changes.apply_to_children(job, event, sorted(WAITING_STATUSES))
    if wish.kind is WishKind.TERMINATE:
        running = present.ledger.running_between(job.spec.child_key(0), job.spec.last_key)
        changes.load(running)
        for child in running:
            changes.apply(child, event)


def drain_deleted(tx: Transaction, present: Present, changes: Changes) -> bool:
    """End what is left in queues and environments being deleted; returns whether there is more to do at once."""
    more = False
    for queue in [queue for queue in present.queues(tx) if queue.status == "DELETING"]:
        where = JobFilter(statuses=_UNFINISHED)
        left, fresh = _end_jobs(tx, present, changes, (queue.scope, queue.name), where, reasons.QUEUE_DELETED)
        more = more or fresh
        if not left:
            tx.delete_queue(queue.scope, queue.name)
            present.forget_resources()
    for share in [share for share in present.quota_shares(tx) if share.status == "DELETING"]:
        where = JobFilter(statuses=_UNFINISHED, share_identifier=share.share_name)
        place = share.scope, share.queue_name
        left, fresh = _end_jobs(tx, present, changes, place, where, reasons.QUOTA_SHARE_DELETED)
        more = more or fresh
        if not left:
            tx.delete_quota_share(share)
            present.forget_resources()
    # attempts that have ended count too: to release one, its engine is read from its environment
    busy = {entry.environment_name for entry in present.ledger.open_attempts()}
    for name, environment in present.environments(tx).items():
        if environment.status == "DELETING" and name not in busy:
            if isinstance(environment, ServiceEnvironment):
                tx.delete_service_environment(environment.scope, environment.name)
            else:
                tx.delete_environment(*name)
            present.forget_resources()
    return more


def _end_jobs(
    tx: Transaction, present: Present, changes: Changes, place: tuple[Scope, str], where: JobFilter, reason: str
) -> tuple[bool, bool]:
    """Terminate jobs of a queue; returns whether there are any left, and whether some were not asked before."""
    before: JobKey | None = None
    fresh: list[JobKey] = []
    # what was told to end may take long to: it is passed over, so that the rest hears of it
    while not fresh and (views := tx.list_jobs(*place, where, before=before, limit=BATCH)):
        fresh = [v.job.key for v in views if v.job.wish is None or v.job.wish.kind is WishKind.CANCEL]
        before = views[-1].job.key
    for key in fresh:
        grant(present, changes, key, Wish(kind=WishKind.TERMINATE, reason=reason))
    changes.flush()
    return before is not None, bool(fresh)
