"""Requests on compute environments, job queues, policies, consumable resources and tags that are carried out."""

from typing import Any

from tests.api.conformance.world import MANAGED_INSTANCES, ON_EC2, ON_FARGATE, World, example

TEMPLATE = {
    "launchTemplateId": "lt-1",
    "version": "$Latest",
    "userdataType": "EKS_NODEADM",
    "overrides": [
        {
            "launchTemplateName": "other-template",
            "version": "7",
            "targetInstanceTypes": ["c5.large"],
            "userdataType": "EKS_BOOTSTRAP_SH",
        },
        {"launchTemplateId": "lt-2", "targetInstanceTypes": ["c5.xlarge"]},
    ],
}


def _created(kind: str, **members: Any) -> dict[str, Any]:
    return {"computeEnvironmentName": "new", "type": kind, **members}


@example("CreateComputeEnvironment")
def unmanaged(world: World) -> dict[str, Any]:
    return _created(
        "UNMANAGED",
        state="DISABLED",
        unmanagedvCpus=4,
        serviceRole="arn:aws:iam::000000000000:role/batch",
        tags={"made": "by hand"},
        context="reserved",
        ecsSettings={"containerInsights": "ENHANCED"},
    )


@example("CreateComputeEnvironment")
def on_spot(world: World) -> dict[str, Any]:
    resources = {
        **ON_EC2,
        "type": "SPOT",
        "allocationStrategy": "SPOT_CAPACITY_OPTIMIZED",
        "minvCpus": 1,
        "desiredvCpus": 2,
        "instanceTypes": ["c5"],
        "imageId": "ami-1",
        "ec2KeyPair": "key-pair",
        "tags": {"Name": "instance"},
        "placementGroup": "group",
        "bidPercentage": 80,
        "spotIamFleetRole": "arn:aws:iam::000000000000:role/fleet",
        "launchTemplate": TEMPLATE,
        "ec2Configuration": [{"imageType": "ECS_AL2", "imageIdOverride": "ami-2", "batchImageStatus": "LATEST"}],
        "scalingPolicy": {"minScaleDownDelayMinutes": 30},
    }
    return _created("MANAGED", computeResources=resources)


@example("CreateComputeEnvironment")
def on_named_template(world: World) -> dict[str, Any]:
    template = {"launchTemplateName": "template", "version": "3"}
    return _created("MANAGED", computeResources={**ON_EC2, "launchTemplate": template})


@example("CreateComputeEnvironment")
def on_fargate(world: World) -> dict[str, Any]:
    return _created("MANAGED", computeResources=ON_FARGATE)


@example("CreateComputeEnvironment")
def on_eks(world: World) -> dict[str, Any]:
    eks = {
        "eksClusterArn": "arn:aws:eks:us-east-1:000000000000:cluster/cluster",
        "kubernetesNamespace": "batch-jobs",
        "accessEntry": {"desiredState": "ENABLED", "status": "ACTIVE"},
    }
    images = [{"imageType": "EKS_AL2023", "imageKubernetesVersion": "1.31"}]
    resources = {**ON_EC2, "allocationStrategy": "BEST_FIT_PROGRESSIVE", "ec2Configuration": images}
    return _created("MANAGED", computeResources=resources, eksConfiguration=eks)


@example("CreateComputeEnvironment")
def on_managed_instances(world: World) -> dict[str, Any]:
    return _created("MANAGED", computeResources=MANAGED_INSTANCES)


@example("UpdateComputeEnvironment")
def update_unmanaged(world: World) -> dict[str, Any]:
    return {
        "computeEnvironment": world.environment,
        "state": "ENABLED",
        "unmanagedvCpus": 7,
        "context": "changed",
        "ecsSettings": {"containerInsights": "ENABLED"},
    }


