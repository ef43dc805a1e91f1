"""Scheduling policies on the wire."""

from collections.abc import Sequence

from longshore.api.aws.batch.translate.shapes import read, render
from longshore.api.aws.batch.wire import requests, responses
from longshore.api.aws.batch.wire import structures as wire
from longshore.domain.policy import FairsharePolicy, QuotaSharePolicy, SchedulingPolicy
from longshore.service.paging import Page
from longshore.service.policies import PolicyDraft


def read_draft(request: requests.CreateSchedulingPolicyRequest) -> PolicyDraft:
    """The policy that the caller wants."""
    return PolicyDraft(
        name=request.name,
        fairshare_policy=read_fairshare(request.fairshare_policy),
        quota_share_policy=read_quota_share(request.quota_share_policy),
        tags=request.tags or {},
    )


def read_fairshare(policy: wire.FairsharePolicy | None) -> FairsharePolicy | None:
    """What is not sent has its default."""
    return read(policy, FairsharePolicy)


def read_quota_share(policy: wire.QuotaSharePolicy | None) -> QuotaSharePolicy | None:
    """The same for queues of service jobs."""
    return read(policy, QuotaSharePolicy)


def render_creation(policy: SchedulingPolicy) -> responses.CreateSchedulingPolicyResponse:
    """The answer to a creation."""
    return responses.CreateSchedulingPolicyResponse(name=policy.name, arn=policy.arn)


def render_policies(policies: Sequence[SchedulingPolicy]) -> responses.DescribeSchedulingPoliciesResponse:
    """The answer to a description."""
    return responses.DescribeSchedulingPoliciesResponse(
        scheduling_policies=[render(policy, wire.SchedulingPolicyDetail) for policy in policies]
    )


def render_arns(page: Page[SchedulingPolicy]) -> responses.ListSchedulingPoliciesResponse:
    """The answer to a listing: ARNs alone."""
    return responses.ListSchedulingPoliciesResponse(
        scheduling_policies=[wire.SchedulingPolicyListingDetail(arn=policy.arn) for policy in page.items],
        next_token=page.next_token,
    )
