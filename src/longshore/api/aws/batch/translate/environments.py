"""Compute environments on the wire."""

from typing import Any

import msgspec

from longshore.api.aws.batch.translate.shapes import to_document
from longshore.api.aws.batch.wire import requests, responses
from longshore.api.aws.batch.wire import structures as wire
from longshore.domain.environment import ComputeEnvironment, cluster_name
from longshore.domain.ids import Scope
from longshore.service.environments import EnvironmentDraft
from longshore.service.paging import Page

#: Members of requests, and of descriptions, that are kept as they are given.
_KEPT = (
    "unmanagedvCpus",
    "computeResources",
    "serviceRole",
    "context",
    "updatePolicy",
    "ecsSettings",
    "eksConfiguration",
)
_SERVICE_ROLE = "aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch"
#: What an update policy that was given in part has for the rest. Source: AWS Batch API, UpdatePolicy.
_UPDATE_POLICY = {"terminateJobsOnUpdate": False, "jobExecutionTimeoutMinutes": 30}
#: Members that are lists or maps, as they are shown when they were not given.
_EMPTY: dict[str, Any] = {"subnets": [], "securityGroupIds": []}


def read_draft(request: requests.CreateComputeEnvironmentRequest) -> EnvironmentDraft:
    """The environment that is asked for."""
    return EnvironmentDraft(
        name=request.compute_environment_name,
        type=request.type,
        state=request.state or "ENABLED",
        document=_read_document(request),
        tags=request.tags or {},
    )


def read_changes(request: requests.UpdateComputeEnvironmentRequest) -> dict[str, Any]:
    """What an update gives, by wire names."""
    return _read_document(request)


def _read_document(
    request: requests.CreateComputeEnvironmentRequest | requests.UpdateComputeEnvironmentRequest,
) -> dict[str, Any]:
    given = to_document(request)
    return {name: given[name] for name in _KEPT if name in given}


def render_creation(environment: ComputeEnvironment) -> responses.CreateComputeEnvironmentResponse:
    """The answer to a creation."""
    return responses.CreateComputeEnvironmentResponse(
        compute_environment_name=environment.name, compute_environment_arn=environment.arn
    )


def render_update(environment: ComputeEnvironment) -> responses.UpdateComputeEnvironmentResponse:
    """The answer to an update."""
    return responses.UpdateComputeEnvironmentResponse(
        compute_environment_name=environment.name, compute_environment_arn=environment.arn
    )


def render_environments(page: Page[ComputeEnvironment]) -> responses.DescribeComputeEnvironmentsResponse:
    """The answer to a description."""
    return responses.DescribeComputeEnvironmentsResponse(
        compute_environments=[_render_environment(environment) for environment in page.items],
        next_token=page.next_token,
    )


def _render_environment(environment: ComputeEnvironment) -> wire.ComputeEnvironmentDetail:
    scope, document = environment.scope, environment.document
    cluster = cluster_name(scope, environment.name)
    described = {
        **document,
        "computeEnvironmentName": environment.name,
        "computeEnvironmentArn": environment.arn,
        "tags": environment.tags,
        "type": environment.type,
        "state": environment.state,
        "status": environment.status,
        "statusReason": environment.status_reason,
        "serviceRole": _render_role(scope, document.get("serviceRole")),
        "containerOrchestrationType": "EKS" if environment.runs_pods else "ECS",
        "uuid": environment.uuid,
    }
    if environment.runs_pods:
        described["eksConfiguration"] = _render_cluster(document["eksConfiguration"])
    else:
        described["ecsClusterArn"] = f"arn:aws:ecs:{scope.region}:{scope.account_id}:cluster/{cluster}"
    if "updatePolicy" in document:
        described["updatePolicy"] = _UPDATE_POLICY | document["updatePolicy"]
    if "computeResources" in document:
        described["computeResources"] = _render_resources(environment, document["computeResources"])
    return msgspec.convert(described, wire.ComputeEnvironmentDetail)


def _render_resources(environment: ComputeEnvironment, given: dict[str, Any]) -> dict[str, Any]:
    if "minvCpus" not in given:
        return {**_EMPTY, **given}
    images = [{"imageType": "EKS_AL2023" if environment.runs_pods else "ECS_AL2023"}]
    # Nothing is scaled yet, so what is desired is what was asked for.
    return {**_EMPTY, "tags": {}, "ec2Configuration": images, "desiredvCpus": given["minvCpus"], **given}


def _render_cluster(given: dict[str, Any]) -> dict[str, Any]:
    if "accessEntry" not in given:
        return given
    # No cluster is there that could have the entry.
    return {**given, "accessEntry": {"desiredState": given["accessEntry"]["desiredState"], "status": "INACTIVE"}}


def _render_role(scope: Scope, role: str | None) -> str:
    if role is not None and role.startswith("arn:"):
        return role
    return f"arn:aws:iam::{scope.account_id}:role/{role or _SERVICE_ROLE}"
