"""Create, describe, update and delete compute environments: golden answers and refusals."""

import re
from typing import Any

import pytest

from longshore.domain.environment import cluster_name
from longshore.domain.ids import JobId
from longshore.ports.store import Transaction
from longshore.testing.builders import an_attempt
from tests.api.batch_service import ACCOUNT, REGION, SMALL, Batch

ON_EC2 = {
    "type": "EC2",
    "minvCpus": 0,
    "maxvCpus": 8,
    "instanceTypes": ["optimal"],
    "instanceRole": "ecsInstanceRole",
    "subnets": ["subnet-1"],
    "securityGroupIds": ["sg-1"],
}
ON_FARGATE = {"type": "FARGATE", "maxvCpus": 4, "subnets": ["subnet-1"], "securityGroupIds": ["sg-1"]}
SERVICE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch"

#: Its instances can be updated.
PROGRESSIVE = {**ON_EC2, "allocationStrategy": "BEST_FIT_PROGRESSIVE"}


def create(batch: Batch, name: str = "ce", resources: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    return batch.create_compute_environment(
        computeEnvironmentName=name, type="MANAGED", computeResources=resources or ON_EC2, **members
    )


def describe(batch: Batch, name: str = "ce") -> dict[str, Any]:
    """The one environment, without the uuid that it was given."""
    (described,) = batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"]
    assert re.fullmatch("[0-9a-f-]{36}", described.pop("uuid"))
    return described


def managed_instances(template: dict[str, Any] | None = None, **provider: Any) -> dict[str, Any]:
    """Resources that Amazon ECS would manage, with changes of the launch template and of the provider."""
    network = {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}
    plain = {"ec2InstanceProfileArn": "arn:aws:iam::1:instance-profile/p", "networkConfiguration": network}
    own = {
        "infrastructureRoleArn": "arn:aws:iam::1:role/r",
        "instanceLaunchTemplate": {**plain, **(template or {})},
        **provider,
    }
    return {"type": "ECS_MANAGED_INSTANCES", "maxvCpus": 8, "managedInstancesProvider": own}


def override(*overrides: dict[str, Any]) -> dict[str, Any]:
    """Resources with a launch template and these overrides of it."""
    template = {"launchTemplateId": "lt-1", "overrides": list(overrides)}
    return {"instanceTypes": ["c5"], "launchTemplate": template}


def test_a_managed_environment_is_valid_at_once(batch: Batch) -> None:
    arn = f"arn:aws:batch:{REGION}:{ACCOUNT}:compute-environment/ce"
    assert create(batch) == {"computeEnvironmentName": "ce", "computeEnvironmentArn": arn}
    assert batch.notifier.count == 1
    assert describe(batch) == {
        "computeEnvironmentName": "ce",
        "computeEnvironmentArn": arn,
        "ecsClusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{cluster_name(batch.scope, 'ce')}",
        "tags": {},
        "type": "MANAGED",
        "state": "ENABLED",
        "status": "VALID",
        "statusReason": "ComputeEnvironment Healthy",
        "computeResources": {
            **ON_EC2,
            "desiredvCpus": 0,
            "tags": {},
            "ec2Configuration": [{"imageType": "ECS_AL2023"}],
        },
        "serviceRole": SERVICE_ROLE,
        "containerOrchestrationType": "ECS",
    }


def test_what_was_sent_comes_back(batch: Batch) -> None:
    resources = {
        **ON_EC2,
        "type": "SPOT",
        "allocationStrategy": "SPOT_CAPACITY_OPTIMIZED",
        "desiredvCpus": 2,
        "minvCpus": 1,
        "bidPercentage": 80,
        "ec2KeyPair": "key",
        "placementGroup": "group",
        "tags": {"Name": "instance"},
        "launchTemplate": {"launchTemplateName": "template", "version": "$Latest"},
        "ec2Configuration": [{"imageType": "ECS_AL2"}],
        "scalingPolicy": {"minScaleDownDelayMinutes": 20},
    }
    create(batch, resources=resources, state="DISABLED", serviceRole="role", tags={"a": "b"}, context="c")
    described = describe(batch)
    assert described["computeResources"] == resources
    assert described["state"] == "DISABLED"
    assert described["serviceRole"] == f"arn:aws:iam::{ACCOUNT}:role/role"
    assert (described["tags"], described["context"]) == ({"a": "b"}, "c")


def test_fargate_shows_its_four_members(batch: Batch) -> None:
    create(batch, resources=ON_FARGATE)
    assert describe(batch)["computeResources"] == ON_FARGATE


def test_an_unmanaged_environment_shows_no_resources(batch: Batch) -> None:
    batch.create_compute_environment(computeEnvironmentName="ce", type="UNMANAGED", unmanagedvCpus=4)
    described = describe(batch)
    assert "computeResources" not in described
    assert (described["type"], described["unmanagedvCpus"]) == ("UNMANAGED", 4)


def test_the_engine_is_resolved_once(batch: Batch) -> None:
    create(batch, "plain")
    create(batch, "chosen", tags={"longshore:engine": "fake"})

    def engine(name: str) -> str:
        environment = batch.read(lambda reader: reader.environment(batch.scope, name))
        assert environment is not None
        return environment.engine

    assert (engine("plain"), engine("chosen")) == ("process", "fake")
    refusal = batch.refusal(
        "create_compute_environment",
        computeEnvironmentName="x",
        type="UNMANAGED",
        tags={"longshore:engine": "warp"},
    )
    assert refusal == "W: There is no engine warp; the tag longshore:engine may be fake, process"
    refusal = batch.refusal(
        "tag_resource", resourceArn=batch.arn("compute-environment", "plain"), tags={"longshore:engine": "fake"}
    )
    assert refusal == "W: The engine of a compute environment is fixed when it is created: process"


def test_describe_leaves_out_unknown_names(batch: Batch) -> None:
    create(batch, "a")
    create(batch, "b")
    names = [batch.arn("compute-environment", "b"), "nothing", "arn:aws:batch:us-east-1:1:compute-environment/a"]
    found = batch.describe_compute_environments(computeEnvironments=names)["computeEnvironments"]
    assert [each["computeEnvironmentName"] for each in found] == ["b"]
    for nowhere in ("nothing", names[-1]):
        assert batch.describe_compute_environments(computeEnvironments=[nowhere]) == {"computeEnvironments": []}


def test_pages_hold_all_environments_once(batch: Batch) -> None:
    for name in ("a", "b", "c"):
        create(batch, name)
    pages = list(batch.client.get_paginator("describe_compute_environments").paginate(maxResults=2))
    names = [[each["computeEnvironmentName"] for each in page["computeEnvironments"]] for page in pages]
    assert names == [["a", "b"], ["c"]]
    assert "nextToken" not in pages[-1]
    refusal = batch.refusal("describe_compute_environments", computeEnvironments=["a"], maxResults=1)
    assert refusal == "W: ComputeEnvironments and MaxResults cannot both be set"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"instanceRole": None}, "W: Instance role is required."),
        ({"minvCpus": None}, "W: Resource minvCpus is required."),
        ({"instanceTypes": None}, "W: Resource instanceTypes is required."),
        ({"instanceRole": "arn:aws:iam::1:role/x"}, "ECS Instance Role should be an ECS Instance Profile ARN"),
        (
            {"instanceTypes": ["c5", "m6g.large"]},
            "W: The instanceTypes of a compute environment should all have one processor architecture.",
        ),
        (
            {"instanceTypes": ["optimal", "default_arm64"]},
            "W: The instanceTypes of a compute environment should all have one processor architecture.",
        ),
        ({"launchTemplate": {}}, "W: launchTemplate needs either launchTemplateId or launchTemplateName."),
        (
            {"launchTemplate": {"launchTemplateId": "lt", "version": "newest"}},
            "W: The version of launchTemplate should be a number, $Default or $Latest.",
        ),
        (
            override({"targetInstanceTypes": ["c5"]}),
            "W: launchTemplate.overrides needs either launchTemplateId or launchTemplateName.",
        ),
        (override({"launchTemplateId": "lt-2"}), "W: launchTemplate.overrides need targetInstanceTypes."),
        (
            override({"launchTemplateId": "lt-2", "targetInstanceTypes": ["m5.large"]}),
            "W: targetInstanceTypes should be types or families of instanceTypes, got m5.large",
        ),
        (
            override({"launchTemplateId": "lt-2", "targetInstanceTypes": ["optimal"]}),
            "W: targetInstanceTypes should be types or families of instanceTypes, got optimal",
        ),
        (
            override({"launchTemplateId": "lt-2", "targetInstanceTypes": ["c5", "c5.large"]}),
            "W: targetInstanceTypes cannot overlap: c5 and c5.large",
        ),
        (
            override(*[{"launchTemplateId": "lt", "targetInstanceTypes": [f"c5.{size}"]} for size in range(11)]),
            "W: launchTemplate cannot have more than 10 overrides.",
        ),
        ({"type": "SPOT"}, "ComputeResources.spotIamFleetRole cannot not be null or empty"),
        ({"type": "FARGATE"}, "W: instanceTypes is not applicable for Fargate."),
        (
            {"type": "FARGATE", "instanceTypes": None, "desiredvCpus": 1},
            "W: desiredvCpus is not applicable for Fargate.",
        ),
        (
            {"desiredvCpus": 9},
            "W: Resource desiredvCpus should be between minvCpus and maxvCpus, and minvCpus at least 0.",
        ),
        (
            {"scalingPolicy": {"minScaleDownDelayMinutes": 5}},
            "W: minScaleDownDelayMinutes should be 0 or between 20 and 10080.",
        ),
        ({"capacityTags": {"a": "b"}}, "W: capacityTags is not applicable for the type EC2."),
        ({"type": "ECS_MANAGED_INSTANCES"}, "W: instanceTypes is not applicable for ECS_MANAGED_INSTANCES."),
    ],
)
def test_creation_refuses(batch: Batch, changes: dict[str, Any], text: str) -> None:
    resources = {name: value for name, value in (ON_EC2 | changes).items() if value is not None}
    refusal = batch.refusal(
        "create_compute_environment", computeEnvironmentName="ce", type="MANAGED", computeResources=resources
    )
    assert refusal == text


