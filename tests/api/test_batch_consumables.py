"""Consumable resources and the jobs that take them: golden answers and refusals."""

from typing import Any

import pytest

from longshore.domain.ids import JobId
from longshore.domain.lifecycle.status import JobStatus
from longshore.testing.job_builders import an_attempt
from tests.api.batch_service import NOW_MS, Batch


def takes(*entries: tuple[str, int]) -> dict[str, Any]:
    return {"consumableResourceList": [{"consumableResource": name, "quantity": count} for name, count in entries]}


def set_up(batch: Batch, **quantities: int) -> None:
    """A queue, and resources by name with so much of each."""
    batch.queue()
    for name, quantity in quantities.items():
        batch.create_consumable_resource(consumableResourceName=name, totalQuantity=quantity)


def hold(batch: Batch, job_id: str) -> None:
    """Open an attempt of the job, as the control loop would."""
    uuid = JobId(uuid=job_id)
    key = batch.read(lambda reader: reader.find_jobs(batch.scope, [uuid]))[uuid]
    job = batch.read(lambda reader: reader.load_jobs([key]))[key]
    batch.write(lambda tx: tx.insert_attempts([an_attempt(job)]))


def test_a_resource_is_described_as_it_was_created(batch: Batch) -> None:
    arn = batch.arn("consumable-resource", "licence")
    answer = batch.create_consumable_resource(
        consumableResourceName="licence", totalQuantity=5, resourceType="NON_REPLENISHABLE", tags={"a": "b"}
    )
    assert answer == {"consumableResourceName": "licence", "consumableResourceArn": arn}
    for text in ("licence", arn):
        assert batch.describe_consumable_resource(consumableResource=text) == {
            "consumableResourceName": "licence",
            "consumableResourceArn": arn,
            "totalQuantity": 5,
            "inUseQuantity": 0,
            "availableQuantity": 5,
            "resourceType": "NON_REPLENISHABLE",
            "createdAt": NOW_MS,
            "tags": {"a": "b"},
        }
    batch.tag_resource(resourceArn=arn, tags={"c": "d"})
    assert batch.list_tags_for_resource(resourceArn=arn) == {"tags": {"a": "b", "c": "d"}}
    batch.create_consumable_resource(consumableResourceName="plain")
    described = batch.describe_consumable_resource(consumableResource="plain")
    assert (described["totalQuantity"], described["resourceType"]) == (0, "REPLENISHABLE")


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"totalQuantity": -1}, f"W: totalQuantity should be between 0 and {2**53}, got -1"),
        (
            {"resourceType": "ENDLESS"},
            "W: resourceType should be one of REPLENISHABLE, NON_REPLENISHABLE, got ENDLESS",
        ),
        (
            {"consumableResourceName": "a b"},
            "W: Consumable resource name should match valid pattern: 1 to 128 letters, digits, hyphens and underscores",
        ),
        ({"consumableResourceName": "taken"}, "W: Object already exists"),
    ],
)
def test_creation_refuses(batch: Batch, members: dict[str, Any], text: str) -> None:
    batch.create_consumable_resource(consumableResourceName="taken")
    assert batch.refusal("create_consumable_resource", **{"consumableResourceName": "x", **members}) == text


def test_updates_set_add_and_remove(batch: Batch) -> None:
    batch.create_consumable_resource(consumableResourceName="r", totalQuantity=5)
    answers = [
        batch.update_consumable_resource(consumableResource="r", operation=operation, quantity=quantity)
        for operation, quantity in (("ADD", 3), ("REMOVE", 7), ("SET", 4))
    ]
    assert [answer["totalQuantity"] for answer in answers] == [8, 1, 4]
    assert answers[0]["consumableResourceArn"] == batch.arn("consumable-resource", "r")
    for members, text in (
        ({"operation": "REMOVE", "quantity": 5}, "W: Cannot remove 5 of 4"),
        ({"operation": "DOUBLE", "quantity": 1}, "W: The operation should be one of SET, ADD, REMOVE, got DOUBLE"),
        ({"operation": "ADD"}, "W: A quantity is required with an operation"),
        ({"operation": "ADD", "quantity": -1}, f"W: quantity should be between 0 and {2**53}, got -1"),
        (
            {"operation": "ADD", "quantity": 1, "clientToken": "x" * 65},
            "W: clientToken: expected `str` of length <= 64",
        ),
    ):
        assert batch.refusal("update_consumable_resource", consumableResource="r", **members) == text
    refusal = batch.refusal("update_consumable_resource", consumableResource="no", operation="ADD", quantity=1)
    assert refusal == f"{batch.arn('consumable-resource', 'no')} does not exist"


