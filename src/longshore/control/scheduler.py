"""Runs a scheduling cycle over the present and commits what it proposes."""

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from longshore.control.changes import Changes
from longshore.control.present import Present
from longshore.domain.ids import AttemptId
from longshore.domain.job import JobSpec
from longshore.domain.lifecycle.events import PlacedNode, PlacementCommitted, PreemptionCommitted
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.workload import workload_of
from longshore.ports.store import Transaction
from longshore.scheduling.cycle import plan_cycle
from longshore.scheduling.plan import Placement, Plan, Preemption, WaitReason
from longshore.scheduling.snapshot import Oversize

#: 127.64.0.0 to 127.127.255.255
_ADDRESSES = 64 << 16


def place_jobs(
    tx: Transaction,
    present: Present,
    changes: Changes,
    *,
    engine_problems: Mapping[str, str],
    oversize: Oversize,
    wants_addresses: Collection[str],
    new_attempt_id: Callable[[], AttemptId],
    explain: bool = True,
) -> Plan:
    """Start what fits; returns what was planned. A proposal that no longer holds is dropped alone.

    `wants_addresses` names engines that are told the addresses of nodes. Only if asked to `explain` the plan tells why
    the rest waits.
    """
    plan = plan_cycle(present.snapshot(tx, present.busy_queues(tx), engine_problems, oversize), explain=explain)
    changes.load(placement.key for placement in plan.placements)
    for placement in plan.placements:
        job = changes.job(placement.key)
        if job is None or job.status is not JobStatus.RUNNABLE:
            present.backlog.remove(placement.job_class, intake=placement.intake)
            continue
        for place in placement.nodes or (placement,):
            assert present.ledger.has_room(place.host_id, place.resources), placement
        attempt_id = new_attempt_id()
        nodes = ()
        if job.spec.has_parts:
            engine = present.engine_of(tx, (job.spec.scope, placement.environment_name))
            is_free = present.ledger.is_address_free if engine in wants_addresses else None
            nodes = _placed_nodes(job.spec, placement, attempt_id, is_free)
        host_id = nodes[workload_of(job.spec).main_node].host_id if nodes else placement.host_id
        changes.apply(
            placement.key,
            PlacementCommitted(
                attempt_id=attempt_id,
                environment_name=placement.environment_name,
                host_id=host_id,
                resources=placement.resources,
                gpu_names=placement.gpu_names,
                nodes=nodes,
            ),
        )
    _preempt(changes, plan.preemptions)
    changes.flush()
    return plan


def _preempt(changes: Changes, preemptions: Sequence[Preemption]) -> None:
    """Have jobs stopped for which others wait."""
    changes.load(key for each in preemptions for key in (each.victim, each.beneficiary))
    for each in preemptions:
        victim, beneficiary = changes.job(each.victim), changes.job(each.beneficiary)
        if victim is None or victim.attempt is None or beneficiary is None:
            continue
        event = PreemptionCommitted(attempt_id=victim.attempt.attempt_id, beneficiary=str(beneficiary.id))
        changes.apply(each.victim, event)


def _placed_nodes(
    spec: JobSpec, placement: Placement, attempt_id: AttemptId, is_free: Callable[[str], bool] | None
) -> tuple[PlacedNode, ...]:
    """Room for each node, and an address that no running node has; none where `is_free` is None: the engine chooses."""
    places = placement.nodes or (placement,)
    addresses = [""] * len(places)
    if spec.has_nodes and is_free is not None:
        addresses = free_addresses(attempt_id, len(places), is_free)
    return tuple(
        PlacedNode(host_id=place.host_id, resources=place.resources, gpu_names=place.gpu_names, address=address)
        for place, address in zip(places, addresses, strict=True)
    )


def free_addresses(attempt_id: AttemptId, count: int, is_free: Callable[[str], bool]) -> list[str]:
    """So many addresses in a row of this machine's loopback network, above what programs use by habit.

    They begin where the attempt's id says, so that servers that share a machine seldom meet. Source: RFC 1122, 3.2.1.3.
    """
    found: list[str] = []
    number = int(attempt_id, 16) % _ADDRESSES
    while len(found) < count:
        address = f"127.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
        if 0 < number & 255 < 255 and is_free(address):
            found.append(address)
        number = (number + 1) % _ADDRESSES
    return found


def render_reason(reason: WaitReason, tx: Transaction, *, is_blocked: bool = False) -> str:
    """A reason as it is published: JSON with `statusReason`, `causes` and, where a job is ahead, `behind` (its id).

    That of a head that `is_blocked` begins with what AWS Batch calls it.
    """
    status_reason = reason.status_reason
    if is_blocked and reason.code and not status_reason.startswith(reason.code):
        status_reason = f"{reason.code} ({'; '.join(reason.causes)})"
    going = tx.load_jobs(reason.preempted)
    told = (f"job {going[key].id} is being preempted for it" for key in reason.preempted if key in going)
    kept = tx.load_jobs([] if reason.kept_for is None else [reason.kept_for]).values()
    named = (f"room is kept for job {job.id}" for job in kept)
    holding = tx.load_jobs(reason.holders).values()
    held = (f"job {job.id} ({job.spec.name}) holds its key" for job in sorted(holding, key=lambda job: job.key))
    document: dict[str, object] = {"statusReason": status_reason, "causes": (*reason.causes, *told, *named, *held)}
    if reason.behind is not None and (ahead := tx.load_jobs([reason.behind]).get(reason.behind)) is not None:
        document["behind"] = str(ahead.id)
    return msgspec.json.encode(document).decode()