@pytest.mark.parametrize(
    ("resources", "text"),
    [
        (
            {"type": "ECS_MANAGED_INSTANCES", "maxvCpus": 1},
            "managedInstancesProvider is required for ECS_MANAGED_INSTANCES.",
        ),
        (managed_instances(propagateTags="ALL"), "propagateTags should be one of CAPACITY_PROVIDER, NONE, got ALL"),
        (managed_instances({"monitoring": "x"}), "monitoring should be one of BASIC, DETAILED, got x"),
        (managed_instances({"capacityOptionType": "x"}), "capacityOptionType should be one of ON_DEMAND, SPOT, got x"),
        (
            managed_instances({"capacityReservations": {"reservationPreference": "x"}}),
            "reservationPreference should be one of RESERVATIONS_ONLY, RESERVATIONS_FIRST, RESERVATIONS_EXCLUDED, "
            "got x",
        ),
        (
            managed_instances({"networkConfiguration": {"subnets": [], "securityGroups": ["sg-1"]}}),
            "networkConfiguration needs at least one entry in subnets.",
        ),
        (managed_instances({"storageConfiguration": {"storageSizeGiB": 0}}), "storageSizeGiB should be at least 1."),
        (
            managed_instances(infrastructureOptimization={"scaleInAfter": 3601}),
            "scaleInAfter should be -1 or between 0 and 3600, got 3601",
        ),
    ],
)
def test_managed_instances_are_refused(batch: Batch, resources: dict[str, Any], text: str) -> None:
    members = {"computeEnvironmentName": "ce", "type": "MANAGED", "computeResources": resources}
    assert batch.refusal("create_compute_environment", **members) == f"W: {text}"


