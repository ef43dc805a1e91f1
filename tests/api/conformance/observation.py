"""What can be seen of a world after a request, in a form in which two worlds can be compared."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.api.conformance.wire import Reply
from tests.api.conformance.world import World

_IDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}")
_FIRST_TIME_MS = 10**12
_READS = ("Describe", "List", "Get")


def observe(world: World, reply: Reply, *, is_changed: bool = False) -> Any:
    """The answer, and after a change all resources of its kind as they are described.

    Where the request is not as it was meant (`is_changed`), the jobs that it was to end need not end.
    """
    world.is_patient = not is_changed
    seen = [reply.body]
    if not reply.operation.startswith(_READS):
        look = next(look for part, look in _LOOKS.items() if part in reply.operation)
        seen.append(look(world, reply.operation))
    return comparable(seen, world.region)


def _describe(operation: str) -> Callable[[World, str], Any]:
    return lambda world, _: world.make(operation)


def _jobs(world: World, operation: str) -> Any:
    world.settle(operation)
    return world.jobs


def _policies(world: World, _: str) -> Any:
    arns = [each["arn"] for each in world.make("ListSchedulingPolicies")["schedulingPolicies"]]
    return world.make("DescribeSchedulingPolicies", arns=arns) if arns else []


def _consumables(world: World, _: str) -> Any:
    listed = world.make("ListConsumableResources")["consumableResources"]
    return [
        world.make("DescribeConsumableResource", consumableResource=each["consumableResourceArn"]) for each in listed
    ]


def _shares(world: World, _: str) -> Any:
    listed = world.make("ListQuotaShares", jobQueue=world.quota_queue)["quotaShares"]
    return [world.make("DescribeQuotaShare", quotaShareArn=each["quotaShareArn"]) for each in listed]


#: Part of an operation's name to what shows its effect; the first that fits counts.
_LOOKS: Mapping[str, Callable[[World, str], Any]] = {
    "ComputeEnvironment": _describe("DescribeComputeEnvironments"),
    "JobQueue": _describe("DescribeJobQueues"),
    "JobDefinition": _describe("DescribeJobDefinitions"),
    "SchedulingPolicy": _policies,
    "ConsumableResource": _consumables,
    "ServiceEnvironment": _describe("DescribeServiceEnvironments"),
    "QuotaShare": _shares,
    "agResource": _describe("DescribeJobQueues"),
    "Job": _jobs,
}


def comparable(value: Any, region: str) -> Any:
    """Without what differs from one world to another: times, ids, tokens, and how far a waiting job has come."""
    match value:
        case dict():
            kept = {key: comparable(inner, region) for key, inner in value.items() if key != "nextToken"}
            if "nextToken" in value:
                kept["nextToken"] = "there is more"
            for member in ("status", "jobStatus"):
                if value.get(member) in ("SUBMITTED", "PENDING", "RUNNABLE"):
                    kept |= {member: "waiting", "statusReason": "", "statusSummary": {}}
            return {key: inner for key, inner in kept.items() if key != "statusSummary"}
        case list():
            return [comparable(inner, region) for inner in value]
        case str():
            return _IDS.sub("ID", value.replace(region, "REGION"))
        case int() if value > _FIRST_TIME_MS:
            return "a time"
        case _:
            return value
