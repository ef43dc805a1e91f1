"""For whom has to wait: where and from when on room is kept for it."""

from collections.abc import Sequence
from math import inf

from longshore.domain.ids import JobKey
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass
from longshore.scheduling.fitting import Room
from longshore.scheduling.gang import Gang, each_node
from longshore.scheduling.laying import lay_out
from longshore.scheduling.lines import Line
from longshore.scheduling.lineup import Lineup
from longshore.scheduling.prospect import Reservation
from longshore.scheduling.snapshot import EnvironmentView

#: How often limits and hosts are asked in turn for an instant that suits both.
_ROUNDS = 8


def reserve(lineup: Lineup, line: Line, key: JobKey, room: Room) -> None:
    """Keep room for this job of the line where it can start first; of equals in the environment that is tried first."""
    best: Reservation | None = None
    for environment in lineup.able(line):
        found = _first_in(environment, lineup, line, key, room)
        if found is not None and (best is None or best.at is None or (found.at is not None and found.at < best.at)):
            best = found
    if best is None:
        best = _some_time(lineup, line, key, room)
    if best is not None:
        room.keep(best)


def _first_in(environment: EnvironmentView, lineup: Lineup, line: Line, key: JobKey, room: Room) -> Reservation | None:
    """Where and when the job can start first in an environment; None where that can't be told."""
    job_class, prospect = line.job_class, room.prospect
    is_alone = lineup.oversize(line) == "run-alone"
    length, is_sure = room.seconds_of(job_class), room.is_sure
    left, demand = room.left(environment.name), environment.demands(job_class)
    able = lineup.hosts_for(line, environment)
    at = prospect.now
    for _ in range(_ROUNDS):
        allowed_at = prospect.first_demand(environment.name, left, demand, at, length, is_sure=is_sure)
        if allowed_at == inf:
            return None
        if job_class.gang:
            laid = prospect.first_hosts(job_class, able, allowed_at, is_sure=is_sure)
            if laid is None:
                return None
            at, columns = laid
            nodes = _nodes(job_class.gang, columns)
        else:
            found = prospect.first_host(
                job_class.resources, able, allowed_at, length, is_alone=is_alone, is_sure=is_sure
            )
            if found is None:
                return None
            at, column = found
            nodes = ((column, _whole(room, column) if is_alone else job_class.resources),)
        if at == allowed_at:
            return _reservation(key, job_class, environment, at, nodes, room)
    return None


def _some_time(lineup: Lineup, line: Line, key: JobKey, room: Room) -> Reservation | None:
    """Where the job can start at some time: best in an environment whose limits are no obstacle now.

    Its part of those is kept in either case, hosts only when they have room: else these would stand idle for a job that
    its environment does not let start.
    """
    job_class, fleet = line.job_class, room.fleet
    able = lineup.able(line)
    for environment in able:
        if not room.limits_allow(environment, job_class):
            continue
        if job_class.gang:
            laid = lay_out(job_class.gang, fleet, fleet.total, fleet.mask_of(environment.hosts))
            assert laid is not None
            nodes = _nodes(job_class.gang, [fleet.index(host_id) for host_id in laid])
        else:
            column = fleet.smallest(lineup.hosts_for(line, environment))
            assert column is not None
            nodes = ((column, _whole(room, column) if lineup.oversize(line) == "run-alone" else job_class.resources),)
        return _reservation(key, job_class, environment, None, nodes, room)
    return _reservation(key, job_class, able[0], None, (), room) if able else None


def _whole(room: Room, column: int) -> Resources:
    return room.fleet[room.fleet.ids[column]].total


def _nodes(gang: Gang, columns: Sequence[int]) -> tuple[tuple[int, Resources], ...]:
    """What of which host all nodes take together."""
    held: dict[int, Resources] = {}
    for column, asked in zip(columns, each_node(gang), strict=True):
        held[column] = held.get(column, Resources()) + asked
    return tuple(held.items())


def _reservation(
    key: JobKey,
    job_class: JobClass,
    environment: EnvironmentView,
    at: float | None,
    nodes: tuple[tuple[int, Resources], ...],
    room: Room,
) -> Reservation:
    return Reservation(
        key=key,
        job_class=job_class,
        environment=environment.name,
        at=at,
        until=inf if at is None else at + room.seconds_of(job_class),
        nodes=nodes,
        demand=environment.demands(job_class),
    )
