"""The use case what-if: where and when a job would start that is not submitted, and which jobs it would delay."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import inf

import msgspec

from longshore.domain.dependency import When, is_met
from longshore.domain.ids import JobId, JobKey, Scope
from longshore.domain.job import Job
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import KeyRange, NewJob, Reader, RunOfJobs, Store
from longshore.scheduling.classes import class_of
from longshore.scheduling.forecast.comparing import Shift, delays
from longshore.scheduling.forecast.outlook import Outlook
from longshore.scheduling.snapshot import Run, WaitingClass
from longshore.service.awaited import Dependencies
from longshore.service.causes import Cause
from longshore.service.documents import Amounts, Document, Place, amounts_of, place_of
from longshore.service.following import followers_of
from longshore.service.forecasts import Forecasts, Foresight
from longshore.service.places import Position, position_in
from longshore.service.remedies import Remedies
from longshore.service.starts import Start, tell, why_unknown
from longshore.service.submit import Submission, Submissions
from longshore.service.wording import counted, duration

#: Behind all that wait.
_INTAKE = 1 << 40
#: Submissions whose delay is told one by one.
_TOLD = 20


class Delay(Document, frozen=True):
    """What it does to another submission; of an array job to the child that it delays most."""

    job_id: str
    name: str
    place: Place
    #: of the submission, so many are delayed
    jobs: int
    #: in words
    text: str
    #: as likely more as less; None: nobody can know, or it does not start any more
    seconds: float | None
    #: nine times of ten no more; None: nobody can know
    at_most_seconds: float | None


class WhatIf(Document, frozen=True):
    """What would become of a job if it were submitted now."""

    name: str
    place: Place
    definition: str
    asked: Amounts
    array_size: int | None
    #: the whole in a sentence
    summary: str
    #: when it starts; of an array job when its first child does; None: nothing is known while the server starts
    start: Start | None = None
    #: of an array job: when its last child starts
    last_start: Start | None = None
    #: unless it waits for others first
    position: Position | None = None
    #: why it does not start at once
    waits_for: tuple[Cause, ...] = ()
    #: the longest first
    delays: tuple[Delay, ...] = ()
    #: jobs that it delays, those included that are not told one by one; array children count each
    delayed_jobs: int = 0


class WhatIfs:
    """Answers about jobs that are not there."""

    def __init__(self, store: Store, submissions: Submissions, forecasts: Forecasts) -> None:
        self._store = store
        self._submissions = submissions
        self._forecasts = forecasts

    async def answer(self, scope: Scope, submission: Submission, *, account_id: str | None) -> WhatIf:
        """What would become of it. Nothing is stored. Of delayed jobs those of `account_id` are named; None: all.

        Raises:
            RequestRefused: as `Submissions.submit`.
            StoreUnavailable: the present can't be read now.
        """
        new = await self._submissions.resolve(scope, submission)
        present = await self._forecasts.present()
        if present is None:
            return _nothing_known(new)
        changed = await self._store.read(lambda reader: _with_job(reader, present, new))
        before, after = await self._forecasts.compare(present, changed)
        return await self._store.read(lambda reader: _tell(reader, new, before, after, account_id))


def _nothing_known(new: NewJob) -> WhatIf:
    spec = new.spec
    return WhatIf(
        name=spec.name,
        place=place_of(spec),
        definition=spec.definition,
        asked=amounts_of(spec.resources),
        array_size=spec.array_size,
        summary="nothing is known yet: the server is starting",
    )


def _job(new: NewJob) -> Job:
    status = JobStatus.PENDING if new.edges else JobStatus.RUNNABLE
    return Job(key=new.spec.key, id=JobId(uuid=new.spec.uuid), spec=new.spec, status=status, created_at=new.created_at)


def _keys(new: NewJob) -> KeyRange:
    """The job, or its children."""
    spec = new.spec
    return KeyRange(first=spec.key if spec.array_size is None else spec.child_key(0), last=spec.last_key)


def _with_job(reader: Reader, present: Outlook, new: NewJob) -> Outlook:
    """The present with one more job; one that waits for what does not come is left out."""
    keys, jobs = _keys(new), reader.load_jobs({edge.on_key for edge in new.edges})
    plain = [edge for edge in new.edges if edge.type is None]
    if any(edge.when is When.FAILURE or is_met(edge.when, jobs[edge.on_key].status) is False for edge in plain):
        return present
    followers = list(followers_of(reader, _job(new), [RunOfJobs(keys, _INTAKE)], new.edges, jobs))
    waiting = {key for each in followers for key in range(each.key, each.key + each.count)}
    free = [JobKey(key) for key in range(keys.first, keys.last + 1) if key not in waiting]
    runs = list(_runs(free, keys.first))
    snapshot, job_class = present.snapshot, class_of(new.spec)
    if runs:
        earlier = [each for each in snapshot.classes if each.job_class == job_class]
        others = [each for each in snapshot.classes if each.job_class != job_class]
        together = WaitingClass(job_class=job_class, runs=[*(run for each in earlier for run in each.runs), *runs])
        snapshot = replace(snapshot, classes=[*others, together])
    return replace(present, snapshot=snapshot, followers=(*present.followers, *followers))


def _runs(keys: Sequence[JobKey], first: JobKey) -> Iterable[Run]:
    start = 0
    for end in range(1, len(keys) + 1):
        if end == len(keys) or keys[end] != keys[end - 1] + 1:
            yield Run(intake=_INTAKE + keys[start] - first, key=keys[start], count=end - start)
            start = end


def _tell(reader: Reader, new: NewJob, before: Foresight, after: Foresight, account_id: str | None) -> WhatIf:
    keys, job = _keys(new), _job(new)
    start = tell(after.forecast.first_between(keys.first, keys.last), after)
    last, size = None, new.spec.array_size
    if size is not None:
        last = tell(after.forecast.last_between(keys.first, keys.last, count=size), after)
    waits_for = list(Dependencies(reader, [job], edges=new.edges, foresight=after).causes(job))
    position = None
    if not waits_for:
        position = position_in(reader, new.spec, keys.first, _INTAKE, after.outlook.snapshot)
    if not waits_for and not start.is_at_once:
        causes = Remedies(reader, job, after).own_causes()
        waits_for += (Cause(kind="capacity", text=text, remedy=remedy) for text, remedy in causes)
    shifts = delays(before.forecast, after.forecast)
    when = f"it would start {start.text}" if start.at or start.after else f"when it would start: {start.text}"
    delayed = f"it would delay {counted(len(shifts), 'job')}" if shifts else "it would delay no other job"
    return msgspec.structs.replace(
        _nothing_known(new),
        summary=f"{when}; {delayed}",
        start=start,
        last_start=last,
        position=position,
        waits_for=tuple(waits_for),
        delays=tuple(_delays(reader, shifts, after, account_id)),
        delayed_jobs=len(shifts),
    )


def _delays(
    reader: Reader, shifts: Mapping[JobKey, Shift], after: Foresight, account_id: str | None
) -> Iterable[Delay]:
    """Of each submission that may be seen, the longest delay first."""
    delayed: dict[JobKey, list[Shift]] = {}
    jobs = reader.load_jobs(shifts)
    specs = {job.spec.key: job.spec for job in jobs.values() if account_id in (None, job.spec.scope.account_id)}
    for key, job in jobs.items():
        delayed.setdefault(job.spec.key, []).append(shifts[key])
    worst = {key: max(delayed[key], key=_length) for key in specs}
    for key in sorted(worst, key=lambda key: (_length(worst[key]), -key), reverse=True)[:_TOLD]:
        spec, shift = specs[key], worst[key]
        yield Delay(
            job_id=spec.uuid,
            name=spec.name,
            place=place_of(spec),
            jobs=len(delayed[key]),
            text=_text(shift, after),
            seconds=shift.median,
            at_most_seconds=shift.late,
        )


def _length(shift: Shift) -> tuple[float, float]:
    return inf if shift.median is None else shift.median, inf if shift.late is None else shift.late


def _text(shift: Shift, after: Foresight) -> str:
    if shift.median is not None and shift.late is not None:
        return f"about {duration(shift.median)} later, 9 times of 10 at most {duration(shift.late)}"
    about = "" if shift.median is None else f"about {duration(shift.median)} later; "
    if after.forecast.unknown:
        return f"{about}how late it may be is {why_unknown(after)}"
    return f"{about}it may not start any more, as things are"
