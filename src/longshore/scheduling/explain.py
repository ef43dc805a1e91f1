"""Why a job waits, in words with numbers."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, inf

from longshore.domain.ids import HostId, JobKey, Scope
from longshore.domain.resources import Resources
from longshore.domain.service_environment import NUM_INSTANCES, service_environment_name
from longshore.scheduling.classes import JobClass
from longshore.scheduling.fairshare import Standings
from longshore.scheduling.fitting import Room, could_hold
from longshore.scheduling.laying import lay_out
from longshore.scheduling.plan import WaitReason
from longshore.scheduling.prospect import Reservation
from longshore.scheduling.snapshot import EnvironmentView, HostView, Oversize, QueueView, Snapshot

NEVER_FITS = (
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that "
    "can be met by the CE(s) attached to the job queue."
)
OVER_CAP = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet the CPU "
    "requirement of the job."
)
OVER_LIMIT = (
    "MISCONFIGURATION:SERVICE_ENVIRONMENT_MAX_RESOURCE - Service environment(s) associated with the job queue cannot "
    "meet the capacity requirement of the job."
)
NO_ENVIRONMENT = "ACTION_REQUIRED - CE(s) associated with the job queue are invalid."
#: AWS Batch documents no reason of its own for what it does not support.
UNDETERMINED = "UNDETERMINED - Batch job is blocked, root cause is undetermined."
NO_CAPACITY = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for instance type [{}]"
)
#: Only a change of set-up helps, and what waits for that steps aside.
_STEP_ASIDE = (NEVER_FITS, OVER_CAP, OVER_LIMIT, UNDETERMINED)
#: How causes end where it would help that more were known.
UNKNOWN_LENGTH = "how long this one may run is not known"
#: How many hosts a text names.
_NAMED = 8
_LASTING = (*_STEP_ASIDE, NO_ENVIRONMENT)


def vcpus(milli: int) -> str:
    """`milli` thousandths as people write vCPUs."""
    return f"{milli / 1000:g} vCPU"


def instances(milli: int) -> str:
    """`milli` thousandths as people write instances."""
    return f"{milli / 1000:g} instances"


def amounts(resources: Resources, asked: Resources | None = None) -> str:
    """A resource vector as people write it; of an offer, GPUs and scratch disk as far as they matter to who asks."""
    parts = [vcpus(resources.vcpu_milli), f"{resources.memory_mib} MiB"]
    if resources.gpus or (asked is not None and asked.gpus):
        parts.append(f"{resources.gpus} GPU")
    if (asked or resources).scratch_mib:
        parts.append(f"{resources.scratch_mib} MiB scratch disk")
    return ", ".join(parts)


def _shortage(asked: Resources, host: HostView) -> str:
    """What `host` lacks now for `asked`."""
    lacks: list[str] = []
    if asked.vcpu_milli > host.free.vcpu_milli:
        lacks.append(
            f"asks {vcpus(asked.vcpu_milli)}, free {vcpus(host.free.vcpu_milli)} of {vcpus(host.total.vcpu_milli)}"
        )
    if asked.memory_mib > host.free.memory_mib:
        lacks.append(f"asks {asked.memory_mib} MiB, free {host.free.memory_mib} of {host.total.memory_mib} MiB")
    if asked.gpus > host.free.gpus:
        lacks.append(f"asks {asked.gpus} GPU, free {host.free.gpus} of {host.total.gpus}")
    if asked.scratch_mib > host.free.scratch_mib:
        offer = f"free {host.free.scratch_mib} of {host.total.scratch_mib} MiB"
        lacks.append(f"asks {asked.scratch_mib} MiB scratch disk, {offer}")
    return "; ".join(lacks)


def _cause_in(environment: EnvironmentView, job: JobClass, oversize: Oversize, room: Room) -> tuple[str, str]:
    """The cause in one environment, and the AWS text where there is one."""
    name, asked, until = called(environment.name[1]), job.resources, room.until(job)
    if environment.problem:
        return f"{name}: {environment.problem}", NO_ENVIRONMENT
    if job.gang and not environment.runs_gangs:
        return f"{name}: multi-node parallel jobs run on managed On-Demand EC2 environments only", UNDETERMINED
    if environment.limits and not environment.could_allow(job):
        return f"{name}: {_over_limit(environment, job)}", OVER_LIMIT
    if environment.cap_milli is not None and not environment.could_allow(job):
        return f"{name}: asks {vcpus(asked.vcpu_milli)}, its maxvCpus is {vcpus(environment.cap_milli)}", OVER_CAP
    fleet = room.fleet
    if job.gang:
        never_fits = lay_out(job.gang, fleet, fleet.total, fleet.mask_of(environment.hosts)) is None
        cause = None if never_fits else _cap_cause(environment, job, room)
        if not never_fits and cause is None:
            kept = next((r for r in room.prospect.reservations if r.nodes and r.environment == environment.name), None)
            if kept and lay_out(job.gang, fleet, fleet.free, fleet.mask_of(environment.hosts)) is not None:
                return f"{name}: {_kept_cause('room for all nodes', kept, until, room)}", ""
        if never_fits or cause is None:
            return (
                f"{name}: {_gang_cause(job, environment, room, never_fits=never_fits)}",
                NEVER_FITS if never_fits else NO_CAPACITY.format(named_hosts(environment.hosts)),
            )
        return f"{name}: {cause}", ""
    able = could_hold(asked, environment.hosts, oversize, fleet)
    if not able.any():
        largest = fleet.most(fleet.among(environment.hosts), fleet.total)
        total = "" if largest is None else amounts(fleet[fleet.ids[largest]].total, asked)
        offer = f"its largest host offers {total}" if total else "it has no host"
        return f"{name}: asks {amounts(asked)}; {offer}", NEVER_FITS
    if (cause := _cap_cause(environment, job, room)) is not None:
        return f"{name}: {cause}", ""
    fits = fleet.has(fleet.free, asked, environment.hosts) if oversize == "wait" else able & fleet.idle()
    tightest = fleet.tightest(fits, with_gpus=asked.gpus > 0)
    if tightest is not None and (reservation := room.prospect.on(tightest)) is not None:
        return f"{name}: {_kept_cause(f'host {fleet.ids[tightest]}', reservation, until, room)}", ""
    freest = fleet.most(able, fleet.free)
    assert freest is not None
    host = fleet[fleet.ids[freest]]
    is_stretched = not asked.fits(host.total)
    if is_stretched:
        offer = f"asks {amounts(asked)}, more than host {host.id} has ({amounts(host.total, asked)})"
        return f"{name}: {offer}; it will run alone there once all else on it has ended", NO_CAPACITY.format(host.id)
    return f"{name}: host {host.id}: {_shortage(asked, host)}", NO_CAPACITY.format(host.id)


def _kept_cause(what: str, reservation: Reservation, until: float, room: Room) -> str:
    """Why a job may not use what is free now."""
    now, at = room.prospect.now, reservation.at
    if at is None:
        return f"{what} is kept free for a job ahead"
    longer = UNKNOWN_LENGTH if until == inf else f"this one may run for {span(until - now)}"
    return f"{what} is free now, but is kept for a job ahead that is to start in {span(at - now)}; {longer}"


def span(seconds: float) -> str:
    """A length of time as people say it, in its two largest units."""
    minutes, seconds = divmod(ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next((at for at, (count, _) in enumerate(parts) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count or first == 3)


def named_hosts(hosts: Sequence[HostId]) -> str:
    """Hosts by name, the first few of many."""
    return ", ".join(hosts[:_NAMED]) + (f" and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else "")


def called(name: str) -> str:
    """An environment as people call it."""
    service = service_environment_name(name)
    return f"compute environment {name}" if service is None else f"service environment {service}"


def _units(unit: str, count: int) -> str:
    what = "instance" if unit == NUM_INSTANCES else f"{unit} instance"
    return f"{count} {what}{'' if count == 1 else 's'}"


def _over_limit(environment: EnvironmentView, job: JobClass) -> str:
    """Which limits could never be kept."""
    return "; ".join(
        f"needs {_units(unit, count)}, its limit is {environment.limits.get(unit, 0)}"
        for unit, count in environment.demand(job).items()
        if count > environment.limits.get(unit, 0)
    )


def _limit_cause(environment: EnvironmentView, job: JobClass, room: Room) -> str:
    """Which limits are used up now."""
    causes: list[str] = []
    spare = dict(zip(environment.limits, room.spare(environment.name, room.until(job)), strict=True))
    for unit, count in environment.demand(job).items():
        free, left = environment.free_limits.get(unit, 0), spare.get(unit, 0)
        if count > left:
            given = f", {free - left} of them given to jobs ahead" if left < free else ""
            causes.append(f"needs {_units(unit, count)}; {free} of {environment.limits[unit]} free{given}")
    return "; ".join(causes)


def _cap_cause(environment: EnvironmentView, job: JobClass, room: Room) -> str | None:
    """What the environment's cap or its limits lack now; None when they have room."""
    if room.limits_allow(environment, job, room.until(job)):
        return None
    if environment.limits:
        return _limit_cause(environment, job, room)
    asked, free_cap = job.resources, room.left(environment.name)[0]
    assert environment.cap_milli is not None
    kept = ", kept for a job ahead" if asked.vcpu_milli <= free_cap else ""
    cap = vcpus(environment.cap_milli)
    return f"asks {vcpus(asked.vcpu_milli)}, free {vcpus(free_cap)} of its maxvCpus {cap}{kept}"


