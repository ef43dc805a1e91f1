"""How many jobs of its queue come before a waiting one, were there room for all of them."""

from bisect import bisect_left
from dataclasses import dataclass

from longshore.domain.ids import JobKey
from longshore.scheduling.lineup import capacity_of
from longshore.scheduling.order import first_jobs, order_of
from longshore.scheduling.snapshot import QueueView, Snapshot

#: Where shares take turns, jobs are counted one by one, and no more than these.
MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in a queue."""

    ahead: int
    #: there may be more of them
    is_at_least: bool
    #: all that wait in the queue
    waiting: int
    #: who comes next
    first: JobKey | None


def position_of(key: JobKey, intake: int, queue: QueueView, snapshot: Snapshot) -> Position:
    """The place of a RUNNABLE job."""
    name = queue.scope, queue.name
    classes = [each for each in snapshot.classes if (each.job_class.scope, each.job_class.queue_name) == name]
    waiting = sum(run.count for each in classes for run in each.runs)
    order = order_of(classes, queue, capacity_of(queue, snapshot))
    if queue.fair is None and queue.quota is None:
        first = None if order.first is None or order.first.head is None else order.first.head[1]
        ahead = 0
        for each in classes:
            for run in each.runs[: bisect_left(each.runs, intake, key=lambda run: run.intake)]:
                ahead += min(run.count, intake - run.intake)
        return Position(ahead=ahead, is_at_least=False, waiting=waiting, first=first)
    placed = first_jobs(order, MOST_COUNTED)
    first = placed[0] if placed else None
    if key in placed:
        return Position(ahead=placed.index(key), is_at_least=False, waiting=waiting, first=first)
    return Position(ahead=len(placed), is_at_least=True, waiting=waiting, first=first)
