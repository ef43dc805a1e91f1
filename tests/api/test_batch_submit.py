"""SubmitJob: what a submission becomes, and what is refused."""

from collections.abc import Sequence
from typing import Any

import pytest

from longshore.domain.ids import JobId
from longshore.ports.store import Edge, Reader
from tests.api.batch_service import ACCOUNT, NOW_MS, REGION, SMALL, Batch

PLAIN_CONTAINER: dict[str, Any] = {
    "image": "busybox",
    "command": ["true"],
    "volumes": [],
    "environment": [],
    "mountPoints": [],
    "ulimits": [],
    "networkInterfaces": [],
    "resourceRequirements": SMALL,
    "secrets": [],
}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def batch(batch: Batch) -> Batch:
    """With a queue and a definition."""
    batch.queue()
    batch.definition()
    return batch


def edges(batch: Batch, job_id: str) -> list[tuple[int, str | None]]:
    """What the job waits for: distance from its own key to the other's, and the type."""

    def work(reader: Reader) -> Sequence[Edge]:
        return reader.edges_of(list(reader.find_jobs(batch.scope, [JobId(uuid=job_id)]).values()))

    return [(each.on_key - each.job_key, each.type) for each in batch.read(work)]


def test_a_submission_answers_arn_name_and_id(batch: Batch) -> None:
    before = batch.notifier.count
    answer = batch.submit_job(jobName="job-1", jobQueue="queue", jobDefinition="definition")
    job_id = answer["jobId"]
    assert answer == {
        "jobArn": f"arn:aws:batch:{REGION}:{ACCOUNT}:job/{job_id}",
        "jobName": "job-1",
        "jobId": job_id,
    }
    # To have the job taken in by the commit that stores it, and once more, should it have had to wait for its turn.
    assert batch.notifier.count == before + 2


def test_a_plain_job_is_described_whole(batch: Batch) -> None:
    job_id = batch.submit()
    described = batch.as_submitted(job_id, "definition:1", container=PLAIN_CONTAINER)
    assert batch.describe_jobs(jobs=[job_id]) == {"jobs": [described]}


def test_the_effective_values_are_described(batch: Batch) -> None:
    batch.definition(
        "rich",
        container={
            "command": ["run", "Ref::input", "--level=Ref::level"],
            "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "resourceRequirements": [*SMALL, {"type": "GPU", "value": "1"}],
        },
        parameters={"input": "default", "level": "1"},
        retryStrategy={"attempts": 2},
        timeout={"attemptDurationSeconds": 60},
        propagateTags=True,
        platformCapabilities=["EC2"],
        tags={"of": "definition"},
    )
    job_id = batch.submit(
        definition="rich",
        parameters={"input": "given", "extra.name": "kept"},
        containerOverrides={
            "environment": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}, {"name": "A", "value": ""}],
            "resourceRequirements": [{"type": "MEMORY", "value": "256"}],
        },
        retryStrategy={"attempts": 4, "evaluateOnExit": [{"onExitCode": "1", "action": "retry"}]},
        timeout={"attemptDurationSeconds": 120},
        propagateTags=False,
        tags={"of": "job", "our:gpu": "any"},
    )
    job = batch.job(job_id)
    assert job["container"] == {
        **PLAIN_CONTAINER,
        "command": ["run", "given", "--level=1"],
        "environment": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
        "resourceRequirements": [SMALL[0], {"type": "MEMORY", "value": "256"}, {"type": "GPU", "value": "1"}],
    }
    assert job["parameters"] == {"input": "given", "level": "1", "extra.name": "kept"}
    assert job["retryStrategy"] == {"attempts": 4, "evaluateOnExit": [{"onExitCode": "1", "action": "retry"}]}
    assert job["timeout"] == {"attemptDurationSeconds": 120}
    assert job["tags"] == {"of": "job", "our:gpu": "any"}
    assert (job["propagateTags"], job["platformCapabilities"]) == (False, ["EC2"])


def test_without_overrides_the_definitions_values_hold(batch: Batch) -> None:
    batch.definition("rich", retryStrategy={"attempts": 2}, timeout={"attemptDurationSeconds": 60}, propagateTags=True)
    job = batch.job(batch.submit(definition="rich", containerOverrides={}, parameters={}, arrayProperties={}))
    assert job["retryStrategy"] == {"attempts": 2, "evaluateOnExit": []}
    assert job["timeout"] == {"attemptDurationSeconds": 60}
    assert job["propagateTags"] is True
    assert "arrayProperties" not in job
    assert job["container"] == PLAIN_CONTAINER


