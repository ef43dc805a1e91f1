"""Job definitions of several containers and nodes, as clients write them."""

from typing import Any

from tests.api.batch_service import SMALL

ROLE = "arn:aws:iam::111122223333:role/x"


def pair(vcpus: str, memory: str) -> list[dict[str, str]]:
    return [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}]


def a_task_container(name: str = "main", **members: Any) -> dict[str, Any]:
    return {"name": name, "image": "busybox", "resourceRequirements": SMALL, **members}


def a_task(*containers: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"taskProperties": [{"containers": list(containers) or [a_task_container()], **members}]}


def a_pod_container(name: str = "main", **members: Any) -> dict[str, Any]:
    return {
        "name": name,
        "image": "busybox",
        "resources": {"limits": {"cpu": "0.5", "memory": "64Mi"}},
        **members,
    }


def a_pod(*containers: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"podProperties": {"containers": list(containers) or [a_pod_container()], **members}}


def a_range(targets: str, **members: Any) -> dict[str, Any]:
    if not members:
        members = {"container": {"image": "busybox", "resourceRequirements": SMALL}}
    return {"targetNodes": targets, **members}


def of_nodes(num_nodes: int, *ranges: dict[str, Any], main: int = 0) -> dict[str, Any]:
    return {"numNodes": num_nodes, "mainNode": main, "nodeRangeProperties": list(ranges) or [a_range("0:")]}