def _gang_cause(job: JobClass, environment: EnvironmentView, room: Room, *, never_fits: bool) -> str:
    """What the hosts lack for all nodes at once."""
    nodes = " and ".join(f"{count} nodes of {amounts(asked)}" for count, asked in job.gang)
    fleet = room.fleet
    hosts = fleet.among(environment.hosts)
    if never_fits:
        total = fleet.sum(fleet.total, hosts)
        return f"asks {nodes}, all at once; its {hosts.sum()} hosts have {amounts(total, job.resources)} in all"
    free = fleet.sum(fleet.free, hosts)
    return f"asks {nodes}, all at once; free on its hosts {amounts(free, job.resources)} in all"


def explain_head(queue: QueueView, job: JobClass, oversize: Oversize, snapshot: Snapshot, room: Room) -> WaitReason:
    """Why a job of `queue` can't start that none ahead of it in the queue keeps from starting."""
    causes: list[str] = []
    codes: list[str] = []
    for name in queue.environments:
        environment = snapshot.environments.get((queue.scope, name))
        if environment is None:
            causes.append(f"{called(name)} does not exist")
            codes.append(NO_ENVIRONMENT)
            continue
        cause, code = _cause_in(environment, job, oversize, room)
        causes.append(cause)
        codes.append(code)
    if not causes:
        causes, codes = ["the queue has no compute environment"], [NO_ENVIRONMENT]
    lasting = all(code in _LASTING for code in codes)
    code = (
        next((c for c in _LASTING if c in codes), "") if lasting else next((c for c in codes if c not in _LASTING), "")
    )
    short = "; ".join(causes)
    return WaitReason(
        status_reason=f"{code} ({short})" if lasting else f"Waiting: {short}",
        causes=tuple(causes),
        code=code,
        kept_for=_kept_for(queue, job, room) if not lasting else None,
    )


