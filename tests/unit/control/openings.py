"""Open attempts for tests of control."""

from dataclasses import replace

from longshore.control.ledger import OpenAttempt
from longshore.domain.environment import ComputeEnvironment
from longshore.domain.job import Attempt, Intent, Job
from longshore.domain.lifecycle.events import PlacementCommitted, TakenIn
from longshore.domain.resources import Resources
from longshore.testing.builders import AT, HERE, LOCAL, a_job, a_job_spec, an_attempt_id, an_environment
from longshore.testing.lifecycles import grown


def an_open_attempt(
    job: Job | None = None,
    *,
    environment: ComputeEnvironment | None = None,
    resources: Resources | None = None,
    gpu_names: tuple[str, ...] = (),
) -> OpenAttempt:
    """The first attempt of a job that was just placed; it holds what the job asks for unless told otherwise."""
    job = job or a_job()
    environment = environment or an_environment()
    placement = PlacementCommitted(
        attempt_id=an_attempt_id(job.key),
        environment_name=environment.name,
        host_id=LOCAL,
        resources=resources or job.spec.resources,
        gpu_names=gpu_names,
    )
    job = grown(job, TakenIn(intake=1, must_wait=False), placement)
    assert job.attempt is not None
    assert job.spec.scope == HERE
    return OpenAttempt(attempt=job.attempt, job=job, environment=environment)


def asking(key: int, resources: Resources) -> Job:
    """A job that asks for so much."""
    return a_job(a_job_spec(key, resources=resources))


def changed(entry: OpenAttempt, **changes: object) -> OpenAttempt:
    """`entry` with other values in its attempt."""
    attempt: Attempt = replace(entry.attempt, **changes)
    return replace(entry, attempt=attempt)


def ended(entry: OpenAttempt) -> OpenAttempt:
    """`entry` with its attempt over and to be released."""
    return changed(entry, stopped_at=AT, intent=Intent.RELEASE)