@example("UpdateComputeEnvironment")
def update_managed(world: World) -> dict[str, Any]:
    resources = {
        "minvCpus": 2,
        "maxvCpus": 16,
        "desiredvCpus": 3,
        "subnets": ["subnet-2"],
        "securityGroupIds": ["sg-2"],
        "allocationStrategy": "BEST_FIT_PROGRESSIVE",
        "instanceTypes": ["c5"],
        "ec2KeyPair": "other-key",
        "instanceRole": "otherInstanceRole",
        "tags": {"Name": "other"},
        "placementGroup": "other-group",
        "bidPercentage": 70,
        "launchTemplate": TEMPLATE,
        "ec2Configuration": [{"imageType": "ECS_AL2", "imageIdOverride": "ami-2", "batchImageStatus": "LATEST"}],
        "updateToLatestImageVersion": True,
        "imageId": "ami-3",
        "scalingPolicy": {"minScaleDownDelayMinutes": 40},
    }
    return {
        "computeEnvironment": world.arn("compute-environment", world.managed),
        "computeResources": resources,
        "serviceRole": "otherServiceRole",
        "updatePolicy": {"terminateJobsOnUpdate": True, "jobExecutionTimeoutMinutes": 60},
    }


@example("UpdateComputeEnvironment")
def update_to_spot(world: World) -> dict[str, Any]:
    resources = {
        "type": "SPOT",
        "allocationStrategy": "SPOT_CAPACITY_OPTIMIZED",
        "launchTemplate": {"launchTemplateName": "template"},
    }
    return {"computeEnvironment": world.managed, "computeResources": resources}


@example("UpdateComputeEnvironment")
def update_on_eks(world: World) -> dict[str, Any]:
    return {
        "computeEnvironment": world.eks,
        "computeResources": {"ec2Configuration": [{"imageType": "EKS_AL2023", "imageKubernetesVersion": "1.32"}]},
        "eksConfiguration": {"accessEntry": {"desiredState": "ENABLED", "status": "ACTIVE"}},
    }


@example("UpdateComputeEnvironment")
def update_managed_instances(world: World) -> dict[str, Any]:
    given = MANAGED_INSTANCES["managedInstancesProvider"]["instanceLaunchTemplate"]
    template = {
        "ec2InstanceProfileArn": "arn:aws:iam::000000000000:instance-profile/other",
        "networkConfiguration": {"subnets": ["subnet-2"], "securityGroups": ["sg-2"]},
        "instanceRequirements": {"allowedInstanceTypes": ["m6i.*"]},
        "storageConfiguration": {"storageSizeGiB": 60},
        "monitoring": "BASIC",
        "capacityReservations": {**given["capacityReservations"], "reservationPreference": "RESERVATIONS_ONLY"},
        "instanceMetadataTagsPropagation": False,
        "localStorageConfiguration": {"useLocalStorage": False},
    }
    provider = {
        "propagateTags": "NONE",
        "infrastructureRoleArn": "arn:aws:iam::000000000000:role/other",
        "instanceLaunchTemplate": template,
        "infrastructureOptimization": {"scaleInAfter": 240},
    }
    resources = {"managedInstancesProvider": provider, "capacityTags": {"capacity": "other"}}
    return {"computeEnvironment": world.managed_instances, "computeResources": resources}


@example("DeleteComputeEnvironment")
def delete_environment(world: World) -> dict[str, Any]:
    return {"computeEnvironment": world.environment}


@example("DescribeComputeEnvironments")
def describe_environments(world: World) -> dict[str, Any]:
    assert world.managed, "made, so that it is there"
    return {"computeEnvironments": [world.environment]}


@example("DescribeComputeEnvironments")
def describe_first_environments(world: World) -> dict[str, Any]:
    return first_page(world, "DescribeComputeEnvironments", [world.environment, world.managed, world.fargate])


