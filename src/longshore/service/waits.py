"""Every cause for which a job waits, in words with numbers."""

from collections.abc import Iterable, Mapping, Sequence

from longshore.domain.ids import JobKey, Scope, parse_job_id
from longshore.domain.job import Job
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.queue import JobQueue
from longshore.domain.service_environment import Environment
from longshore.ports.overview import EngineHealth
from longshore.ports.store import JobFilter, JobView, Reader
from longshore.scheduling.explain import called
from longshore.service.awaited import Dependencies
from longshore.service.causes import Cause
from longshore.service.everywhere import ALL, load_environment
from longshore.service.forecasts import Foresight
from longshore.service.held import held_since, told_hold
from longshore.service.published import Published, root_reason
from longshore.service.remedies import Remedies
from longshore.service.wording import counted

#: How many jobs ahead are counted one by one; beyond that a number says "at least".
_AHEAD_COUNTED = 500

_QUEUED = frozenset({JobStatus.RUNNABLE, JobStatus.PENDING})


def wait_causes(
    reader: Reader, view: JobView, engines: Mapping[str, EngineHealth], foresight: Foresight | None = None
) -> Sequence[Cause]:
    """Causes in the order in which they must go away; empty for a job that does not wait. `engines` by name.

    Without foresight nothing is known of remedies, nor of what a job lacks that waits for others of its queue.
    """
    job, counts = view.job, view.counts
    causes: list[Cause] = []
    held_at = held_since(reader, [job]).get(job.key)
    if held_at is not None and (counts.get(JobStatus.RUNNABLE) or counts.get(JobStatus.PENDING)):
        text = f"{told_hold(held_at)}; `longshore release {job.id}` lets it start"
        causes.append(Cause(kind="hold", text=text))
    if counts.get(JobStatus.SUBMITTED):
        text = "the controller has not taken it in yet; a running server does so within moments"
        causes.append(Cause(kind="intake", text=text))
    if counts.get(JobStatus.PENDING):
        causes += Dependencies(reader, [job], foresight=foresight).causes(job)
        if job.wish is not None:
            text = f"it was asked to {job.wish.kind} ({job.wish.reason}) and ends when its dependencies have ended"
            causes.append(Cause(kind="request", text=text))
    may_start = held_at is None and counts.get(JobStatus.RUNNABLE)
    reason = root_reason(reader, job) if may_start else None
    if may_start:
        causes += _order_causes(reader, job)
        causes += _capacity_causes(reader, job, reason, foresight)
    if causes:
        causes += _queue_causes(reader, job, engines, with_environments=reason is None)
    return causes


def _order_causes(reader: Reader, job: Job) -> Iterable[Cause]:
    """Who comes first, told apart: jobs of other queues, siblings with a lower index, earlier jobs of the queue."""
    scope, name = job.spec.scope, job.spec.queue_name
    own = reader.queue(scope, name)
    if own is not None:
        for other in _rivals(reader, own):
            is_equal = other.priority == own.priority
            remark = f", whose priority is {other.priority} {'too' if is_equal else f'and not {own.priority}'}"
            yield from _ahead_in(reader, scope, other.name, job.spec.key if is_equal else None, remark)
    if job.spec.share is not None:
        yield from _place_causes(reader, job)
        return
    if job.id.index is not None and job.intake is not None:
        runs = reader.ranges(job.spec, JobStatus.RUNNABLE)
        before = sum(
            min(keys.last - keys.first + 1, job.intake - intake) for keys, intake, _ in runs if intake < job.intake
        )
        if before:
            text = f"{counted(before, 'child', 'children')} of the same array job with a lower index come first"
            yield Cause(kind="order", text=text)
    yield from _ahead_in(reader, scope, name, job.spec.key)


def _rivals(reader: Reader, own: JobQueue) -> Sequence[JobQueue]:
    """Other queues of this priority or a higher one that share an environment with `own`, the highest first."""
    shared = set(own.environment_names)
    rivals = [
        queue
        for queue in reader.queues(own.scope, limit=ALL)
        if queue.priority >= own.priority and queue.name != own.name and shared.intersection(queue.environment_names)
    ]
    return sorted(rivals, key=lambda queue: -queue.priority)


def _ahead_in(reader: Reader, scope: Scope, name: str, before: JobKey | None, remark: str = "") -> Iterable[Cause]:
    """The RUNNABLE jobs of a queue that were submitted before, or all of them."""
    views = reader.list_jobs(scope, name, JobFilter(statuses=_QUEUED), before=before, limit=_AHEAD_COUNTED)
    waiting = {view.job.id: _runnable_in(view) for view in views}
    ahead = sum(waiting.values())
    if not ahead:
        return
    at_least = "at least " if len(views) == _AHEAD_COUNTED else ""
    first = [job_id for job_id, count in waiting.items() if count][-1]
    named = "one of them" if at_least else "the first"
    text = (
        f"ahead of it in job queue {name}{remark}: {at_least}{counted(ahead, 'RUNNABLE job')}, array children "
        f"counted; {named} is {first}"
    )
    yield Cause(kind="order", text=text, job_id=str(first))