@pytest.mark.parametrize("form", ["definition", "definition:2", "{arn}", "{arn}:2"])
def test_every_form_of_a_definition_is_understood(batch: Batch, form: str) -> None:
    batch.definition()
    batch.definition()
    batch.deregister_job_definition(jobDefinition="definition:3")
    named = form.format(arn=batch.arn("job-definition", "definition"))
    job = batch.job(batch.submit(definition=named, queue=batch.arn("job-queue", "queue")))
    assert job["jobDefinition"] == batch.arn("job-definition", "definition:2")


def test_a_queued_job_keeps_a_deregistered_definition(batch: Batch) -> None:
    job_id = batch.submit()
    batch.deregister_job_definition(jobDefinition="definition:1")
    assert batch.job(job_id)["container"] == PLAIN_CONTAINER
    text = "JobDefinition name definition does not exist or is not in ACTIVE status"
    assert batch.refusal("submit_job", jobName="j", jobQueue="queue", jobDefinition="definition") == text


def test_deprecated_overrides_do_not_touch_requirements(batch: Batch) -> None:
    batch.definition("old", container={"resourceRequirements": [], "vcpus": 1, "memory": 64})
    job = batch.job(batch.submit(definition="old", containerOverrides={"memory": 256}))
    assert (job["container"]["vcpus"], job["container"]["memory"]) == (1, 256)
    job = batch.job(
        batch.submit(definition="old", containerOverrides={"resourceRequirements": [{"type": "MEMORY", "value": "32"}]})
    )
    assert job["container"]["vcpus"] == 1
    assert "memory" not in job["container"]
    assert job["container"]["resourceRequirements"] == [{"type": "MEMORY", "value": "32"}]
    job = batch.job(batch.submit(containerOverrides={"vcpus": 4}))
    assert job["container"] == PLAIN_CONTAINER


def test_an_array_job_has_children(batch: Batch) -> None:
    job_id = batch.submit(arrayProperties={"size": 3}, tags={"a": "b"})
    job = batch.job(job_id)
    summary = dict.fromkeys(("PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED"), 0)
    assert job["arrayProperties"] == {
        "size": 3,
        "statusSummary": {"SUBMITTED": 3, **summary},
        "statusSummaryLastUpdatedAt": NOW_MS,
    }
    child = batch.job(f"{job_id}:2")
    assert child["jobArn"] == batch.arn("job", f"{job_id}:2")
    assert child["arrayProperties"] == {"index": 2}
    assert child["container"] == job["container"] == PLAIN_CONTAINER
    assert (job["tags"], child["tags"]) == ({"a": "b"}, {})
    assert batch.describe_jobs(jobs=[f"{job_id}:3"]) == {"jobs": []}


def test_the_largest_array_is_taken(batch: Batch) -> None:
    job_id = batch.submit(arrayProperties={"size": 10_000})
    assert batch.job(f"{job_id}:9999")["arrayProperties"] == {"index": 9999}


def test_dependencies_become_edges(batch: Batch) -> None:
    first, array = batch.submit(), batch.submit(arrayProperties={"size": 3})
    depends_on = [{"jobId": first}, {"jobId": array}, {"jobId": f"{array}:2"}, {"jobId": first}]
    job_id = batch.submit(dependsOn=depends_on)
    assert batch.job(job_id)["dependsOn"] == depends_on
    # Keys: first, then the array and its three children, then the job.
    assert sorted(edges(batch, job_id)) == [(-5, None), (-4, None), (-1, None)]