def first_page(world: World, operation: str, made: list[str], **members: Any) -> dict[str, Any]:
    """A request for the second page of a list of `made`, one to a page; there is a third.

    In haste they may not be in the list yet, or not any more; then there is no such page.
    """
    assert len(made) == 3
    page = world.make(operation, maxResults=1, **members)
    token = page.get("nextToken", "none") if world.is_hasty else page["nextToken"]
    return {"maxResults": 1, "nextToken": token, **members}


ACTION = {
    "reason": "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    "state": "RUNNABLE",
    "maxTimeSeconds": 700,
    "action": "CANCEL",
}


@example("CreateJobQueue")
def queue(world: World) -> dict[str, Any]:
    return {
        "jobQueueName": "new",
        "priority": 7,
        "state": "DISABLED",
        "computeEnvironmentOrder": world.order(world.environment),
        "jobQueueType": "ECS",
        "tags": {"team": "a"},
        "jobStateTimeLimitActions": [ACTION],
    }


@example("CreateJobQueue")
def shared_queue(world: World) -> dict[str, Any]:
    return {
        "jobQueueName": "new",
        "priority": 1,
        "computeEnvironmentOrder": world.order(world.environment),
        "schedulingPolicyArn": world.policy,
    }


@example("CreateJobQueue")
def service_queue(world: World) -> dict[str, Any]:
    return {
        "jobQueueName": "new",
        "priority": 1,
        "jobQueueType": "SAGEMAKER_TRAINING",
        "serviceEnvironmentOrder": [{"order": 1, "serviceEnvironment": world.service_environment}],
        "jobStateTimeLimitActions": [ACTION | {"action": "TERMINATE"}],
    }


@example("UpdateJobQueue")
def update_queue(world: World) -> dict[str, Any]:
    return {
        "jobQueue": world.queue,
        "state": "DISABLED",
        "priority": 9,
        "computeEnvironmentOrder": [{"order": 5, "computeEnvironment": world.managed}],
        "jobStateTimeLimitActions": [ACTION],
    }


@example("UpdateJobQueue")
def update_policy_of_queue(world: World) -> dict[str, Any]:
    other = world.make("CreateSchedulingPolicy", name="other", fairsharePolicy={"computeReservation": 5})["arn"]
    return {"jobQueue": world.arn("job-queue", world.shared_queue), "schedulingPolicyArn": other}


@example("UpdateJobQueue")
def update_service_queue(world: World) -> dict[str, Any]:
    world.make(
        "CreateServiceEnvironment",
        serviceEnvironmentName="second",
        serviceEnvironmentType="SAGEMAKER_TRAINING",
        capacityLimits=[{"maxCapacity": 1, "capacityUnit": "NUM_INSTANCES"}],
        state="DISABLED",
    )
    return {
        "jobQueue": world.service_queue,
        "serviceEnvironmentOrder": [{"order": 2, "serviceEnvironment": "second"}],
    }


@example("DeleteJobQueue")
def delete_queue(world: World) -> dict[str, Any]:
    world.make("UpdateJobQueue", jobQueue=world.queue, state="DISABLED")
    return {"jobQueue": world.queue}


@example("DescribeJobQueues")
def describe_queues(world: World) -> dict[str, Any]:
    three_queues(world)
    return {"jobQueues": [world.queue]}


@example("DescribeJobQueues")
def describe_first_queues(world: World) -> dict[str, Any]:
    return first_page(world, "DescribeJobQueues", three_queues(world))


def three_queues(world: World) -> list[str]:
    order = world.order(world.environment)
    for name in ("second", "third"):
        world.make("CreateJobQueue", jobQueueName=name, priority=2, computeEnvironmentOrder=order)
    return [world.queue, "second", "third"]


@example("TagResource")
def tag(world: World) -> dict[str, Any]:
    return {"resourceArn": world.arn("job-queue", world.queue), "tags": {"team": "b"}}


@example("UntagResource")
def untag(world: World) -> dict[str, Any]:
    arn = world.arn("job-queue", world.queue)
    world.make("TagResource", resourceArn=arn, tags={"team": "b", "kept": "yes"})
    return {"resourceArn": arn, "tagKeys": ["team"]}


