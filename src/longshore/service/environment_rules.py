"""Rules on the capacity of a compute environment. Source: AWS Batch API, ComputeResource and ComputeResourceUpdate.

Capacity is kept as it was given, by wire names: `resources` here is that JSON object. We act on `type` and `maxvCpus`
alone; the rest is checked, stored and shown, so that clients which compare what they sent find it again.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from longshore.domain.environment import FARGATE_TYPES, MANAGED_INSTANCES
from longshore.domain.errors import InvalidRequest
from longshore.service.managed_instances import OWN_MEMBERS, PROVIDER, check_managed_instances, merge_provider
from longshore.service.pod_rules import check_namespace
from longshore.service.refusals import invalid

#: Nor on managed instances, whose launch template says as much of them as can be said.
_NOT_ON_FARGATE = (
    "allocationStrategy",
    "bidPercentage",
    "desiredvCpus",
    "imageId",
    "instanceTypes",
    "ec2Configuration",
    "ec2KeyPair",
    "instanceRole",
    "launchTemplate",
    "minvCpus",
    "placementGroup",
    "spotIamFleetRole",
    "tags",
    "scalingPolicy",
)
#: What may change of an environment whose instances stay as they are. Source: AWS Batch user guide, scaling updates.
_SCALING_MEMBERS = frozenset({"desiredvCpus", "maxvCpus", "minvCpus", "scalingPolicy"})
_CLUSTER_ARN = re.compile(r"arn:aws[a-z-]*:eks:[a-z0-9-]+:[0-9]{12}:cluster/[0-9A-Za-z][A-Za-z0-9_-]{0,99}")
#: Members that an empty text or list removes.
_REMOVABLE = frozenset({"ec2KeyPair", "imageId", "ec2Configuration", "subnets", "securityGroupIds"})
_LARGEST_DELAY_MINUTES = 10_080
_MOST_OVERRIDES = 10
#: Instance types that stand for many, of one processor architecture each.
_BUNDLES = {"optimal": "x86_64", "default_x86_64": "x86_64", "default_arm64": "arm64"}
#: A family whose letters behind the generation hold a `g` has Graviton processors; so has the first of all.
_ARM_FAMILY = re.compile(r"[a-z-]+[0-9]+[a-z]*g|a1\b")
_TEMPLATE_VERSION = re.compile(r"[0-9]+|\$Default|\$Latest", re.ASCII)
_LINKED_ROLE = "AWSServiceRoleForBatch"


def check_resources(resources: Mapping[str, Any]) -> None:
    """Raises InvalidRequest for capacity that AWS Batch would not take."""
    kind: str = resources["type"]
    if resources["maxvCpus"] < 0:
        raise invalid("Resource maxvCpus should be at least 0.")
    if kind == MANAGED_INSTANCES:
        _refuse(resources, _NOT_ON_FARGATE, kind)
        check_managed_instances(resources)
        return
    _refuse(resources, OWN_MEMBERS, f"the type {kind}")
    if kind in FARGATE_TYPES:
        _check_fargate(resources)
    else:
        _check_instances(resources, kind)


def check_cluster(configuration: Mapping[str, Any] | None, resources: Mapping[str, Any]) -> None:
    """Raises InvalidRequest for an EKS cluster, or for none, that does not go with the capacity."""
    images: Sequence[Mapping[str, Any]] = resources.get("ec2Configuration", ())
    if configuration is None:
        if any("imageKubernetesVersion" in image or image["imageType"].startswith("EKS_") for image in images):
            raise invalid("Images of Amazon EKS are for compute environments with an eksConfiguration only.")
        return
    if resources["type"] not in ("EC2", "SPOT"):
        raise invalid("eksConfiguration is for EC2 and SPOT compute environments only.")
    if not _CLUSTER_ARN.fullmatch(configuration["eksClusterArn"]):
        raise invalid(
            f"eksClusterArn should be the ARN of an Amazon EKS cluster, got {configuration['eksClusterArn'][:100]}"
        )
    check_namespace(configuration["kubernetesNamespace"])
    if "allocationStrategy" not in resources:
        raise invalid("Resource allocationStrategy is required for a compute environment with an eksConfiguration.")
    if any(image["imageType"].startswith("ECS_") for image in images):
        raise invalid("Images of Amazon ECS are for compute environments without an eksConfiguration only.")


def _refuse(resources: Mapping[str, Any], members: Sequence[str], what: str) -> None:
    for member in members:
        if resources.get(member) not in (None, [], {}):
            raise invalid(f"{member} is not applicable for {what}.")


def _check_fargate(resources: Mapping[str, Any]) -> None:
    _refuse(resources, _NOT_ON_FARGATE, "Fargate")
    for member, most in (("subnets", 16), ("securityGroupIds", 5)):
        if not 1 <= len(resources.get(member, ())) <= most:
            raise invalid(f"Fargate needs 1 to {most} {member}.")


def _check_instances(resources: Mapping[str, Any], kind: str) -> None:
    role: str | None = resources.get("instanceRole")
    if not role:
        raise invalid("Instance role is required.")
    if role.startswith("arn:") and ":role/" in role:
        raise InvalidRequest("ECS Instance Role should be an ECS Instance Profile ARN")
    if "minvCpus" not in resources:
        raise invalid("Resource minvCpus is required.")
    types: Sequence[str] = resources.get("instanceTypes", ())
    if not types:
        raise invalid("Resource instanceTypes is required.")
    if len({_architecture(each) for each in types}) > 1:
        raise invalid("The instanceTypes of a compute environment should all have one processor architecture.")
    least, most = resources["minvCpus"], resources["maxvCpus"]
    desired = resources.get("desiredvCpus", least)
    if not 0 <= least <= desired <= most:
        raise invalid("Resource desiredvCpus should be between minvCpus and maxvCpus, and minvCpus at least 0.")
    strategy = resources.get("allocationStrategy", "BEST_FIT")
    if kind == "SPOT":
        if strategy == "BEST_FIT" and not resources.get("spotIamFleetRole"):
            raise InvalidRequest("ComputeResources.spotIamFleetRole cannot not be null or empty")
    elif strategy.startswith("SPOT_"):
        raise invalid(f"The allocation strategy {strategy} is for SPOT only.")
    if len(resources.get("ec2Configuration", ())) > 2:
        raise invalid("ec2Configuration cannot have more than 2 entries.")
    delay = resources.get("scalingPolicy", {}).get("minScaleDownDelayMinutes", 0)
    if delay != 0 and not 20 <= delay <= _LARGEST_DELAY_MINUTES:
        raise invalid(f"minScaleDownDelayMinutes should be 0 or between 20 and {_LARGEST_DELAY_MINUTES}.")
    if "launchTemplate" in resources:
        _check_template(resources["launchTemplate"], types)


def architecture_of(document: Mapping[str, Any]) -> str | None:
    """The processor architecture of an environment's instances; None where it says nothing of them."""
    types: Sequence[str] = document.get("computeResources", {}).get("instanceTypes", ())
    return _architecture(types[0]) if types else None