def test_managed_instances_are_the_machine_that_is_there(batch: Batch) -> None:
    """They run what is made for them, have queues of a type of their own, and are updated member by member."""
    create(batch, resources=managed_instances({"monitoring": "DETAILED"}))
    template = {"instanceLaunchTemplate": {"storageConfiguration": {"storageSizeGiB": 9}}}
    batch.update_compute_environment(computeEnvironment="ce", computeResources={"managedInstancesProvider": template})
    expected = managed_instances({"monitoring": "DETAILED", "storageConfiguration": {"storageSizeGiB": 9}})
    assert describe(batch)["computeResources"] == {**expected, "subnets": [], "securityGroupIds": []}
    batch.queue("q", "ce", jobQueueType="ECS_MANAGED_INSTANCES")
    assert batch.describe_job_queues()["jobQueues"][0]["jobQueueType"] == "ECS_MANAGED_INSTANCES"
    container = {"name": "main", "image": "busybox", "resourceRequirements": SMALL}
    batch.register_job_definition(
        jobDefinitionName="fits",
        type="container",
        ecsProperties={"taskProperties": [{"containers": [container]}]},
        platformCapabilities=["MANAGED_INSTANCES"],
    )
    refusal = batch.refusal(
        "register_job_definition",
        jobDefinitionName="plain",
        type="container",
        containerProperties={"image": "busybox", "resourceRequirements": SMALL},
        platformCapabilities=["MANAGED_INSTANCES"],
    )
    assert refusal == "W: Job definitions with the platform capability MANAGED_INSTANCES should have ecsProperties."
    batch.definition("other")
    assert batch.submit(queue="q", definition="fits")
    refusal = batch.refusal("submit_job", jobName="j", jobQueue="q", jobDefinition="other")
    assert refusal == "Job Queue is attached to Compute Environment that can not run Jobs with capability EC2"
    refusal = batch.refusal("update_compute_environment", computeEnvironment="ce", computeResources={"type": "EC2"})
    assert refusal == "W: The type of a compute environment can change between EC2 and SPOT only."