def _place_causes(reader: Reader, job: Job) -> Iterable[Cause]:
    """How many come before it in a fair-share queue, where it is not the time of submission that counts."""
    spec = job.spec
    front = reader.queue_front(spec.scope, spec.queue_name)
    placed = [] if front is None else [each.key for each in front.jobs]
    last = spec.last_key if job.is_array_parent else job.key
    places = [place for place, key in enumerate(placed) if job.key <= key <= last]
    of_share = f"job queue {spec.queue_name} (share {spec.share_identifier}, shares take turns by what they have used)"
    if spec.quota_share_name is not None:
        of_share = f"job queue {spec.queue_name}, jobs of all its quota shares counted"
    if not placed or places[:1] == [0]:
        return
    ahead = f"{places[0]:,}" if places else f"at least {len(placed):,}"
    first = reader.load_jobs(placed[:1]).get(placed[0])
    named = "" if first is None else f"; the first is {first.id}"
    text = f"ahead of it in {of_share}: {ahead}{named}"
    remedy = None
    if spec.share_identifier is not None:
        remedy = "a lower weightFactor gives its share more; within a share schedulingPriority counts"
    yield Cause(kind="order", text=text, job_id=None if first is None else str(first.id), remedy=remedy)


def _runnable_in(view: JobView) -> int:
    """How many jobs that could start now a submission holds."""
    if view.summary is not None:
        return view.summary.counts.get(JobStatus.RUNNABLE, 0)
    return 1 if view.job.status is JobStatus.RUNNABLE else 0


def _capacity_causes(
    reader: Reader, job: Job, reason: Published | None, foresight: Foresight | None
) -> Iterable[Cause]:
    """What the scheduler found; behind a job ahead that one's causes, and then what this one lacks itself."""
    if reason is None:
        text = "the scheduler has not said yet why; it does so at most a second after its last look"
        yield Cause(kind="capacity", text=text)
        return
    if reason.behind is None:
        remedies = None if foresight is None else Remedies(reader, job, foresight)
        for text in reason.causes:
            yield Cause(kind="capacity", text=text, remedy=remedies and remedies.remedy(text))
        return
    ahead = _find(reader, job.spec.scope, reason.behind)
    remedies = None if foresight is None or ahead is None else Remedies(reader, ahead, foresight)
    for text in reason.causes:
        told = f"job {reason.behind}, ahead of it, waits: {text}"
        yield Cause(kind="order", text=told, job_id=reason.behind, remedy=remedies and remedies.remedy(text))
    if foresight is not None:
        for text, remedy in Remedies(reader, job, foresight).own_causes():
            yield Cause(kind="capacity", text=f"itself: {text}", remedy=remedy)


def _find(reader: Reader, scope: Scope, text: str) -> Job | None:
    job_id = parse_job_id(text)
    keys = list(reader.find_jobs(scope, [] if job_id is None else [job_id]).values())
    return next(iter(reader.load_jobs(keys).values()), None)


def _queue_causes(
    reader: Reader, job: Job, engines: Mapping[str, EngineHealth], *, with_environments: bool
) -> Iterable[Cause]:
    """What is wrong with the job's queue, and with its environments where the scheduler has not told it yet."""
    scope, name = job.spec.scope, job.spec.queue_name
    queue = reader.queue(scope, name)
    if queue is None or queue.status in ("DELETING", "DELETED"):
        yield Cause(kind="queue", text=f"job queue {name} is deleted; its jobs are being ended")
        return
    if queue.state == "DISABLED":
        yield Cause(kind="queue", text=f"job queue {name} is DISABLED: it takes no new jobs; those in it still start")
    problems = {name: health.problem for name, health in engines.items()}
    for environment_name in queue.environment_names if with_environments else ():
        problem = environment_problem(load_environment(reader, scope, environment_name), problems)
        if problem:
            yield Cause(kind="environment", text=f"{called(environment_name)}: {problem}")


def environment_problem(environment: Environment | None, engine_problems: Mapping[str, str]) -> str:
    """Why nothing can be placed on it now; empty when jobs can be. Every engine is in `engine_problems`."""
    if environment is None:
        return "does not exist"
    if environment.state == "DISABLED":
        return "is DISABLED"
    if not environment.accepts_jobs:
        return f"is {environment.status}: {environment.status_reason}"
    problem = engine_problems.get(environment.engine)
    if problem is None:
        return f"its engine {environment.engine} is not set up on this server"
    return problem and f"its engine {environment.engine} is not available: {problem}"
