"""Gangs: all nodes find room at once, or none is placed."""

from collections import Counter
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.ids import HostId
from longshore.domain.resources import Resources
from longshore.scheduling import laying
from longshore.scheduling.cycle import plan_cycle
from longshore.scheduling.fleet import Fleet
from longshore.scheduling.gang import Gang, each_node, gang_of, gang_size
from longshore.scheduling.snapshot import HostView
from tests.unit.scheduling.situations import a_line, a_snapshot, a_view, some, started, waiting

AMOUNTS = st.builds(Resources, vcpu_milli=st.integers(0, 4), memory_mib=st.integers(0, 4), gpus=st.integers(0, 1))


def hosts(*vcpus: int) -> dict[HostId, Resources]:
    return {HostId(f"h{at}"): Resources(vcpu_milli=count, memory_mib=100) for at, count in enumerate(vcpus)}


def lay_out(gang: Gang, free: Mapping[HostId, Resources]) -> Sequence[HostId] | None:
    fleet = Fleet(HostView(id=host_id, total=each, free=each, free_gpus=()) for host_id, each in free.items())
    return laying.lay_out(gang, fleet, fleet.free)


def nodes(*vcpus: int) -> list[Resources]:
    return [Resources(vcpu_milli=count, memory_mib=1) for count in vcpus]


def test_nodes_are_laid_over_hosts() -> None:
    """As many on a host as it has room for."""
    laid = lay_out(gang_of(nodes(2, 2, 2)), hosts(4, 3))
    assert Counter(laid or ()) == {"h0": 2, "h1": 1}
    assert lay_out(gang_of(nodes(2, 2)), hosts(9, 4)) == ["h1", "h1"]


def test_large_nodes_come_first() -> None:
    """So small ones do not take the room that only they could use; hosts are given by node index."""
    assert lay_out(gang_of(nodes(1, 4)), hosts(4, 1)) == ["h1", "h0"]


def test_a_gang_that_does_not_fit_whole_is_not_laid() -> None:
    """Though all nodes but one would fit."""
    assert lay_out(gang_of(nodes(2, 2, 2)), hosts(4, 1)) is None


def test_a_gang_starts_only_where_gangs_run() -> None:
    """Not on unmanaged and Spot environments, which others of the queue pass by; alone there it steps aside."""
    gang = waiting(some(2), 1, gang=gang_of([some(1), some(1)]))
    views = [a_view("spot", runs_gangs=False), a_view("on-demand")]
    both = a_snapshot(gang, environments=views, queues=[a_line(environments=["spot", "on-demand"])])
    assert [placement.environment_name for placement in plan_cycle(both).placements] == ["on-demand"]
    single = waiting(some(1), 2)
    plan = plan_cycle(a_snapshot(gang, single, environments=views[:1], queues=[a_line(environments=["spot"])]))
    assert started(plan) == [2]
    cause = "compute environment spot: multi-node parallel jobs run on managed On-Demand EC2 environments only"
    assert plan.reasons[gang.job_class].causes == (cause,)
    assert plan.reasons[gang.job_class].status_reason == (
        f"UNDETERMINED - Batch job is blocked, root cause is undetermined. ({cause})"
    )


@given(st.lists(AMOUNTS, max_size=8), st.lists(AMOUNTS, max_size=4))
def test_no_host_is_over_committed(asked: list[Resources], free: list[Resources]) -> None:
    """Whatever is asked of whatever there is."""
    gang = gang_of(asked)
    assert each_node(gang) == asked
    assert gang_size(gang) == len(asked)
    offered = {HostId(f"h{at}"): amount for at, amount in enumerate(free)}
    laid = lay_out(gang, offered)
    if laid is None:
        return
    assert len(laid) == len(asked)
    for host_id, amount in offered.items():
        used = sum((need for need, on in zip(asked, laid, strict=True) if on == host_id), Resources())
        assert used.fits(amount)
