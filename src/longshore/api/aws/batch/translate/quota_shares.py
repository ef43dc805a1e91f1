"""Quota shares on the wire."""

from longshore.api.aws.batch.translate.shapes import read, render
from longshore.api.aws.batch.wire import requests, responses
from longshore.api.aws.batch.wire import structures as wire
from longshore.domain.quota import UNLIMITED, QuotaLimit, QuotaPreemption, QuotaShare, ResourceSharing
from longshore.service.paging import Page
from longshore.service.quota_shares import QuotaShareChanges, QuotaShareDraft


def read_draft(request: requests.CreateQuotaShareRequest) -> QuotaShareDraft:
    """The share that the caller wants."""
    return QuotaShareDraft(
        name=request.quota_share_name,
        queue=request.job_queue,
        state=request.state or "ENABLED",
        capacity_limits=tuple(read(limit, QuotaLimit) for limit in request.capacity_limits),
        resource_sharing=read(request.resource_sharing_configuration, ResourceSharing),
        preemption=read(request.preemption_configuration, QuotaPreemption),
        tags=request.tags or {},
    )


def read_changes(request: requests.UpdateQuotaShareRequest) -> QuotaShareChanges:
    """What the caller wants to change."""
    limits = request.capacity_limits
    return QuotaShareChanges(
        state=request.state,
        capacity_limits=None if limits is None else tuple(read(limit, QuotaLimit) for limit in limits),
        resource_sharing=read(request.resource_sharing_configuration, ResourceSharing),
        preemption=read(request.preemption_configuration, QuotaPreemption),
    )


def render_creation(share: QuotaShare) -> responses.CreateQuotaShareResponse:
    """The answer to a creation."""
    return responses.CreateQuotaShareResponse(quota_share_name=share.share_name, quota_share_arn=share.arn)


def render_update(share: QuotaShare) -> responses.UpdateQuotaShareResponse:
    """The answer to an update."""
    return responses.UpdateQuotaShareResponse(quota_share_name=share.share_name, quota_share_arn=share.arn)


def render_description(share: QuotaShare) -> responses.DescribeQuotaShareResponse:
    """The answer to a description."""
    shown = render_share(share)
    return responses.DescribeQuotaShareResponse(
        **{name: getattr(shown, name) for name in shown.__struct_fields__}, tags=share.tags
    )


def render_shares(page: Page[QuotaShare]) -> responses.ListQuotaSharesResponse:
    """The answer to a listing."""
    return responses.ListQuotaSharesResponse(
        quota_shares=[render_share(share) for share in page.items], next_token=page.next_token
    )


def render_share(share: QuotaShare) -> wire.QuotaShareDetail:
    """A share as listings show it; one that borrows says how much."""
    sharing = share.resource_sharing_configuration
    is_borrower = sharing.strategy == "LEND_AND_BORROW"
    return wire.QuotaShareDetail(
        quota_share_name=share.share_name,
        quota_share_arn=share.arn,
        job_queue_arn=share.queue_arn,
        capacity_limits=[render(limit, wire.QuotaShareCapacityLimit) for limit in share.capacity_limits],
        resource_sharing_configuration=wire.QuotaShareResourceSharingConfiguration(
            strategy=sharing.strategy,
            borrow_limit=UNLIMITED if is_borrower and sharing.borrow_limit is None else sharing.borrow_limit,
        ),
        preemption_configuration=render(share.preemption_configuration, wire.QuotaSharePreemptionConfiguration),
        state=share.state,
        status=share.status,
    )
