"""What domain records say about themselves."""

from dataclasses import replace

import pytest

from longshore.domain.environment import ResourceStatus, State, cluster_name
from longshore.domain.lifecycle.reasons import host_lost, instance_id
from longshore.domain.queue import EnvironmentOrder
from longshore.testing.builders import HERE, LOCAL, a_definition, a_job, a_job_spec, a_queue, an_environment


@pytest.mark.parametrize(
    ("state", "status", "accepts"),
    [
        ("ENABLED", "VALID", True),
        ("ENABLED", "UPDATING", True),
        ("DISABLED", "VALID", False),
        ("ENABLED", "INVALID", False),
        ("ENABLED", "DELETING", False),
    ],
)
def test_environment_that_accepts_jobs(state: State, status: ResourceStatus, accepts: bool) -> None:
    """It is ENABLED and neither broken nor on its way out."""
    assert replace(an_environment(), state=state, status=status).accepts_jobs is accepts


def test_fargate() -> None:
    """Both kinds of it, and nothing else."""
    assert replace(an_environment(), resource_type="FARGATE_SPOT").is_fargate
    assert not an_environment(max_vcpus=4).is_fargate


def test_queue_tries_environments_by_their_order() -> None:
    """However they were listed."""
    entries = tuple(EnvironmentOrder(order=order, environment_name=name) for order, name in [(7, "b"), (2, "a")])
    assert replace(a_queue(), environments=entries).environment_names == ("a", "b")


def test_names_that_are_derived() -> None:
    """The same host and environment have the same AWS-shaped names for ever."""
    assert instance_id(LOCAL) == instance_id(LOCAL)
    assert len(instance_id(LOCAL)) == 19
    assert host_lost(LOCAL) == f"Host EC2 (instance {instance_id(LOCAL)}) terminated."
    assert cluster_name(HERE, "a") == cluster_name(HERE, "a") != cluster_name(HERE, "b")
    assert cluster_name(HERE, "a").startswith("AWSBatch-a-")


def test_arns() -> None:
    """As AWS writes them."""
    start = "arn:aws:batch:us-east-1:000000000000"
    assert an_environment("e").arn == f"{start}:compute-environment/e"
    assert a_queue("q").arn == f"{start}:job-queue/q"
    assert a_definition("d", revision=3).arn == f"{start}:job-definition/d:3"


def test_array_keys() -> None:
    """Children own the keys behind their parent's; a child is no parent."""
    spec = a_job_spec(10, array_size=3)
    assert [spec.child_key(index) for index in range(3)] == [11, 12, 13]
    assert (spec.last_key, a_job_spec(10).last_key) == (13, 10)
    assert a_job(spec).is_array_parent
    assert not a_job(spec, index=0).is_array_parent
    assert not a_job().is_array_parent