def test_array_jobs_depend_child_by_child(batch: Batch) -> None:
    plain, array = batch.submit(), batch.submit(arrayProperties={"size": 2})
    depends_on = [
        {"jobId": array, "type": "N_TO_N"},
        {"type": "SEQUENTIAL"},
        {"jobId": plain, "type": "SEQUENTIAL"},
    ]
    job_id = batch.submit(arrayProperties={"size": 2}, dependsOn=depends_on)
    assert sorted(edges(batch, job_id), key=str) == [(-3, "N_TO_N"), (-4, None), (0, "SEQUENTIAL")]
    assert batch.job(job_id)["dependsOn"] == depends_on
    assert batch.job(f"{job_id}:1")["dependsOn"] == [
        {"jobId": f"{array}:1", "type": "N_TO_N"},
        {"jobId": plain},
        {"jobId": f"{job_id}:0", "type": "SEQUENTIAL"},
    ]
    assert batch.job(f"{job_id}:0")["dependsOn"] == [{"jobId": f"{array}:0", "type": "N_TO_N"}, {"jobId": plain}]


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"jobName": "my.job"}, "W: Job name should match valid pattern"),
        ({"jobName": "-job"}, "W: Job name should match valid pattern"),
        ({"jobQueue": "other"}, "JobQueue other not found."),
        ({"jobQueue": "disabled"}, "JobQueue disabled is DISABLED and does not accept jobs"),
        ({"jobQueue": "arn:aws:batch:x"}, "JobQueue arn:aws:batch:x not found."),
        (
            {"jobDefinition": "other"},
            "JobDefinition name other does not exist or is not in ACTIVE status",
        ),
        (
            {"jobDefinition": f"arn:aws:batch:{REGION}:{ACCOUNT}:job-definition/definition:9"},
            f"JobDefinition arn:aws:batch:{REGION}:{ACCOUNT}:job-definition/definition:9 not found.",
        ),
        (
            {"jobQueue": "fargate"},
            "Job Queue is attached to Compute Environment that can not run Jobs with capability EC2",
        ),
        (
            {"jobDefinition": "on-fargate"},
            "Job Queue is attached to Compute Environment that can not run Jobs with capability FARGATE",
        ),
        (
            {"shareIdentifier": "a"},
            "Job with shareIdentifier or schedulingPriority can onlybe submitted to job queue with fair share "
            "scheduling policy.",
        ),
        (
            {"schedulingPriorityOverride": 1},
            "Job with shareIdentifier or schedulingPriority can onlybe submitted to job queue with fair share "
            "scheduling policy.",
        ),
        (
            {"containerOverrides": {"command": ["echo", "Ref::x"]}},
            "Unable to substitute value. No parameter found for reference x",
        ),
        ({"containerOverrides": {"command": ["echo", ""]}}, "W: Command field cannot have empty strings"),
        (
            {"containerOverrides": {"environment": [{"name": "AWS_BATCH_JOB_ID", "value": "1"}]}},
            "W: Environment variable names cannot start with AWS_BATCH: AWS_BATCH_JOB_ID",
        ),
        (
            {"containerOverrides": {"resourceRequirements": [{"type": "VCPU", "value": "0"}]}},
            "W: Value 0 for type VCPU in resourceRequirement is not valid. Please provide a numeric value.",
        ),
        (
            {"containerOverrides": {"instanceType": "m5.large"}},
            "W: instanceType is not applicable for a single-node job.",
        ),
        (
            {"nodeOverrides": {"numNodes": 2}},
            "W: nodeOverrides should not be set for a job definition with containerProperties",
        ),
        (
            {"ecsPropertiesOverride": {"taskProperties": [{"containers": []}]}},
            "W: ecsPropertiesOverride should not be set for a job definition with containerProperties",
        ),
        ({"retryStrategy": {"attempts": 0}}, "W: Retry attempts should be between 1 and 10, got 0"),
        ({"timeout": {"attemptDurationSeconds": 10}}, "W: attemptDurationSeconds should be at least 60, got 10"),
        ({"dependsOn": [{"jobId": UNKNOWN}] * 21}, "W: Job cannot have more than 20 dependencies"),
        ({"dependsOn": [{"jobId": UNKNOWN}]}, f"Job {UNKNOWN} of dependsOn does not exist"),
        ({"dependsOn": [{"jobId": "x"}]}, "Job x of dependsOn does not exist"),
        ({"dependsOn": [{}]}, "W: A dependency needs a jobId"),
        ({"dependsOn": [{"type": "SEQUENTIAL"}]}, "W: A dependency of type SEQUENTIAL is for array jobs only"),
        (
            {"dependsOn": [{"type": "N_TO_N"}], "arrayProperties": {"size": 2}},
            "W: A dependency needs a jobId",
        ),
        ({"arrayProperties": {"size": 1}}, "W: Array size should be between 2 and 10000, got 1"),
        ({"arrayProperties": {"size": 10_001}}, "W: Array size should be between 2 and 10000, got 10001"),
        ({"parameters": {"x": "y" * 48_000}}, "W: Job size must be less than 30 KiB, got 47 KiB"),
        ({"tags": {"AWS:x": "y"}}, "W: Tag keys cannot start with aws:"),
    ],
)
def test_a_submission_is_refused(batch: Batch, members: dict[str, Any], text: str) -> None:
    batch.queue("disabled", "ce", state="DISABLED")
    batch.queue("fargate", batch.fargate_environment())
    on_fargate(batch)
    before = batch.notifier.count
    plain = {"jobName": "job", "jobQueue": "queue", "jobDefinition": "definition"}
    assert batch.refusal("submit_job", **(plain | members)) == text
    assert batch.list_jobs(jobQueue="queue", jobStatus="SUBMITTED") == {"jobSummaryList": []}
    assert batch.notifier.count <= before + 1  # it was woken for a job that might have come


