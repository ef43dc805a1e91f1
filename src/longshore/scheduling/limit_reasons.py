"""Why a job waits for a limit, in words with numbers."""

from collections.abc import Sequence

from longshore.scheduling.classes import JobClass
from longshore.scheduling.explain import vcpus
from longshore.scheduling.limits import Limit, LimitKind
from longshore.scheduling.plan import WaitReason
from longshore.scheduling.tally import LimitRoom, asked_of

_TAGS = {
    (LimitKind.ARRAY, "jobs"): "longshore:max-concurrent",
    (LimitKind.KEY, "jobs"): "longshore:concurrency-key",
    (LimitKind.SHARE, "jobs"): "longshore:max-jobs-per-share",
    (LimitKind.SHARE, "vcpu_milli"): "longshore:max-vcpus-per-share",
    (LimitKind.QUEUE, "jobs"): "longshore:max-jobs",
    (LimitKind.QUEUE, "vcpu_milli"): "longshore:max-vcpus",
}


def explain_limits(
    job_class: JobClass, lacking: Sequence[Limit], room: LimitRoom, shortage: WaitReason | None = None
) -> WaitReason:
    """Which limits a job waits for, who holds its key, and the consumable resources that it is short of besides."""
    causes = [_cause(job_class, limit, room) for limit in lacking]
    causes += shortage.causes if shortage is not None else ()
    return WaitReason(
        status_reason=f"Waiting: {'; '.join(causes)}",
        causes=tuple(causes),
        holders=tuple(key for limit in lacking for key in room.before(limit).holders),
    )


def tag_of(limit: Limit) -> str:
    """The tag that sets it; every text about it ends in it."""
    return _TAGS[limit.counted.kind, limit.unit]


def _cause(job_class: JobClass, limit: Limit, room: LimitRoom) -> str:
    before, now, kind = room.before(limit), room.now(limit), limit.counted.kind
    used, kept = before.of(limit.unit), now.of(limit.unit) - before.of(limit.unit)
    most = limit.most if now.lowest is None else min(limit.most, now.lowest)
    asked, tag = asked_of(job_class, limit), tag_of(limit)
    if limit.unit == "jobs":
        ahead = f", and {kept} more {'goes' if kept == 1 else 'go'} first" if kept else ""
        if kind is LimitKind.ARRAY:
            return f"{used} of at most {most} children of its array job run{ahead} ({tag})"
        if kind is LimitKind.KEY:
            return f"{used} of at most {most} jobs hold the key {limit.counted.name}{ahead} ({tag})"
        return f"{used} of at most {most} jobs of {_called(job_class, kind)} run{ahead} ({tag})"
    if asked > most:
        return f"asks {vcpus(asked)}; {_called(job_class, kind)} may run {vcpus(most)} at most ({tag})"
    ahead = f", and {vcpus(kept)} more go first" if kept else ""
    return f"asks {vcpus(asked)}; {_called(job_class, kind)} runs {vcpus(used)} of at most {vcpus(most)}{ahead} ({tag})"


def _called(job_class: JobClass, kind: LimitKind) -> str:
    queue = f"job queue {job_class.queue_name}"
    return queue if kind is LimitKind.QUEUE else f"share {job_class.share} of {queue}"
