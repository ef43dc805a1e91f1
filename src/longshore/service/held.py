"""Since when jobs are held."""

from collections.abc import Collection, Mapping
from datetime import datetime

from longshore.domain.ids import JobKey
from longshore.domain.job import Job
from longshore.ports.store import Reader


def held_since(reader: Reader, jobs: Collection[Job]) -> Mapping[JobKey, datetime]:
    """Since when these jobs are held, each by itself or with its whole array; without those that are not."""
    parents = {job.spec.key for job in jobs if job.key != job.spec.key}
    of_array = {key: parent.held_at for key, parent in reader.load_jobs(parents).items()} if parents else {}
    found = {job.key: job.held_at or of_array.get(job.spec.key) for job in jobs}
    return {key: at for key, at in found.items() if at is not None}


def told_hold(at: datetime) -> str:
    """In words."""
    return f"held since {at:%Y-%m-%d %H:%M:%S} UTC"