def on_fargate(batch: Batch) -> None:
    pair = [{"type": "VCPU", "value": "0.5"}, {"type": "MEMORY", "value": "1024"}]
    container = {"resourceRequirements": pair, "executionRoleArn": "arn:aws:iam::111122223333:role/x"}
    batch.definition("on-fargate", container=container, platformCapabilities=["FARGATE"])


def test_fargate_checks_the_effective_pair(batch: Batch) -> None:
    batch.queue("fargate", batch.fargate_environment())
    on_fargate(batch)
    job = batch.job(batch.submit(queue="fargate", definition="on-fargate"))
    assert job["platformCapabilities"] == ["FARGATE"]
    assert job["container"]["fargatePlatformConfiguration"] == {"platformVersion": "LATEST"}

    def refusal(**overrides: Any) -> str:
        return batch.refusal(
            "submit_job",
            jobName="j",
            jobQueue="fargate",
            jobDefinition="on-fargate",
            containerOverrides=overrides,
        )

    memory = [{"type": "MEMORY", "value": "8192"}]
    text = "W: Fargate resource requirements (0.50 vCPU, 8192 MiB) not valid."
    assert refusal(resourceRequirements=memory) == text
    assert refusal(vcpus=2) == "W: vcpus and memory are not applicable for Fargate."


def test_n_to_n_needs_an_array_of_the_same_size(batch: Batch) -> None:
    plain, array = batch.submit(), batch.submit(arrayProperties={"size": 2})

    def refusal(job_id: str) -> str:
        return batch.refusal(
            "submit_job",
            jobName="j",
            jobQueue="queue",
            jobDefinition="definition",
            arrayProperties={"size": 3},
            dependsOn=[{"jobId": job_id, "type": "N_TO_N"}],
        )

    for other in (plain, f"{array}:0"):
        text = f"W: Job {other} of dependsOn is no array job: a dependency of type N_TO_N needs one"
        assert refusal(other) == text
    assert refusal(array) == (
        f"W: Job {array} of dependsOn has 2 children and this job 3: a dependency of type N_TO_N needs equal sizes"
    )


def test_a_dependency_of_another_region_does_not_exist(batch: Batch) -> None:
    arn = f"arn:aws:batch:us-east-1:{ACCOUNT}:job/{batch.submit()}"
    refusal = batch.refusal(
        "submit_job", jobName="j", jobQueue="queue", jobDefinition="definition", dependsOn=[{"jobId": arn}]
    )
    assert refusal == f"Job {arn} of dependsOn does not exist"


def test_tags_that_are_to_be_propagated_are_those_of_the_definition_and_the_job(batch: Batch) -> None:
    """The job's own win; without propagateTags a task bears none. Source: AWS Batch API, propagateTags."""

    batch.definition("tagged", tags={"team": "a", "cost": "x"})

    def borne(**members: Any) -> dict[str, str]:
        asked = {"jobName": "j", "jobQueue": "queue", "jobDefinition": "tagged", "tags": {"team": "b"}, **members}
        ids = JobId(uuid=batch.submit_job(**asked)["jobId"])
        key = batch.read(lambda reader: reader.find_jobs(batch.scope, [ids]))[ids]
        return dict(batch.read(lambda reader: reader.load_jobs([key]))[key].spec.task_tags)

    assert borne(propagateTags=True) == {"team": "b", "cost": "x"}
    assert borne() == {}