def _architecture(instance_type: str) -> str:
    return _BUNDLES.get(instance_type) or ("arm64" if _ARM_FAMILY.match(instance_type) else "x86_64")


def _check_template(template: Mapping[str, Any], types: Sequence[str]) -> None:
    """Source: AWS Batch API, LaunchTemplateSpecification and LaunchTemplateSpecificationOverride."""
    overrides: Sequence[Mapping[str, Any]] = template.get("overrides", ())
    for each, what in ((template, "launchTemplate"), *((each, "launchTemplate.overrides") for each in overrides)):
        if ("launchTemplateId" in each) == ("launchTemplateName" in each):
            raise invalid(f"{what} needs either launchTemplateId or launchTemplateName.")
        if not _TEMPLATE_VERSION.fullmatch(each.get("version") or "$Default"):
            raise invalid(f"The version of {what} should be a number, $Default or $Latest.")
    if len(overrides) > _MOST_OVERRIDES:
        raise invalid(f"launchTemplate cannot have more than {_MOST_OVERRIDES} overrides.")
    targets = [target for each in overrides for target in each.get("targetInstanceTypes", ())]
    if not all(each.get("targetInstanceTypes") for each in overrides):
        raise invalid("launchTemplate.overrides need targetInstanceTypes.")
    for target in targets:
        is_among = _BUNDLES.keys() & set(types) or any(_covers(each, target) for each in types)
        if target in _BUNDLES or not is_among:
            raise invalid(f"targetInstanceTypes should be types or families of instanceTypes, got {target[:100]}")
    for one, other in combinations(targets, 2):
        if _covers(one, other) or _covers(other, one):
            raise invalid(f"targetInstanceTypes cannot overlap: {one[:100]} and {other[:100]}")


def _covers(wide: str, narrow: str) -> bool:
    """Whether instance type or family `wide` holds `narrow`."""
    return wide == narrow or narrow.startswith(f"{wide}.")


def check_role_change(role: str | None, changed: str | None) -> None:
    """Raises InvalidRequest for a change between the service-linked role, which is also the default, and another."""
    if _is_linked(role) != _is_linked(changed):
        raise invalid("The serviceRole cannot change between the service-linked role and another role.")


def _is_linked(role: str | None) -> bool:
    return not role or role.rpartition("/")[2] == _LINKED_ROLE


def merge_resources(resources: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`resources` after an update; members that `changes` does not hold stay.

    Raises:
        InvalidRequest: the update would scale down by hand, or turn one family into another.
    """
    fargate = resources["type"] in FARGATE_TYPES
    types = {resources["type"], changes.get("type", resources["type"])}
    if len(types) > 1 and types != {"EC2", "SPOT"}:
        raise invalid("The type of a compute environment can change between EC2 and SPOT only.")
    desired = changes.get("desiredvCpus")
    if desired is not None and desired < resources.get("desiredvCpus", resources.get("minvCpus", 0)):
        raise invalid(
            "Manually scaling down compute environment is not supported. Disconnecting job queues from compute "
            "environment will cause it to scale-down to minvCpus"
        )
    replaces_instances = changes.keys() - _SCALING_MEMBERS and not fargate and resources["type"] != MANAGED_INSTANCES
    if replaces_instances and resources.get("allocationStrategy", "BEST_FIT") == "BEST_FIT":
        raise invalid(
            f"A compute environment with the allocation strategy BEST_FIT cannot be updated in "
            f"{', '.join(sorted(changes.keys() - _SCALING_MEMBERS))}."
        )
    merged = {**resources}
    for member, value in changes.items():
        if member == "updateToLatestImageVersion":
            continue  # It asks for something once and is not kept.
        if member == PROVIDER and member in resources:
            merged[member] = merge_provider(resources[member], value)
        elif member == "launchTemplate" and not _names_template(value):
            merged.pop(member, None)
        elif member in _REMOVABLE and not value:
            if not fargate:
                merged.pop(member, None)
        else:
            merged[member] = value
    # Left out, the desired capacity stays what it was, within the new bounds.
    if "desiredvCpus" in merged and desired is None:
        merged["desiredvCpus"] = max(merged.get("minvCpus", 0), min(merged["desiredvCpus"], merged["maxvCpus"]))
    return merged


def _names_template(template: Mapping[str, Any]) -> bool:
    return bool(template.get("launchTemplateId") or template.get("launchTemplateName"))