@example("ListTagsForResource")
def list_tags(world: World) -> dict[str, Any]:
    arn = world.arn("job-queue", world.queue)
    world.make("TagResource", resourceArn=arn, tags={"team": "b"})
    return {"resourceArn": arn}


@example("CreateSchedulingPolicy")
def fair_share(world: World) -> dict[str, Any]:
    fair = {
        "shareDecaySeconds": 1200,
        "computeReservation": 10,
        "shareDistribution": [{"shareIdentifier": "team*", "weightFactor": 0.5}],
    }
    return {"name": "new", "fairsharePolicy": fair, "tags": {"team": "a"}}


@example("CreateSchedulingPolicy")
def quota_policy(world: World) -> dict[str, Any]:
    return {"name": "new", "quotaSharePolicy": {"idleResourceAssignmentStrategy": "FIFO"}}


@example("UpdateSchedulingPolicy")
def update_policy(world: World) -> dict[str, Any]:
    fair = {
        "shareDecaySeconds": 1800,
        "computeReservation": 20,
        "shareDistribution": [{"shareIdentifier": "team*", "weightFactor": 2.0}],
    }
    return {"arn": world.policy, "fairsharePolicy": fair}


@example("UpdateSchedulingPolicy")
def update_quota_policy(world: World) -> dict[str, Any]:
    policy = {"idleResourceAssignmentStrategy": "FIFO"}
    arn = world.make("CreateSchedulingPolicy", name="quota", quotaSharePolicy=policy)["arn"]
    return {"arn": arn, "quotaSharePolicy": policy}


@example("DeleteSchedulingPolicy")
def delete_policy(world: World) -> dict[str, Any]:
    return {"arn": world.policy}


@example("DescribeSchedulingPolicies")
def describe_policies(world: World) -> dict[str, Any]:
    return {"arns": [world.policy]}


@example("ListSchedulingPolicies")
def list_policies(world: World) -> dict[str, Any]:
    others = [world.make("CreateSchedulingPolicy", name=name, fairsharePolicy={})["arn"] for name in ("b", "c")]
    return first_page(world, "ListSchedulingPolicies", [world.policy, *others])


@example("CreateConsumableResource")
def consumable(world: World) -> dict[str, Any]:
    return {
        "consumableResourceName": "new",
        "totalQuantity": 12,
        "resourceType": "NON_REPLENISHABLE",
        "tags": {"team": "a"},
    }


@example("UpdateConsumableResource")
def update_consumable(world: World) -> dict[str, Any]:
    return {"consumableResource": world.consumable, "operation": "ADD", "quantity": 3}


@example("UpdateConsumableResource")
def repeat_update(world: World) -> dict[str, Any]:
    """What was done under a client token is not done again."""
    request = {**update_consumable(world), "clientToken": "token"}
    world.make("UpdateConsumableResource", **request)
    return request


@example("DeleteConsumableResource")
def delete_consumable(world: World) -> dict[str, Any]:
    return {"consumableResource": world.consumable}


@example("DescribeConsumableResource")
def describe_consumable(world: World) -> dict[str, Any]:
    return {"consumableResource": world.consumable}


def three_consumables(world: World) -> list[str]:
    for name in ("dongle", "seat"):
        world.make("CreateConsumableResource", consumableResourceName=name, totalQuantity=1)
    return [world.consumable, "dongle", "seat"]


@example("ListConsumableResources")
def list_consumables(world: World) -> dict[str, Any]:
    three_consumables(world)
    return {"filters": [{"name": "CONSUMABLE_RESOURCE_NAME", "values": ["LIC*"]}]}


@example("ListConsumableResources")
def list_first_consumables(world: World) -> dict[str, Any]:
    return first_page(world, "ListConsumableResources", three_consumables(world))
