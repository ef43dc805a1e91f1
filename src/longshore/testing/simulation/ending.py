"""What must hold when all work is over and the dust has settled."""

from collections.abc import Mapping

from longshore.domain.ids import JobKey
from longshore.ports.store import Reader
from longshore.testing.simulation.broken import broken
from longshore.testing.simulation.history import check_timeline
from longshore.testing.simulation.invariants import StoreChecks
from longshore.testing.simulation.scenario import Scenario
from longshore.testing.simulation.site import RecordingSite

#: Who else uses the machines.
FOREIGN = "somebody-else"


def check_end(
    scenario: Scenario, checks: StoreChecks, site: RecordingSite, reader: Reader, *, updated: Mapping[str, int]
) -> None:
    """Nothing is left of anything, and every job's story can be read.

    `updated`: by how much callers have changed each consumable resource.
    """
    for key, job in checks.jobs.items():
        entries = reader.timeline(JobKey(key))
        if job.array_size is not None:
            entries = [entry for entry in entries if not entry.of_children]
        check_timeline(checks.name(key), entries, job.status)
        if job.request_kind is not None and not job.is_final:
            broken("requests are carried out", f"{checks.name(key)}: {job}")
    for row in checks.attempts.values():
        if row.stopped_at is None or row.intent is not None:
            broken("every attempt is released", f"{checks.name(row.job_key)}: {row}")
    for part in checks.parts.rows.values():
        if part.stopped_at is None or part.intent not in (None, "wait"):
            broken("every attempt is released", f"{checks.name(part.job_key)}: {part}")
    if not all(task.live for task in site.tasks(FOREIGN)):
        broken("tasks of others are not touched", "the one that was there from the beginning is over")
    left = [task.spec.attempt_id for engine in scenario.engines for task in site.tasks(engine)]
    if left:
        broken("nothing native is left", f"attempts {left}")
    for resource in scenario.consumables:
        found = reader.consumable(resource.scope, resource.name)
        if found is None or found.quantity != resource.quantity + updated.get(resource.name, 0):
            broken("updates are done once", f"{found}; at first {resource}, changed by {updated}")
    if remaining := checks.queues & scenario.deleted_queues.keys():
        broken("deleted queues go", f"{remaining}")
    if remaining := checks.environments & scenario.deleted_environments:
        broken("deleted environments go", f"{remaining}")
