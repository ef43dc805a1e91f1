"""What a seed draws of our own powers over dependencies, retries and order, by chance of its own."""

import random
from dataclasses import replace

from longshore.domain.dependency import When
from longshore.domain.queue import JobQueue
from longshore.service.queue_order import AGE_BOUND, BACKFILL
from longshore.testing.simulation.scenario import PlannedJob, Scenario


def with_powers(scenario: Scenario) -> Scenario:
    """The scenario with dependencies on any outcome, deadlines, budgets, and queues that let jobs pass."""
    rng = random.Random(f"{scenario.seed} powers")
    share = rng.choice((0.0, 0.5, 0.9))
    jobs = tuple(_powered(rng, job, share) for job in scenario.jobs)
    rng = random.Random(f"{scenario.seed} backfill")
    return replace(scenario, jobs=jobs, queues=tuple(_ordered(rng, queue) for queue in scenario.queues))


def _ordered(rng: random.Random, queue: JobQueue) -> JobQueue:
    """The queue with a choice of who may pass whom; where nobody may, nobody is over the age bound either."""
    backfill = rng.choice(("none", "none", "easy", "easy", "greedy"))
    tags = {**queue.tags, BACKFILL: backfill}
    if backfill != "none" and rng.random() < 0.5:
        tags[AGE_BOUND] = rng.choice(("20", "120", "600"))
    return replace(queue, tags=tags)


def _powered(rng: random.Random, job: PlannedJob, share: float) -> PlannedJob:
    depends_on = (
        replace(each, when=rng.choice(tuple(When))) if rng.random() < share else each for each in job.depends_on
    )
    return replace(
        job,
        depends_on=tuple(depends_on),
        start_deadline_seconds=rng.choice((None, None, None, 1, 10, 60, 200)) if rng.random() < share else None,
        host_retries=rng.choice((None, None, 0, 2)),
    )
