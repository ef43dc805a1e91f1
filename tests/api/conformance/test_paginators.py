"""botocore's paginators walk every list that has pages, whole and without repeats."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.paginate import PageIterator, Paginator

from tests.api.conformance.gaps import expected
from tests.api.conformance.model import OPERATIONS, PAGINATORS, operation_model
from tests.api.conformance.world import ON_FARGATE, World

COUNT, SIZE = 5, 2


def _environments(world: World, index: int) -> dict[str, Any]:
    members = {"computeEnvironmentName": f"e{index}", "type": "MANAGED", "computeResources": ON_FARGATE}
    world.make("CreateComputeEnvironment", **members, state="DISABLED")
    return {}


def _queues(world: World, index: int) -> dict[str, Any]:
    order = world.order(world.environment)
    world.make("CreateJobQueue", jobQueueName=f"q{index}", priority=1, computeEnvironmentOrder=order)
    return {}


def _definitions(world: World, index: int) -> dict[str, Any]:
    world.register(f"d{index // 2}")
    return {}


def _jobs(world: World, index: int) -> dict[str, Any]:
    world.submit(f"j{index}")
    world.settle()
    return {"jobQueue": world.queue, "jobStatus": "RUNNABLE"}


def _policies(world: World, index: int) -> dict[str, Any]:
    world.make("CreateSchedulingPolicy", name=f"p{index}", fairsharePolicy={})
    return {}


def _consumables(world: World, index: int) -> dict[str, Any]:
    world.make("CreateConsumableResource", consumableResourceName=f"c{index}", totalQuantity=1)
    return {}


def _consumers(world: World, index: int) -> dict[str, Any]:
    wanted = [{"consumableResource": world.consumable, "quantity": 1}]
    world.submit(f"j{index}", consumableResourcePropertiesOverride={"consumableResourceList": wanted})
    return {"consumableResource": world.consumable}


def _service_environments(world: World, index: int) -> dict[str, Any]:
    limits = [{"maxCapacity": 1, "capacityUnit": "NUM_INSTANCES"}]
    members = {"serviceEnvironmentName": f"s{index}", "serviceEnvironmentType": "SAGEMAKER_TRAINING"}
    world.make("CreateServiceEnvironment", **members, capacityLimits=limits)
    return {}


def _service_jobs(world: World, index: int) -> dict[str, Any]:
    world.submit_service_job(f"j{index}")
    world.settle()
    return {"jobQueue": world.service_queue, "jobStatus": "RUNNABLE"}


def _shares(world: World, index: int) -> dict[str, Any]:
    world.make(
        "CreateQuotaShare",
        quotaShareName=f"s{index}",
        jobQueue=world.quota_queue,
        capacityLimits=[{"maxCapacity": 1, "capacityUnit": "ml.m5.large"}],
        resourceSharingConfiguration={"strategy": "RESERVE"},
        preemptionConfiguration={"inSharePreemption": "DISABLED"},
    )
    return {"jobQueue": world.quota_queue}


#: Operation to what makes one more entry of its list; it returns the request that lists them all.
ENTRIES: Mapping[str, Callable[[World, int], dict[str, Any]]] = {
    "DescribeComputeEnvironments": _environments,
    "DescribeJobDefinitions": _definitions,
    "DescribeJobQueues": _queues,
    "DescribeServiceEnvironments": _service_environments,
    "ListConsumableResources": _consumables,
    "ListJobs": _jobs,
    "ListJobsByConsumableResource": _consumers,
    "ListQuotaShares": _shares,
    "ListSchedulingPolicies": _policies,
    "ListServiceJobs": _service_jobs,
}


def _fill(world: World, operation: str) -> dict[str, Any]:
    (request,) = {
        str(members): members for members in (ENTRIES[operation](world, index) for index in range(COUNT))
    }.values()
    return request


def pages(world: World, operation: str, request: dict[str, Any]) -> PageIterator:
    """What botocore makes of the operation's pages."""

    def call(**members: Any) -> Any:
        reply = world.ask(operation, members)
        assert reply.status == 200, reply.message
        assert not reply.faults, reply.faults
        return reply.body

    return Paginator(call, PAGINATORS[operation], operation_model(operation)).paginate(
        **request, PaginationConfig={"PageSize": SIZE}
    )


def test_every_list_with_pages_is_known() -> None:
    """Those that botocore has a paginator for, and those that take a token."""
    by_token = [name for name in OPERATIONS if "nextToken" in operation_model(name).input_shape.members]
    assert sorted(ENTRIES) == sorted(PAGINATORS) == sorted(by_token)


@pytest.mark.parametrize("operation", expected(PAGINATORS, "rules"))
def test_pages_hold_all_entries_once(world: World, operation: str) -> None:
    request = _fill(world, operation)
    world.settle()
    result = PAGINATORS[operation]["result_key"]
    paged = [page[result] for page in pages(world, operation, request)]
    whole = world.make(operation, **request)
    assert "nextToken" not in whole
    for entry in [*whole[result], *(entry for page in paged for entry in page)]:
        entry.pop("statusReason", None)  # why a job waits is told a moment later
    assert [entry for page in paged for entry in page] == whole[result]
    made = COUNT + (operation == "DescribeComputeEnvironments" and "environment" in vars(world))
    assert [len(page) for page in paged] == [SIZE, SIZE, made - 2 * SIZE]
    assert len({str(entry) for entry in whole[result]}) == made


@pytest.mark.parametrize("operation", expected(PAGINATORS, "rules"))
def test_a_token_is_good_for_its_own_call_only(world: World, operation: str) -> None:
    """Cut, made up, or from a call with another list or in another region, it is a ClientException."""
    request = _fill(world, operation)
    token = world.make(operation, **request, maxResults=SIZE)["nextToken"]
    other_list = "DescribeJobDefinitions" if operation != "DescribeJobDefinitions" else "DescribeComputeEnvironments"
    other_world = World(wire=world.wire)
    _fill(other_world, operation)
    wrong = {
        "made up": (world, operation, request, "token"),
        "empty": (world, operation, request, ""),
        "cut": (world, operation, request, token[:-4]),
        "of another operation": (world, other_list, {}, token),
        "of another region": (other_world, operation, request, token),
    }
    for what, (where, asked, members, sent) in wrong.items():
        reply = where.ask(asked, members | {"nextToken": sent})
        assert (reply.status, reply.error) == (400, "ClientException"), what
        assert "nextToken" in reply.message, what
    assert world.make(operation, **request, maxResults=SIZE, nextToken=token)


@pytest.mark.parametrize("operation", expected(PAGINATORS, "rules"))
@pytest.mark.parametrize("size", [0, -1, 101])
def test_a_page_has_a_least_and_a_most(world: World, operation: str, size: int) -> None:
    """1 to 100; ListJobs, whose pages may be larger, gives as many as it will."""
    request = _fill(world, operation)
    reply = world.ask(operation, request | {"maxResults": size})
    if operation == "ListJobs" and size > 0:
        assert reply.status == 200
    else:
        assert (reply.status, reply.error) == (400, "ClientException")
        assert "maxresults" in reply.message.lower()
        assert not reply.is_not_built
