"""What a seed draws of our own powers over dependencies and retries, by chance of its own."""

import random
from dataclasses import replace

from longshore.domain.dependency import When
from longshore.testing.simulation.scenario import PlannedJob, Scenario


def with_powers(scenario: Scenario) -> Scenario:
    """The scenario with dependencies on any outcome."""
    rng = random.Random(f"{scenario.seed} powers")
    share = rng.choice((0.0, 0.5, 0.9))
    return replace(scenario, jobs=tuple(_powered(rng, job, share) for job in scenario.jobs))


def _powered(rng: random.Random, job: PlannedJob, share: float) -> PlannedJob:
    depends_on = (
        replace(each, when=rng.choice(tuple(When))) if rng.random() < share else each for each in job.depends_on
    )
    return replace(job, depends_on=tuple(depends_on))
