"""TagResource, UntagResource and ListTagsForResource, on everything that bears tags."""

import pytest

from tests.api.batch_service import ACCOUNT, Batch


@pytest.fixture
def arns(batch: Batch) -> dict[str, str]:
    """One resource of each kind, each with the tag `first`."""
    tags = {"first": "1"}
    batch.environment(tags=tags)
    batch.queue("queue", "ce", tags=tags)
    definition = batch.definition(tags=tags)
    job = batch.arn("job", batch.submit(tags=tags))
    return {
        "environment": batch.arn("compute-environment", "ce"),
        "queue": batch.arn("job-queue", "queue"),
        "definition": definition,
        "job": job,
    }


@pytest.mark.parametrize("kind", ["environment", "queue", "definition", "job"])
def test_tags_are_merged_and_removed(batch: Batch, arns: dict[str, str], kind: str) -> None:
    arn = arns[kind]
    assert batch.list_tags_for_resource(resourceArn=arn) == {"tags": {"first": "1"}}
    assert batch.tag_resource(resourceArn=arn, tags={"second": "2", "first": ""}) == {}
    assert batch.list_tags_for_resource(resourceArn=arn) == {"tags": {"first": "", "second": "2"}}
    assert batch.untag_resource(resourceArn=arn, tagKeys=["first", "never there"]) == {}
    assert batch.list_tags_for_resource(resourceArn=arn) == {"tags": {"second": "2"}}
    batch.untag_resource(resourceArn=arn, tagKeys=["second"])
    assert batch.list_tags_for_resource(resourceArn=arn) == {"tags": {}}


def test_descriptions_show_new_tags(batch: Batch, arns: dict[str, str]) -> None:
    for arn in arns.values():
        batch.tag_resource(resourceArn=arn, tags={"second": "2"})
    described = [
        *batch.describe_compute_environments()["computeEnvironments"],
        *batch.describe_job_queues()["jobQueues"],
        *batch.describe_job_definitions()["jobDefinitions"],
        batch.job(arns["job"]),
    ]
    assert [each["tags"] for each in described] == [{"first": "1", "second": "2"}] * 4


def test_a_deleted_resource_has_no_tags(batch: Batch) -> None:
    batch.environment("lone", tags={"a": "b"}, state="DISABLED")
    batch.delete_compute_environment(computeEnvironment="lone")
    arn = batch.arn("compute-environment", "lone")
    assert batch.refusal("list_tags_for_resource", resourceArn=arn) == f"{arn} does not exist"


@pytest.mark.parametrize(
    "resource",
    [
        "compute-environment/none",
        "job-queue/none",
        "job-definition/none:1",
        "job-definition/definition",
        "job/00000000-0000-4000-8000-000000000000",
        "scheduling-policy/none",
    ],
)
def test_what_does_not_exist_cannot_be_tagged(batch: Batch, arns: dict[str, str], resource: str) -> None:
    arn = batch.arn(*resource.split("/"))
    text = f"{arn} does not exist"
    assert batch.refusal("list_tags_for_resource", resourceArn=arn) == text
    assert batch.refusal("tag_resource", resourceArn=arn, tags={"a": "b"}) == text
    assert batch.refusal("untag_resource", resourceArn=arn, tagKeys=["a"]) == text


def test_resources_of_others_do_not_exist(batch: Batch, arns: dict[str, str]) -> None:
    arn = f"arn:aws:batch:us-east-1:{ACCOUNT}:job-queue/queue"
    assert batch.refusal("list_tags_for_resource", resourceArn=arn) == f"{arn} does not exist"


def test_children_bear_no_tags(batch: Batch, arns: dict[str, str]) -> None:
    text = "W: Array children and nodes of multi-node jobs cannot be tagged"
    child = batch.arn("job", f"{batch.submit(arrayProperties={'size': 2})}:0")
    assert batch.refusal("tag_resource", resourceArn=child, tags={"a": "b"}) == text
    assert batch.refusal("list_tags_for_resource", resourceArn=f"{arns['job']}#0") == text


def test_an_arn_must_be_one(batch: Batch) -> None:
    assert batch.refusal("list_tags_for_resource", resourceArn="queue") == "W: Invalid resource ARN: queue"


def test_tags_have_limits(batch: Batch, arns: dict[str, str]) -> None:
    arn = arns["queue"]
    batch.tag_resource(resourceArn=arn, tags={f"k{index}": "v" for index in range(49)})
    refusal = batch.refusal("tag_resource", resourceArn=arn, tags={"one more": "v"})
    assert refusal == "W: A resource cannot have more than 50 tags"
    batch.tag_resource(resourceArn=arn, tags={"first": "changed"})
    assert len(batch.list_tags_for_resource(resourceArn=arn)["tags"]) == 50
    refusal = batch.refusal("tag_resource", resourceArn=arn, tags={"Aws:x": "v"})
    assert refusal == "W: Tag keys cannot start with aws:"
    refusal = batch.refusal("tag_resource", resourceArn=arn, tags={"first": "AWS:x"})
    assert refusal == "W: Tag values cannot start with aws:"
    refusal = batch.refusal("tag_resource", resourceArn=arn, tags={"a;b": "v"})
    assert refusal.startswith("W: Tag keys should be 1 to 128 letters")
    refusal = batch.refusal("untag_resource", resourceArn=arn, tagKeys=["aws:x"])
    assert refusal == "W: Tag keys cannot start with aws:"
