"""Runs a scheduling cycle over the present and commits what it proposes."""

from collections.abc import Callable, Mapping

import msgspec

from longshore.control.changes import Changes
from longshore.control.present import Present
from longshore.domain.ids import AttemptId
from longshore.domain.lifecycle.events import PlacementCommitted
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import Transaction
from longshore.scheduling.cycle import plan_cycle
from longshore.scheduling.plan import Plan, WaitReason
from longshore.scheduling.snapshot import Oversize


def place_jobs(
    tx: Transaction,
    present: Present,
    changes: Changes,
    *,
    engine_problems: Mapping[str, str],
    oversize: Oversize,
    new_attempt_id: Callable[[], AttemptId],
) -> Plan:
    """Start what fits; returns what was planned. A proposal that no longer holds is dropped alone."""
    plan = plan_cycle(present.snapshot(tx, engine_problems, oversize))
    changes.load(placement.key for placement in plan.placements)
    for placement in plan.placements:
        job = changes.job(placement.key)
        if job is None or job.status is not JobStatus.RUNNABLE:
            present.backlog.remove(placement.job_class, intake=placement.intake)
            continue
        assert present.ledger.has_room(placement.host_id, placement.resources), placement
        changes.apply(
            placement.key,
            PlacementCommitted(
                attempt_id=new_attempt_id(),
                environment_name=placement.environment_name,
                host_id=placement.host_id,
                resources=placement.resources,
                gpu_names=placement.gpu_names,
            ),
        )
    changes.flush()
    return plan


def render_reason(reason: WaitReason, tx: Transaction, *, is_blocked: bool = False) -> str:
    """A reason as it is published: JSON with `statusReason`, `causes` and, where a job is ahead, `behind` (its id).

    That of a head that `is_blocked` begins with what AWS Batch calls it.
    """
    status_reason = reason.status_reason
    if is_blocked and reason.code and not status_reason.startswith(reason.code):
        status_reason = f"{reason.code} ({'; '.join(reason.causes)})"
    document: dict[str, object] = {"statusReason": status_reason, "causes": reason.causes}
    if reason.behind is not None and (ahead := tx.load_jobs([reason.behind]).get(reason.behind)) is not None:
        document["behind"] = str(ahead.id)
    return msgspec.json.encode(document).decode()