def test_an_update_is_applied_once_for_its_token(batch: Batch) -> None:
    """For eight hours; then the token means another call."""
    batch.create_consumable_resource(consumableResourceName="r", totalQuantity=5)
    add = {"consumableResource": "r", "operation": "ADD", "quantity": 1, "clientToken": "t"}
    assert [batch.update_consumable_resource(**add)["totalQuantity"] for _ in range(2)] == [6, 6]
    refusal = batch.refusal("update_consumable_resource", **{**add, "quantity": 2})
    assert refusal == "The clientToken t was used for another update"
    batch.clock.jump_wall(8 * 3600 - 1)
    assert batch.update_consumable_resource(**add)["totalQuantity"] == 6
    batch.clock.jump_wall(2)
    assert batch.update_consumable_resource(**add)["totalQuantity"] == 7


def test_lists_are_filtered_by_name_and_paged(batch: Batch) -> None:
    for name in ("Bolt", "axle", "bolts", "nut"):
        batch.create_consumable_resource(consumableResourceName=name, totalQuantity=1)

    def names(**members: Any) -> list[list[str]]:
        pages = batch.client.get_paginator("list_consumable_resources").paginate(**members)
        return [[each["consumableResourceName"] for each in page["consumableResources"]] for page in pages]

    assert names() == [["Bolt", "axle", "bolts", "nut"]]
    assert names(PaginationConfig={"PageSize": 3}) == [["Bolt", "axle", "bolts"], ["nut"]]
    wanted = [{"name": "CONSUMABLE_RESOURCE_NAME", "values": ["BOLT*"]}]
    assert names(filters=wanted, PaginationConfig={"PageSize": 1}) == [["Bolt"], ["bolts"]]
    assert names(filters=[{"name": "CONSUMABLE_RESOURCE_NAME", "values": ["bolt"]}]) == [["Bolt"]]
    (first, *_) = batch.list_consumable_resources()["consumableResources"]
    assert first == {
        "consumableResourceArn": batch.arn("consumable-resource", "Bolt"),
        "consumableResourceName": "Bolt",
        "totalQuantity": 1,
        "inUseQuantity": 0,
        "resourceType": "REPLENISHABLE",
    }
    refusal = batch.refusal("list_consumable_resources", filters=[{"name": "NAME", "values": ["a"]}])
    assert refusal == "W: Only one filter can be given: CONSUMABLE_RESOURCE_NAME with one value"


def test_jobs_take_what_their_definition_says_unless_overridden(batch: Batch) -> None:
    set_up(batch, licence=5, token=9)
    given = takes(("licence", 2))
    arn = batch.definition(consumableResourceProperties=given)
    (described,) = batch.describe_job_definitions(jobDefinitions=[arn])["jobDefinitions"]
    assert described["consumableResourceProperties"] == given
    assert batch.job(batch.submit())["consumableResourceProperties"] == given
    override = takes((batch.arn("consumable-resource", "licence"), 3), ("token", 1))
    job = batch.job(batch.submit(consumableResourcePropertiesOverride=override))
    assert job["consumableResourceProperties"] == override
    batch.definition("plain")
    assert "consumableResourceProperties" not in batch.job(batch.submit(definition="plain"))


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        (
            takes(*((f"r{number}", 1) for number in range(6))),
            "consumableResourceList cannot have more than 5 entries, got 6",
        ),
        (
            {"consumableResourceList": [{"quantity": 1}]},
            "Each entry of consumableResourceList needs a consumableResource",
        ),
        (takes(("r", -1)), f"The quantity of consumable resource r should be between 0 and {2**53}"),
        (takes(("r", 1), ("r", 2)), "A consumable resource can be in consumableResourceList once only"),
    ],
)
def test_registration_and_submission_refuse(batch: Batch, properties: dict[str, Any], text: str) -> None:
    set_up(batch, r=1)
    batch.definition()
    container = {"image": "busybox", "resourceRequirements": [{"type": "VCPU", "value": "1"}]}
    refusal = batch.refusal(
        "register_job_definition",
        jobDefinitionName="d",
        type="container",
        containerProperties=container,
        consumableResourceProperties=properties,
    )
    assert refusal == f"W: {text}"
    members = {"jobName": "j", "jobQueue": "queue", "jobDefinition": "definition"}
    assert batch.refusal("submit_job", **members, consumableResourcePropertiesOverride=properties) == f"W: {text}"