def test_fargate_refuses_instance_tags(batch: Batch) -> None:
    refusal = batch.refusal(
        "create_compute_environment",
        computeEnvironmentName="ce",
        type="MANAGED",
        computeResources={**ON_FARGATE, "tags": {"a": "b"}},
    )
    assert refusal == "W: tags is not applicable for Fargate."


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"type": "MANAGED"}, "W: ComputeResources is required for a MANAGED compute environment."),
        (
            {"type": "MANAGED", "computeResources": ON_EC2, "unmanagedvCpus": 1},
            "W: unmanagedvCpus is for UNMANAGED compute environments only.",
        ),
        (
            {"type": "UNMANAGED", "computeResources": ON_FARGATE},
            "W: ComputeResources is for MANAGED compute environments only.",
        ),
        (
            {
                "type": "UNMANAGED",
                "eksConfiguration": {"eksClusterArn": "arn:aws:eks:x", "kubernetesNamespace": "batch"},
            },
            "W: eksConfiguration is for MANAGED compute environments only.",
        ),
    ],
)
def test_kinds_and_members_must_go_together(batch: Batch, members: dict[str, Any], text: str) -> None:
    assert batch.refusal("create_compute_environment", computeEnvironmentName="ce", **members) == text


def test_a_name_is_taken_once(batch: Batch) -> None:
    create(batch)
    refusal = batch.refusal("create_compute_environment", computeEnvironmentName="ce", type="UNMANAGED")
    assert refusal == "W: Object already exists"


def test_an_account_has_so_many_in_a_region(batch: Batch) -> None:
    for number in range(50):
        batch.environment(f"ce{number}")
    refusal = batch.refusal("create_compute_environment", computeEnvironmentName="more", type="UNMANAGED")
    assert refusal == "W: An account cannot have more than 50 compute environments in a region"
    batch.update_compute_environment(computeEnvironment="ce7", state="DISABLED")
    batch.delete_compute_environment(computeEnvironment="ce7")
    batch.environment("more")
    assert len(batch.describe_compute_environments()["computeEnvironments"]) == 50


def test_an_update_merges(batch: Batch) -> None:
    create(batch, resources={**PROGRESSIVE, "desiredvCpus": 1, "ec2KeyPair": "key"}, tags={"a": "b"})
    arn = batch.arn("compute-environment", "ce")
    answer = batch.update_compute_environment(
        computeEnvironment=arn,
        state="DISABLED",
        computeResources={"maxvCpus": 32, "desiredvCpus": 4, "ec2KeyPair": "", "updateToLatestImageVersion": True},
        updatePolicy={"terminateJobsOnUpdate": True},
    )
    assert answer == {"computeEnvironmentName": "ce", "computeEnvironmentArn": arn}
    described = describe(batch)
    assert described["computeResources"] == {
        **PROGRESSIVE,
        "maxvCpus": 32,
        "desiredvCpus": 4,
        "tags": {},
        "ec2Configuration": [{"imageType": "ECS_AL2023"}],
    }
    assert described["updatePolicy"] == {"terminateJobsOnUpdate": True, "jobExecutionTimeoutMinutes": 30}
    assert (described["state"], described["status"], described["tags"]) == ("DISABLED", "VALID", {"a": "b"})
    environment = batch.read(lambda reader: reader.environment(batch.scope, "ce"))
    assert environment is not None
    assert environment.max_vcpus == 32
    batch.update_compute_environment(computeEnvironment="ce", updatePolicy={"jobExecutionTimeoutMinutes": 5})
    assert describe(batch)["updatePolicy"] == {"terminateJobsOnUpdate": True, "jobExecutionTimeoutMinutes": 5}


