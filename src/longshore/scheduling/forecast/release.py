"""When there is room for a job, if only those that run now are looked at: who must end, and about when."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from longshore.domain.ids import HostId, JobKey, Scope
from longshore.domain.resources import Resources
from longshore.domain.run_lengths import RunLengths
from longshore.scheduling.classes import JobClass
from longshore.scheduling.forecast.outlook import Holding, Outlook
from longshore.scheduling.snapshot import EnvironmentView, QueueView


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Room for a job comes about as these end."""

    environment: str
    #: in the order in which they are likely to end; empty: there is room now
    keys: tuple[JobKey, ...]
    #: likely, from the present; None: nobody can know
    seconds: float | None


def median_left(holding: Holding, known: Mapping[str, RunLengths]) -> float:
    """How long a job is likely to run on, in seconds; infinite where nobody can know."""
    if holding.is_going:
        return 0.0
    job_class, elapsed = holding.placement.job_class, holding.elapsed_seconds
    lengths = known.get(job_class.history)
    ends = inf if lengths is None else lengths.after(elapsed, 0.5)
    if job_class.timeout_seconds is not None:
        ends = min(ends, job_class.timeout_seconds)
    return max(ends - elapsed, 0.0)


def first_release(outlook: Outlook, queue: QueueView, job_class: JobClass) -> Release | None:
    """The first of its queue's environments to have room; None: none ever has, or the job has several nodes."""
    if job_class.gang or job_class.instances:
        return None
    runs = _in_order(outlook)
    releases = [
        release
        for name in queue.environments
        if (environment := outlook.snapshot.environments.get((queue.scope, name))) is not None
        and (release := _release_in(environment, outlook, runs, job_class)) is not None
    ]
    return min(releases, key=lambda release: inf if release.seconds is None else release.seconds, default=None)


def _release_in(
    environment: EnvironmentView, outlook: Outlook, runs: Sequence[tuple[float, Holding]], job_class: JobClass
) -> Release | None:
    if environment.problem or not environment.could_allow(job_class):
        return None
    asked, snapshot = job_class.resources, outlook.snapshot
    on_host: dict[HostId, list[tuple[float, Holding]]] = {}
    for run in runs:
        for place in run[1].placement.nodes or (run[1].placement,):
            on_host.setdefault(place.host_id, []).append(run)
    best: tuple[float, tuple[JobKey, ...]] | None = None
    for host_id in environment.hosts:
        here = on_host.get(host_id, ())
        if best is not None and not here:
            continue  # as free as it will ever be: another host was found that is
        host = snapshot.hosts[host_id]
        if not asked.fits(host.total):
            continue
        found = _until(here, lambda freed, free=host.free: asked.fits(free + freed), _held_on(host_id))
        if found is not None and (best is None or found[0] < best[0]):
            best = found
    if best is None:
        return None
    seconds, keys = best
    if environment.free_cap_milli is not None:
        short = asked.vcpu_milli - environment.free_cap_milli
        own = [run for run in runs if run[1].placement.environment_name == environment.name[1]]
        of_cap = _until(own, lambda freed: freed.vcpu_milli >= short, lambda held: held.placement.job_class.resources)
        if of_cap is None:
            return None
        seconds, keys = max(seconds, of_cap[0]), tuple(dict.fromkeys((*keys, *of_cap[1])))
    return Release(environment=environment.name[1], keys=keys, seconds=None if seconds == inf else seconds)


def first_return(outlook: Outlook, scope: Scope, consumable: str, missing: int) -> Release | None:
    """When so much of a consumable resource is given back; None: it never is."""
    runs = [run for run in _in_order(outlook) if run[1].placement.job_class.scope == scope]
    returned, keys = 0, list[JobKey]()
    for left, holding in runs:
        held = dict(holding.placement.job_class.consumables).get(consumable, 0)
        if held:
            returned, keys = returned + held, [*keys, holding.placement.key]
        if held and returned >= missing:
            return Release(environment="", keys=tuple(keys), seconds=None if left == inf else left)
    return None


def _in_order(outlook: Outlook) -> list[tuple[float, Holding]]:
    """Who holds something, and how long each is likely to: the first to end first."""
    known = outlook.known
    return sorted(
        ((median_left(holding, known), holding) for holding in outlook.holding),
        key=lambda run: (run[0], run[1].placement.key),
    )


def _held_on(host_id: HostId) -> Callable[[Holding], Resources]:
    def held(holding: Holding) -> Resources:
        places = holding.placement.nodes or (holding.placement,)
        return sum((place.resources for place in places if place.host_id == host_id), Resources())

    return held


def _until(
    runs: Iterable[tuple[float, Holding]],
    is_enough: Callable[[Resources], bool],
    held: Callable[[Holding], Resources],
) -> tuple[float, tuple[JobKey, ...]] | None:
    """Who has to end, the first first, until it is enough, and when; None: it never is."""
    freed, seconds, keys = Resources(), 0.0, list[JobKey]()
    if is_enough(freed):
        return 0.0, ()
    for left, holding in runs:
        freed, seconds = freed + held(holding), left
        keys.append(holding.placement.key)
        if is_enough(freed):
            return seconds, tuple(keys)
    return None