def test_a_job_cannot_take_what_does_not_exist(batch: Batch) -> None:
    set_up(batch)
    batch.definition(consumableResourceProperties=takes(("no", 1)))
    refusal = batch.refusal("submit_job", jobName="j", jobQueue="queue", jobDefinition="definition")
    assert refusal == f"{batch.arn('consumable-resource', 'no')} does not exist"
    assert batch.list_jobs(jobQueue="queue", jobStatus="SUBMITTED") == {"jobSummaryList": []}


def test_what_attempts_hold_is_in_use(batch: Batch) -> None:
    """Children count each; a total below what is in use leaves nothing available."""
    set_up(batch, r=5)
    batch.definition(consumableResourceProperties=takes(("r", 2)))
    hold(batch, batch.submit())
    batch.submit()
    array = JobId(uuid=batch.submit(arrayProperties={"size": 3}))
    child = batch.read(lambda reader: reader.find_jobs(batch.scope, [array]))[array] + 1
    job = batch.read(lambda reader: reader.load_jobs([child]))[child]
    batch.write(lambda tx: tx.insert_attempts([an_attempt(job)]))

    def quantities() -> tuple[int, ...]:
        found = batch.describe_consumable_resource(consumableResource="r")
        (listed,) = batch.list_consumable_resources()["consumableResources"]
        assert listed["inUseQuantity"] == found["inUseQuantity"]
        return found["totalQuantity"], found["inUseQuantity"], found["availableQuantity"]

    assert quantities() == (5, 4, 1)
    batch.update_consumable_resource(consumableResource="r", operation="SET", quantity=3)
    assert quantities() == (3, 4, 0)


def test_a_resource_that_jobs_wait_for_is_not_deleted(batch: Batch) -> None:
    set_up(batch, r=5, other=1)
    batch.definition(consumableResourceProperties=takes(("r", 2)))
    batch.submit()
    refusal = batch.refusal("delete_consumable_resource", consumableResource="r")
    assert refusal == "Cannot delete, jobs that have not ended require consumable resource r"
    assert batch.delete_consumable_resource(consumableResource="other") == {}
    refusal = batch.refusal("delete_consumable_resource", consumableResource="other")
    assert refusal == f"{batch.arn('consumable-resource', 'other')} does not exist"


def test_jobs_by_resource(batch: Batch) -> None:
    """Newest first, by status and by name, array parents but not their children."""
    set_up(batch, r=5, other=1)
    definition = batch.definition(consumableResourceProperties=takes(("r", 2)))
    alpha, beta = batch.submit("Alpha"), batch.submit("beta", arrayProperties={"size": 2})
    batch.submit("gamma", consumableResourcePropertiesOverride=takes(("r", 1), ("other", 1)))

    def names(**members: Any) -> list[str]:
        found = batch.list_jobs_by_consumable_resource(consumableResource="r", **members)
        return [job["jobName"] for job in found["jobs"]]

    assert names() == ["gamma", "beta", "Alpha"]
    assert names(filters=[{"name": "JOB_NAME", "values": ["ALPHA"]}]) == ["Alpha"]
    assert names(filters=[{"name": "JOB_NAME", "values": ["b*"]}]) == ["beta"]
    assert names(filters=[{"name": "JOB_STATUS", "values": ["RUNNING", "RUNNABLE"]}]) == []
    both = [{"name": "JOB_STATUS", "values": ["SUBMITTED"]}, {"name": "JOB_NAME", "values": ["*a"]}]
    assert names(filters=both) == []
    pages = list(
        batch.client.get_paginator("list_jobs_by_consumable_resource").paginate(
            consumableResource=batch.arn("consumable-resource", "r"), PaginationConfig={"PageSize": 2}
        )
    )
    assert [[job["jobName"] for job in page["jobs"]] for page in pages] == [["gamma", "beta"], ["Alpha"]]
    assert pages[1]["jobs"] == [
        {
            "jobArn": batch.arn("job", alpha),
            "jobQueueArn": batch.arn("job-queue", "queue"),
            "jobName": "Alpha",
            "jobDefinitionArn": definition,
            "jobStatus": "SUBMITTED",
            "quantity": 2,
            "createdAt": NOW_MS,
            "consumableResourceProperties": takes(("r", 2)),
        }
    ]
    assert beta
    refusal = batch.refusal(
        "list_jobs_by_consumable_resource",
        consumableResource="r",
        filters=[{"name": "JOB_STATUS", "values": ["LOST"]}],
    )
    assert refusal == f"W: JOB_STATUS should be one of {', '.join(JobStatus)}, got LOST"
    refusal = batch.refusal("list_jobs_by_consumable_resource", consumableResource="no")
    assert refusal == f"{batch.arn('consumable-resource', 'no')} does not exist"
