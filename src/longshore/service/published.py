"""Why jobs wait, in short, and what the leader has published of it for classes of RUNNABLE jobs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec

from longshore.domain.ids import JobKey, parse_job_id
from longshore.domain.job import Job
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import JobView, Reader
from longshore.scheduling.classes import class_id
from longshore.service.awaited import Dependencies
from longshore.service.held import held_since, told_hold
from longshore.service.wording import counted

#: Causes that are told in short.
_TOLD = 3
_WAITING = "Waiting: "


class Published(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why a class of waiting jobs waits, as it is stored."""

    status_reason: str
    causes: tuple[str, ...] = ()
    #: id of the job ahead that it waits for, when that is why
    behind: str | None = None


def published_reasons(reader: Reader, jobs: Iterable[Job]) -> Mapping[JobKey, Published]:
    """By the key of each job; without those of which nothing is published."""
    classes = {job.key: class_id(job.spec, job.scheduling_priority, _memory_mib(reader, job)) for job in jobs}
    if not classes:
        return {}
    texts = reader.class_reasons(set(classes.values()))
    reasons = {key: msgspec.json.decode(text, type=Published) for key, text in texts.items()}
    return {key: reasons[name] for key, name in classes.items() if name in reasons}


def _memory_mib(reader: Reader, job: Job) -> int | None:
    """What stands in place of the submission's memory; of an array job, for its first child that waits."""
    if job.spec.powers.on_oom is None or not job.is_array_parent:
        return job.memory_mib
    runs = reader.ranges(job.spec, JobStatus.RUNNABLE)
    return runs[0].memory_mib if runs else None


def root_reason(reader: Reader, job: Job) -> Published | None:
    """Why a job waits, or its children do; behind a job ahead the causes are that job's, where they are known."""
    reason = published_reasons(reader, [job]).get(job.key)
    ahead = parse_job_id(reason.behind) if reason is not None and reason.behind is not None else None
    if reason is None or ahead is None:
        return reason
    keys = reader.find_jobs(job.spec.scope, [ahead]).values()
    for other in reader.load_jobs(list(keys)).values():
        of_ahead = published_reasons(reader, [other]).get(other.key)
        if of_ahead is not None and of_ahead.behind is None:
            return msgspec.structs.replace(reason, causes=of_ahead.causes)
    return reason


def with_reasons(reader: Reader, views: Sequence[JobView]) -> Sequence[JobView]:
    """`views` with why each waiting job waits in its status reason; of an array job why its children do."""
    runnable = [view.job for view in views if view.counts.get(JobStatus.RUNNABLE)]
    pending = [view.job for view in views if view.counts.get(JobStatus.PENDING)]
    published = published_reasons(reader, runnable)
    dependencies = Dependencies(reader, pending) if pending else None
    held = held_since(reader, [*runnable, *pending])

    def explained(view: JobView) -> JobView:
        job, counts = view.job, view.counts
        reasons: dict[JobStatus, str] = {}
        if counts.get(JobStatus.RUNNABLE) and (held_at := held.get(job.key)) is not None:
            reasons[JobStatus.RUNNABLE] = _WAITING + told_hold(held_at)
        elif counts.get(JobStatus.RUNNABLE) and (reason := published.get(job.key)) is not None:
            first = "" if reason.behind is None else f"; the first is {reason.behind}"
            reasons[JobStatus.RUNNABLE] = reason.status_reason + first
        if counts.get(JobStatus.PENDING) and dependencies is not None and (causes := dependencies.causes(job)):
            texts = [cause.text for cause in causes]
            more = f"; and {len(texts) - _TOLD} more" if len(texts) > _TOLD else ""
            reasons[JobStatus.PENDING] = f"{_WAITING}{'; '.join(texts[:_TOLD])}{more}"
        if view.summary is not None:
            told = [
                f"{counted(counts[each], 'child', 'children')} {each}: {text.removeprefix(_WAITING)}"
                for each, text in reasons.items()
            ]
        else:
            told = list(reasons.values())
        return replace(view, job=replace(job, status_reason="; ".join(told))) if told else view

    return list(map(explained, views))
