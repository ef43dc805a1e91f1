"""Why a job stands where it stands: one document with everything that is known, in words with numbers."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from longshore.domain.job import Job, JobSpec, TimelineEntry
from longshore.domain.lifecycle.status import FINAL_STATUSES, WAITING_STATUSES, JobStatus
from longshore.ports.overview import EngineHealth
from longshore.ports.store import JobView, Reader
from longshore.service.causes import Cause
from longshore.service.documents import Amounts, Children, Document, Place, amounts_of, place_of
from longshore.service.everywhere import find_job
from longshore.service.forecasts import Foresight
from longshore.service.outcomes import AttemptAccount, account_for
from longshore.service.places import Position, place_in_queue
from longshore.service.published import with_reasons
from longshore.service.starts import Start, start_of
from longshore.service.unhonoured import Unhonoured, unhonoured
from longshore.service.waits import wait_causes
from longshore.service.wording import counted, duration

_CHILDREN_NAMED = 5


class Step(Document, frozen=True):
    """One step of a job's life."""

    at: datetime
    #: it happened to all children of the array job that were in `status_from`
    of_children: bool
    status_from: JobStatus | None
    status_to: JobStatus
    #: name of the event
    cause: str
    detail: str


class Explanation(Document, frozen=True):
    """All about one job."""

    job_id: str
    name: str
    place: Place
    definition: str
    status: JobStatus
    #: when it came into this status
    since: datetime
    #: the whole in one sentence
    summary: str
    status_reason: str
    created_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None
    asked: Amounts
    timeout_seconds: int | None
    attempts_allowed: int
    #: lost hosts that are not charged to these attempts, where the job says so
    host_retries: int | None
    #: of a job with a start deadline that has not started
    gives_up_at: datetime | None
    #: of an array job
    children: Children | None
    #: the first few
    failed_children: tuple[str, ...]
    waits_for: tuple[Cause, ...]
    not_honoured: tuple[Unhonoured, ...]
    attempts: tuple[AttemptAccount, ...]
    timeline: tuple[Step, ...]
    #: of a RUNNABLE job; of an array job that of its first child that waits
    position: Position | None = None
    #: of a job that waits
    start: Start | None = None


def explain_job(
    reader: Reader,
    text: str,
    engines: Sequence[EngineHealth],
    now: datetime,
    *,
    account_id: str | None = None,
    foresight: Foresight | None = None,
) -> Explanation:
    """Explain the job whose id is `text`; with an account, one of that.

    Raises:
        InvalidRequest: it is no job id.
        NotFound: there is no such job.
    """
    view = find_job(reader, text, account_id)
    job, spec = view.job, view.job.spec
    by_name: Mapping[str, EngineHealth] = {engine.name: engine for engine in engines}
    causes = wait_causes(reader, view, by_name, foresight)
    attempts = account_for(view)
    timeline = reader.timeline(job.key)
    since = _since(view, timeline)
    return Explanation(
        job_id=str(job.id),
        name=spec.name,
        place=place_of(spec),
        definition=spec.definition or _training_text(spec),
        status=job.status,
        since=since,
        summary=_summarise(view, causes, attempts, now - since),
        status_reason=with_reasons(reader, [view])[0].job.status_reason,
        created_at=job.created_at,
        started_at=job.started_at,
        stopped_at=job.stopped_at,
        asked=amounts_of(job.resources),
        timeout_seconds=spec.attempt_seconds,
        attempts_allowed=spec.retry.attempts,
        host_retries=spec.powers.host_retries,
        gives_up_at=_gives_up_at(job),
        children=Children(size=view.summary.size, counts=dict(view.summary.counts)) if view.summary else None,
        failed_children=_failed_children(reader, view),
        waits_for=tuple(causes),
        position=place_in_queue(reader, view, foresight),
        start=start_of(reader, view, foresight),
        not_honoured=tuple(unhonoured(reader, view, by_name)),
        attempts=tuple(attempts),
        timeline=tuple(map(_step, timeline)),
    )


def _gives_up_at(job: Job) -> datetime | None:
    seconds = job.spec.powers.start_deadline_seconds
    if seconds is None or job.attempts_made or job.status not in WAITING_STATUSES | {JobStatus.PENDING}:
        return None
    return job.created_at + timedelta(seconds=seconds)


def _training_text(spec: JobSpec) -> str:
    """What stands in the place of a definition where a job has none."""
    instances = " and ".join(f"{count} x {kind}" for kind, count in spec.instances)
    return f"training on {instances}"


def _step(entry: TimelineEntry) -> Step:
    return Step(
        at=entry.at,
        of_children=entry.of_children,
        status_from=entry.status_from,
        status_to=entry.status_to,
        cause=entry.cause,
        detail=entry.detail,
    )


def _since(view: JobView, timeline: Sequence[TimelineEntry]) -> datetime:
    """When the job came into its status; its submission when nothing has happened to it."""
    job, since = view.job, view.job.created_at
    for entry in timeline:
        if job.is_array_parent and entry.of_children:
            continue
        if entry.status_to is job.status and entry.status_from is not entry.status_to:
            since = entry.at
    return since


def _failed_children(reader: Reader, view: JobView) -> tuple[str, ...]:
    if view.summary is None or not view.summary.counts.get(JobStatus.FAILED):
        return ()
    failed = reader.list_children(view.job.key, frozenset({JobStatus.FAILED}), after=None, limit=_CHILDREN_NAMED)
    return tuple(str(child.job.id) for child in failed)


def _summarise(view: JobView, causes: Sequence[Cause], attempts: Sequence[AttemptAccount], age: timedelta) -> str:
    job = view.job
    stands = f"{job.status} for {duration(age.total_seconds())}"
    if view.summary is not None:
        ended = ", ".join(
            f"{view.summary.counts[status]:,} {status}" for status in JobStatus if view.summary.counts.get(status)
        )
        return f"{stands}: of {counted(view.summary.size, 'child', 'children')}: {ended}"
    if job.status in WAITING_STATUSES:
        return f"{stands}: {causes[0].text}" if causes else stands
    if job.status in FINAL_STATUSES:
        return f"{stands}: {_render_end(view, attempts)}"
    latest = attempts[-1]
    begun = {JobStatus.RUNNING: "runs", JobStatus.SCHEDULED: "is placed"}
    doing = begun.get(job.status, "is being started")
    return f"{stands}: attempt {latest.number} {doing} on host {latest.host} in {latest.environment}"


def _render_end(view: JobView, attempts: Sequence[AttemptAccount]) -> str:
    job = view.job
    parts = [job.status_reason or "ended"]
    if job.exit_code is not None:
        parts.append(f"exit code {job.exit_code}")
    if job.reason:
        parts.append(job.reason)
    parts.append(f"after {counted(len(attempts), 'attempt')}" if attempts else "it never started")
    return ", ".join(parts)
