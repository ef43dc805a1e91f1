"""When there is room for a job, if only those that run now are looked at: who must end, and about when."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

from longshore.domain.ids import HostId, JobKey
from longshore.domain.resources import Resources
from longshore.domain.run_lengths import RunLengths
from longshore.scheduling.classes import JobClass
from longshore.scheduling.fleet import Fleet
from longshore.scheduling.forecast.luck import likely_seconds
from longshore.scheduling.forecast.outlook import Holding, Outlook
from longshore.scheduling.laying import lay_out
from longshore.scheduling.snapshot import EnvironmentView, QueueView, Snapshot

#: How long a job is likely to run on.
_Run: TypeAlias = tuple[float, Holding]
#: When the last of some jobs has ended.
_Ends: TypeAlias = tuple[float, tuple[JobKey, ...]]


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
    elapsed = holding.elapsed_seconds
    return max(likely_seconds(holding.placement.job_class, elapsed, 0.5, known.get) - elapsed, 0.0)


def first_release(outlook: Outlook, queue: QueueView, job_class: JobClass) -> Release | None:
    """The first of its queue's environments to have room; None: none ever has, or it is not about hosts."""
    if job_class.instances:
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
    environment: EnvironmentView, outlook: Outlook, runs: Sequence[_Run], job_class: JobClass
) -> Release | None:
    if environment.problem or not environment.could_allow(job_class):
        return None
    on_hosts = _on_all if job_class.gang else _on_one
    best = on_hosts(environment, outlook.snapshot, runs, job_class)
    if best is None:
        return None
    seconds, keys = best
    if environment.free_cap_milli is not None:
        short = job_class.resources.vcpu_milli - environment.free_cap_milli
        own = [run for run in runs if run[1].placement.environment_name == environment.name[1]]
        of_cap = _until(own, lambda freed: freed.vcpu_milli >= short, lambda held: held.placement.job_class.resources)
        if of_cap is None:
            return None
        seconds, keys = max(seconds, of_cap[0]), tuple(dict.fromkeys((*keys, *of_cap[1])))
    return Release(environment=environment.name[1], keys=keys, seconds=None if seconds == inf else seconds)


def _on_one(
    environment: EnvironmentView, snapshot: Snapshot, runs: Sequence[_Run], job_class: JobClass
) -> _Ends | None:
    """Who has to end so that one host has room."""
    asked = job_class.resources
    on_host: dict[HostId, list[_Run]] = {}
    for run in runs:
        for place in run[1].placement.nodes or (run[1].placement,):
            on_host.setdefault(place.host_id, []).append(run)
    best: _Ends | None = None
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
    return best


def _on_all(
    environment: EnvironmentView, snapshot: Snapshot, runs: Sequence[_Run], job_class: JobClass
) -> _Ends | None:
    """Who has to end so that all nodes of a gang have room at once."""
    own = set(environment.hosts)
    here = [run for run in runs if any(place.host_id in own for place in run[1].placement.nodes or (run[1].placement,))]

    def has_room(count: int) -> bool:
        fleet = Fleet.of(snapshot.hosts)
        for _, holding in here[:count]:
            for place in holding.placement.nodes or (holding.placement,):
                if place.host_id in fleet:
                    fleet.give_back(place.host_id, place.resources)
        return lay_out(job_class.gang, fleet, fleet.free, fleet.mask_of(environment.hosts)) is not None

    count = bisect_left(range(len(here) + 1), True, key=has_room)
    if count > len(here):
        return None
    return here[count - 1][0] if count else 0.0, tuple(holding.placement.key for _, holding in here[:count])


def first_return(outlook: Outlook, missing: int, amount: Callable[[JobClass], int]) -> Release | None:
    """When so much is given back of something of which a job of a class holds that amount; None: it never is."""
    returned, keys = 0, list[JobKey]()
    for left, holding in _in_order(outlook):
        held = amount(holding.placement.job_class)
        if held:
            returned, keys = returned + held, [*keys, holding.placement.key]
        if held and returned >= missing:
            return Release(environment="", keys=tuple(keys), seconds=None if left == inf else left)
    return None


def _in_order(outlook: Outlook) -> list[_Run]:
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
    runs: Iterable[_Run],
    is_enough: Callable[[Resources], bool],
    held: Callable[[Holding], Resources],
) -> _Ends | None:
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
