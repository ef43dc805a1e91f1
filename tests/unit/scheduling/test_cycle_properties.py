"""What holds for every plan, whatever the situation."""

from collections import Counter, defaultdict
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.ids import HostId
from longshore.domain.resources import Resources
from longshore.scheduling.cycle import plan_cycle
from longshore.scheduling.explain import NEVER_FITS, NO_ENVIRONMENT, OVER_CAP
from longshore.scheduling.snapshot import EnvironmentName, Snapshot
from longshore.testing.builders import HERE
from tests.properties import promised
from tests.unit.scheduling.reference import Reference
from tests.unit.scheduling.situations import jobs_of, limited, snapshots, without

many = promised(300)


@many
@given(snapshots)
def test_plan_is_what_the_reference_says(snapshot: Snapshot) -> None:
    """Same jobs, in the same order, at the same places, as one job after another would be placed by hand."""
    plan = plan_cycle(snapshot)
    found = [(p.key, p.job_class.scope, p.environment_name, p.host_id, p.resources) for p in plan.placements]
    assert found == [(s.key, *s.environment, s.host_id, s.taken) for s in Reference(snapshot).starts]


@many
@given(snapshots)
def test_nothing_is_over_committed(snapshot: Snapshot) -> None:
    """Hosts and caps keep what they promise; who runs alone is alone; GPUs have one holder and come by name."""
    hosts: dict[HostId, Resources] = defaultdict(Resources)
    caps: Counter[EnvironmentName] = Counter()
    gpus: dict[HostId, list[str]] = defaultdict(list)
    plan = plan_cycle(snapshot)
    for placement in plan.placements:
        hosts[placement.host_id] += placement.resources
        gpus[placement.host_id] += placement.gpu_names
        asked = placement.job_class.resources
        caps[placement.job_class.scope, placement.environment_name] += asked.vcpu_milli
        assert len(placement.gpu_names) == placement.resources.gpus == asked.gpus
        if placement.resources != asked:
            assert snapshot.oversize == "run-alone"
            assert snapshot.hosts[placement.host_id].is_idle
            assert not asked.fits(snapshot.hosts[placement.host_id].total)
            assert [p.key for p in plan.placements if p.host_id == placement.host_id] == [placement.key]
    for host_id, used in hosts.items():
        assert used.fits(snapshot.hosts[host_id].free)
        assert len(set(gpus[host_id])) == len(gpus[host_id])
        assert set(gpus[host_id]) <= set(snapshot.hosts[host_id].free_gpus)
    for name, milli in caps.items():
        free = snapshot.environments[name].free_cap_milli
        assert free is None or milli <= free


@many
@given(snapshots)
def test_placements_are_where_the_queue_allows(snapshot: Snapshot) -> None:
    """In an environment of its queue that can be used, on a host of that environment, and once."""
    jobs = {key: (intake, job_class) for intake, key, job_class in jobs_of(snapshot)}
    queues = {queue.name: queue for queue in snapshot.queues}
    plan = plan_cycle(snapshot)
    assert len({placement.key for placement in plan.placements}) == len(plan.placements)
    for placement in plan.placements:
        assert jobs[placement.key] == (placement.intake, placement.job_class)
        environment = snapshot.environments[placement.job_class.scope, placement.environment_name]
        assert placement.environment_name in queues[placement.job_class.queue_name].environments
        assert not environment.problem
        assert placement.host_id in environment.hosts


@many
@given(snapshots)
def test_order(snapshot: Snapshot) -> None:
    """Queues of higher priority come first, and nobody starts before a job that comes first in its queue and share.

    But for those who step aside, since they can never start or lack a consumable resource: they let others pass.
    """
    queues = [replace(queue, backfill="none", aged_intake=0) for queue in snapshot.queues]
    snapshot = replace(snapshot, queues=queues)
    priorities = {queue.name: queue.priority for queue in snapshot.queues}
    plan = plan_cycle(snapshot)
    order = [-priorities[p.job_class.queue_name] for p in plan.placements]
    assert order == sorted(order)
    started = {placement.key for placement in plan.placements}
    blocked: set[tuple[str, str]] = set()
    for _, _, key, job_class in sorted((-c.priority, intake, key, c) for intake, key, c in jobs_of(snapshot)):
        line = job_class.queue_name, job_class.share
        if key in started:
            assert line not in blocked
        elif not plan.reasons[job_class].status_reason.startswith("MISCONFIGURATION") and not job_class.consumables:
            blocked.add(line)


@many
@given(snapshots)
def test_consumables_are_not_over_committed(snapshot: Snapshot) -> None:
    """What starts takes no more than nobody held, and who takes nothing of what is short is not kept by it."""
    taken: Counter[str] = Counter()
    for placement in plan_cycle(snapshot).placements:
        taken.update(dict(placement.job_class.consumables))
    for name, quantity in taken.items():
        assert quantity <= snapshot.consumables[HERE, name].free


@many
@given(snapshots)
def test_heads_wait_for_what_has_a_name(snapshot: Snapshot) -> None:
    """Each is the first that is left of its class, and its code is that of its reason."""
    plan = plan_cycle(snapshot)
    left = {waiting.job_class: waiting.runs[0].key for waiting in without(snapshot, plan.placements)}
    for head in plan.heads:
        assert left[head.job_class] == head.key
        assert plan.reasons[head.job_class].code.startswith(head.code)


@many
@given(snapshots)
def test_every_class_that_is_left_has_a_reason(snapshot: Snapshot) -> None:
    """And only those: the reason names numbers, a job ahead of it, or what is wrong."""
    plan = plan_cycle(snapshot)
    left = {waiting.job_class for waiting in without(snapshot, plan.placements)}
    assert set(plan.reasons) == left
    waiting = {key for _, key, _ in jobs_of(snapshot)} - {placement.key for placement in plan.placements}
    for reason in plan.reasons.values():
        assert reason.causes
        assert all(reason.causes)
        assert all(cause in reason.status_reason for cause in reason.causes)
        if reason.behind is not None:
            assert reason.behind in waiting
        else:
            assert reason.status_reason.startswith(("Waiting: ", NEVER_FITS, OVER_CAP, NO_ENVIRONMENT))
        for cause in reason.causes:
            assert not cause.rstrip().endswith(":")
            assert (
                any(letter.isdigit() for letter in cause)
                or reason.behind is not None
                or "is DISABLED" in cause
                or "does not exist" in cause
                or "kept free for a job ahead" in cause
                or "given to jobs ahead" in cause
            )


@many
@given(snapshots, st.integers(0, 2**32))
def test_same_snapshot_same_plan(snapshot: Snapshot, seed: int) -> None:
    """Also when classes and queues are listed in another order."""
    plan = plan_cycle(snapshot)
    assert plan_cycle(snapshot) == plan
    classes, queues = list(snapshot.classes), list(snapshot.queues)
    rng = Random(seed)
    rng.shuffle(classes)
    rng.shuffle(queues)
    assert plan_cycle(replace(snapshot, classes=classes, queues=queues)) == plan


@many
@given(snapshots, st.integers(1, 3))
def test_bounded_plans_add_up_to_one_without_bound(snapshot: Snapshot, most: int) -> None:
    """A plan stops at its bound and the next goes on from there; a class that was not come to is told so."""
    whole, plan = plan_cycle(snapshot), plan_cycle(limited(snapshot, most))
    assert list(plan.placements) == list(whole.placements)[:most]
    left = {waiting.job_class for waiting in without(snapshot, plan.placements)}
    assert set(plan.reasons) == left
