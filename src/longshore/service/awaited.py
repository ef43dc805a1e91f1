"""Jobs that wait for others: for which, how far these are, and when they are likely to end."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from math import inf

from longshore.domain.dependency import DependencyType, When, is_met
from longshore.domain.ids import JobKey
from longshore.domain.job import Job
from longshore.domain.lifecycle.status import FINAL_STATUSES, JobStatus
from longshore.ports.store import Edge, Reader
from longshore.scheduling.forecast.release import median_left
from longshore.service.causes import Cause
from longshore.service.forecasts import Foresight
from longshore.service.starts import clock

_WAITS = {
    When.SUCCESS: "depends on",
    When.FAILURE: "depends on the failure of",
    When.END: "depends on the end, good or bad, of",
}
_PAIRS = {
    When.SUCCESS: "waits for",
    When.FAILURE: "waits for the failure of",
    When.END: "waits for the end, good or bad, of",
}


def awaited_by(job: Job, edges: Sequence[Edge]) -> Sequence[tuple[JobKey, When]]:
    """Keys of the jobs that must end before this one, and how; for an array parent what all its children wait for."""
    index = job.id.index
    awaited = [(edge.on_key, edge.when) for edge in edges if edge.type is None]
    if index is not None:
        awaited += [(JobKey(e.on_key + 1 + index), e.when) for e in edges if e.type is DependencyType.N_TO_N]
        if index > 0:
            awaited += [(JobKey(job.key - 1), e.when) for e in edges if e.type is DependencyType.SEQUENTIAL]
    return list(dict.fromkeys(awaited))


class Dependencies:
    """What some jobs wait for that others wait for, looked up at once."""

    def __init__(
        self,
        reader: Reader,
        jobs: Sequence[Job],
        *,
        edges: Iterable[Edge] | None = None,
        foresight: Foresight | None = None,
    ) -> None:
        """`edges` are the jobs' own; those in the store where they are not given."""
        self._reader = reader
        self._foresight = foresight
        self._edges: Mapping[JobKey, list[Edge]] = defaultdict(list)
        for edge in reader.edges_of({job.spec.key for job in jobs}) if edges is None else edges:
            self._edges[edge.job_key].append(edge)
        keys = {key for job in jobs for key, _ in awaited_by(job, self._edges[job.spec.key])}
        self._others = reader.load_jobs(keys | {edge.on_key for own in self._edges.values() for edge in own})
        self._progress: dict[JobKey, str] = {}

    def causes(self, job: Job) -> Sequence[Cause]:
        """Those that have ended as it waits for are only counted."""
        edges = self._edges[job.spec.key]
        awaited = awaited_by(job, edges)
        causes = [cause for key, when in awaited if (cause := self._cause(key, when)) is not None]
        done = len(awaited) - len(causes)
        if 0 < done < len(awaited):
            have = "succeeded" if all(when is When.SUCCESS for _, when in awaited) else "ended as it waits for"
            text = f"{done} of the {len(awaited)} jobs that it depends on have {have}"
            causes.append(Cause(kind="dependency", text=text))
        return [*causes, *(self._of_pairs(edges) if job.is_array_parent else ())]

    def _cause(self, key: JobKey, when: When) -> Cause | None:
        other = self._others.get(key)
        if is_met(when, JobStatus.FAILED if other is None else other.status):
            return None
        if other is None:
            text = f"{_WAITS[when]} a job that is no longer in history, which counts as failed"
            return Cause(kind="dependency", text=text)
        text = f"{_WAITS[when]} job {other.id} ({other.spec.name}), which is {other.status}{self._progress_of(other)}"
        return Cause(kind="dependency", text=text, job_id=str(other.id), remedy=self._outlook(other))

    def _of_pairs(self, edges: Sequence[Edge]) -> Iterable[Cause]:
        """What the children of an array job wait for, each for its own."""
        for edge in edges:
            if edge.type is DependencyType.SEQUENTIAL:
                text = f"each child {_PAIRS[edge.when]} the child before it (SEQUENTIAL)"
                yield Cause(kind="dependency", text=text)
            elif edge.type is DependencyType.N_TO_N and (other := self._others.get(edge.on_key)):
                text = f"each child {_PAIRS[edge.when]} the child of the same index of job {other.id} (N_TO_N)"
                yield Cause(kind="dependency", text=text + self._progress_of(other), job_id=str(other.id))

    def _progress_of(self, job: Job) -> str:
        """How far an array job is; nothing for other jobs."""
        if not job.is_array_parent:
            return ""
        if job.key not in self._progress:
            summary = self._reader.summary(job.key)
            assert summary is not None, job
            ended = sum(summary.counts.get(status, 0) for status in FINAL_STATUSES)
            self._progress[job.key] = f"; {ended:,} of its {summary.size:,} children have ended"
        return self._progress[job.key]

    def _outlook(self, other: Job) -> str | None:
        """When it is likely to end, or to start as long as it waits; None where nothing is known."""
        foresight = self._foresight
        if foresight is None or other.status.is_final:
            return None
        now, outlook = foresight.at, foresight.outlook
        holding = next((each for each in outlook.holding if each.placement.key == other.key), None)
        if holding is not None:
            left = median_left(holding, outlook.known)
            if left == inf:
                return "nobody can know when it ends: no such job has ended so far, and it has no time-out"
            return f"it is likely to end about {clock(now + timedelta(seconds=left), now)}"
        first, last = (other.key, other.key) if not other.is_array_parent else (other.key + 1, other.spec.last_key)
        starts = foresight.forecast.last_between(JobKey(first), last).median
        if starts is None:
            return None
        whose = "its last child" if other.is_array_parent else "it"
        return f"{whose} is likely to start about {clock(now + timedelta(seconds=starts), now)}"
