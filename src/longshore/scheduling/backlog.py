"""RUNNABLE jobs by class, as runs of consecutive intake numbers: what the scheduler orders, however many jobs wait."""

from bisect import bisect_right
from collections.abc import Collection, Sequence

from longshore.domain.ids import JobKey
from longshore.scheduling.classes import JobClass
from longshore.scheduling.snapshot import Run, WaitingClass


def _intake(run: Run) -> int:
    return run.intake


class Backlog:
    """Every RUNNABLE job, once, in the class that placement sees it in."""

    def __init__(self) -> None:
        self._runs: dict[JobClass, list[Run]] = {}

    def __len__(self) -> int:
        return sum(run.count for runs in self._runs.values() for run in runs)

    def add(self, job_class: JobClass, *, intake: int, key: JobKey, count: int = 1) -> None:
        """Add `count` jobs with consecutive intake numbers and keys, if not present; joins neighbouring runs."""
        runs = self._runs.get(job_class)
        if runs and intake < runs[-1].intake + runs[-1].count:  # mostly they come behind all others
            self.remove(job_class, intake=intake, count=count)
        runs = self._runs.setdefault(job_class, [])
        at = bisect_right(runs, intake, key=_intake)
        if at > 0 and (before := runs[at - 1]).intake + before.count == intake and before.key + before.count == key:
            at -= 1
            intake, key, count = before.intake, before.key, before.count + count
            del runs[at]
        if at < len(runs) and intake + count == (after := runs[at]).intake and key + count == after.key:
            count += after.count
            del runs[at]
        runs.insert(at, Run(intake=intake, key=key, count=count))

    def remove(self, job_class: JobClass, *, intake: int, count: int = 1) -> None:
        """Take out the jobs of the class with intake numbers from `intake` to `intake + count - 1`, if present."""
        runs = self._runs.get(job_class)
        if runs is None:
            return
        last = intake + count - 1
        first_at = max(bisect_right(runs, intake, key=_intake) - 1, 0)
        end_at = bisect_right(runs, last, key=_intake)
        rest: list[Run] = []
        for run in runs[first_at:end_at]:
            if run.intake < intake:
                rest.append(Run(intake=run.intake, key=run.key, count=min(run.count, intake - run.intake)))
            if run.intake + run.count - 1 > last:
                skipped = last + 1 - run.intake
                if skipped > 0:
                    rest.append(Run(intake=last + 1, key=JobKey(run.key + skipped), count=run.count - skipped))
        runs[first_at:end_at] = rest
        if not runs:
            del self._runs[job_class]

    def classes(self) -> Collection[JobClass]:
        """All classes with jobs."""
        return self._runs.keys()

    def waiting(self) -> Sequence[WaitingClass]:
        """All classes with jobs; the runs are not copied, so they hold until the next change."""
        return [WaitingClass(job_class=job_class, runs=runs) for job_class, runs in self._runs.items()]