@pytest.mark.parametrize(
    ("resources", "text"),
    [
        (
            {"desiredvCpus": 1},
            "W: Manually scaling down compute environment is not supported. Disconnecting job queues from compute "
            "environment will cause it to scale-down to minvCpus",
        ),
        ({"type": "FARGATE"}, "W: The type of a compute environment can change between EC2 and SPOT only."),
        ({"instanceRole": ""}, "W: Instance role is required."),
    ],
)
def test_an_update_is_refused_when_its_result_would_be(batch: Batch, resources: dict[str, Any], text: str) -> None:
    create(batch, resources={**PROGRESSIVE, "desiredvCpus": 2})
    refusal = batch.refusal("update_compute_environment", computeEnvironment="ce", computeResources=resources)
    assert refusal == text


def test_best_fit_keeps_its_instances(batch: Batch) -> None:
    """Nothing but its size can be updated."""
    create(batch)
    refusal = batch.refusal(
        "update_compute_environment", computeEnvironment="ce", computeResources={"imageId": "ami-1", "maxvCpus": 5}
    )
    assert refusal == "W: A compute environment with the allocation strategy BEST_FIT cannot be updated in imageId."
    batch.update_compute_environment(computeEnvironment="ce", computeResources={"maxvCpus": 5})
    assert describe(batch)["computeResources"]["maxvCpus"] == 5


CLUSTER = {"eksClusterArn": "arn:aws:eks:us-east-1:000000000000:cluster/one", "kubernetesNamespace": "batch-jobs"}


def test_an_environment_of_a_cluster(batch: Batch) -> None:
    """It is described as one, and takes another access entry."""
    create(batch, resources=PROGRESSIVE, eksConfiguration=CLUSTER)
    found = describe(batch)
    assert (found["containerOrchestrationType"], found["eksConfiguration"]) == ("EKS", CLUSTER)
    assert "ecsClusterArn" not in found
    assert found["computeResources"]["ec2Configuration"] == [{"imageType": "EKS_AL2023"}]
    batch.update_compute_environment(
        computeEnvironment="ce", eksConfiguration={"accessEntry": {"desiredState": "ENABLED"}}
    )
    entry = {"desiredState": "ENABLED", "status": "INACTIVE"}
    assert describe(batch)["eksConfiguration"] == {**CLUSTER, "accessEntry": entry}


@pytest.mark.parametrize(
    ("resources", "cluster", "text"),
    [
        (
            {"allocationStrategy": None},
            {},
            "Resource allocationStrategy is required for a compute environment with ",
        ),
        ({}, {"eksClusterArn": "arn:aws:ecs:x"}, "eksClusterArn should be the ARN of an Amazon EKS cluster, got arn:"),
        ({}, {"kubernetesNamespace": "kube-system"}, "Kubernetes namespace 'kube-system' is not valid"),
        ({"ec2Configuration": [{"imageType": "ECS_AL2"}]}, {}, "Images of Amazon ECS are for compute environments "),
        ({"capacityTags": {"a": "b"}}, {}, "capacityTags is not applicable for the type EC2."),
    ],
)
def test_a_cluster_and_its_capacity_go_together(
    batch: Batch, resources: dict[str, Any], cluster: dict[str, Any], text: str
) -> None:
    given = {name: value for name, value in {**PROGRESSIVE, **resources}.items() if value is not None}
    refusal = batch.refusal(
        "create_compute_environment",
        computeEnvironmentName="ce",
        type="MANAGED",
        computeResources=given,
        eksConfiguration={**CLUSTER, **cluster},
    )
    assert refusal.startswith(f"W: {text}")


def test_images_of_clusters_are_for_clusters(batch: Batch) -> None:
    resources = {**PROGRESSIVE, "ec2Configuration": [{"imageType": "EKS_AL2023"}]}
    refusal = batch.refusal(
        "create_compute_environment", computeEnvironmentName="ce", type="MANAGED", computeResources=resources
    )
    assert refusal == "W: Images of Amazon EKS are for compute environments with an eksConfiguration only."


