"""What the leader holds in memory must be what the store says."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from longshore.control.present import Present
from longshore.domain.ids import HostId
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass
from longshore.testing.simulation.broken import broken
from longshore.testing.simulation.invariants import StoreChecks
from longshore.testing.simulation.scenario import Scenario


def check_present(present: Present, rebuilt: Present, scenario: Scenario, *, all_taken_in: bool) -> None:
    """The present that was kept in step equals the one that is read anew."""
    kept_backlog, read_backlog = _backlog(present), _backlog(rebuilt)
    if kept_backlog != read_backlog:
        broken("the backlog equals the store", f"kept {kept_backlog}, read {read_backlog}")
    kept, read = _open(present), _open(rebuilt)
    if kept != read:
        broken("the ledger equals the store", f"kept {kept}, read {read}")
    if present.ledger.hosts() != _sorted_gpus(rebuilt, present):
        broken("the ledger equals the store", f"kept {present.ledger.hosts()}, read {rebuilt.ledger.hosts()}")
    for environment in scenario.environments:
        name = environment.scope, environment.name
        kept_milli, read_milli = present.ledger.environment_milli(name), rebuilt.ledger.environment_milli(name)
        if kept_milli != read_milli:
            broken("the ledger equals the store", f"{environment.name}: kept {kept_milli}, read {read_milli}")
    if present.next_intake != rebuilt.next_intake:
        broken("intake numbers go on", f"kept {present.next_intake}, read {rebuilt.next_intake}")
    if all_taken_in and (missing := rebuilt.depended_on - present.depended_on):
        broken("what is depended on is known", f"{missing}")


def check_reserved(present: Present, checks: StoreChecks, scenario: Scenario) -> None:
    """What the ledger has given away is what attempts hold that have not ended; nodes hold each their own."""
    held: defaultdict[str, Resources] = defaultdict(Resources)
    for attempt in checks.attempts.values():
        if attempt.stopped_at is not None:
            continue
        for row in checks.parts.of(attempt) if checks.planned(attempt.job_key).has_nodes else (attempt,):
            held[row.host_id] += Resources.of(
                (row.vcpu_milli, row.memory_mib, row.gpus, row.scratch_mib, row.gpu_milli)
            )
    hosts = present.ledger.hosts()
    for host in scenario.hosts:
        view = hosts[host.id]
        if view.free != host.total - held[host.id] or len(view.free_gpus) != view.free.gpus:
            broken("reserved is what live attempts hold", f"{view}; attempts hold {held[host.id]}")


def check_reasons(present: Present, told: Collection[str]) -> None:
    """Of every class that waits is told why."""
    for waiting in present.backlog.waiting():
        if waiting.job_class.id not in told:
            broken("nobody waits without a reason", f"{waiting}")


def _backlog(present: Present) -> Mapping[JobClass, list[tuple[int, int]]]:
    return {
        waiting.job_class: [(run.intake + i, run.key + i) for run in waiting.runs for i in range(run.count)]
        for waiting in present.backlog.waiting()
    }


def _open(present: Present) -> Mapping[str, object]:
    return {
        entry.attempt.attempt_id: (
            *(entry.attempt.intent, entry.attempt.has_ended, entry.attempt.stop_cause, entry.attempt.handle),
            *(entry.attempt.exit_code, entry.attempt.started_at is None, entry.engine),
            [(part.intent, part.has_ended, part.handle, part.exit_code) for part in entry.attempt.parts],
        )
        for entry in present.ledger.open_attempts()
    }


def _sorted_gpus(present: Present, like: Present) -> Mapping[HostId, object]:
    """Hosts of `present`, their GPUs in the order that `like` gives: which come first is of no account."""
    order = like.ledger.hosts()
    return {
        host_id: (
            order[host_id]
            if sorted(view.free_gpus) == sorted(order[host_id].free_gpus) and view.free == order[host_id].free
            else view
        )
        for host_id, view in present.ledger.hosts().items()
    }