def _kept_for(queue: QueueView, job: JobClass, room: Room) -> JobKey | None:
    """The first job for which room is kept in the queue's environments."""
    names = {(queue.scope, name) for name in queue.environments}
    return next((each.key for each in room.prospect.reservations if each.environment in names), None)


def explain_kept(reason: WaitReason, reservation: Reservation, room: Room) -> WaitReason:
    """The same when room is kept for the job from an instant on that is known."""
    at, now = reservation.at, room.prospect.now
    if at is None or at <= now:
        return reason
    where = [room.fleet.ids[column] for column, _ in reservation.nodes]
    what = "host" if len(where) == 1 else "hosts"
    cause = f"{what} {named_hosts(where)} will have room for it in {span(at - now)} at the latest"
    return replace(reason, status_reason=f"{reason.status_reason}; {cause}", causes=(*reason.causes, cause))


def explain_shortage(
    short: Sequence[tuple[str, int]], job_class: JobClass, snapshot: Snapshot, room: Room
) -> WaitReason:
    """Which consumable resources a job waits for."""
    causes: list[str] = []
    for name, quantity in short:
        view = snapshot.consumables.get((job_class.scope, name))
        if view is None:
            causes.append(f"consumable resource {name} does not exist")
            continue
        free = room.free_consumable(job_class.scope, name)
        assert free is not None
        if quantity > view.total:
            causes.append(f"asks {quantity} of consumable resource {name}, of which there are {view.total} in all")
        else:
            kept = f", {view.free - free} of them given to jobs ahead" if free < view.free else ""
            causes.append(f"asks {quantity} of consumable resource {name}, free {view.free} of {view.total}{kept}")
    return WaitReason(status_reason=f"Waiting: {'; '.join(causes)}", causes=tuple(causes))


def explain_reservation(job: JobClass, standings: Standings, capacity_milli: int) -> WaitReason:
    """How much of the queue's capacity is kept for shares that are not active."""
    assert standings.limit_milli is not None
    told = instances if job.instances else vcpus
    cause = (
        f"asks {told(job.weight_milli)}; computeReservation lets the active shares hold "
        f"{told(standings.limit_milli)} of {told(capacity_milli)}, and they hold {told(standings.held_milli)}"
    )
    return WaitReason(status_reason=f"Waiting: {cause}", causes=(cause,))


def explain_follower(scope: Scope, queue_name: str, behind: JobKey) -> WaitReason:
    """Why a job waits that is not at the head."""
    cause = f"jobs ahead of it in job queue {queue_name} have not started yet"
    return WaitReason(status_reason=f"Waiting: {cause}", causes=(cause,), behind=behind)


def explain_unreached(scope: Scope, queue_name: str, snapshot: Snapshot) -> WaitReason:
    """Why a class waits that the cycle did not come to."""
    queue = next((each for each in snapshot.queues if (each.scope, each.name) == (scope, queue_name)), None)
    if queue is not None and queue.is_paused:
        cause = f"job queue {queue_name} is paused; `longshore resume {queue_name}` lets its jobs start"
    elif queue is not None:
        cause = f"{snapshot.max_placements} jobs ahead of it are started first, as many as start at once"
    else:
        cause = f"job queue {queue_name} does not exist"
    return WaitReason(status_reason=f"Waiting: {cause}", causes=(cause,))