def test_pods_and_clusters_go_together(batch: Batch) -> None:
    """A queue of a cluster takes pods alone, and no other takes any."""
    batch.queue("pods", batch.eks_environment())
    batch.queue()
    assert batch.describe_job_queues(jobQueues=["pods"])["jobQueues"][0]["jobQueueType"] == "EKS"
    batch.definition()
    pod = {"containers": [{"image": "busybox", "resources": {"limits": {"cpu": "1", "memory": "64Mi"}}}]}
    batch.register_job_definition(jobDefinitionName="pod", type="container", eksProperties={"podProperties": pod})
    assert batch.submit(queue="pods", definition="pod")
    for queue, definition, of, on in (("queue", "pod", "EKS", "ECS"), ("pods", "definition", "ECS", "EKS")):
        refusal = batch.refusal("submit_job", jobName="job", jobQueue=queue, jobDefinition=definition)
        assert refusal == (
            f"W: A job definition for Amazon {of} cannot run in a job queue with Amazon {on} compute environments"
        )


def test_a_role_stays_of_its_kind(batch: Batch) -> None:
    """The service-linked role is what an environment has that names none."""
    text = "W: The serviceRole cannot change between the service-linked role and another role."
    create(batch, "linked")
    create(batch, "own", serviceRole="role")
    assert batch.refusal("update_compute_environment", computeEnvironment="linked", serviceRole="role") == text
    assert batch.refusal("update_compute_environment", computeEnvironment="own", serviceRole=SERVICE_ROLE) == text
    batch.update_compute_environment(computeEnvironment="linked", serviceRole=SERVICE_ROLE)
    batch.update_compute_environment(computeEnvironment="own", serviceRole="other")
    assert describe(batch, "own")["serviceRole"].endswith("role/other")


def test_types_of_one_architecture_go_together(batch: Batch) -> None:
    """Graviton families have a `g` behind their generation; a `g` in front of it means graphics."""
    for name, types in {"arm": ["m6g", "c7gn.large", "a1", "default_arm64"], "x86": ["g4dn", "g5", "optimal"]}.items():
        create(batch, name, {**ON_EC2, "instanceTypes": types})
        assert describe(batch, name)["computeResources"]["instanceTypes"] == types


def test_updating_what_is_not_there_is_refused(batch: Batch) -> None:
    arn = batch.arn("compute-environment", "ce")
    assert batch.refusal("update_compute_environment", computeEnvironment="ce") == f"{arn} does not exist"
    other = "arn:aws:batch:us-east-1:111122223333:compute-environment/ce"
    assert batch.refusal("update_compute_environment", computeEnvironment=other) == f"{other} does not exist"


def test_deletion_wants_a_disabled_environment_without_queues(batch: Batch) -> None:
    create(batch)
    batch.queue("q", "ce")
    refusal = batch.refusal("delete_compute_environment", computeEnvironment="ce")
    assert refusal == "Cannot delete, state must be DISABLED"
    batch.update_compute_environment(computeEnvironment="ce", state="DISABLED")
    refusal = batch.refusal("delete_compute_environment", computeEnvironment="ce")
    assert refusal == "Cannot delete, found existing JobQueue relationship"
    batch.update_job_queue(jobQueue="q", computeEnvironmentOrder=[])
    assert batch.delete_compute_environment(computeEnvironment="ce") == {}
    assert batch.describe_compute_environments() == {"computeEnvironments": []}
    assert batch.delete_compute_environment(computeEnvironment="ce") == {}, "what is gone may be deleted again"


def test_an_environment_that_runs_jobs_goes_when_they_have_ended(batch: Batch) -> None:
    batch.queue("q")
    batch.definition()
    job_id = batch.submit(queue="q")

    def start(tx: Transaction) -> None:
        (key,) = tx.find_jobs(batch.scope, [JobId(uuid=job_id)]).values()
        tx.insert_attempts([an_attempt(tx.load_jobs([key])[key], environment="ce")])

    batch.write(start)
    batch.update_job_queue(jobQueue="q", computeEnvironmentOrder=[])
    batch.update_compute_environment(computeEnvironment="ce", state="DISABLED")
    assert batch.delete_compute_environment(computeEnvironment="ce") == {}
    assert describe(batch)["status"] == "DELETING"
    refusal = batch.refusal("delete_compute_environment", computeEnvironment="ce")
    assert refusal == "Cannot delete, resource is being modified"
    refusal = batch.refusal("update_compute_environment", computeEnvironment="ce", state="ENABLED")
    assert refusal == "Cannot update, resource is being modified"
